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

  /** Where to cut bytes so that no character is torn: at most so many of them. */
  function cutAt(bytes, most) {
    let end = Math.min(most, bytes.length);
    // A character has at most three bytes after its first; any more belong to no character.
    while (end > most - 3 && (bytes[end] & 0xc0) === 0x80) end--;
    return end;
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
   * @property {"text" | "mark" | "code" | "broken"} kind readable text, symbols or the codes of
   *   something that cannot be seen, or bytes that are only parts of characters
   * @property {string} shown what stands in the page
   * @property {{name: string, times: number}[]} names what a screen reader says; none for text
   */

  /**
   * Takes a token apart into pieces. No two neighbors are of one kind: a page draws a hundred
   * thousand pieces slowly, and a token can be 128 spaces.
   * @param {number[]} bytes
   * @returns {Piece[]}
   */
  function readable(bytes) {
    const pieces = [];
    const add = (kind, shown, name = shown) => {
      let piece = pieces[pieces.length - 1];
      if (piece?.kind !== kind) {
        piece = { kind, shown, names: [] };
        pieces.push(piece);
      } else {
        piece.shown += kind === "code" || kind === "broken" ? ` ${shown}` : shown;
      }
      if (kind === "text") return;
      const last = piece.names[piece.names.length - 1];
      if (last?.name === name) last.times++;
      else piece.names.push({ name, times: 1 });
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
        add("code", `U+${code}`);
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
    const say = ({ name, times }) => (times > 1 ? `${times} times ${name}` : name);
    return pieces
      .flatMap(({ kind, shown, names }) => (kind === "text" ? [shown] : names.map(say)))
      .join(" ");
  }

  /** Bytes as hexadecimal numbers. */
  function showBytes(bytes) {
    return bytes.map(hexadecimal).join(" ");
  }

  Object.assign(tokenExplorer, { readable, nameOf, showBytes, cutAt });
})();
