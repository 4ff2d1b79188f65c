// Everything known of one image: the cell under the pointer, else the chosen one.

import { h, say } from "./dom.js";
import { LABELS, METRICS, textOf, unitOf } from "./metrics.js";
import { WORDS } from "./states.js";

export class Numbers {
  constructor() {
    this.title = h("h2", {}, "");
    this.state = h("span", { class: "state" });
    this.why = h("p", { class: "why" });
    this.values = METRICS.map(() => h("td", { class: "number" }));
    this.rows = METRICS.map((name, i) => h("tr", {}, h("th", {}, LABELS[name]), this.values[i], h("td", {}, unitOf(name))));
    this.element = h(
      "section",
      { class: "numbers" },
      h("header", {}, this.title, this.state),
      this.why,
      h("table", {}, h("tbody", {}, this.rows)),
    );
  }

  /** `pane` and `frame` of the image, null for none; `metric` is the one that is shown. */
  show(pane, frame, metric) {
    this.rows.forEach((row, i) => row.classList.toggle("current", METRICS[i] === metric));
    if (!pane || frame === null) {
      say(this.title, "No image chosen");
      say(this.state, "");
      say(this.why, "Point at a cell, or press b for the strongest one.");
      for (const value of this.values) say(value, "–");
      return;
    }
    const { store } = pane;
    say(this.title, pane.nameOf(frame));
    const look = frame < store.frames ? store.look(frame, store.values[METRICS.indexOf(metric)], false) : 0;
    say(this.state, WORDS[look]);
    this.state.dataset.state = look;
    say(this.why, pane.reasonOf(frame) ?? "");
    METRICS.forEach((name, i) => say(this.values[i], textOf(name, store.value(name, frame))));
  }
}
