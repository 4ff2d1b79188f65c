// A grid scan on the screen: snapshot, cells, signs of their states, and marks, each on a canvas of its own.

import { beforeNextPicture, h } from "./dom.js";
import { Picture } from "./picture.js";
import { LOOKS, SIGNS, css } from "./states.js";
import { Viewport } from "./viewport.js";
import { drawMarks, drawSnapshot } from "./marks.js";
import { followPointer } from "./pointer.js";

const MARGINS = { left: 40, top: 26, right: 10, bottom: 10 };
/** Smaller cells show their state by colour only. */
const SMALLEST_SIGN = 6;

export class GridView {
  /** `events`: {hover(frame | null), select(frame), open(frame)}; `settings` as of the whole page. */
  constructor(grid, store, settings, events) {
    Object.assign(this, { grid, store, settings, events });
    this.picture = new Picture(grid, store);
    this.viewport = new Viewport(grid.columns, grid.rows, grid.aspect);
    this.layers = ["snapshot", "cells", "signs", "marks"].map((name) => h("canvas", { class: name }));
    [this.under, this.cells, this.signs, this.marks] = this.layers.map((canvas) => canvas.getContext("2d"));
    this.element = h("div", { class: "stage", tabIndex: 0, role: "img" }, ...this.layers);
    this.hovered = null;
    this.selected = null;
    this.centring = null;
    this.snapshot = null;
    this.draws = 0;
    this.drawn = { version: -1, time: 0 };
    this.all = true;
    this.fresh = [];
    this.draw = this.draw.bind(this);
    followPointer(this);
    this.observer = new ResizeObserver(() => this.#resize());
    this.observer.observe(this.element);
  }

  close() {
    this.observer.disconnect();
    this.closed = true;
  }

  /** Another scale, theme, metric: everything is to be painted again; signs and marks not for another range alone. */
  restyle(scale, theme) {
    const range = scale !== this.scale && scale.metric === this.scale?.metric && theme === this.theme;
    Object.assign(this, { scale, theme, all: true });
    if (!range) this.rearranged = true;
    beforeNextPicture(this.draw);
  }

  /** Some frames have ended; `reset`: all that was known before is void. */
  changed(frames, reset) {
    if (reset) {
      this.picture.forget();
      [this.all, this.fresh] = [true, []];
    }
    this.fresh.push(frames);
    beforeNextPicture(this.draw);
  }

  /** Snapshot or place have changed, cells have not. */
  moved() {
    this.rearranged = true;
    beforeNextPicture(this.draw);
  }

  /** Mark what is under the pointer and what is chosen; null = nothing here. */
  point({ hovered = this.hovered, selected = this.selected }) {
    if (hovered === this.hovered && selected === this.selected) return;
    Object.assign(this, { hovered, selected, remark: true });
    beforeNextPicture(this.draw);
  }

  fit() {
    this.viewport.fit(this.width, this.height, this.#margins());
    this.moved();
  }

  /** The frame at a place of the stage in CSS pixels, or null; below one pixel per cell, the best of its block. */
  frameAt(x, y) {
    const cell = this.viewport.cellAt(x * this.ratio, y * this.ratio);
    return cell && this.picture.standsFor(...cell, this.viewport.pooling);
  }

  draw() {
    if (this.closed || !this.width || !this.scale) return;
    const { rearranged } = this;
    const whole = this.all || rearranged;
    if (this.all) this.picture.repaint(this.scale, LOOKS[this.theme]);
    for (const frames of this.fresh) this.picture.update(frames);
    if (whole || this.fresh.length) {
      this.#drawCells(whole);
      this.#drawSigns(rearranged ? null : this.fresh);
      this.draws++;
    }
    if (rearranged) drawSnapshot(this);
    const { best } = this.picture;
    if (rearranged || this.remark || best !== this.best) drawMarks(this);
    [this.best, this.remark] = [best, false];
    [this.all, this.rearranged, this.fresh] = [false, false, []];
    this.drawn = { version: this.store.version, time: performance.timeOrigin + performance.now() };
    this.events.drawn?.(this.drawn);
  }

  /** All that is seen, or only where pixels have changed. */
  #drawCells(whole) {
    const { cells, viewport, width, height } = this;
    const size = viewport.pooling;
    const sheet = this.picture.shown(size);
    const changed = sheet.put();
    if (!whole && !changed) return;
    const seen = viewport.visible(width, height);
    // blocks of cells share the pixels of the coarse copy
    const [left, top] = [Math.floor(seen.left / size), Math.floor(seen.top / size)];
    const [right, bottom] = [Math.ceil(seen.right / size), Math.ceil(seen.bottom / size)];
    cells.globalAlpha = this.snapshot && this.settings.snapshot ? this.settings.opacity : 1;
    cells.imageSmoothingEnabled = false;
    cells.save();
    if (!whole) {
      // the same picture through a hole, so that its pixels lie where they would
      const [x, y] = viewport.place(changed.left * size, changed.top * size).map(Math.floor);
      const [x1, y1] = viewport.place(changed.right * size, changed.bottom * size).map(Math.ceil);
      cells.beginPath();
      cells.rect(x - 1, y - 1, x1 - x + 2, y1 - y + 2);
      cells.clip();
    }
    cells.clearRect(0, 0, width, height);
    if (right > left && bottom > top) {
      cells.drawImage(
        sheet.canvas, left, top, right - left, bottom - top,
        viewport.x + left * size * viewport.width, viewport.y + top * size * viewport.height,
        (right - left) * size * viewport.width, (bottom - top) * size * viewport.height,
      );
    }
    cells.restore();
  }

  /** Signs of the cells of some frames, or of all that are seen. */
  #drawSigns(changes) {
    const { signs, viewport } = this;
    const cell = Math.min(viewport.width, viewport.height);
    // an empty layer costs as much to compose as a full one
    signs.canvas.hidden = cell < SMALLEST_SIGN;
    if (changes === null) signs.clearRect(0, 0, this.width, this.height);
    if (cell < SMALLEST_SIGN) return;
    const paths = new Map(Object.keys(SIGNS).map((look) => [Number(look), new Path2D()]));
    const add = (frame, row, column) => {
      const [x, y, width, height] = viewport.box(row, column);
      if (changes !== null) signs.clearRect(Math.floor(x), Math.floor(y), Math.ceil(width), Math.ceil(height));
      for (const [x0, y0, x1, y1] of SIGNS[this.picture.look(frame)] ?? []) {
        const path = paths.get(this.picture.look(frame));
        path.moveTo(x + (0.5 + x0) * width, y + (0.5 + y0) * height);
        path.lineTo(x + (0.5 + x1) * width, y + (0.5 + y1) * height);
      }
    };
    if (changes === null) this.#eachVisible(add);
    else for (const frames of changes) for (const frame of frames) this.#each(frame, add);
    signs.lineWidth = Math.min(3, Math.max(1, cell / 11));
    signs.lineCap = "round";
    for (const [look, path] of paths) {
      signs.strokeStyle = css(LOOKS[this.theme][look].ink);
      signs.stroke(path);
    }
  }

  #each(frame, add) {
    if (frame < this.grid.length) add(frame, this.grid.row(frame), this.grid.column(frame));
  }

  #eachVisible(add) {
    const { left, top, right, bottom } = this.viewport.visible(this.width, this.height);
    for (let row = top; row < bottom; row++) {
      for (let column = left; column < right; column++) add(this.grid.frame(row, column), row, column);
    }
  }

  #margins() {
    return Object.fromEntries(Object.entries(MARGINS).map(([side, size]) => [side, size * this.ratio]));
  }

  #resize() {
    this.ratio = window.devicePixelRatio || 1;
    const box = this.element.getBoundingClientRect();
    const [width, height] = [Math.round(box.width * this.ratio), Math.round(box.height * this.ratio)];
    if (!width || !height || (width === this.width && height === this.height)) return;
    [this.width, this.height] = [width, height];
    for (const canvas of this.layers) Object.assign(canvas, { width, height });
    if (this.viewport.fitted) this.fit();
    this.moved();
    this.draw();
  }
}
