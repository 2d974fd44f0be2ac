"""The search of the built site: what readers type leads to the section that explains it.

The tests of results need a built book (`make book`) and a browser.
"""

import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote_plus

import pytest
from browser import Chromium, Visit
from build_scratch import ROOT
from search_queries import WANTED

from bookbuild.write import search
from bookbuild.write.search import listed_words, spellings

HTML = ROOT / "_build" / "html"

QUERIES = [(query, place) for place, queries in WANTED.items() for query in queries]

FIND = """query => Search._performSearch(...Search._parseQuery(query)).reverse()
    .map(([page, title, anchor]) => [page + anchor, title])"""


@pytest.fixture(scope="module")
def page(chromium: Chromium) -> Iterator[Any]:
    with chromium.visit(HTML / "search.html") as visit:
        visit.page.wait_for_function("Search.hasIndex()")
        yield visit.page
        assert visit.errors == []


def find(page: Any, query: str) -> list[list[str]]:
    """Addresses and titles of what is found, the best first."""
    found: list[list[str]] = page.evaluate(FIND, query)
    return found


def open_results(visit: Visit, query: str) -> Any:
    """Search as a reader does, and return the links of the results."""
    field = visit.page.locator(".bd-search-container input[name=q]")
    field.fill(query)
    field.press("Enter")
    visit.page.wait_for_url(f"**/search.html?q={quote_plus(query)}*")
    visit.page.wait_for_function(
        "() => /found|Found/.test(document.querySelector('.search-summary')?.innerText)"
    )
    return visit.page.locator("#search-results li > a")


# -- the order


@pytest.mark.parametrize(("query", "wanted"), QUERIES)
def test_the_section_that_explains_it_is_first(page: Any, query: str, wanted: str) -> None:
    found = [place for place, _ in find(page, query)]
    assert found[0] == f"book/{wanted}", found[:4]
    assert len(found) == len(set(found)) or query == "special tokens", found


def test_a_whole_heading_leads_to_its_section(page: Any) -> None:
    """Also without its capitals and commas. A listed word or a term may lead elsewhere."""
    titles, names, entries = page.evaluate(
        "() => [Search._index.alltitles, Search._index.docnames, Search._index.indexentries]"
    )
    tried = 0
    for title, places in titles.items():
        chapters = {f"{names[at]}#{name}" for at, name in places if name and "/0" in names[at]}
        query = " ".join(re.findall(r"[\w’'-]+", title.lower()))
        if chapters and query not in entries and "(" not in title:  # no exercise, no solution
            assert find(page, query)[0][0] in chapters, query
            tried += 1
    assert tried > 150


def test_a_term_of_the_glossary_leads_to_its_section(page: Any) -> None:
    glossary = (HTML / "book" / "glossary.html").read_text(encoding="utf-8")
    entries = re.findall(r'((?:<dt id="term-.*?</dt>)+)<dd>(.*?)</dd>', glossary, re.DOTALL)
    assert len(entries) > 100
    listed = listed_words((ROOT / search.LISTED).read_text(encoding="utf-8"))
    for terms, entry in entries:
        links = re.findall(r'href="(\d\d-[\w-]+)\.html(#[^"]+)"', entry)
        for term in re.findall(r'<dt id="[^"]*">(.*?)<a', terms):
            if search.typed(term) not in listed:
                found = [place for place, _ in find(page, term)]
                assert found[0] in [f"book/{name}{anchor}" for name, anchor in links], term


def test_the_package_comes_last(page: Any) -> None:
    for query in ("softmax", "dropout", "cross entropy", "batchnorm", "regex"):
        pages = [place.partition("#")[0] for place, _ in find(page, query)]
        assert "book/api" in pages
        assert not [name for name in pages[pages.index("book/api") :] if "book/0" in name]
    assert find(page, "find_browserless") == []
    # the name of a function: where it is used, then what it does
    found = [place for place, _ in find(page, "tiktoken_cache")]
    assert found[:2] == ["book/08-tokenizer", "book/api#zerotohero.data.tiktoken_cache"]


def test_a_result_says_which_section_it_is(page: Any) -> None:
    titles = dict(find(page, "keepdim"))
    assert titles["book/02-bigrams#broadcasting"].endswith(" > Broadcasting")
    assert titles["book/glossary#term-keepdim"] == "Glossary > keepdim"
    titles = dict(find(page, "trigram"))
    assert titles["book/02-bigrams#ex-trigram"].endswith(
        " > Exercise: Trigrams, by counting and by a network"
    )


def test_a_word_of_javascript_is_no_word_of_the_book(page: Any) -> None:
    places = [place for place, _ in find(page, "constructor")]
    assert all(place.startswith("book/") for place in places)


def test_what_the_book_does_not_have_is_not_made_up(page: Any) -> None:
    for query in ("unigram", "kubernetes"):
        assert find(page, query) == []


