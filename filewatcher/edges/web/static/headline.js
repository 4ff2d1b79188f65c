// What has become of a collection: name, state, progress, age of the last result, warnings; and what can be done.

import { Refused, address, ask } from "./api.js";
import { h, say } from "./dom.js";
import { baseName } from "./pane.js";
import { confirmButton, rerun } from "./actions.js";
import { saveCsv, savePng } from "./exports.js";
import { placeOf } from "./permalink.js";
import { ageOf, stateOf, whole } from "./words.js";

const RUNNING = new Set(["waiting", "running", "queued"]);
/** Seconds without a result after which a running collection is said to stand still. */
const STILL = 10;

export class Headline {
  constructor(id) {
    Object.assign(this, { id, lost: new Set(), name: "" });
    this.heading = h("h1");
    this.state = h("span", { class: "chip" });
    this.reason = h("p", { class: "reason", hidden: true });
    this.other = h("a", {}, "the collection that goes on in its place");
    this.same = h("p", { hidden: true }, "Look at ", this.other, ".");
    this.counts = h("span", { class: "counts" });
    this.age = h("span", { class: "age", role: "status" });
    this.bars = ["done", "failed", "missing"].map((name) => h("i", { class: name }));
    this.banner = h("p", { class: "banner", role: "alert", hidden: true });
    this.warnings = h("ul", { class: "warnings", hidden: true });
    this.cancel = confirmButton("Cancel", "Stop it: sure?", () => this.#ask("DELETE", address("collections", id)));
    this.end = confirmButton("No more images", "None will come: sure?", () => this.#ask("POST", address("collections", id, "end")));
    this.again = h("button", { type: "button", onclick: () => rerun(this.summary) }, "Rerun…");
    this.files = this.#files();
    const actions = h("div", { class: "actions" }, this.end, this.cancel, this.again, this.files);
    this.element = h(
      "div",
      { class: "headline" },
      h("div", { class: "name" }, this.heading, this.state, actions),
      h("div", { class: "progress" }, h("div", { class: "bar" }, this.bars), this.counts, this.age),
      this.reason,
      this.same,
      this.warnings,
      this.banner,
    );
    this.timer = setInterval(() => this.#tick(), 500);
  }

  close() {
    clearInterval(this.timer);
  }

  /** Pictures and tables are those of the page. */
  serves(page) {
    this.page = page;
  }

  show(summary) {
    this.summary = summary;
    this.told = performance.now();
    this.name = summary.masters.map(baseName).join(" + ") || summary.id;
    say(this.heading, this.name);
    this.heading.title = summary.masters.join("\n");
    say(this.state, stateOf(summary));
    this.state.dataset.state = summary.state;
    this.reason.hidden = !summary.reason;
    say(this.reason, summary.reason ?? "");
    this.same.hidden = !summary.same_as;
    this.other.href = placeOf(summary.same_as ?? "");
    const warnings = summary.warnings ?? [];
    this.warnings.hidden = !warnings.length;
    if (warnings.join("\n") !== this.warned) this.warnings.replaceChildren(...warnings.map((text) => h("li", {}, text)));
    this.warned = warnings.join("\n");
    const running = RUNNING.has(summary.state);
    this.cancel.hidden = this.end.hidden = !running;
    this.#count(summary.scans);
    this.#tick();
  }

  /** Whether the feed of a scan is heard; one that is not is plain to see. */
  connected(scan, is) {
    if (is) this.lost.delete(scan);
    else this.lost.add(scan);
    if (is) this.problem = null;
    this.since = this.lost.size ? (this.since ?? performance.now()) : null;
    this.#tick();
  }

  refused(sentence, status) {
    this.problem = status === 401 ? null : sentence;
    if (status === 401) window.dispatchEvent(new Event("filewatcher:login"));
    this.#tick();
  }

  #count(scans) {
    const sum = (key) => scans.reduce((total, scan) => total + (scan[key] ?? 0), 0);
    const expected = scans.some((scan) => scan.expected === null) ? null : sum("expected");
    const total = expected || Math.max(1, sum("frames"));
    ["done", "failed", "missing"].forEach((key, i) => {
      this.bars[i].style.width = `${(100 * sum(key)) / total}%`;
    });
    const parts = [`${whole(sum("done"))} of ${expected === null ? "?" : whole(expected)} images analysed`];
    for (const [key, word] of [["failed", "failed"], ["missing", "never seen"], ["behind", "on disk and to be analysed"], ["disagreeing", "on which DIALS disagrees"]]) {
      if (sum(key)) parts.push(`${whole(sum(key))} ${word}`);
    }
    say(this.counts, parts.join(", "));
  }

  #tick() {
    const { summary } = this;
    const lost = this.lost.size > 0;
    const words = this.problem ?? (lost ? `Reconnecting: nothing heard for ${Math.round((performance.now() - this.since) / 1000)} s. What is shown may be old.` : "");
    this.banner.hidden = !words;
    say(this.banner, words);
    document.body.classList.toggle("stale", Boolean(words));
    if (!summary) return;
    const ages = summary.scans.map((scan) => scan.seconds_since_last).filter((age) => age !== null && age !== undefined);
    const age = ages.length ? Math.min(...ages) + (performance.now() - this.told) / 1000 : null;
    const running = RUNNING.has(summary.state);
    say(this.age, !running ? "" : age === null ? "no result yet" : `last result ${ageOf(age)} ago`);
    this.age.classList.toggle("still", running && age > STILL);
  }

  async #ask(method, url) {
    try {
      await ask(url, { method });
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.refused(error.message, error.status);
    }
  }

  #files() {
    const link = (text, href) => h("a", { href, download: "" }, text);
    const button = (text, onclick) => h("button", { type: "button", class: "link", onclick }, text);
    const stem = () => this.name.replace(/\.[^.]*$/, "") || this.id;
    return h(
      "details",
      { class: "menu" },
      h("summary", {}, "Files"),
      h(
        "div",
        { class: "pop" },
        button("picture, PNG", () => savePng(stem(), this.page.panes, `${this.name}: ${this.counts.textContent}`)),
        button("table, CSV", () => saveCsv(stem(), this.page.panes)),
        link("lines, JSON", address("collections", this.id, "frames", { since: 0 }).href),
        link("results.h5", address("collections", this.id, "results.h5").href),
        link("summary, JSON", address("collections", this.id, "summary").href),
        link("centring, JSON", address("collections", this.id, "centring").href),
        button("copy the address of this view", () => navigator.clipboard?.writeText(location.href)),
      ),
    );
  }
}
