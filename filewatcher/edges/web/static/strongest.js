// The strongest images under a number, best first, of all scans of a collection.

import { h } from "./dom.js";
import { isEstimated, labelOf, textOf } from "./metrics.js";

const MOST = 10;

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
    this.heading.textContent = `Strongest images: ${labelOf(metric)}`;
    const found = ranked(panes, metric, MOST);
    this.body.replaceChildren(
      ...found.map(({ pane, frame, value }) => {
        const chosen = selected?.scan === pane.scan && selected.frame === frame;
        const link = h("button", { type: "button", class: "link", onclick: () => this.choose(pane.scan, frame) }, String(frame + 1));
        return h(
          "tr",
          { class: chosen ? "current" : "" },
          h("td", {}, link),
          h("td", { class: "where" }, pane.placeOf(frame, panes.length > 1)),
          h("td", { class: "number" }, textOf(metric, value)),
        );
      }),
    );
    if (!found.length) this.body.append(h("tr", {}, h("td", { colSpan: 3, class: "none" }, "nothing yet")));
  }
}

/** The best images of some panes as {pane, frame, value}, the best first. */
export function ranked(panes, metric, most) {
  const sign = isEstimated(metric) ? 1 : -1;
  const found = panes.flatMap((pane) =>
    pane.store.strongest(metric, most).map((frame) => ({ pane, frame, value: pane.store.value(metric, frame) })),
  );
  return found.sort((a, b) => sign * (a.value - b.value)).slice(0, most);
}
