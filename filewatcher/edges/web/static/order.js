// Orientation, snake and start corner by hand, for a collection whose grid was told wrong or not at all; and how much of
// the camera's picture shows through. What is set by hand is kept with the collection, for all who look.

import { Refused, address, askJson } from "./api.js";
import { h } from "./dom.js";

const CORNERS = ["top-left", "top-right", "bottom-left", "bottom-right"];

export class LayoutControls {
  constructor(page) {
    this.page = page;
    const change = () => this.#change();
    this.columns = h("input", { type: "number", min: 1, max: 100000, "aria-label": "columns", onchange: change });
    this.rows = h("input", { type: "number", min: 1, max: 100000, "aria-label": "rows", onchange: change });
    this.orientation = h("select", { "aria-label": "orientation", onchange: change }, ["horizontal", "vertical"].map((word) => h("option", {}, word)));
    this.start = h("select", { "aria-label": "first image", onchange: change }, CORNERS.map((word) => h("option", {}, word)));
    this.snaked = h("input", { type: "checkbox", onchange: change });
    this.back = h("button", { type: "button", onclick: () => this.#keep([]) }, "as collected");
    this.opacity = h("input", {
      type: "range", min: 0.1, max: 1, step: 0.05, value: page.settings.opacity, "aria-label": "opacity of the cells",
      oninput: () => page.settings.set({ opacity: Number(this.opacity.value) }),
    });
    this.photograph = h("label", { hidden: true }, "cells over the snapshot ", this.opacity);
    this.problem = h("span", { class: "problem", role: "alert" });
    const grid = h("div", { class: "pop" }, this.columns, " × ", this.rows, this.orientation, h("label", {}, this.snaked, "snaked"), h("label", {}, "from ", this.start), this.back, this.problem);
    this.details = h("details", { class: "order-controls" }, h("summary", {}, "grid"), grid);
    this.element = h("div", { class: "layout" }, this.photograph, this.details);
  }

  show(panes) {
    this.panes = panes;
    const grid = panes[0]?.grid;
    this.photograph.hidden = !panes.some((pane) => pane.words?.snapshot);
    if (this.element.contains(document.activeElement)) return;
    this.columns.value = grid?.columns ?? "";
    this.rows.value = grid?.rows ?? "";
    this.orientation.value = grid?.orientation ?? "horizontal";
    this.start.value = grid?.start ?? "top-left";
    this.snaked.checked = grid?.snaked ?? false;
    this.back.hidden = !panes.some((pane) => pane.byHand);
  }

  #change() {
    const [columns, rows] = [Number(this.columns.value), Number(this.rows.value)];
    const cells = columns * rows;
    const frames = this.panes[0].store.frames;
    if (!(Number.isInteger(columns) && Number.isInteger(rows) && cells > 0)) return;
    if (frames && cells !== frames) {
      this.problem.textContent = `${columns} × ${rows} has ${cells} cells, the scan ${frames} images`;
      return;
    }
    const grid = { columns, rows, orientation: this.orientation.value, start: this.start.value, snaked: this.snaked.checked };
    // the scans of a pair may have different heights: by hand, only the order is common
    this.#keep(this.panes.map((pane) => (pane.scan ? { ...grid, ...shapeOf(pane) } : grid)));
  }

  async #keep(grids) {
    this.problem.textContent = "";
    document.activeElement?.blur();
    try {
      this.page.describe(await askJson(address("collections", this.page.id, "grids"), { method: "PUT", body: { grids } }));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.problem.textContent = error.message;
    }
  }
}

const shapeOf = ({ grid }) => (grid ? { columns: grid.columns, rows: grid.rows } : {});
