/* The order of the search's results. Sphinx puts this into language_data.js, which the page of the
   search loads after searchtools.js; see html_search_scorer in Sphinx's documentation. */

// No text on the results from a folder on disk: there, a page may not read another one.
if (window.location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

// What Sphinx says speaks of categories, which we don't have, and calls sections pages.
Documentation.addTranslations({
  locale: "en",
  plural_expr: "(n != 1)",
  messages: {
    "Your search did not match any documents. Please make sure that all words are spelled correctly and that you've selected enough categories.":
      "Nothing found. All words have to be on one page: try fewer or shorter ones, the usual English name (“softmax”), or a function's name as in code (“masked_fill”). The glossary lists every term.",
    "Search finished, found ${resultCount} page(s) matching the search query.":
      "Places found: ${resultCount}",
  },
});

// Names of pages, sections and terms by address: an index entry shows its page's title only.
const sectionNames = () => {
  const { docnames, titles, alltitles, indexentries } = Search._index;
  const names = new Map(docnames.map((page, i) => [page, titles[i]]));
  for (const [entry, places] of Object.entries(indexentries))
    for (const [page, id] of places)
      if (id.startsWith("term-")) names.set(`${docnames[page]}#${id}`, `${titles[page]} > ${entry}`);
  for (const [title, places] of Object.entries(alltitles))
    for (const [page, id] of places)
      if (id) {
        const name = title.replace(/^ \((.*)\)$/, "Exercise: $1");
        names.set(`${docnames[page]}#${id}`, `${titles[page]} > ${name}`);
      }
  return names;
};

// First what explains: a section of a chapter or of the first pages, the glossary, an exercise, a
// chapter; then the rest.
const LAST = /^book\/(api|changelog|contribute|references|reproduced|times)$/;
const tier = (page, anchor) => {
  if (LAST.test(page)) return 0;
  if (page === "book/glossary" && anchor) return 4;
  if (!/^book\/(\d\d-|start$|index$)/.test(page) || (!anchor && !/\d/.test(page))) return 1;
  if (anchor.startsWith("#ex-") || anchor.includes("-solution-")) return 3;
  return anchor ? 5 : 2;
};

var Scorer = {
  title: 100, // as much as an index entry
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,

  // [page, title, anchor, description, score, file]; sorted by this score, then by title
  score(result) {
    const [page, title, anchor, description, score] = result;
    Scorer.names ??= sectionNames();
    if (description === null) result[1] = Scorer.names.get(page + anchor) ?? title;
    return 1000 * tier(page, anchor) + score;
  },
};

// The words of a text as Sphinx's index has them: in small letters, stemmed, without "the", "of" ...
const stems = (text) => {
  const stemmer = new Stemmer();
  const words = splitQuery(text.toLowerCase()).filter((word) => !stopwords.includes(word));
  return words.map((word) => stemmer.stemWord(word));
};

// Places with a name that has all words of the query. Sorted like Sphinx's results: the best one
// last, which has the fewest other words. A whole title is one also without its number.
const findNamed = (query) => {
  const { docnames, filenames, titles, alltitles, indexentries } = Search._index;
  const wanted = stems(query.replace(/^\s*\d+\s*[.·:]/, ""));
  const found = new Map();
  const look = (name, places, isTitle) => {
    const words = stems(name);
    if (!wanted.length || !wanted.every((word) => words.includes(word))) return;
    const whole = isTitle && words.join(" ") === wanted.join(" ");
    for (const [page, id] of places) {
      const [place, anchor] = [docnames[page], id ? `#${id}` : ""];
      const rank = tier(place, anchor);
      if (!anchor && !titles[page].endsWith(name)) continue; // a hint; titles have their number
      if (!whole && (rank < 2 || rank === 4)) continue;
      const share = whole ? (anchor ? 2 : 3) : wanted.length / words.length;
      if (share + rank / 1000 <= (found.get(place + anchor)?.order ?? 0)) continue;
      const title = Scorer.names.get(place + anchor);
      const result = [place, title, anchor, null, 1000 * rank + 100, filenames[page]];
      found.set(place + anchor, { result, whole, order: share + rank / 1000 });
    }
  };
  Scorer.names ??= sectionNames();
  for (const [name, places] of Object.entries(alltitles)) look(name, places, true);
  for (const [name, places] of Object.entries(indexentries)) look(name, places, false);
  return [...found.values()].sort((a, b) => a.order - b.order);
};

// A whole title goes first, unless it is a listed word. If no section of a chapter has the name that
// was typed, those go first that have all its words in one name ("tanh saturation"), else those
// with the longest parts of it ("what is softmax"). Sphinx's results have the best one last.
const findWhole = Search._performSearch;
Search._performSearch = (query, ...terms) => {
  // Every object of JavaScript has this name, and Sphinx would take it for a word of the book.
  for (const words of [Search._index.terms, Search._index.titleterms])
    if (!Object.hasOwn(words, "constructor")) words.constructor = undefined;
  const results = findWhole(query, ...terms);
  const addFirst = (first) => {
    const places = new Set(first.map((result) => result[0] + result[2]));
    return [...results.filter((result) => !places.has(result[0] + result[2])), ...first];
  };
  const plain = query.toLowerCase().replaceAll("’", "'").trim();
  const isListed = Object.hasOwn(Search._index.indexentries, plain);
  const named = isListed ? [] : findNamed(query);
  const whole = named.filter((place) => place.whole);
  if (whole.length) return addFirst(whole.map((place) => place.result));
  if (results.some((result) => result[4] >= 5000)) return results;
  if (named.length) return addFirst(named.map((place) => place.result));
  const words = plain.split(/[-–\s/,;:?!]+/).filter((word) => word);
  for (let length = words.length; length > 0; length--) {
    const found = [];
    for (let i = 0; i + length <= words.length; i++) {
      const part = words.slice(i, i + length).join(" ");
      if (Object.hasOwn(Search._index.indexentries, part))
        found.unshift(...findWhole(part, new Set(), new Set(), new Set(), new Set()));
    }
    const best = new Map(found.map((result) => [result[0] + result[2], result])); // the last one
    const explain = found.filter((result) => result[4] >= 4000 && [...best.values()].includes(result));
    if (explain.length) return [...results, ...explain];
  }
  return results;
};

// The section of a page that has most of the words: most different ones, then most often.
const sectionWith = (html, words) => {
  const main = new DOMParser().parseFromString(html, "text/html").querySelector("[role=main]");
  let best = { id: "", different: 0, often: 0 };
  // from the inside out, so that a section is left with what is in none of its parts
  for (const section of [...(main?.querySelectorAll("section[id]") ?? [])].reverse()) {
    section.remove();
    const text = section.textContent.toLowerCase();
    const counts = [...words].map((word) => text.split(word).length - 1);
    const different = counts.filter((count) => count).length;
    const often = counts.reduce((sum, count) => sum + count, 0);
    if (different > best.different || (different === best.different && often >= best.often))
      best = { id: section.id, different, often };
  }
  return best.different ? `#${best.id}` : "";
};

// A hit in the text of a page leads to that section. Only where pages are served: the text is there.
const summarize = Search.makeSearchSummary;
Search.makeSearchSummary = (html, words, anchor) => {
  const section = anchor || sectionWith(html, words);
  const summary = summarize(html, words, section);
  queueMicrotask(() => {
    const link = summary?.parentElement?.querySelector("a");
    if (!link || anchor || !section) return;
    const name = Scorer.names.get(link.getAttribute("href").replace(/\.html$/, "") + section);
    link.hash = section;
    if (name) link.innerHTML = name;
  });
  return summary;
};
