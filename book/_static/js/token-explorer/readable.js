/**
 * @file Bytes of a token as something that can be read: text, marks for what cannot be seen, and
 * the bytes that are only part of a character. This is for display alone, so the browser's own
 * Unicode tables will do.
 */
"use strict";
window.tokenExplorer ??= {};

(() => {
  // ignoreBOM: U+FEFF is a character like others
  const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  /** Symbol and name of what is often met and cannot be seen. */
  const NAMED = {
    " ": ["·", "space"],
    "\n": ["↵", "line end"],
    "\r": ["␍", "carriage return"],
    "\t": ["→", "tab"],
    "\u00a0": ["⍽", "no-break space"],
  };
  const UNSEEN = /[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]/u;
  const COMBINING = /\p{M}/u;

  const hexadecimal = (byte) => byte.toString(16).toUpperCase().padStart(2, "0");

  /** How many bytes a character has that begins with this one; 1 if none does. */
  function lengthOf(byte) {
    if (byte >= 0xf0) return 4;
    if (byte >= 0xe0) return 3;
    return byte >= 0xc0 ? 2 : 1;
  }

  /** The character that begins at a place of the bytes; undefined if they are no valid UTF-8. */
  function characterAt(bytes, at) {
    try {
      return utf8.decode(Uint8Array.from(bytes.slice(at, at + lengthOf(bytes[at]))));
    } catch {
      return undefined;
    }
  }

  /**
   * A part of a token.
   * @typedef {object} Piece
   * @property {"text" | "mark" | "broken"} kind readable text, something that cannot be seen, or a
   *   byte that is only part of a character
   * @property {string} shown what stands in the page
   * @property {string} name what a screen reader says
   */

  /**
   * Takes a token apart into pieces.
   * @param {number[]} bytes
   * @returns {Piece[]}
   */
  function readable(bytes) {
    const pieces = [];
    const add = (kind, shown, name = shown) => {
      const last = pieces[pieces.length - 1];
      if (kind === "text" && last?.kind === "text") {
        last.shown += shown;
        last.name += name;
      } else {
        pieces.push({ kind, shown, name });
      }
    };
    for (let at = 0; at < bytes.length;) {
      const character = characterAt(bytes, at);
      if (character === undefined) {
        add("broken", hexadecimal(bytes[at]), `byte ${hexadecimal(bytes[at])}`);
        at += 1;
        continue;
      }
      at += lengthOf(bytes[at]);
      const named = NAMED[character];
      if (named) {
        add("mark", ...named);
      } else if (UNSEEN.test(character)) {
        const code = character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
        add("mark", `U+${code}`);
      } else {
        // A combining mark without a character before it gets a circle to stand on.
        const alone = COMBINING.test(character) && pieces[pieces.length - 1]?.kind !== "text";
        if (alone) add("mark", "◌", "combining");
        add("text", character);
      }
    }
    return pieces;
  }

  /** What a screen reader says of a token's text. */
  function nameOf(pieces) {
    return pieces.map((piece) => piece.name).join(" ");
  }

  /** Bytes as hexadecimal numbers. */
  function showBytes(bytes) {
    return bytes.map(hexadecimal).join(" ");
  }

  Object.assign(tokenExplorer, { readable, nameOf, showBytes });
})();
