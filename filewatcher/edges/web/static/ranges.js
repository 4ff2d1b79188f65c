// One scale for all scans of a collection, so that a pair can be compared: counts their values as they come.

import { Histogram, Scale, automatic, count, countAll } from "./scale.js";

export class Ranges {
  constructor(settings) {
    this.settings = settings;
    this.recount([]);
  }

  /** Another metric, or scans that started anew: count everything again. */
  recount(panes) {
    this.metric = this.settings.metric;
    this.histogram = new Histogram();
    for (const pane of panes) countAll(this.histogram, pane.store, this.metric);
  }

  add(store, fresh) {
    count(this.histogram, store, this.metric, fresh);
  }

  /** The scale now; the same object as before, unless something about it has changed. */
  scale() {
    const { settings } = this;
    const ends = settings.lock ?? automatic(this.histogram, this.metric);
    const scale = new Scale(this.metric, ends, { root: settings.root, threshold: settings.threshold });
    if (!scale.equals(this.last)) this.last = scale;
    return this.last;
  }
}
