/** @file The list of tokens: boxes to walk through with the arrow keys, and details of one. */
"use strict";
window.tokenExplorer ??= {};

(() => {
  const { readable, nameOf, showBytes, cutAt } = tokenExplorer;

  const COLORS = 6;
  const LONGEST = 64; // bytes of a token that are shown in its box; its details show all
  const IN_A_SLICE = 100; // boxes that are made before the page may do something else

  /** Makes an element. */
  function element(tag, className, ...children) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    made.append(...children);
    return made;
  }

  /** The pieces of a token as elements. */
  function showPieces(pieces) {
    return pieces.map(({ kind, shown }) => {
      if (kind === "text") return document.createTextNode(shown);
      return element("span", kind === "broken" ? "te-mark te-broken" : "te-mark", shown);
    });
  }

  class TokenList {
    /**
     * @param {HTMLElement} list where the boxes go
     * @param {HTMLElement} details where the details of the token in focus go
     */
    constructor(list, details) {
      this.list = list;
      this.details = details;
      /** @type {number[]} */
      this.ids = [];
      this.shown = 0; // so many boxes are those of the ids
      this.current = 0; // number of the token whose details are shown
      list.addEventListener("keydown", (event) => this.move(event));
      list.addEventListener("focusin", (event) => this.select(this.numberOf(event.target)));
      list.addEventListener("mouseover", (event) => {
        const number = this.numberOf(event.target);
        if (number >= 0 && !list.contains(document.activeElement)) this.select(number);
      });
    }

    /** Number of the token that an element belongs to, -1 if none. */
    numberOf(target) {
      const box = target.closest("[role=option]");
      return box ? Number(box.dataset.number) : -1;
    }

    /**
     * Shows the first tokens of an encoding bit by bit: each step puts some boxes into the place
     * of old ones, so that the list keeps its height and what has been scrolled to.
     *
     * @param {number} first the boxes before it are there already
     */
    *showInSteps(tokenizer, ids, most, first = 0) {
      this.tokenizer = tokenizer;
      this.ids = ids;
      this.shown = first;
      const end = Math.min(ids.length, most);
      for (let number = first; number < end; number++) {
        const box = this.box(ids[number], number);
        const old = this.list.children[number];
        if (old) old.replaceWith(box);
        else this.list.append(box);
        this.shown = number + 1;
        if ((number + 1) % IN_A_SLICE === 0) yield;
      }
      while (this.list.children.length > end) this.list.lastChild.remove();
      this.select(Math.max(0, Math.min(this.current, end - 1)));
    }

    /** Shows nothing: there is no encoding. */
    clear() {
      this.ids = [];
      this.shown = 0;
      this.list.replaceChildren();
      this.details.replaceChildren();
    }

    /** The box of a token. */
    box(id, number) {
      const bytes = this.tokenizer.bytesOf(id);
      const end = cutAt(bytes, LONGEST);
      const some = bytes.slice(0, end);
      const rest = bytes.length - end;
      const more = rest ? [` … and ${rest} more byte${rest === 1 ? "" : "s"}`] : [];
      const pieces = readable(some);
      const box = element(
        "span",
        `te-token te-color-${number % COLORS}`,
        element("span", "te-text", ...showPieces(pieces), ...more),
        element("span", "te-id", String(id)),
        element("span", "te-bytes", showBytes(some), ...more),
      );
      box.setAttribute("role", "option");
      box.setAttribute("aria-selected", "false");
      box.setAttribute("aria-posinset", String(number + 1));
      box.setAttribute("aria-setsize", String(this.ids.length));
      const kind = this.tokenizer.isSpecial(id) ? "special token " : "";
      const name = `${kind}${[nameOf(pieces), ...more].join("")}`;
      const spoken = [showBytes(some), ...more].join("");
      box.setAttribute("aria-label", `${name}, id ${id}, bytes ${spoken}`);
      if (kind) box.classList.add("te-special");
      for (const part of box.children) part.setAttribute("aria-hidden", "true"); // the label has all
      box.dataset.number = String(number);
      box.tabIndex = -1;
      return box;
    }

    /** Shows the details of a token; the tab key will lead to it. */
    select(number) {
      for (const old of this.list.querySelectorAll("[aria-selected=true]")) {
        old.setAttribute("aria-selected", "false");
        old.tabIndex = -1;
      }
      this.current = Math.max(0, number);
      const box = this.list.children[number];
      this.details.replaceChildren();
      if (!box) return;
      box.setAttribute("aria-selected", "true");
      box.tabIndex = 0;
      const id = this.ids[number];
      const bytes = this.tokenizer.bytesOf(id);
      const pair = this.tokenizer.pairOf(id);
      let origin = [this.tokenizer.isSpecial(id) ? "none: a special token" : "none: a single byte"];
      if (pair) {
        origin = pair.flatMap((part, i) => [
          i ? " and " : "",
          element("span", "te-part", ...showPieces(readable(this.tokenizer.bytesOf(part)))),
          ` (${part})`,
        ]);
      }
      const rows = {
        Token: [`${number + 1} of ${this.ids.length.toLocaleString("en")}`],
        Text: [element("span", "te-part", ...showPieces(readable(bytes)))],
        Id: [String(id)],
        Bytes: [showBytes(bytes)],
        "Merged from": origin,
      };
      for (const [term, content] of Object.entries(rows)) {
        const row = element("div", "", element("dt", "", term), element("dd", "", ...content));
        this.details.append(row);
      }
    }

    /** Moves the focus with the arrow keys, Home and End. */
    move(event) {
      if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
      const last = this.shown - 1;
      const targets = {
        ArrowRight: Math.min(this.current + 1, last),
        ArrowDown: Math.min(this.current + 1, last),
        ArrowLeft: Math.max(this.current - 1, 0),
        ArrowUp: Math.max(this.current - 1, 0),
        Home: 0,
        End: last,
      };
      const target = targets[event.key];
      if (target === undefined) return;
      event.preventDefault();
      this.list.children[target]?.focus();
    }
  }

  tokenExplorer.TokenList = TokenList;
})();
