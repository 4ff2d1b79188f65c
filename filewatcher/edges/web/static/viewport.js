// Where the cells of a grid are on the screen. All in pixels of the device, so that cells have sharp edges.

const LARGEST = 160;

export class Viewport {
  constructor(columns, rows, aspect) {
    Object.assign(this, { columns, rows, aspect, x: 0, y: 0, width: 1, height: 1, fitted: true });
  }

  /** Make the whole grid fill a stage of this size, less the margins {left, top, right, bottom}. */
  fit(stageWidth, stageHeight, margins) {
    const width = Math.max(8, stageWidth - margins.left - margins.right);
    const height = Math.max(8, stageHeight - margins.top - margins.bottom);
    let cell = Math.min(width / this.columns, height / (this.rows * this.aspect), LARGEST);
    // cells of one size, where that costs little room
    if (cell >= 4) cell = Math.floor(cell);
    this.width = cell;
    this.height = cell * this.aspect >= 4 ? Math.floor(cell * this.aspect) : cell * this.aspect;
    this.x = Math.round(margins.left + (width - this.columns * this.width) / 2);
    // at the top, so that the two scans of a pair lie beside each other
    this.y = Math.round(margins.top);
    this.fitted = true;
    this.smallest = this.width / 6;
  }

  /** Enlarge by a factor, with the place under (x, y) staying there. */
  zoom(factor, x, y) {
    const wanted = Math.min(LARGEST, Math.max(this.smallest, this.width * factor));
    const by = wanted / this.width;
    this.width *= by;
    this.height *= by;
    this.x = x - (x - this.x) * by;
    this.y = y - (y - this.y) * by;
    this.fitted = false;
  }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.fitted = false;
  }

  /** The cell under a pixel as [row, column], or null. */
  cellAt(x, y) {
    const column = Math.floor((x - this.x) / this.width);
    const row = Math.floor((y - this.y) / this.height);
    return column >= 0 && column < this.columns && row >= 0 && row < this.rows ? [row, column] : null;
  }

  /** The box of a cell as [left, top, width, height]. */
  box(row, column) {
    return [this.x + column * this.width, this.y + row * this.height, this.width, this.height];
  }

  /** The pixel of a place counted in cells from the outer corner of the top left one. */
  place(x, y) {
    return [this.x + x * this.width, this.y + y * this.height];
  }

  /** How many cells a side share a pixel; 1 = none do. */
  get pooling() {
    const smallest = Math.min(this.width, this.height);
    return smallest >= 1 ? 1 : Math.ceil(1 / smallest);
  }

  /** The cells that a stage of this size shows: {left, top, right, bottom}, the last two one past the last. */
  visible(stageWidth, stageHeight) {
    return {
      left: Math.max(0, Math.floor(-this.x / this.width)),
      top: Math.max(0, Math.floor(-this.y / this.height)),
      right: Math.min(this.columns, Math.ceil((stageWidth - this.x) / this.width)),
      bottom: Math.min(this.rows, Math.ceil((stageHeight - this.y) / this.height)),
    };
  }
}
