// A scan under one metric: its best frames, and how many have no value. Kept up with frames as they end, because a
// million of them cannot be looked through for every picture.

import { METRICS, isEstimated } from "./metrics.js";
import { DONE } from "./states.js";

/** Best frames that are known. */
export const MOST = 10;

export class Ranking {
  constructor(store, metric) {
    Object.assign(this, { store, metric, unsaid: 0 });
    this.place = METRICS.indexOf(metric);
    this.sign = isEstimated(metric) ? -1 : 1;
    /** The best first, the first of equals first; only those that say something. */
    this.best = [];
    this.worths = [];
    const values = store.values[this.place];
    for (let frame = 0; frame < store.frames; frame++) this.#take(frame, values[frame]);
  }

  /** Some frames have ended. */
  take(frames) {
    const values = this.store.values[this.place];
    for (const frame of frames) this.#take(frame, values[frame]);
  }

  #take(frame, value) {
    if (this.store.states[frame] !== DONE) return;
    if (!(value >= 0)) {
      this.unsaid++;
      return;
    }
    if (this.sign > 0 && value === 0) return;
    const { best, worths } = this;
    const worth = this.sign * value;
    let at = best.length;
    while (at > 0 && (worth > worths[at - 1] || (worth === worths[at - 1] && frame < best[at - 1]))) at--;
    if (at === MOST) return;
    best.splice(at, 0, frame);
    worths.splice(at, 0, worth);
    if (best.length > MOST) [best.length, worths.length] = [MOST, MOST];
  }
}
