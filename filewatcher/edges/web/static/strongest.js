// The strongest images under a number, best first, of all scans of a collection.

import { h, say } from "./dom.js";
import { isEstimated, labelOf, textOf } from "./metrics.js";
import { MOST } from "./ranking.js";

export class Strongest {
  /** `choose(scan, frame)`. */
  constructor(choose) {
    this.choose = choose;
    this.heading = h("h2");
    this.body = h("tbody");
    this.element = h(
      "section",
      { class: "strongest" },
      this.heading,
      h("table", {}, this.body),
    );
  }

  show(panes, metric, selected) {
    say(this.heading, `Strongest images: ${labelOf(metric)}`);
    const rows = ranked(panes, metric).map(({ pane, frame, value }) => ({
      scan: pane.scan,
      frame,
      where: pane.placeOf(frame, panes.length > 1),
      value: textOf(metric, value),
      chosen: selected?.scan === pane.scan && selected.frame === frame,
    }));
    // what is pointed at stays, as long as it says the same
    const told = JSON.stringify(rows);
    if (told === this.told) return;
    this.told = told;
    this.body.replaceChildren(...rows.map((row) => this.#row(row)));
    if (!rows.length) this.body.append(h("tr", {}, h("td", { colSpan: 3, class: "none" }, "nothing yet")));
  }

  #row({ scan, frame, where, value, chosen }) {
    const link = h("button", { type: "button", class: "link", onclick: () => this.choose(scan, frame) }, String(frame + 1));
    return h("tr", { class: chosen ? "current" : "" }, h("td", {}, link), h("td", { class: "where" }, where), h("td", { class: "number" }, value));
  }
}

/** The best images of some panes as {pane, frame, value}, the best first. */
export function ranked(panes, metric) {
  const sign = isEstimated(metric) ? 1 : -1;
  const found = panes.flatMap((pane) =>
    pane.store.ranking(metric).best.map((frame) => ({ pane, frame, value: pane.store.value(metric, frame) })),
  );
  return found.sort((a, b) => sign * (a.value - b.value)).slice(0, MOST);
}
