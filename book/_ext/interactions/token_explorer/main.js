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
    const there = () => Boolean(tokenExplorer.vocabularies?.[name]);
    if (there()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const script = document.createElement("script");
      script.src = address;
      script.onload = () => resolve(there()); // not if it came in part only
      script.onerror = () => resolve(false);
      document.head.append(script);
    });
  }

  const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

  class Explorer {
    /** @param {HTMLElement} root */
    constructor(root) {
      const find = (selector) => root.querySelector(selector);
      this.form = find("form");
      this.message = find(".te-message");
      this.bar = find("progress");
      this.announcement = find(".te-hidden");
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

    /** Waits; then says whether something else has been typed or chosen meanwhile. */
    async replaced(run, milliseconds) {
      await pause(milliseconds);
      return run !== this.run;
    }

    /**
     * Takes steps, a slice at a time; returns the last one, or undefined if a newer run has begun.
     * @param {(value: any) => void} report is called between two slices
     */
    async finish(run, steps, report = () => {}) {
      for (;;) {
        const end = performance.now() + SLICE;
        let step = steps.next();
        while (!step.done && performance.now() < end) step = steps.next();
        if (step.done) return step;
        report(step.value);
        if (await this.replaced(run, 0)) return undefined;
      }
    }

    /** Encodes the text after some milliseconds, unless something changes before. */
    async update(delay) {
      const run = ++this.run;
      this.encoded = undefined;
      if (delay && (await this.replaced(run, delay))) return;

      const name = this.form.tokenizer.value;
      this.form.classList.toggle("te-without-bytes", !this.form.bytes.checked);
      if (!name) {
        this.say("Choose a tokenizer.");
        return;
      }
      const chosen = [...this.form.tokenizer].find((choice) => choice.checked);
      if (!tokenExplorer.vocabularies?.[name]) this.say("Loading the vocabulary …");
      const loaded = await load(name, chosen.dataset.script);
      if (run !== this.run) return;
      if (!loaded) {
        this.clear();
        this.say(`${chosen.dataset.script} cannot be loaded. The next change here tries again.`);
        return;
      }
      this.say("");

      const tokenizer = tokenizerOf(name);
      const { text, special } = this.form;
      const encoding = tokenizer.encodeInSteps(text.value, special.checked);
      const encoded = await this.finish(run, encoding, ({ done }) => this.progress(done));
      if (encoded) await this.show(run, tokenizer, encoded.value);
    }

    /** Shows a message, and has it read out. What is there already is not read out again. */
    say(text) {
      if (this.message.textContent !== text) this.message.textContent = text;
      this.progress(undefined);
    }

    /** Shows how much of the text has been encoded, from 0 to 1; nothing if undefined. */
    progress(done) {
      this.bar.classList.toggle("te-working", done !== undefined);
      this.bar.value = done ?? 0;
    }

    /** Takes away what belongs to another tokenizer. */
    clear() {
      this.tokens.clear();
      this.more.hidden = true;
      this.announcement.textContent = "";
      for (const place of Object.values(this.counts)) place.textContent = "–";
    }

    /** Shows an encoding. */
    async show(run, tokenizer, encoded) {
      this.tokenizer = tokenizer;
      this.encoded = encoded;
      const { characters, bytes, ids } = encoded;
      if (!(await this.showTokens(run))) return;
      this.progress(undefined);
      this.counts.tokens.textContent = number(ids.length);
      this.counts.characters.textContent = number(characters);
      this.counts.bytes.textContent = number(bytes);

      const parts = [
        [ids.length, "token"],
        [characters, "character"],
        [bytes, "byte"],
      ];
      if (await this.replaced(run, ANNOUNCE_AFTER)) return;
      this.announcement.textContent = parts.map((part) => counted(...part)).join(", ");
    }

    /** Shows the boxes from one on, and says so when there are more tokens. */
    async showTokens(run, first = 0) {
      const { ids } = this.encoded;
      const steps = this.tokens.showInSteps(this.tokenizer, ids, this.boxes, first);
      if (!(await this.finish(run, steps))) return false;
      this.more.hidden = ids.length <= this.boxes;
      this.more.querySelector("span").textContent =
        `The first ${number(this.boxes)} of ${number(ids.length)} tokens are shown; all are counted.`;
      return true;
    }

    /** Shows more boxes; those that are there stay. */
    async showMore() {
      const first = this.boxes;
      this.boxes += BOXES;
      if (!this.encoded) await this.update(0); // something newer was under way
      else if (!(await this.showTokens(++this.run, this.tokens.shown))) return;
      this.tokens.list.children[first]?.focus();
    }
  }

  for (const root of document.querySelectorAll(".token-explorer")) new Explorer(root);
})();
