// How the page looks at a collection: one object that everything reads, and that says when it has changed.

import { METRICS } from "./metrics.js";

const DEFAULTS = {
  metric: METRICS[0],
  /** Ends of the scale as [low, high]; null = they follow the values. */
  lock: null,
  root: false,
  threshold: null,
  snapshot: true,
  opacity: 0.7,
  /** {scan, frame}, both from 0. */
  selected: null,
};

export class Settings {
  #listeners = new Set();

  constructor(given = {}) {
    Object.assign(this, DEFAULTS, given);
  }

  /** Change some; listeners hear which. */
  set(changes) {
    const names = Object.keys(changes).filter((name) => changes[name] !== this[name]);
    if (!names.length) return;
    Object.assign(this, changes);
    for (const listener of this.#listeners) listener(new Set(names));
  }

  /** Call `listener(names)` after every change. */
  on(listener) {
    this.#listeners.add(listener);
  }

  /** A scale that follows its values starts anew with every metric. */
  choose(metric) {
    if (METRICS.includes(metric)) this.set({ metric, lock: null, threshold: null });
  }
}
