// All collections: what runs, what has ended and how; the newest on top.

import { address, ask, askJson } from "./api.js";
import { h, say } from "./dom.js";
import { baseName } from "./pane.js";
import { confirmButton, rerun } from "./actions.js";
import { placeOf } from "./permalink.js";
import { ageOf, stateOf, timeOf, whole } from "./words.js";

const PAUSE = 2000;
const PAGE = 100;
/** As many as the server tells of at once. */
const MOST = 5000;
const RUNNING = new Set(["waiting", "running", "queued"]);
const HEADS = [["state", "state"], ["name", "collection"], ["progress", "images"], ["created", "since"], ["engine", "engine"], ["", ""]];

export class ListPage {
  constructor() {
    Object.assign(this, { collections: [], by: "created", down: true, most: PAGE, title: "collections" });
    this.filter = h("input", { type: "search", placeholder: "name, visit, beamline…", "aria-label": "filter", oninput: () => this.#soon() });
    this.state = h("select", { "aria-label": "state", onchange: () => this.#soon() }, ["all", "running", "done", "failed", "cancelled", "with failures"].map((word) => h("option", {}, word)));
    this.banner = h("p", { class: "banner", role: "alert", hidden: true });
    this.body = h("tbody");
    this.more = h("button", { type: "button", hidden: true, onclick: () => { this.most = Math.min(MOST, this.most + 5 * PAGE); this.#soon(); } }, "show more");
    const heads = HEADS.map(([key, text]) => h("th", {}, key ? h("button", { type: "button", class: "link", onclick: () => this.#sort(key) }, text) : text));
    this.element = h(
      "section",
      { class: "list" },
      h("div", { class: "toolbar" }, this.filter, this.state),
      this.banner,
      h("table", {}, h("thead", {}, h("tr", {}, heads)), this.body),
      this.more,
    );
    this.keys = {};
    this.rows = new Map();
    this.#look();
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
  }

  async #look() {
    try {
      const limit = this.filter.value || this.state.value !== "all" ? MOST : this.most;
      const { collections, total, server } = await askJson(address("collections", { limit }));
      [this.collections, this.total] = [collections, total ?? collections.length];
      this.banner.hidden = true;
      this.onserver?.(server);
      this.#show();
    } catch (error) {
      if (error.status === 401) window.dispatchEvent(new Event("filewatcher:login"));
      this.banner.hidden = false;
      say(this.banner, error.status ? error.message : "Reconnecting: the server cannot be reached. What is shown may be old.");
    }
    if (!this.closed) this.timer = setTimeout(() => this.#look(), PAUSE);
  }

  /** Show what is known, and ask once more. */
  #soon() {
    this.#show();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#look(), 150);
  }

  #sort(key) {
    [this.by, this.down] = [key, key === this.by ? !this.down : key === "created"];
    this.#show();
  }

  #show() {
    const words = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = this.collections.filter((one) => wanted(one, this.state.value) && words.every((word) => textOf(one).includes(word)));
    const sign = this.down ? -1 : 1;
    chosen.sort((a, b) => sign * compare(keyOf(a, this.by), keyOf(b, this.by)));
    const shown = chosen.slice(0, this.most);
    const rows = shown.map((one) => this.#row(one));
    // rows that stay keep their place and what is being done to them
    rows.forEach((row, i) => this.body.children[i] !== row && this.body.insertBefore(row, this.body.children[i] ?? null));
    while (this.body.children.length > rows.length) this.body.lastChild.remove();
    if (!rows.length) this.body.append(h("tr", {}, h("td", { colSpan: HEADS.length, class: "none" }, this.collections.length ? "none like this" : "no collection yet")));
    this.more.hidden = chosen.length <= this.most && this.total <= this.collections.length;
    if (this.rows.size > 4 * this.most) this.rows.clear();
  }

  #row(one) {
    let row = this.rows.get(one.id);
    if (!row) this.rows.set(one.id, (row = new Row(one.id)));
    row.show(one);
    return row.element;
  }
}

class Row {
  constructor(id) {
    this.chip = h("span", { class: "chip" });
    this.link = h("a", { href: placeOf(id) });
    this.other = h("a", { hidden: true }, "goes on here");
    this.sub = h("div", { class: "muted" });
    this.problem = h("div", { class: "problem" });
    this.bars = ["done", "failed", "missing"].map((name) => h("i", { class: name }));
    this.counts = h("div", { class: "muted" });
    [this.since, this.engine] = [h("td"), h("td")];
    this.cancel = confirmButton("Cancel", "Sure?", () => this.#stop(id));
    this.again = h("button", { type: "button", onclick: () => rerun(this.one) }, "Rerun…");
    this.element = h(
      "tr",
      {},
      h("td", {}, this.chip),
      h("td", {}, this.link, this.sub, this.problem, this.other),
      h("td", {}, h("div", { class: "bar" }, this.bars), this.counts),
      this.since,
      this.engine,
      h("td", {}, h("div", { class: "actions" }, this.cancel, this.again)),
    );
  }

  show(one) {
    this.one = one;
    say(this.chip, stateOf(one));
    this.chip.dataset.state = one.state;
    say(this.link, one.masters.map(baseName).join(" + ") || one.id);
    this.link.title = one.masters.join("\n");
    say(this.sub, [one.beamline, one.visit, one.dcid && `dcid ${one.dcid}`, one.reprocess_of && "rerun"].filter(Boolean).join(" · "));
    say(this.problem, one.reason ?? "");
    this.other.hidden = !one.same_as;
    this.other.href = placeOf(one.same_as ?? "");
    const sum = (key) => one.scans.reduce((total, scan) => total + (scan[key] ?? 0), 0);
    const expected = one.scans.some((scan) => scan.expected === null) ? null : sum("expected");
    ["done", "failed", "missing"].forEach((key, i) => {
      this.bars[i].style.width = `${(100 * sum(key)) / (expected || Math.max(1, sum("frames")))}%`;
    });
    const troubles = [["failed", "failed"], ["missing", "never seen"]].filter(([key]) => sum(key)).map(([key, word]) => `${whole(sum(key))} ${word}`);
    say(this.counts, [`${whole(sum("done"))} of ${expected === null ? "?" : whole(expected)}`, ...troubles].join(", "));
    say(this.since, one.created ? `${ageOf((Date.now() - Date.parse(one.created)) / 1000)} ago` : "");
    this.since.title = timeOf(one.created);
    say(this.engine, one.engine ?? "");
    this.cancel.hidden = !RUNNING.has(one.state);
  }

  async #stop(id) {
    try {
      await ask(address("collections", id), { method: "DELETE" });
    } catch (error) {
      say(this.problem, error.message);
    }
  }
}

const failures = (one) => one.scans.reduce((sum, scan) => sum + scan.failed + scan.missing, 0);

function wanted(one, state) {
  if (state === "all") return true;
  if (state === "running") return RUNNING.has(one.state);
  return state === "with failures" ? failures(one) > 0 : one.state === state;
}

const textOf = (one) => [one.id, ...one.masters, one.visit, one.beamline, one.dcid, one.reason].join(" ").toLowerCase();

function keyOf(one, by) {
  if (by === "name") return one.masters.map(baseName).join(" ");
  if (by === "progress") return one.scans.reduce((sum, scan) => sum + scan.done, 0);
  return one[by] ?? "";
}

const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
