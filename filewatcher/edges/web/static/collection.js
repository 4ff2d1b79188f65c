// The page of one collection: its scans, their scale, the chosen image, and what has become of it all.

import { Centres } from "./centres.js";
import { Failures } from "./failures.js";
import { Headline } from "./headline.js";
import { ImageView } from "./imageview.js";
import { Numbers } from "./numbers.js";
import { Pane } from "./pane.js";
import { Ranges } from "./ranges.js";
import { ScaleBar } from "./scalebar.js";
import { Settings } from "./settings.js";
import { Strongest } from "./strongest.js";
import { askJson, address } from "./api.js";
import { beforeNextPicture, h, throttled } from "./dom.js";
import { commands } from "./commands.js";
import { LayoutControls } from "./order.js";
import { write } from "./permalink.js";

/** Milliseconds between two looks of the panels beside the pictures. */
const PANELS = 200;
const OVER = new Set(["done", "failed", "cancelled"]);

export class CollectionPage {
  constructor(id, given) {
    this.id = id;
    this.settings = new Settings(given);
    this.panes = [];
    this.hovered = null;
    this.ranges = new Ranges(this.settings);
    this.headline = new Headline(id);
    this.headline.serves(this);
    this.bar = new ScaleBar(this.settings);
    this.order = new LayoutControls(this);
    this.numbers = new Numbers();
    this.strongest = new Strongest((scan, frame) => this.select(scan, frame));
    this.centres = new Centres((scan, frame) => this.select(scan, frame));
    this.failures = new Failures(id, () => this.panels());
    this.image = new ImageView(id, () => this.settings.set({ selected: null }));
    this.scans = h("div", { class: "scans" });
    const tools = h("div", { class: "toolbar" }, this.bar.element, this.order.element);
    const side = h("aside", {}, this.numbers.element, this.image.element, this.strongest.element, this.centres.element, this.failures.element);
    this.element = h("section", { class: "collection" }, this.headline.element, tools, h("div", { class: "body" }, this.scans, side));
    this.panels = throttled(() => this.#panels(), PANELS);
    this.rescale = () => this.#rescale();
    this.keys = commands(this);
    this.settings.on((names) => this.#turned(names));
    this.hears = {
      status: (summary) => this.describe(summary),
      connected: (pane, is) => this.headline.connected(pane.scan, is),
      refused: (sentence, status) => this.headline.refused(sentence, status),
      cells: (pane, outcome) => this.#took(pane, outcome),
      drawn: (scan, drawn) => this.ondrawn?.(scan, drawn),
    };
    this.#begin();
  }

  close() {
    this.closed = true;
    for (const pane of this.panes) pane.close();
    this.headline.close();
  }

  get title() {
    return this.headline.name;
  }

  /** What the server says of the collection: by question, and again with every change. */
  describe(summary) {
    if (this.closed) return;
    this.summary = summary;
    this.headline.show(summary);
    const scans = Math.max(1, summary.scans.length);
    while (this.panes.length < scans) {
      const pane = new Pane(this.id, this.panes.length, this);
      this.panes.push(pane);
      this.scans.append(pane.element);
    }
    this.scans.classList.toggle("several", scans > 1);
    const over = OVER.has(summary.state);
    const byHand = summary.grids_by_hand ?? [];
    summary.scans.forEach((words, scan) => this.panes[scan].describe(words, byHand[scan] ?? null, over, scans > 1));
    this.order.show(this.panes);
    this.centres.show(summary);
    this.rescale();
    this.panels();
  }

  select(scan, frame) {
    this.settings.set({ selected: { scan, frame } });
  }

  hover(pane, frame) {
    this.hovered = frame === null ? null : { pane, frame };
    for (const each of this.panes) each.view?.point({ hovered: each === pane ? frame : null });
    beforeNextPicture(this.shownNumbers);
  }

  reasonOf(scan, frame) {
    return this.failures.reasonOf(scan, frame);
  }

  shownNumbers = () => {
    const { selected, metric } = this.settings;
    const { pane, frame } = this.hovered ?? { pane: this.panes[selected?.scan], frame: selected?.frame ?? null };
    this.numbers.show(pane, frame, metric);
  };

  async #begin() {
    try {
      this.describe(await askJson(address("collections", this.id)));
    } catch (error) {
      this.headline.refused(error.message, error.status);
      // the feed keeps trying where the server is only away
      if (!error.status) this.describe({ id: this.id, masters: [], state: "waiting", scans: [], warnings: [] });
    }
  }

  #took(pane, { reset, fresh }) {
    if (reset) this.ranges.recount(this.panes);
    else this.ranges.add(pane.store, fresh);
    beforeNextPicture(this.rescale);
    this.panels();
  }

  #rescale() {
    if (this.closed) return;
    const scale = this.ranges.scale();
    if (this.bar.scale !== scale) this.bar.show(scale);
    for (const pane of this.panes) if (pane.scale !== scale || !pane.view?.scale) pane.restyle(scale);
  }

  #panels() {
    if (this.closed) return;
    const { selected, metric } = this.settings;
    this.strongest.show(this.panes, metric, selected);
    this.failures.show(this.panes);
    for (const pane of this.panes) pane.legend();
    for (const pane of this.panes) pane.view?.point({ selected: selected?.scan === pane.scan ? selected.frame : null });
    const chosen = this.panes[selected?.scan];
    this.image.show(selected?.scan ?? 0, chosen ? selected.frame : null, chosen ? `image ${selected.frame + 1}` : "");
    this.shownNumbers();
  }

  #turned(names) {
    if (names.has("metric")) this.ranges.recount(this.panes);
    if (names.has("opacity") || names.has("snapshot")) for (const pane of this.panes) pane.view?.moved();
    this.bar.show(this.ranges.scale());
    this.rescale();
    this.#panels();
    history.replaceState(null, "", write(this.id, this.settings));
  }
}
