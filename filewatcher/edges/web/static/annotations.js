// What is drawn over an image: the boxes of spots, rings of resolution, the beam.

/** `view`: {x, y} of the image's corner and `scale`, canvas pixels per detector pixel. */
export function drawSpots(to, spots, { x, y, scale, ratio, dark }) {
  to.strokeStyle = dark ? "#ff9f1a" : "#c2410c";
  to.lineWidth = 1.2 * ratio;
  for (const { bounding_box: box } of spots) {
    const grown = Math.max(0, 6 * ratio - (box[1] - box[0]) * scale) / 2;
    const [left, top] = [x + box[0] * scale - grown, y + box[2] * scale - grown];
    const [width, height] = [(box[1] - box[0]) * scale + 2 * grown, (box[3] - box[2]) * scale + 2 * grown];
    to.strokeRect(left, top, width, height);
  }
}

export function drawRings(to, { rings, beam }, { x, y, scale, ratio, dark }) {
  const [cx, cy] = [x + beam[0] * scale, y + beam[1] * scale];
  to.font = `${11 * ratio}px system-ui, sans-serif`;
  to.textAlign = "center";
  to.textBaseline = "bottom";
  for (const ring of rings) {
    const radius = ring.radius_px * scale;
    to.strokeStyle = ring.ice ? (dark ? "rgb(80 170 220 / .55)" : "rgb(20 110 170 / .45)") : dark ? "rgb(150 158 165 / .6)" : "rgb(70 78 85 / .5)";
    to.lineWidth = ratio;
    to.setLineDash(ring.ice ? [3 * ratio, 4 * ratio] : []);
    to.beginPath();
    to.arc(cx, cy, radius, 0, 2 * Math.PI);
    to.stroke();
    to.setLineDash([]);
    if (ring.ice) continue;
    to.fillStyle = dark ? "#aeb6bd" : "#3d454c";
    to.fillText(`${Number(ring.d.toPrecision(3))} Å`, cx, cy - radius - 2 * ratio);
  }
  to.strokeStyle = dark ? "#aeb6bd" : "#3d454c";
  to.beginPath();
  to.moveTo(cx - 6 * ratio, cy);
  to.lineTo(cx + 6 * ratio, cy);
  to.moveTo(cx, cy - 6 * ratio);
  to.lineTo(cx, cy + 6 * ratio);
  to.stroke();
}
