/**
 * @file Byte-pair encoding of one chunk: the pair with the lowest rank is merged first, of those
 * the leftmost. A heap finds it, so the time grows little faster than the length of the chunk.
 */
"use strict";
window.tokenExplorer ??= {};

(() => {
  const PAUSE_AFTER = 5000; // steps between two pauses
  const WIDTH = 2 ** 32; // above all places; rank * WIDTH + place is exact up to 2 ** 53

  /** A heap of numbers: the smallest comes out first. */
  class Heap {
    /** @type {number[]} each is at most as large as the two at 2 * i + 1 and 2 * i + 2 */
    items = [];

    push(item) {
      const { items } = this;
      let i = items.length;
      while (i > 0) {
        const parent = (i - 1) >> 1;
        if (items[parent] <= item) break;
        items[i] = items[parent];
        i = parent;
      }
      items[i] = item;
    }

    pop() {
      const { items } = this;
      const smallest = items[0];
      const item = items.pop(); // the last one; it looks for a place from the top
      if (items.length === 0) return smallest;
      let i = 0;
      for (;;) {
        let child = 2 * i + 1;
        if (child >= items.length) break;
        if (child + 1 < items.length && items[child + 1] < items[child]) child++;
        if (items[child] >= item) break;
        items[i] = items[child];
        i = child;
      }
      items[i] = item;
      return smallest;
    }
  }

  /**
   * Merges pairs until none is left. Yields now and then, so that the page can do other things;
   * returns the ids.
   *
   * @param {ArrayLike<number>} ids the id of each byte of the chunk
   * @param {(left: number, right: number) => number} rankOf the id that a pair becomes, or -1
   * @returns {Generator<undefined, number[]>}
   */
  function* mergePairs(ids, rankOf) {
    const length = ids.length;
    const tokens = new Int32Array(ids); // a copy
    const ranks = new Int32Array(length).fill(-1); // of the pair that begins at each place
    const previous = new Int32Array(length);
    const next = new Int32Array(length);
    const heap = new Heap();

    /** Enters the pair that begins at a place. */
    const enter = (at) => {
      ranks[at] = next[at] < length ? rankOf(tokens[at], tokens[next[at]]) : -1;
      if (ranks[at] >= 0) heap.push(ranks[at] * WIDTH + at);
    };

    for (let at = 0; at < length; at++) {
      previous[at] = at - 1;
      next[at] = at + 1;
    }
    yield;
    for (let at = 0; at < length; at++) {
      enter(at);
      if ((at + 1) % PAUSE_AFTER === 0) yield;
    }

    for (let count = 1; heap.items.length > 0; count++) {
      if (count % PAUSE_AFTER === 0) yield;
      const item = heap.pop();
      const rank = Math.floor(item / WIDTH);
      const at = item - rank * WIDTH;
      if (ranks[at] !== rank) continue; // its left or right token has been merged meanwhile
      const gone = next[at];
      tokens[at] = rank;
      ranks[gone] = -1;
      next[at] = next[gone];
      if (next[at] < length) previous[next[at]] = at;
      enter(at);
      if (previous[at] >= 0) enter(previous[at]);
    }

    const merged = [];
    for (let at = 0; at < length; at = next[at]) merged.push(tokens[at]);
    return merged;
  }

  tokenExplorer.mergePairs = mergePairs;
})();
