// A scan without a grid: numbers against the image number, live. Where images share a pixel column, the range of their
// values and the best of them are drawn.

import { beforeNextPicture, h } from "./dom.js";
import { METRICS, isEstimated, labelOf, textOf } from "./metrics.js";
import { PALETTE } from "./scale.js";
import { DONE, FAILED, LOOKS, MISSING, WAITING, css } from "./states.js";

const INKS = {
  light: { text: "#6b7177", line: "#d7dadd", mark: "#1c1f22" },
  dark: { text: "#868e95", line: "#272c30", mark: "#c9cdd0" },
};
const MARGINS = { left: 56, right: 12, top: 22, bottom: 20 };
const RESOLUTION = "estimated_d_min";

export class RotationView {
  /** Arguments as of `GridView`; `angles` are [start, step] in degrees, or null. */
  constructor(angles, store, settings, events) {
    Object.assign(this, { angles, store, settings, events, hovered: null, selected: null, draws: 0 });
    this.canvas = h("canvas", { class: "marks" });
    this.to = this.canvas.getContext("2d");
    this.element = h("div", { class: "stage plots", tabIndex: 0, role: "img" }, this.canvas);
    this.drawn = { version: -1, time: 0 };
    this.draw = this.draw.bind(this);
    this.observer = new ResizeObserver(() => this.#resize());
    this.observer.observe(this.element);
    this.element.addEventListener("pointermove", (event) => events.hover(this.frameAt(event.offsetX)));
    this.element.addEventListener("pointerleave", () => events.hover(null));
    this.element.addEventListener("click", (event) => {
      const frame = this.frameAt(event.offsetX);
      if (frame !== null) events.select(frame);
    });
  }

  close() {
    this.observer.disconnect();
    this.closed = true;
  }

  restyle(scale, theme) {
    Object.assign(this, { scale, theme });
    beforeNextPicture(this.draw);
  }

  changed() {
    beforeNextPicture(this.draw);
  }

  moved() {
    beforeNextPicture(this.draw);
  }

  fit() {}

  point({ hovered = this.hovered, selected = this.selected }) {
    Object.assign(this, { hovered, selected });
    beforeNextPicture(this.draw);
  }

  /** The frame under a place in CSS pixels, the best one of its column; null outside. */
  frameAt(x) {
    const { left, right } = this.#inner();
    const share = (x * this.ratio - left) / (right - left);
    if (!(share >= 0 && share < 1) || !this.store.frames) return null;
    const column = Math.floor(share * this.#columns());
    return this.bins?.best[column] >= 0 ? this.bins.best[column] : Math.floor(share * this.store.frames);
  }

  draw() {
    if (this.closed || !this.width || !this.scale) return;
    const { to, width, height, settings } = this;
    to.clearRect(0, 0, width, height);
    const shown = isEstimated(settings.metric) && settings.metric !== RESOLUTION ? settings.metric : RESOLUTION;
    const upper = isEstimated(settings.metric) ? "n_spots_total" : settings.metric;
    const half = Math.floor(height / 2);
    this.#plot(upper, 0, half - 6 * this.ratio, true);
    this.#plot(shown, half, height - 14 * this.ratio, false);
    this.#strip();
    this.draws++;
    this.drawn = { version: this.store.version, time: performance.timeOrigin + performance.now() };
    this.events.drawn?.(this.drawn);
  }

  /** One plot between two heights; the columns of the first one are what the pointer finds. */
  #plot(metric, top, bottom, found) {
    const { to, ratio } = this;
    const inks = INKS[this.theme];
    const bins = this.#binned(metric);
    if (found) this.bins = bins;
    const box = { ...this.#inner(), top: top + MARGINS.top * ratio, bottom: bottom - MARGINS.bottom * ratio };
    const estimated = isEstimated(metric);
    const ends = estimated ? [bins.highest, bins.lowest] : [0, Math.max(bins.highest, 10)];
    const span = ends[1] - ends[0] || 1;
    const y = (value) => box.bottom - ((value - ends[0]) / span) * (box.bottom - box.top);
    this.#axes(metric, box, ends, y, inks);
    const step = (box.right - box.left) / bins.best.length;
    const values = this.store.values[METRICS.indexOf(metric)];
    const dot = Math.max(2, Math.min(5, step)) * ratio;
    to.fillStyle = paletteCss(estimated ? 90 : 220, this.theme);
    for (let i = 0; i < bins.best.length; i++) {
      if (bins.best[i] < 0) continue;
      const x = box.left + (i + 0.5) * step;
      to.globalAlpha = 0.3;
      to.fillRect(x - dot / 2, y(bins.max[i]), dot, y(bins.min[i]) - y(bins.max[i]));
      to.globalAlpha = 1;
      to.fillRect(x - dot / 2, y(values[bins.best[i]]) - dot / 2, dot, dot);
    }
    for (const [frame, colour] of [[this.hovered, inks.mark], [this.selected, "#ff9f1a"]]) {
      if (frame === null) continue;
      to.fillStyle = colour;
      to.fillRect(box.left + ((frame + 0.5) / this.store.frames) * (box.right - box.left) - ratio / 2, box.top, ratio, box.bottom - box.top);
    }
  }

  #axes(metric, box, ends, y, inks) {
    const { to, ratio, store } = this;
    to.font = `${11 * ratio}px system-ui, sans-serif`;
    to.fillStyle = inks.text;
    to.strokeStyle = inks.line;
    to.lineWidth = ratio;
    to.textAlign = "left";
    to.textBaseline = "alphabetic";
    to.fillText(labelOf(metric), box.left, box.top - 8 * ratio);
    to.textAlign = "right";
    to.textBaseline = "middle";
    for (let i = 0; i <= 4; i++) {
      const value = ends[0] + (i / 4) * (ends[1] - ends[0]);
      if (!Number.isFinite(value)) continue;
      to.fillText(textOf(metric, value), box.left - 6 * ratio, y(value));
      to.beginPath();
      to.moveTo(box.left, Math.round(y(value)) + 0.5);
      to.lineTo(box.right, Math.round(y(value)) + 0.5);
      to.stroke();
    }
    to.textBaseline = "top";
    for (let i = 0; i <= 5 && store.frames > 1; i++) {
      const frame = Math.round((i / 5) * (store.frames - 1));
      to.textAlign = i === 0 ? "left" : i === 5 ? "right" : "center";
      const at = this.angles ? `${frame + 1}  ${(this.angles[0] + frame * this.angles[1]).toFixed(1)}°` : `${frame + 1}`;
      to.fillText(at, box.left + (i / 5) * (box.right - box.left), box.bottom + 5 * ratio);
    }
  }

  /** The states of all images, along the lower edge. */
  #strip() {
    const { to, store, ratio } = this;
    const { left, right } = this.#inner();
    const columns = this.#columns();
    const worst = new Uint8Array(columns);
    const rank = [1, 0, 3, 2];
    for (let frame = 0; frame < store.frames; frame++) {
      const column = Math.floor((frame * columns) / store.frames);
      const state = store.look(frame, store.values[0], false);
      if (rank[state] > rank[worst[column] || DONE]) worst[column] = state === WAITING ? 4 : state;
    }
    for (let i = 0; i < columns; i++) {
      const state = worst[i] === 4 ? WAITING : worst[i] || DONE;
      to.fillStyle = state === DONE ? paletteCss(150, this.theme) : css(LOOKS[this.theme][state].face);
      const [x, next] = [i, i + 1].map((at) => left + (at / columns) * (right - left));
      const tall = state === FAILED || state === MISSING ? 9 : 5;
      to.fillRect(x, this.height - tall * ratio, Math.max(1, next - x), tall * ratio);
    }
  }

