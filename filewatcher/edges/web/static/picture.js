// The picture of a grid at one pixel per cell, and a coarser one in which no strong cell gets lost. Each is coloured only
// while it is the one that is shown.

import { BEYOND, DONE, FAILED, MISSING, UNKNOWN, WAITING, packed } from "./states.js";
import { METRICS } from "./metrics.js";
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
    this.all();
  }

  all() {
    [this.left, this.top, this.right, this.bottom] = [0, 0, this.columns, this.rows];
  }

  set(place, pixel) {
    this.pixels[place] = pixel;
    const column = place % this.columns;
    const row = (place - column) / this.columns;
    if (column < this.left) this.left = column;
    if (column >= this.right) this.right = column + 1;
    if (row < this.top) this.top = row;
    if (row >= this.bottom) this.bottom = row + 1;
  }

  /** Put what has changed on the canvas; returns where that is, {left, top, right, bottom}, or null for nowhere. */
  put() {
    const { left, top, right, bottom } = this;
    if (right <= left) return null;
    this.context.putImageData(this.image, 0, 0, left, top, right - left, bottom - top);
    [this.left, this.top, this.right, this.bottom] = [this.columns, this.rows, 0, 0];
    return { left, top, right, bottom };
  }
}

/** One pixel per cell. */
class Cells {
  constructor(picture) {
    Object.assign(this, { picture, size: 1, stale: true });
    this.sheet = new Sheet(picture.grid.columns, picture.grid.rows);
  }

  take(frame, cell) {
    if (!this.stale) this.sheet.set(cell, this.picture.colour(frame));
  }

  paint() {
    const { picture, sheet } = this;
    const { cells, store } = picture;
    const known = Math.min(store.frames, cells.length);
    for (let frame = 0; frame < known; frame++) sheet.pixels[cells[frame]] = picture.colour(frame);
    const waiting = picture.colour(-1);
    for (let frame = known; frame < cells.length; frame++) sheet.pixels[cells[frame]] = waiting;
  }

  standsFor(row, column) {
    return this.picture.grid.frame(row, column);
  }
}

/** One pixel per block of size x size cells: that of its best cell. */
class Blocks {
  constructor(picture, size) {
    Object.assign(this, { picture, size, stale: true });
    this.sheet = new Sheet(Math.ceil(picture.grid.columns / size), Math.ceil(picture.grid.rows / size));
    const count = this.sheet.columns * this.sheet.rows;
    this.best = new Int32Array(count).fill(-1);
    this.worth = new Float64Array(count).fill(-Infinity);
    const { cells, store } = picture;
    const known = Math.min(store.frames, cells.length);
    for (let frame = 0; frame < known; frame++) if (store.states[frame] !== WAITING) this.take(frame, cells[frame]);
  }

  take(frame, cell) {
    const { picture, sheet, best, worth } = this;
    const block = this.#block(Math.floor(cell / picture.grid.columns), cell % picture.grid.columns);
    const deserved = picture.worth(frame);
    if (deserved < worth[block] || (deserved === worth[block] && best[block] >= 0)) return;
    [worth[block], best[block]] = [deserved, frame];
    if (!this.stale) sheet.set(block, picture.colour(frame));
  }

  paint() {
    const { picture, sheet, best } = this;
    for (let block = 0; block < best.length; block++) sheet.pixels[block] = picture.colour(best[block]);
  }

  standsFor(row, column) {
    const best = this.best[this.#block(row, column)];
    return best < 0 ? this.picture.grid.frame(row, column) : best;
  }

  #block(row, column) {
    return Math.floor(row / this.size) * this.sheet.columns + Math.floor(column / this.size);
  }
}

export class Picture {
  constructor(grid, store) {
    Object.assign(this, { grid, store, looks: [] });
    this.cells = grid.cells();
    this.forget();
  }

  /** Another scale or other looks: every cell gets another colour, when it is shown next. */
  repaint(scale, looks) {
    // another number has other best cells; another range has not
    if (scale.metric !== this.scale?.metric) this.forget();
    this.scale = scale;
    this.values = this.store.values[METRICS.indexOf(scale.metric)];
    this.looks = Object.entries(looks).reduce((all, [state, { face }]) => ((all[state] = packed(face)), all), []);
    for (const layer of this.layers) layer.stale = true;
  }

  /** Some frames have ended. */
  update(frames) {
    // a longer scan has other arrays
    this.values = this.store.values[METRICS.indexOf(this.scale.metric)];
    const { layers, cells } = this;
    for (const frame of frames) if (frame < cells.length) for (const layer of layers) layer.take(frame, cells[frame]);
  }

  /** Frames are no longer what they were. */
  forget() {
    this.layers = [];
  }

  /** Pixels, one per cell, or, for `size` > 1, one per block of size x size cells: the best of each. */
  shown(size = 1) {
    const layer = this.#layer(size);
    if (layer.stale) {
      layer.stale = false;
      layer.paint();
      layer.sheet.all();
    }
    return layer.sheet;
  }

  /** What a cell looks like, as one of the states. */
  look(frame) {
    if (frame >= this.store.frames) return this.store.ended ? MISSING : WAITING;
    return this.store.look(frame, this.values, this.scale.estimated);
  }

  /** The frame that stands for a cell in a picture of blocks: the best of its block. */
  standsFor(row, column, size) {
    return this.#layer(size).standsFor(row, column);
  }

  /** The frame with the best value, the first of equals; one without any spot is not it. */
  get best() {
    return this.store.ranking(this.scale.metric).best.find((frame) => frame < this.cells.length) ?? null;
  }

  colour(frame) {
    const { store, scale, looks } = this;
    const state = frame < 0 ? WAITING : store.states[frame];
    if (state !== DONE) return looks[state === WAITING && store.ended ? MISSING : state];
    const value = this.values[frame];
    if (scale.estimated && !(value >= 0)) return looks[UNKNOWN];
    return scale.beyond(value) ? looks[BEYOND] : PALETTE[scale.level(value)];
  }

  /** How much a frame deserves to be seen: values by themselves, failures before empty images, the rest after. */
  worth(frame) {
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

  /** That of one cell per pixel, and the last coarser one, are kept. */
  #layer(size) {
    let layer = this.layers.find((each) => each.size === size);
    if (!layer) {
      layer = size > 1 ? new Blocks(this, size) : new Cells(this);
      this.layers = [layer, ...this.layers.filter((each) => (each.size > 1) !== (size > 1))];
    }
    return layer;
  }
}
