// One scan of a collection on the page: what is known of it, where it comes from, and how it is drawn.

import { Feed } from "./feed.js";
import { Grid } from "./grid.js";
import { GridView } from "./gridview.js";
import { RotationView } from "./plots.js";
import { ScanStore } from "./store.js";
import { LOOKS, WORDS, css } from "./states.js";
import { h, say } from "./dom.js";
import { theme } from "./theme.js";
import { whole } from "./words.js";

const LEGEND = [0, 2, 3, 4];

export class Pane {
  /** `page`: {settings, hears, hover(pane, frame), select(scan, frame), reasonOf(scan, frame)}. */
  constructor(id, scan, page) {
    Object.assign(this, { id, scan, page, words: null, grid: null, view: null });
    this.store = new ScanStore();
    this.title = h("h2");
    this.order = h("span", { class: "order" });
    this.holder = h("div", { class: "holder" });
    this.counts = LEGEND.map((state) => h("span", {}));
    this.swatches = LEGEND.map(() => h("i", { class: "swatch" }));
    const legend = LEGEND.map((_, i) => h("span", { class: "look" }, this.swatches[i], this.counts[i]));
    this.element = h("article", { class: "pane" }, h("header", {}, this.title, this.order), this.holder, h("footer", {}, legend));
    this.feed = new Feed(id, scan, this.store, {
      cells: (outcome) => this.#took(outcome),
      status: (summary) => page.hears.status(summary),
      connected: (is) => page.hears.connected(this, is),
      refused: (sentence, status) => page.hears.refused(sentence, status),
    });
  }

  close() {
    this.feed.close();
    this.view?.close();
  }

  /** What the collection says of this scan; `byHand`: the grid that a person says; `ended`: no frame will come any more. */
  describe(words, byHand, ended, several) {
    const grid = byHand ? { ...words.grid, ...byHand } : words.grid;
    const shape = JSON.stringify([grid, words.angles]);
    if (shape !== this.shape || !this.view) {
      this.shape = shape;
      this.#look(grid, words);
    }
    [this.words, this.byHand] = [words, byHand];
    if (this.view.centring !== undefined && JSON.stringify(words.centring) !== this.centred) {
      this.centred = JSON.stringify(words.centring);
      // it was found in the grid as collected, and would lie elsewhere in another one
      this.view.centring = words.centring?.centre_of_mass && !byHand ? words.centring : null;
      this.view.moved();
    }
    this.#photograph(words.snapshot);
    if (ended !== this.store.ended) {
      this.store.ended = ended;
      this.restyle();
    }
    say(this.title, several ? `scan ${this.scan + 1}  ${baseName(words.master)}` : baseName(words.master));
    this.title.title = words.master ?? "";
    say(this.order, this.grid ? this.grid.order + (byHand ? " (by hand)" : "") : "no grid");
  }

  /** Draw with this scale. */
  restyle(scale = this.scale) {
    this.scale = scale;
    if (!scale || !this.view) return;
    this.view.restyle(scale, theme());
    this.legend();
  }

  legend() {
    const looks = LOOKS[theme()];
    LEGEND.forEach((state, i) => {
      const count = state === 4 ? this.#unsaid() : this.store.count(state);
      say(this.counts[i], `${whole(count)} ${WORDS[state]}`);
      this.swatches[i].style.backgroundColor = css(looks[state].face);
      this.swatches[i].style.borderColor = css(looks[state].ink);
      this.swatches[i].parentElement.hidden = count === 0;
    });
    this.view?.element.setAttribute("aria-label", `${baseName(this.words?.master)}: ${this.counts.map((one) => one.textContent).join(", ")}`);
  }

  /** A frame as people call it. */
  nameOf(frame) {
    if (frame === null) return "";
    return `image ${frame + 1}${this.grid && frame < this.grid.length ? `, ${this.placeOf(frame)}` : ""}`;
  }

  placeOf(frame, several = false) {
    const scan = several ? `scan ${this.scan + 1}, ` : "";
    if (this.grid && frame < this.grid.length) return `${scan}row ${this.grid.row(frame) + 1}, column ${this.grid.column(frame) + 1}`;
    const angles = this.words?.angles;
    return angles ? `${scan}${(angles[0] + frame * angles[1]).toFixed(2)}°` : scan.replace(", ", "");
  }

  reasonOf(frame) {
    return this.page.reasonOf(this.scan, frame);
  }

  /** The frame beside another: one row or column on, or one step in the order of acquisition. */
  beside(frame, [down, right]) {
    if (!this.grid) return clamp(frame + right + down, this.store.frames);
    const row = clamp(this.grid.row(frame) + down, this.grid.rows);
    return this.grid.frame(row, clamp(this.grid.column(frame) + right, this.grid.columns));
  }

  #look(grid, words) {
    this.view?.close();
    this.grid = grid ? new Grid(grid) : null;
    const events = {
      hover: (frame) => this.page.hover(this, frame),
      select: (frame) => this.page.select(this.scan, frame),
      drawn: (drawn) => this.page.hears.drawn?.(this.scan, drawn),
    };
    this.view = this.grid
      ? new GridView(this.grid, this.store, this.page.settings, events)
      : new RotationView(words.angles, this.store, this.page.settings, events);
    this.centred = undefined;
    this.photograph = undefined;
    this.holder.replaceChildren(this.view.element);
    this.restyle();
  }

  #took(outcome) {
    this.page.hears.cells(this, outcome);
    this.view?.changed(outcome.fresh, outcome.reset);
  }

  /** Done, but with too few spots for a value under this metric. */
  #unsaid() {
    return this.scale?.estimated ? this.store.ranking(this.scale.metric).unsaid : 0;
  }

  async #photograph(snapshot) {
    const url = snapshot?.url;
    if (!this.grid || url === this.photograph) return;
    this.photograph = url;
    const image = new Image();
    image.src = url;
    try {
      await image.decode();
      this.view.snapshot = { ...snapshot, image };
    } catch {
      this.view.snapshot = null;
    }
    this.view.moved();
  }
}

export const baseName = (path) => (path ?? "").split("/").at(-1);

const clamp = (value, count) => Math.max(0, Math.min(count - 1, value));
