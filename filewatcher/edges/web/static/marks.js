// What lies over and under the cells: column and row numbers, first image and direction, best and selected cell,
// centre of the crystal; the camera's picture below.


const INKS = {
  light: { text: "#6b7177", line: "#1c1f22", halo: "#ffffff" },
  dark: { text: "#868e95", line: "#c9cdd0", halo: "#000000" },
};

export function drawMarks(view) {
  const { marks: to, width, height, viewport, ratio, theme } = view;
  const inks = INKS[theme];
  to.clearRect(0, 0, width, height);
  drawNumbers(to, viewport, ratio, inks);
  drawFirst(to, view, inks);
  const { best } = view.picture;
  if (best !== null) ring(to, view, best, ["#000000", "#ffffff"], 1);
  if (view.centring) drawCentre(to, viewport, view.centring, ratio);
  if (view.hovered !== null) ring(to, view, view.hovered, [inks.halo, inks.line], 1);
  if (view.selected !== null) ring(to, view, view.selected, ["#000000", "#ff9f1a"], 2);
}

/** A frame around a cell, seen on every colour. */
function ring(to, view, frame, [outer, inner], weight) {
  if (frame >= view.grid.length) return;
  let [x, y, width, height] = view.viewport.box(view.grid.row(frame), view.grid.column(frame));
  const least = 5 * view.ratio;
  if (width < least) [x, width] = [x + width / 2 - least / 2, least];
  if (height < least) [y, height] = [y + height / 2 - least / 2, least];
  // a line of one pixel lies between two of them
  const at = [Math.round(x) + 0.5, Math.round(y) + 0.5, Math.round(width) - 1, Math.round(height) - 1];
  for (const [colour, thickness] of [[outer, 2 + weight], [inner, weight]]) {
    to.strokeStyle = colour;
    to.lineWidth = thickness * view.ratio;
    to.strokeRect(...at);
  }
}

/** Column and row numbers from 1, as many as have room. */
function drawNumbers(to, viewport, ratio, inks) {
  to.fillStyle = inks.text;
  to.font = `${11 * ratio}px system-ui, sans-serif`;
  const top = Math.max(viewport.y, 20 * ratio);
  const left = Math.max(viewport.x, 30 * ratio);
  to.textAlign = "center";
  to.textBaseline = "bottom";
  for (const column of ticks(viewport.columns, viewport.width, 44 * ratio)) {
    const x = viewport.x + (column - 0.5) * viewport.width;
    if (x > left - 4 * ratio) to.fillText(column, x, top - 6 * ratio);
  }
  to.textAlign = "right";
  to.textBaseline = "middle";
  for (const row of ticks(viewport.rows, viewport.height, 26 * ratio)) {
    const y = viewport.y + (row - 0.5) * viewport.height;
    if (y > top - 4 * ratio) to.fillText(row, left - 8 * ratio, y);
  }
}

function ticks(count, size, room) {
  const least = room / size;
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000].find((each) => each >= least) ?? count;
  const found = [1];
  for (let tick = step === 1 ? 2 : step; tick <= count; tick += step) if (tick > 1) found.push(tick);
  return found;
}

/** A triangle outside the corner of the first image, that points to where the scan goes from there. */
function drawFirst(to, view, inks) {
  const { grid, viewport, ratio } = view;
  const [x, y, width, height] = viewport.box(grid.row(0), grid.column(0));
  const [right, bottom] = [grid.start.endsWith("right"), grid.start.startsWith("bottom")];
  const size = 5 * ratio;
  const corner = [right ? x + width + size : x - size, bottom ? y + height + size : y - size];
  const direction = grid.horizontal ? [right ? -1 : 1, 0] : [0, bottom ? -1 : 1];
  const [dx, dy] = direction.map((part) => part * size);
  to.fillStyle = inks.line;
  to.beginPath();
  to.moveTo(corner[0] + dx, corner[1] + dy);
  to.lineTo(corner[0] - dx - dy, corner[1] - dy + dx);
  to.lineTo(corner[0] - dx + dy, corner[1] - dy - dx);
  to.fill();
}

/** A cross at the centre of each crystal, the box of the best one around it. */
function drawCentre(to, viewport, centring, ratio) {
  const crystals = centring.crystals ?? [];
  const centres = crystals.length ? crystals.map((crystal) => crystal.centre_of_mass) : [centring.centre_of_mass];
  const box = crystals[0]?.bounding_box;
  for (const [colour, width] of [["#000000", 4], ["#ffffff", 2]]) {
    to.strokeStyle = colour;
    to.lineWidth = (width * ratio) / 1.5;
    if (box) {
      const [[x0, y0], [x1, y1]] = [viewport.place(...box[0]), viewport.place(...box[1])];
      to.setLineDash([6 * ratio, 4 * ratio]);
      to.strokeRect(x0, y0, x1 - x0, y1 - y0);
      to.setLineDash([]);
    }
    centres.forEach((centre, rank) => centre && cross(to, viewport.place(centre[0], centre[1]), (rank ? 5 : 9) * ratio));
  }
}

function cross(to, [x, y], size) {
  to.beginPath();
  to.moveTo(x - size, y);
  to.lineTo(x + size, y);
  to.moveTo(x, y - size);
  to.lineTo(x, y + size);
  to.stroke();
}

/** The camera's picture, at the scale of the cells. */
export function drawSnapshot(view) {
  const { under: to, viewport, snapshot, grid } = view;
  const shown = Boolean(snapshot?.image && view.settings.snapshot && grid.step_mm);
  // an empty layer costs as much to compose as a full one
  to.canvas.hidden = !shown;
  if (!shown) return;
  to.clearRect(0, 0, view.width, view.height);
  const { offset_px: offset, um_per_px: scale, image } = snapshot;
  // pixels of the picture in one cell
  const across = (1000 * Math.abs(grid.step_mm[0])) / scale[0];
  const down = (1000 * Math.abs(grid.step_mm[1])) / scale[1];
  const [x, y] = viewport.place(-offset[0] / across, -offset[1] / down);
  to.drawImage(image, x, y, (image.width / across) * viewport.width, (image.height / down) * viewport.height);
}

