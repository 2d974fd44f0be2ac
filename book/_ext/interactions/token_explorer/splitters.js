/**
 * @file Splits a text into the chunks that no token reaches over, as the patterns of GPT-2 and
 * GPT-4 do in Python.
 *
 * A scanner by hand, for two reasons: JavaScript has no possessive quantifiers, and each browser
 * has Unicode tables of its own. The classes of characters come from Python instead (unicode.js).
 *
 * Each rule is one alternative of a pattern. It takes a place in the text and returns the end of
 * its match there, or the place itself if there is none. The first rule that matches makes a chunk.
 */
"use strict";
window.tokenExplorer ??= {};

(() => {
  const OTHER = 0;
  const LETTER = 1;
  const NUMBER = 2;
  const SPACE = 3;

  /** @type {Uint8Array | undefined} the class of each code point */
  let classes;

  /**
   * @param {Uint8Array} table where to enter a class
   * @param {string} runs gap and length of each run, in base 36
   * @param {number} kind the class
   */
  function enter(table, runs, kind) {
    let end = 0;
    const numbers = runs.split(" ").map((digits) => parseInt(digits, 36));
    for (let i = 0; i < numbers.length; i += 2) {
      const start = end + numbers[i];
      end = start + numbers[i + 1];
      table.fill(kind, start, end);
    }
  }

  function readClasses() {
    const table = new Uint8Array(0x110000);
    const { letters, numbers, spaces } = tokenExplorer.unicode;
    enter(table, letters, LETTER);
    enter(table, numbers, NUMBER);
    enter(table, spaces, SPACE);
    return table;
  }

  /** Class of the character at a place; -1 at the end of the text. */
  function classAt(text, at) {
    return at < text.length ? classes[text.codePointAt(at)] : -1;
  }

  /** The place after the character at a place: one outside the basic plane takes two units. */
  function after(text, at) {
    return at + (text.codePointAt(at) > 0xffff ? 2 : 1);
  }

  /** The end of a run of characters of one class. */
  function runEnd(text, at, kind, most = Infinity) {
    for (let count = 0; count < most && classAt(text, at) === kind; count++) {
      at = after(text, at);
    }
    return at;
  }

  const isLineEnd = (text, at) => text[at] === "\n" || text[at] === "\r";

  const ENDINGS = ["s", "d", "m", "t", "ll", "ve", "re"];

  /** '(?:[sdmt]|ll|ve|re) */
  function contraction(text, at) {
    const found = text[at] === "'" && ENDINGS.find((ending) => text.startsWith(ending, at + 1));
    return found ? at + 1 + found.length : at;
  }

  /** '(?i:[sdmt]|ll|ve|re): in any case, and ſ (U+017F) is an s */
  function contractionInAnyCase(text, at) {
    const { contractions } = tokenExplorer.unicode;
    const matches = (ending) =>
      [...ending].every((letter, i) => {
        const given = text[at + 1 + i];
        return given !== undefined && contractions[letter].includes(given);
      });
    const found = text[at] === "'" && ENDINGS.find(matches);
    return found ? at + 1 + found.length : at;
  }

  /** ␣?\p{L}+ and the same for other classes: a run, with one space before it if there is one */
  function spaceAndRun(kind) {
    return (text, at) => {
      const start = text[at] === " " ? at + 1 : at;
      const end = runEnd(text, start, kind);
      return end > start ? end : at;
    };
  }

  /** [^\r\n\p{L}\p{N}]?+\p{L}+: letters, with one character before them that is none */
  function wordWithMark(text, at) {
    const kind = classAt(text, at);
    const taken = kind === LETTER || kind === NUMBER || isLineEnd(text, at);
    const start = taken ? at : after(text, at); // possessive: not given back
    const end = runEnd(text, start, LETTER);
    return end > start ? end : at;
  }

  /** \p{N}{1,3} */
  function upToThreeDigits(text, at) {
    return runEnd(text, at, NUMBER, 3);
  }

  /** ␣?[^\s\p{L}\p{N}]++[\r\n]* */
  function marksAndLineEnds(text, at) {
    let end = spaceAndRun(OTHER)(text, at);
    if (end > at) {
      while (isLineEnd(text, end)) end++;
    }
    return end;
  }

  /** \s*[\r\n]: white space up to its last line end */
  function upToLineEnd(text, at) {
    let end = runEnd(text, at, SPACE);
    while (end > at && !isLineEnd(text, end - 1)) end--;
    return end;
  }

  /** \s+(?!\S): white space, but its last character is left to what follows it */
  function allButLastSpace(text, at) {
    const end = runEnd(text, at, SPACE);
    // Every white space is one unit long.
    return end === text.length || end === at ? end : end - 1;
  }

  /** \s+ */
  function spaces(text, at) {
    return runEnd(text, at, SPACE);
  }

  /** The rules of each pattern, in the order of its alternatives. */
  const RULES = {
    gpt2: [
      contraction,
      spaceAndRun(LETTER),
      spaceAndRun(NUMBER),
      spaceAndRun(OTHER),
      allButLastSpace,
      spaces,
    ],
    gpt4: [
      contractionInAnyCase,
      wordWithMark,
      upToThreeDigits,
      marksAndLineEnds,
      upToLineEnd,
      allButLastSpace,
      spaces,
    ],
  };

  /**
   * Yields the chunks of a text, which together are the text.
   *
   * @param {string} text without lone surrogates
   * @param {"gpt2" | "gpt4"} name of the pattern
   */
  function* split(text, name) {
    classes ??= readClasses();
    let start = 0;
    while (start < text.length) {
      let end = start;
      for (const rule of RULES[name]) {
        end = rule(text, start);
        if (end > start) break;
      }
      if (end === start) throw new Error(`no rule matches at ${start}`); // cannot be
      yield text.slice(start, end);
      start = end;
    }
  }

  tokenExplorer.split = split;
})();
