// Why images failed or are missing, in words: from the lines of those frames, read when somebody wants to know.

import { address, ask } from "./api.js";
import { h } from "./dom.js";

const TROUBLES = ["failed", "missing"];

export class Failures {
  constructor(id, heard) {
    Object.assign(this, { id, heard, reasons: new Map(), read: new Map(), reading: false, stale: false });
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

  /** Read on where the last time ended. */
  async #readScan(scan) {
    const { generation = null, version: since = 0 } = this.read.get(scan) ?? {};
    const response = await ask(address("collections", this.id, "frames", { scan, since, state: TROUBLES }));
    const now = { generation: response.headers.get("Filewatcher-Generation"), version: Number(response.headers.get("Filewatcher-Version")) };
    if (generation !== null && generation !== now.generation) {
      // the server was started again, and its order may be another one
      await response.body.cancel();
      this.#forget(scan);
      return this.#readScan(scan);
    }
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value = "" } = await reader.read();
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const line of lines) this.#take(JSON.parse(line));
      if (done) break;
    }
    this.read.set(scan, now);
  }

  #forget(scan) {
    this.read.delete(scan);
    for (const key of this.reasons.keys()) if (key.startsWith(`${scan}.`)) this.reasons.delete(key);
  }

  #take({ scan, frame, state, error }) {
    this.reasons.set(`${scan}.${frame}`, error ?? state);
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