@pytest.mark.parametrize(
    ("words", "section"),
    [(["apple", "pear"], "#one"), (["apple"], "#two"), (["plum"], "#all"), (["fig"], "")],
)
def test_a_hit_in_a_text_leads_to_a_section(page: Any, words: list[str], section: str) -> None:
    html = """<main role="main"><section id="all"><p>Apple, plum</p>
        <section id="one"><p>apple pear</p></section>
        <section id="two"><p>an apple and two apples</p></section></section></main>"""
    assert page.evaluate("([html, words]) => sectionWith(html, words)", [html, words]) == section


# -- the page of the results


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_results_from_a_folder_on_disk(chromium: Chromium, theme: str) -> None:
    with chromium.visit(HTML / "search.html", width=390, theme=theme) as visit:
        first = open_results(visit, "topological sort").first
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
        field = visit.page.locator(".bd-search-container input[name=q]")
        icon = visit.page.locator(".bd-search-container .fa-magnifying-glass").bounding_box()
        box = field.bounding_box()
        assert icon is not None
        assert box is not None
        assert icon["x"] + icon["width"] <= box["x"]  # it does not cover what is typed
        first.click()
        visit.page.wait_for_url("**/book/01-micrograd.html#in-which-order")
        top = "document.querySelector('#in-which-order').getBoundingClientRect().top"
        visit.page.wait_for_function(f"() => Math.abs({top}) < 150")
        assert visit.errors == []
        assert visit.outside(HTML) == []


def test_a_query_without_a_hit_gets_advice(chromium: Chromium) -> None:
    with chromium.visit(HTML / "search.html", width=390) as visit:
        assert open_results(visit, "qwertyuiop").count() == 0
        said = visit.page.locator(".search-summary").inner_text()
        assert "fewer or shorter" in said
        assert "categories" not in said
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
        assert visit.errors == []


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


def test_results_of_a_server_show_where_the_words_stand(chromium: Chromium) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(HTML)))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    context = chromium.browser.new_context(viewport={"width": 390, "height": 900})
    try:
        visit = Visit(context.new_page())
        visit.page.on("pageerror", lambda error: visit.errors.append(str(error)))
        visit.page.goto(f"http://127.0.0.1:{server.server_port}/search.html")
        open_results(visit, "keepdim")
        text = visit.page.locator("#search-results li").first
        text.locator("p.context .highlighted").first.wait_for()
        assert "keepdim=True" in text.inner_text()
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
        # The words are marked in the chapter, too. (They travel in the browser's storage, which
        # for files on disk Chromium sometimes hands to the next page too late.)
        text.locator("a").click()
        visit.page.locator("#broadcasting .highlighted").first.wait_for(state="attached")
        # a word that is only in the text leads to the section, too
        visit.page.goto(f"http://127.0.0.1:{server.server_port}/search.html")
        found = open_results(visit, "permute")
        visit.page.locator("#search-results a[href$='#all-heads-at-once']").wait_for()
        assert all("#" in link.get_attribute("href") for link in found.all())
        assert visit.errors == []
    finally:
        context.close()
        server.shutdown()
        server.server_close()


# -- the words


def test_spellings() -> None:
    assert {"cross-entropy", "cross entropy"} <= set(spellings("Cross-entropy"))
    assert {"batch norm", "batch-norm", "batch norms"} <= set(spellings("batch norm"))
    assert "newton schulz iteration" in spellings("Newton–Schulz iteration")
    assert {"warmup", "warm up"} <= set(spellings("warm-up"))
    assert {"query", "queries"} <= set(spellings("query"))
    assert "bessel's correction" in spellings("Bessel’s correction")


def test_listed_words() -> None:
    words = listed_words("a.md#one: [X, y]\nb.md#two: [x]\n")
    assert words == {"x": [("book/a", "one"), ("book/b", "two")], "y": [("book/a", "one")]}
    assert listed_words("# nothing\n") == {}
    for wrong in ("a.md: [x]", "a#one: [x]", "a.md#one: x"):
        with pytest.raises(ValueError, match=r"expected 'page\.md#heading: "):
            listed_words(wrong)


def test_a_heading_that_is_gone_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "book").mkdir()
    (tmp_path / search.LISTED).write_text("a.md#one: [x]\na.md#gone: [x, y]", encoding="utf-8")
    warned: list[str] = []
    monkeypatch.setattr(search.logger, "warning", lambda text, **_: warned.append(text))
    metadata = {"book/a": {"myst_slugs": {"one": (1, "id-of-one", "One")}}}
    env: Any = SimpleNamespace(found_docs={"book/a"}, metadata=metadata)
    app: Any = SimpleNamespace(srcdir=tmp_path)
    search.collect(app, env)
    assert warned == [f"search: no heading book/a#gone for {word!r}" for word in "xy"]
    assert env.bookbuild_search == {"book/a": [("x", "id-of-one"), ("xs", "id-of-one")]}
