// Mouse, pen and fingers on a stage: point, choose, move, enlarge.

/** Smaller movements are a click of an unsteady hand. */
const STILL = 5;

export function followPointer(view) {
  const { element } = view;
  const down = new Map();
  let moved = 0;

  const place = (event) => {
    const box = element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  element.addEventListener("pointerdown", (event) => {
    element.setPointerCapture(event.pointerId);
    if (!down.size) moved = 0;
    down.set(event.pointerId, place(event));
  });
  element.addEventListener("pointermove", (event) => {
    const now = place(event);
    const before = down.get(event.pointerId);
    if (!before) {
      view.events.hover(view.frameAt(...now));
      return;
    }
    const [dx, dy] = [now[0] - before[0], now[1] - before[1]];
    moved += Math.hypot(dx, dy);
    if (moved < STILL) return;
    down.set(event.pointerId, now);
    if (down.size === 1) view.viewport.pan(dx * view.ratio, dy * view.ratio);
    else pinch(view, [...down].filter(([id]) => id !== event.pointerId)[0][1], before, now);
    view.moved();
  });
  element.addEventListener("pointerup", (event) => {
    const at = down.get(event.pointerId) && place(event);
    down.delete(event.pointerId);
    if (!at || moved >= STILL || down.size) return;
    const frame = view.frameAt(...at);
    if (frame !== null) view.events.select(frame);
  });
  element.addEventListener("pointercancel", (event) => down.delete(event.pointerId));
  element.addEventListener("pointerleave", () => view.events.hover(null));
  element.addEventListener("dblclick", () => view.fit());
  element.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const [x, y] = place(event);
      view.viewport.zoom(Math.exp(-event.deltaY / 400), x * view.ratio, y * view.ratio);
      view.moved();
    },
    { passive: false },
  );
}

/** Two fingers: what was between them stays there. */
function pinch(view, fixed, before, now) {
  const apart = (point) => Math.max(20, Math.hypot(point[0] - fixed[0], point[1] - fixed[1]));
  view.viewport.zoom(apart(now) / apart(before), fixed[0] * view.ratio, fixed[1] * view.ratio);
}
