// What is shown, to take away: numbers as CSV, the picture as PNG.

import { download } from "./dom.js";
import { METRICS } from "./metrics.js";
import { DONE, WAITING } from "./states.js";

const STATES = ["waiting", "done", "failed", "missing"];

/** One row per image of all panes, with its cell. What is not known is empty, which is not zero. */
export function csv(panes) {
  const lines = [["scan", "frame", "file-number", "row", "column", "state", ...METRICS].join(",")];
  for (const { scan, grid, store } of panes) {
    for (let frame = 0; frame < store.frames; frame++) {
      const cell = grid && frame < grid.length ? [grid.row(frame), grid.column(frame)] : ["", ""];
      const done = store.states[frame] === DONE;
      const numbers = store.values.map((values) => (done ? exact(values[frame]) : ""));
      lines.push([scan, frame, frame + 1, ...cell, STATES[store.states[frame] ?? WAITING], ...numbers].join(","));
    }
  }
  return `${lines.join("\r\n")}\r\n`;
}

/** The shortest decimal that is this float32. */
function exact(value) {
  for (let digits = 6; digits <= 9; digits++) {
    const text = Number(value.toPrecision(digits));
    if (Math.fround(text) === value) return String(text);
  }
  return String(value);
}

export const saveCsv = (name, panes) => download(`${name}.csv`, new Blob([csv(panes)], { type: "text/csv" }));

/** The panes as they are on the screen, side by side, with a title below. */
export async function savePng(name, panes, title) {
  const stages = panes.map((pane) => [...pane.view.element.querySelectorAll("canvas")]);
  const width = stages.reduce((sum, [first]) => sum + first.width, 0);
  const height = Math.max(...stages.map(([first]) => first.height));
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height: height + 40 });
  const to = canvas.getContext("2d");
  const style = getComputedStyle(document.body);
  to.fillStyle = style.backgroundColor;
  to.fillRect(0, 0, canvas.width, canvas.height);
  let x = 0;
  for (const layers of stages) {
    for (const layer of layers) to.drawImage(layer, x, 0);
    x += layers[0].width;
  }
  to.fillStyle = style.color;
  to.font = "14px system-ui, sans-serif";
  to.fillText(title, 12, height + 24);
  download(`${name}.png`, await new Promise((made) => canvas.toBlob(made, "image/png")));
}
