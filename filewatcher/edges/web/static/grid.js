// Which cell of a grid scan a frame is: the formula of filewatcher/core/grid.py, frame <-> row and column.

/** Shape and order of a grid scan; row 0 is the top of the picture, column 0 its left side. */
export class Grid {
  /** From the words of a collection: columns, rows, orientation, snaked, start, step_mm. */
  constructor({ columns, rows, orientation = "horizontal", snaked, start = "top-left", step_mm = null }) {
    Object.assign(this, { columns, rows, orientation, snaked: Boolean(snaked), start, step_mm });
    this.horizontal = orientation === "horizontal";
    this.length = columns * rows;
    this.lineLength = this.horizontal ? columns : rows;
    Object.freeze(this);
  }

  /** The cell of a frame, as row * columns + column. */
  cell(frame) {
    const line = Math.floor(frame / this.lineLength);
    const place = this.#turned(line, frame % this.lineLength);
    const [row, column] = this.#mirrored(...(this.horizontal ? [line, place] : [place, line]));
    return row * this.columns + column;
  }

  /** The frame of a cell: the inverse of `cell`. */
  frame(row, column) {
    const [first, second] = this.#mirrored(row, column);
    const [line, place] = this.horizontal ? [first, second] : [second, first];
    return line * this.lineLength + this.#turned(line, place);
  }

  row(frame) {
    return Math.floor(this.cell(frame) / this.columns);
  }

  column(frame) {
    return this.cell(frame) % this.columns;
  }

  /** The cells of all frames. */
  cells() {
    return Int32Array.from({ length: this.length }, (_, frame) => this.cell(frame));
  }

  /** How much taller than wide a cell is. */
  get aspect() {
    const [dx, dy] = this.step_mm ?? [1, 1];
    return Math.min(20, Math.max(0.05, Math.abs(dy / dx)));
  }

  toString() {
    return `${this.columns}x${this.rows}`;
  }

  /** In words, as below the pictures that the command line writes. */
  get order() {
    const along = this.horizontal ? "along rows" : "along columns";
    return `${this.columns} × ${this.rows}, first image ${this.start}, ${along}${this.snaked ? ", snaked" : ""}`;
  }

  #turned(line, place) {
    return this.snaked && line % 2 === 1 ? this.lineLength - 1 - place : place;
  }

  #mirrored(row, column) {
    return [
      this.start.startsWith("bottom") ? this.rows - 1 - row : row,
      this.start.endsWith("right") ? this.columns - 1 - column : column,
    ];
  }
}
