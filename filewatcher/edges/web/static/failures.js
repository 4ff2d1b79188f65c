// Why images failed or are missing, in words: from the lines of the frames, read when somebody wants to know.

import { address, ask } from "./api.js";
import { h } from "./dom.js";

const TROUBLES = new Set(["failed", "missing"]);

export class Failures {
  constructor(id, heard) {
    Object.assign(this, { id, heard, reasons: new Map(), reading: false, stale: false });
    this.summary = h("summary");
    this.list = h("ul");
    this.element = h("details", { class: "failures", hidden: true, ontoggle: () => this.#read() }, this.summary, this.list);
  }

  /** The reason of a frame, as far as it has been read. */
  reasonOf(scan, frame) {
    return this.reasons.get(`${scan}.${frame}`);
  }

  /** How many there are now in these panes. */
  show(panes) {
    this.panes = panes;
    const [failed, missing] = [2, 3].map((state) => panes.reduce((sum, pane) => sum + pane.store.counts[state], 0));
    this.element.hidden = failed + missing === 0;
    this.summary.textContent = `${failed} failed, ${missing} never seen: why`;
    if (failed + missing !== this.known) this.stale = true;
    this.known = failed + missing;
    this.#read();
  }

  /** Read the lines once more, if they are looked at and there are new ones. */
  async #read() {
    if (!this.element.open || this.reading || !this.stale) return;
    [this.reading, this.stale] = [true, false];
    try {
      for (const pane of this.panes) await this.#readScan(pane.scan);
      this.#list();
    } catch (error) {
      this.list.replaceChildren(h("li", {}, error.message));
    }
    this.reading = false;
    this.heard();
  }

  async #readScan(scan) {
    const response = await ask(address("collections", this.id, "frames", { scan, since: 0 }));
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value = "" } = await reader.read();
      const lines = (rest + value).split("\n");
      rest = done ? "" : lines.pop();
      for (const line of lines) if (line.includes('"error"')) this.#take(JSON.parse(line));
      if (done) return;
    }
  }

  #take(line) {
    if (TROUBLES.has(line.state)) this.reasons.set(`${line.scan}.${line.frame}`, line.error ?? line.state);
  }

  /** Grouped by reason, the most frequent first. */
  #list() {
    const groups = new Map();
    for (const [key, reason] of this.reasons) {
      const [scan, frame] = key.split(".").map(Number);
      if (!groups.has(reason)) groups.set(reason, []);
      groups.get(reason).push(this.panes.length > 1 ? `${scan + 1}:${frame + 1}` : `${frame + 1}`);
    }
    const sorted = [...groups].sort((a, b) => b[1].length - a[1].length);
    this.list.replaceChildren(...sorted.map(([reason, images]) => h("li", {}, h("b", {}, `${images.length} × `), `${reason} `, h("span", { class: "muted" }, `(${some(images)})`))));
  }
}

function some(images) {
  const first = images.slice(0, 5).join(", ");
  return `image${images.length > 1 ? "s" : ""} ${first}${images.length > 5 ? ", …" : ""}`;
}
