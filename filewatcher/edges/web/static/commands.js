// What the keys do on the page of a collection.

import { METRICS } from "./metrics.js";
import { ranked } from "./strongest.js";

const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

export function commands(page) {
  const { settings } = page;

  const chosen = () => {
    const { scan = 0, frame = 0 } = settings.selected ?? {};
    return { pane: page.panes[scan], frame };
  };
  const select = (pane, frame) => {
    if (frame >= 0 && frame < Math.max(pane.store.frames, pane.grid?.length ?? 0)) page.select(pane.scan, frame);
  };
  /** The first key shows where one is. */
  const move = (next) => {
    const { pane, frame } = chosen();
    if (pane) select(pane, settings.selected ? next(pane, frame) : frame);
  };

  return {
    move: (key) => move((pane, frame) => pane.beside(frame, ARROWS[key])),
    step: (key) => move((_, frame) => frame + (key === "j" ? -1 : 1)),
    best: () => {
      const [best] = ranked(page.panes, settings.metric);
      if (best) select(best.pane, best.frame);
    },
    metric: (key) => {
      const next = METRICS.indexOf(settings.metric) + (key === "m" ? 1 : METRICS.length - 1);
      settings.choose(METRICS[next % METRICS.length]);
    },
    lock: () => page.bar.lock(),
    root: () => settings.set({ root: !settings.root }),
    open: () => settings.selected && page.image.open(),
    leave: () => page.image.leave(),
    contrast: (key) => page.image.setContrast(page.image.stops + (key === "+" ? 0.5 : -0.5)),
    rings: () => page.image.toggle("rings"),
    spots: () => page.image.toggle("spots"),
    mask: () => page.image.toggle("mask"),
    fit: () => page.panes.forEach((pane) => pane.view?.fit()),
  };
}
