/** @file The token explorers of a page: what is typed and chosen, and what follows from it. */
"use strict";
window.tokenExplorer ??= {};

(() => {
  const SLICE = 20; // milliseconds of work before the page may do something else
  const LONG_TEXT = 20000; // from here on, we wait for a pause in typing
  const WAIT = 250; // milliseconds of such a pause
  const ANNOUNCE_AFTER = 800; // milliseconds without a change, then the counts are read out
  const BOXES = 1000; // tokens that are shown at first, and more with each press of the button

  const tokenizers = new Map();
  const number = (value) => value.toLocaleString("en");
  const counted = (value, word) => `${number(value)} ${word}${value === 1 ? "" : "s"}`;

  /** The tokenizer of a name, whose vocabulary has been loaded. */
  function tokenizerOf(name) {
    if (!tokenizers.has(name)) {
      const vocabulary = tokenExplorer.vocabularies[name];
      tokenizers.set(name, new tokenExplorer.Tokenizer(vocabulary));
    }
    return tokenizers.get(name);
  }

  /** Loads a vocabulary, if it has not been, with a script tag: this works from a folder, too. */
  function load(name, address) {
    if (tokenExplorer.vocabularies?.[name]) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = address;
      script.onload = () => resolve();
      script.onerror = () => reject(new Error(`${address} cannot be loaded`));
      document.head.append(script);
    });
  }

  class Explorer {
    /** @param {HTMLElement} root */
    constructor(root) {
      const find = (selector) => root.querySelector(selector);
      this.form = find("form");
      this.message = find(".te-message");
      this.announcement = find("[aria-live]");
      this.more = find(".te-more");
      this.counts = Object.fromEntries(
        [...root.querySelectorAll("[data-count]")].map((place) => [place.dataset.count, place]),
      );
      this.tokens = new tokenExplorer.TokenList(find(".te-tokens"), find(".te-details"));
      this.boxes = BOXES;
      this.run = 0; // number of the last run; an older one stops when it sees that

      this.form.addEventListener("submit", (event) => event.preventDefault());
      this.form.addEventListener("input", () => {
        this.boxes = BOXES;
        this.update(this.form.text.value.length > LONG_TEXT ? WAIT : 0);
      });
      this.more.querySelector("button").addEventListener("click", () => this.showMore());
      find(".te-off").hidden = true;
      this.form.hidden = false;
      this.update(0);
    }

    /** Encodes the text after some milliseconds, unless something changes before. */
    async update(delay) {
      const run = ++this.run;
      const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
      const replaced = async (milliseconds) => {
        await pause(milliseconds);
        return run !== this.run;
      };
      if (delay && (await replaced(delay))) return;

      const name = this.form.tokenizer.value;
      this.form.classList.toggle("te-without-bytes", !this.form.bytes.checked);
      if (!name) {
        this.message.textContent = "Choose a tokenizer.";
        return;
      }
      const chosen = [...this.form.tokenizer].find((choice) => choice.checked);
      if (!tokenExplorer.vocabularies?.[name]) this.message.textContent = "Loading …";
      try {
        await load(name, chosen.dataset.script);
      } catch (error) {
        if (run === this.run) this.message.textContent = `${error.message}.`;
        return;
      }
      if (run !== this.run) return;

      const tokenizer = tokenizerOf(name);
      const steps = tokenizer.encodeInSteps(this.form.text.value, this.form.special.checked);
      let step = steps.next();
      while (!step.done) {
        const end = performance.now() + SLICE;
        while (!step.done && performance.now() < end) step = steps.next();
        if (step.done) break;
        this.message.textContent = `Encoding: ${Math.floor(100 * step.value.done)} % …`;
        if (await replaced(0)) return;
      }
      this.show(tokenizer, step.value);
    }

    /** Shows an encoding. */
    show(tokenizer, encoded) {
      this.tokenizer = tokenizer;
      this.encoded = encoded;
      this.message.textContent = "";
      const { characters, bytes, ids } = encoded;
      this.counts.tokens.textContent = number(ids.length);
      this.counts.characters.textContent = number(characters);
      this.counts.bytes.textContent = number(bytes);
      this.showTokens();

      const { run } = this;
      const parts = [
        [ids.length, "token"],
        [characters, "character"],
        [bytes, "byte"],
      ];
      setTimeout(() => {
        if (run !== this.run) return;
        this.announcement.textContent = parts.map((part) => counted(...part)).join(", ");
      }, ANNOUNCE_AFTER);
    }

    /** Shows the boxes, and says so when there are more tokens. */
    showTokens() {
      const { ids } = this.encoded;
      this.tokens.show(this.tokenizer, ids, this.boxes);
      this.more.hidden = ids.length <= this.boxes;
      this.more.querySelector("span").textContent =
        `The first ${number(this.boxes)} of ${number(ids.length)} tokens are shown; all are counted.`;
    }

    showMore() {
      const first = this.boxes;
      this.boxes += BOXES;
      this.showTokens();
      this.tokens.list.children[first].focus();
    }
  }

  for (const root of document.querySelectorAll(".token-explorer")) new Explorer(root);
})();
