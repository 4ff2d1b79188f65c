// The picture of a grid at one pixel per cell, and a coarser copy in which no strong cell gets lost.

import { BEYOND, DONE, FAILED, MISSING, UNKNOWN, WAITING, packed } from "./states.js";
import { METRICS, isEstimated } from "./metrics.js";
import { PALETTE } from "./scale.js";

/** Worth less than any value: too few spots to say one, and not seen. */
const UNSAID = -1e300;
const LESS_THAN_UNSAID = -1e301;

/** Pixels of which some have changed since they were last put on their canvas. */
class Sheet {
  constructor(columns, rows) {
    this.columns = columns;
    this.rows = rows;
    this.canvas = document.createElement("canvas");
    this.canvas.width = columns;
    this.canvas.height = rows;
    this.context = this.canvas.getContext("2d", { willReadFrequently: true });
    this.image = this.context.createImageData(columns, rows);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.changed();
  }

  /** All of it, or the pixel of one place. */
  changed(place = null) {
    if (place === null) {
      [this.left, this.top, this.right, this.bottom] = [0, 0, this.columns - 1, this.rows - 1];
      return;
    }
    const column = place % this.columns;
    const row = (place - column) / this.columns;
    if (column < this.left) this.left = column;
    if (column > this.right) this.right = column;
    if (row < this.top) this.top = row;
    if (row > this.bottom) this.bottom = row;
  }

  /** Put what has changed on the canvas, and return it. */
  shown() {
    if (this.right >= this.left) {
      const [width, height] = [this.right - this.left + 1, this.bottom - this.top + 1];
      this.context.putImageData(this.image, 0, 0, this.left, this.top, width, height);
      [this.left, this.top, this.right, this.bottom] = [this.columns, this.rows, -1, -1];
    }
    return this.canvas;
  }
}

export class Picture {
  constructor(grid, store) {
    this.grid = grid;
    this.store = store;
    this.cells = grid.cells();
    this.sheet = new Sheet(grid.columns, grid.rows);
    this.pool = null;
    this.looks = [];
    this.#noBest();
  }

  /** Another scale or other looks: colour every cell, of the coarse copy, too. */
  repaint(scale, looks) {
    this.scale = scale;
    this.values = this.store.values[METRICS.indexOf(scale.metric)];
    this.looks = Object.entries(looks).reduce((all, [state, { face }]) => ((all[state] = packed(face)), all), []);
    const { pixels } = this.sheet;
    const waiting = this.#colour(-1);
    const known = Math.min(this.store.frames, this.cells.length);
    this.#noBest();
    for (let frame = 0; frame < known; frame++) {
      pixels[this.cells[frame]] = this.#colour(frame);
      this.#rank(frame);
    }
    for (let frame = known; frame < this.cells.length; frame++) pixels[this.cells[frame]] = waiting;
    this.sheet.changed();
    // frames that ended since the last time are not in the coarse copy yet
    if (this.pool) this.#fillPool(this.pool.size);
  }

  /** Some frames have ended. */
  update(frames) {
    const { sheet, cells } = this;
    // a longer scan has other arrays
    this.values = this.store.values[METRICS.indexOf(this.scale.metric)];
    for (const frame of frames) {
      if (frame >= cells.length) continue;
      const cell = cells[frame];
      sheet.pixels[cell] = this.#colour(frame);
      sheet.changed(cell);
      this.#rank(frame);
      if (this.pool) this.#intoPool(frame, cell);
    }
  }

  /** Forget the coarse copy: the frames in it are no longer what they were. */
  forget() {
    this.pool = null;
  }

  /** A canvas with one pixel per cell, or, for `size` > 1, one per block of size x size cells: the best of each. */
  shown(size = 1) {
    if (size <= 1) return this.sheet.shown();
    if (this.pool?.size !== size) this.#fillPool(size);
    return this.pool.sheet.shown();
  }

  /** What a cell looks like, as one of the states. */
  look(frame) {
    if (frame >= this.store.frames) return this.store.ended ? MISSING : WAITING;
    return this.store.look(frame, this.values, this.scale.estimated);
  }

  /** The frame that stands for a cell in a picture of blocks: the best of its block. */
  standsFor(row, column, size) {
    if (size <= 1 || this.pool?.size !== size) return this.grid.frame(row, column);
    const best = this.pool.best[Math.floor(row / size) * this.pool.sheet.columns + Math.floor(column / size)];
    return best < 0 ? this.grid.frame(row, column) : best;
  }

  #noBest() {
    [this.best, this.bestWorth] = [null, this.scale?.estimated ? UNSAID : Number.MIN_VALUE];
  }

  /** The frame with the best value, the first of equals; one without any spot is not it. */
  #rank(frame) {
    const worth = this.#worth(frame);
    if (worth > this.bestWorth || (worth === this.bestWorth && frame < this.best)) {
      [this.best, this.bestWorth] = [frame, worth];
    }
  }

  #colour(frame) {
    const { store, scale, looks } = this;
    const state = frame < 0 ? WAITING : store.states[frame];
    if (state !== DONE) return looks[state === WAITING && store.ended ? MISSING : state];
    const value = this.values[frame];
    if (scale.estimated && !(value >= 0)) return looks[UNKNOWN];
    return scale.beyond(value) ? looks[BEYOND] : PALETTE[scale.level(value)];
  }

  /** How much a frame deserves to be seen: values by themselves, failures before empty images, the rest after. */
  #worth(frame) {
    const state = this.store.states[frame];
    const { estimated } = this.scale;
    if (state === DONE) {
      const value = this.values[frame];
      if (value >= 0) return estimated ? -value : value;
      return UNSAID;
    }
    if (state === FAILED) return estimated ? UNSAID : Number.MIN_VALUE;
    return state === MISSING ? LESS_THAN_UNSAID : -Infinity;
  }

  #fillPool(size) {
    const [columns, rows] = [Math.ceil(this.grid.columns / size), Math.ceil(this.grid.rows / size)];
    const sheet = this.pool?.size === size ? this.pool.sheet : new Sheet(columns, rows);
    this.pool = { size, sheet, best: new Int32Array(columns * rows).fill(-1), worth: new Float64Array(columns * rows) };
    this.pool.worth.fill(-Infinity);
    const known = Math.min(this.store.frames, this.cells.length);
    for (let frame = 0; frame < known; frame++) {
      if (this.store.states[frame] !== WAITING) this.#intoPool(frame, this.cells[frame]);
    }
    for (let block = 0; block < this.pool.best.length; block++) sheet.pixels[block] = this.#colour(this.pool.best[block]);
    sheet.changed();
  }

  #intoPool(frame, cell) {
    const { size, sheet, best, worth } = this.pool;
    const column = cell % this.grid.columns;
    const row = (cell - column) / this.grid.columns;
    const block = Math.floor(row / size) * sheet.columns + Math.floor(column / size);
    const deserved = this.#worth(frame);
    if (deserved < worth[block] || (deserved === worth[block] && best[block] >= 0)) return;
    [worth[block], best[block]] = [deserved, frame];
    sheet.pixels[block] = this.#colour(frame);
    sheet.changed(block);
  }
}
