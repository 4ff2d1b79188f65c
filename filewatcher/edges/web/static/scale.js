// Value -> colour. The range is robust: one strong crystal must not blacken the rest.

import { METRICS, isEstimated } from "./metrics.js";
import { DONE, packed } from "./states.js";
import { VIRIDIS } from "./viridis.js";

/** A scale of spots reaches at least this far, so that the noise of an empty grid does not look like a crystal. */
const FEW_SPOTS = 10;
const HIGH = 0.995;
const LOW = 0.005;

/**
 * How often which value occurs, for any percentile in constant time, to within 0.4 %.
 *
 * A positive float32 read as an integer grows with it: sign, exponent and 8 bits of mantissa are steps of 0.4 %.
 */
export class Histogram {
  constructor() {
    this.bins = new Uint32Array(1 << 16);
    this.n = 0;
    this.first = this.bins.length;
    this.last = 0;
  }

  add(value) {
    if (!(value > 0) || value === Infinity) return;
    asFloat[0] = value;
    const bin = asBits[0] >>> 15;
    this.bins[bin]++;
    this.n++;
    if (bin < this.first) this.first = bin;
    if (bin > this.last) this.last = bin;
  }

  /** The value that a share of the values does not exceed (or, from below, does not come under). */
  percentile(share) {
    if (!this.n) return Number.NaN;
    const wanted = Math.max(1, Math.ceil(share * this.n));
    let seen = 0;
    let bin = this.first;
    while (bin < this.last && seen + this.bins[bin] < wanted) seen += this.bins[bin++];
    return valueOf(bin, share > 0.5);
  }
}

const asFloat = new Float32Array(1);
const asBits = new Uint32Array(asFloat.buffer);

/** The middle of a bin, rounded to three digits outwards: the ends of a scale are read by people. */
function valueOf(bin, upwards) {
  asBits[0] = (bin << 15) + (1 << 14);
  const value = asFloat[0];
  const digit = 10 ** (Math.floor(Math.log10(value)) - 2);
  const rounded = (upwards ? Math.ceil(value / digit) : Math.floor(value / digit)) * digit;
  return Number(rounded.toPrecision(4));
}

/** The ends of the scale for what has been counted so far, as [low, high]. */
export function automatic(histogram, metric) {
  let [low, high] = [0, 1];
  if (isEstimated(metric)) {
    if (histogram.n) [low, high] = [histogram.percentile(LOW), histogram.percentile(HIGH)];
  } else {
    if (histogram.n) high = histogram.percentile(HIGH);
    if (metric.startsWith("n_spots")) high = Math.max(high, FEW_SPOTS);
  }
  return high > low ? [low, high] : [low - 0.5, low + 0.5];
}

/** Colours between two values; frozen: another range is another scale. */
export class Scale {
  constructor(metric, [low, high], { root = false, threshold = null } = {}) {
    Object.assign(this, { metric, low, high, root, threshold, estimated: isEstimated(metric) });
    this.factor = 1 / (high - low);
    Object.freeze(this);
  }

  /** 0 (worst) .. 255 (best, yellow). */
  level(value) {
    let share = (value - this.low) * this.factor;
    share = share < 0 ? 0 : share > 1 ? 1 : share;
    if (this.estimated) share = 1 - share;
    return (255 * (this.root ? Math.sqrt(share) : share) + 0.5) | 0;
  }

  /** Whether a value is worse than the threshold. */
  beyond(value) {
    if (this.threshold === null) return false;
    return this.estimated ? value > this.threshold : value < this.threshold;
  }

  equals(other) {
    return ["metric", "low", "high", "root", "threshold"].every((key) => this[key] === other?.[key]);
  }
}

export const PALETTE = Uint32Array.from(VIRIDIS, packed);

/** Count the values of frames that are analysed. */
export function count(histogram, store, metric, frames) {
  const values = store.values[METRICS.indexOf(metric)];
  for (const frame of frames) if (store.states[frame] === DONE) histogram.add(values[frame]);
}

/** Count those of a whole scan. */
export function countAll(histogram, store, metric) {
  const values = store.values[METRICS.indexOf(metric)];
  for (let frame = 0; frame < store.frames; frame++) if (store.states[frame] === DONE) histogram.add(values[frame]);
}
