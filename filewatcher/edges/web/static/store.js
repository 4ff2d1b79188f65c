// What is known of one scan: a slot per frame. Only messages fill it; everything else reads.

import { METRICS, isEstimated } from "./metrics.js";
import { Ranking } from "./ranking.js";
import { DONE, FAILED, MISSING, UNKNOWN, WAITING } from "./states.js";

export class ScanStore {
  constructor() {
    this.clear(0);
    this.ended = false;
  }

  /** Forget everything; a scan of so many frames. */
  clear(generation) {
    this.generation = generation;
    this.version = 0;
    this.frames = 0;
    this.states = new Uint8Array(0);
    this.values = METRICS.map(() => new Float32Array(0));
    this.counts = [0, 0, 0, 0];
    this.ranked = null;
  }

  /**
   * Take a message of cells. Returns {reset, fresh}: whether everything before it was forgotten, and the frames that
   * have ended by it; null if it does not follow on what is known, and the scan must be asked for from the start.
   */
  apply(message) {
    const another = message.generation !== this.generation;
    if (message.since > (another ? 0 : this.version)) return null;
    // from the start: what is known already is said again, too
    const reset = another || message.since === 0;
    if (reset) this.clear(message.generation);
    if (message.frames > this.frames) this.#grow(message.frames);
    const fresh = this.#record(message);
    this.version = Math.max(this.version, message.version);
    return { reset, fresh };
  }

  /** A frame ends once: the first word stands. */
  #record({ n, frame, state, values }) {
    const fresh = new Uint32Array(n);
    const places = new Uint32Array(n);
    let count = 0;
    for (let i = 0; i < n; i++) {
      if (frame[i] >= this.frames || this.states[frame[i]] !== WAITING) continue;
      this.states[frame[i]] = state[i];
      this.counts[state[i]]++;
      fresh[count] = frame[i];
      places[count++] = i;
    }
    this.counts[WAITING] -= count;
    for (let metric = 0; metric < METRICS.length; metric++) {
      const [from, to] = [values[metric], this.values[metric]];
      for (let i = 0; i < count; i++) to[fresh[i]] = from[places[i]];
    }
    const ended = fresh.subarray(0, count);
    this.ranked?.take(ended);
    return ended;
  }

  /** What a frame looks like under a metric: its state, or UNKNOWN where it is analysed and has no value. */
  look(frame, values, estimated) {
    const state = this.states[frame];
    if (state === WAITING) return this.ended ? MISSING : WAITING;
    return state === DONE && estimated && !(values[frame] >= 0) ? UNKNOWN : state;
  }

  /** The value of a frame, NaN where there is none. */
  value(metric, frame) {
    const value = this.values[METRICS.indexOf(metric)][frame];
    return this.states[frame] === DONE && !(isEstimated(metric) && value < 0) ? value : Number.NaN;
  }

  /** The best frames under a metric, and how many have no value; that of one metric is kept. */
  ranking(metric) {
    if (this.ranked?.metric !== metric) this.ranked = new Ranking(this, metric);
    return this.ranked;
  }

  /** How many frames look like this; `waiting` are never seen once the collection has ended. */
  count(state) {
    if (state === WAITING) return this.ended ? 0 : this.counts[WAITING];
    return this.counts[state] + (state === MISSING && this.ended ? this.counts[WAITING] : 0);
  }

  get troubles() {
    return this.counts[FAILED] + this.counts[MISSING];
  }

  #grow(frames) {
    const wider = (old, array) => (array.set(old), array);
    this.counts[WAITING] += frames - this.frames;
    this.frames = frames;
    this.states = wider(this.states, new Uint8Array(frames));
    this.values = this.values.map((old) => wider(old, new Float32Array(frames).fill(Number.NaN)));
  }
}