  /** Per pixel column: the lowest and highest value, the frame with the best (-1 = none); and the ends of all. */
  #binned(metric) {
    const { store } = this;
    const columns = this.#columns();
    const bins = { best: new Int32Array(columns).fill(-1), min: new Float32Array(columns), max: new Float32Array(columns), lowest: Infinity, highest: -Infinity };
    const values = store.values[METRICS.indexOf(metric)];
    const sign = isEstimated(metric) ? -1 : 1;
    for (let frame = 0; frame < store.frames; frame++) {
      const value = values[frame];
      if (store.states[frame] !== DONE || !(value >= 0)) continue;
      const column = Math.floor((frame * columns) / store.frames);
      const first = bins.best[column] < 0;
      if (first || value < bins.min[column]) bins.min[column] = value;
      if (first || value > bins.max[column]) bins.max[column] = value;
      if (first || sign * value > sign * values[bins.best[column]]) bins.best[column] = frame;
      if (value < bins.lowest) bins.lowest = value;
      if (value > bins.highest) bins.highest = value;
    }
    return bins;
  }

  #columns() {
    const { left, right } = this.#inner();
    return Math.max(1, Math.min(this.store.frames, Math.floor((right - left) / 2)));
  }

  #inner() {
    return { left: MARGINS.left * this.ratio, right: (this.width ?? 1) - MARGINS.right * this.ratio };
  }

  #resize() {
    this.ratio = window.devicePixelRatio || 1;
    const box = this.element.getBoundingClientRect();
    [this.width, this.height] = [Math.round(box.width * this.ratio), Math.round(box.height * this.ratio)];
    Object.assign(this.canvas, { width: this.width, height: this.height });
    this.draw();
  }
}

/** A colour of the scale for dots on the page's own ground: not too bright on white, not too dark on black. */
function paletteCss(level, theme) {
  const pixel = PALETTE[theme === "light" ? Math.min(level, 130) : Math.max(level, 120)];
  return css([pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255]);
}
