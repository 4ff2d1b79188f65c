// The scale: which number, its colours, their ends (which may be locked), root, threshold.

import { h } from "./dom.js";
import { METRICS, labelOf, textOf } from "./metrics.js";
import { PALETTE } from "./scale.js";

export class ScaleBar {
  constructor(settings) {
    this.settings = settings;
    this.metric = h(
      "select",
      { "aria-label": "number shown", onchange: () => settings.choose(this.metric.value) },
      METRICS.map((name) => h("option", { value: name }, labelOf(name))),
    );
    this.low = this.#end("lowest value of the scale");
    this.high = this.#end("highest value of the scale");
    this.strip = h("canvas", { class: "strip", width: 256, height: 1 });
    this.middle = h("span", { class: "middle" });
    this.locked = h("button", {
      type: "button", class: "toggle", title: "lock the ends of the scale (l)", onclick: () => this.lock(),
    }, "lock");
    this.root = h("button", {
      type: "button", class: "toggle", title: "square root: weak cells become visible (s)",
      onclick: () => settings.set({ root: !settings.root }),
    }, "√");
    this.threshold = h("input", {
      type: "number", step: "any", placeholder: "none", "aria-label": "threshold",
      onchange: () => settings.set({ threshold: this.threshold.value === "" ? null : Number(this.threshold.value) }),
    });
    this.element = h(
      "div",
      { class: "scalebar" },
      this.metric,
      h("div", { class: "range" }, this.low, h("div", { class: "colours" }, this.strip, this.middle), this.high),
      this.locked,
      this.root,
      h("label", { class: "threshold", title: "cells that are worse are not coloured" }, "threshold ", this.threshold),
    );
  }

  /** Lock the ends where they are, or let them follow. */
  lock() {
    this.settings.set({ lock: this.settings.lock ? null : [this.scale.low, this.scale.high] });
  }

  show(scale) {
    this.scale = scale;
    this.metric.value = scale.metric;
    for (const [input, value] of [[this.low, scale.low], [this.high, scale.high]]) {
      if (document.activeElement !== input) input.value = Number(value.toPrecision(4));
    }
    if (document.activeElement !== this.threshold) this.threshold.value = scale.threshold ?? "";
    this.middle.textContent = textOf(scale.metric, (scale.low + scale.high) / 2);
    this.locked.setAttribute("aria-pressed", String(Boolean(this.settings.lock)));
    this.root.setAttribute("aria-pressed", String(scale.root));
    this.#paint(scale);
  }

  /** From the lowest value on the left to the highest on the right, in the colours that cells have. */
  #paint(scale) {
    const context = this.strip.getContext("2d");
    const image = context.createImageData(256, 1);
    const pixels = new Uint32Array(image.data.buffer);
    for (let i = 0; i < 256; i++) pixels[i] = PALETTE[scale.level(scale.low + (i / 255) * (scale.high - scale.low))];
    context.putImageData(image, 0, 0);
  }

  #end(label) {
    const change = () => {
      const [low, high] = [Number(this.low.value), Number(this.high.value)];
      const given = this.low.value !== "" && this.high.value !== "" && low < high;
      this.settings.set({ lock: given ? [low, high] : null });
      this.show(this.scale);
    };
    return h("input", { type: "number", step: "any", "aria-label": label, onchange: change });
  }
}
