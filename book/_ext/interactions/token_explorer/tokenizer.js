/** @file A tokenizer: from text to ids, and from an id to its bytes. */
"use strict";
window.tokenExplorer ??= {};

(() => {
  const DIGITS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
  const WIDTH = 2 ** 18; // above all ids
  const CACHED_CHUNKS = 50000;
  const CACHED_LENGTH = 64;
  const PAUSE_AFTER = 500; // chunks between two pauses

  /** Numbers of three digits each, as the build writes them. */
  function readNumbers(text) {
    const values = new Map([...DIGITS].map((digit, value) => [digit.charCodeAt(0), value]));
    const digit = (i) => values.get(text.charCodeAt(i));
    const numbers = new Int32Array(text.length / 3);
    for (let i = 0; i < numbers.length; i++) {
      numbers[i] = (digit(3 * i) << 12) | (digit(3 * i + 1) << 6) | digit(3 * i + 2);
    }
    return numbers;
  }

  /** The text as UTF-8 can hold it: a lone surrogate becomes U+FFFD, as in tiktoken. */
  function clean(text) {
    return text.replace(/[\ud800-\udfff]/gu, "\ufffd"); // with u, pairs are one character
  }

  /** Number of characters: a pair of surrogates is one. */
  function countCharacters(text) {
    let count = text.length;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit >= 0xd800 && unit < 0xdc00) count--; // the text is clean: the other half follows
    }
    return count;
  }

  /**
   * What one text became.
   * @typedef {{ids: number[], characters: number, bytes: number, done: number}} Encoded
   * `done`: how much of the text has been encoded, from 0 to 1.
   */

  class Tokenizer {
    /** @param {{splitter: string, bytes: string, merges: string, special: Object}} vocabulary */
    constructor(vocabulary) {
      this.splitter = vocabulary.splitter;
      this.byteIds = readNumbers(vocabulary.bytes); // the id of each byte
      this.parts = readNumbers(vocabulary.merges); // the two ids of each token from 256 on
      this.special = new Map(Object.entries(vocabulary.special)); // text to id
      this.byteOf = new Map(Array.from(this.byteIds, (id, byte) => [id, byte]));
      this.textOf = new Map([...this.special].map(([text, id]) => [id, text]));
      this.ranks = new Map();
      for (let i = 0; i < this.parts.length; i += 2) {
        this.ranks.set(this.parts[i] * WIDTH + this.parts[i + 1], 256 + i / 2);
      }
      this.rankOf = (left, right) => this.ranks.get(left * WIDTH + right) ?? -1;
      this.cache = new Map();
      this.utf8 = new TextEncoder();
    }

    /**
     * Encodes a text bit by bit: each step does a little, and yields what there is so far.
     *
     * @param {string} given any text
     * @param {boolean} allowSpecial whether special tokens in it count as such
     * @returns {Generator<Encoded, Encoded>}
     */
    *encodeInSteps(given, allowSpecial) {
      const text = clean(given);
      const encoded = { ids: [], characters: countCharacters(text), bytes: 0, done: 0 };
      yield encoded; // counting a long text takes a while
      let chunks = 0;
      let units = 0;
      for (const [part, isSpecial] of this.cut(text, allowSpecial)) {
        if (isSpecial) {
          encoded.ids.push(this.special.get(part));
          encoded.bytes += part.length; // special tokens are ASCII
          units += part.length;
          continue;
        }
        for (const chunk of tokenExplorer.split(part, this.splitter)) {
          let known = this.cache.get(chunk);
          if (known === undefined) {
            const bytes = this.utf8.encode(chunk);
            const steps = tokenExplorer.mergePairs(
              bytes.map((byte) => this.byteIds[byte]),
              this.rankOf,
            );
            let step = steps.next();
            for (; !step.done; step = steps.next()) yield encoded;
            known = { ids: step.value, bytes: bytes.length };
            if (this.cache.size >= CACHED_CHUNKS) this.cache.clear();
            if (chunk.length <= CACHED_LENGTH) this.cache.set(chunk, known);
          }
          for (const id of known.ids) encoded.ids.push(id);
          encoded.bytes += known.bytes;
          units += chunk.length;
          encoded.done = units / text.length;
          if (++chunks % PAUSE_AFTER === 0) yield encoded;
        }
      }
      encoded.done = 1;
      return encoded;
    }

    /** Encodes a text at once. */
    encode(text, allowSpecial = false) {
      const steps = this.encodeInSteps(text, allowSpecial);
      let step = steps.next();
      while (!step.done) step = steps.next();
      return step.value;
    }

    /** Yields the text in parts, and whether each is a special token. */
    *cut(text, allowSpecial) {
      if (!allowSpecial || this.special.size === 0) {
        yield [text, false];
        return;
      }
      // Where several start at one place, the longest counts.
      const longestFirst = [...this.special.keys()].sort((a, b) => b.length - a.length);
      const literal = longestFirst.map((token) => token.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
      // The parentheses keep the tokens in the list: every second part is one.
      const parts = text.split(new RegExp(`(${literal.join("|")})`));
      for (let i = 0; i < parts.length; i++) yield [parts[i], i % 2 === 1];
    }

    /** The two ids that a token was merged from; undefined for a byte and a special token. */
    pairOf(id) {
      const i = 2 * (id - 256);
      return i >= 0 && i < this.parts.length ? [this.parts[i], this.parts[i + 1]] : undefined;
    }

    /**
     * The bytes of a token.
     * @returns {number[]}
     */
    bytesOf(id) {
      const text = this.textOf.get(id);
      if (text !== undefined) return [...this.utf8.encode(text)];
      const bytes = [];
      const waiting = [id]; // the next one is the last
      while (waiting.length > 0) {
        const part = waiting.pop();
        const pair = this.pairOf(part);
        if (pair) waiting.push(pair[1], pair[0]);
        else bytes.push(this.byteOf.get(part));
      }
      return bytes;
    }

    /** Whether an id is that of a special token. */
    isSpecial(id) {
      return this.textOf.has(id);
    }
  }

  tokenExplorer.Tokenizer = Tokenizer;
})();
