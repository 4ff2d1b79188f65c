// Where the crystals are, how sure that is, and whether images that are not known yet could change it.

import { h } from "./dom.js";
import { whole } from "./words.js";

const MOST = 5;

export class Centres {
  /** `choose(scan, frame)`. */
  constructor(choose) {
    this.choose = choose;
    this.body = h("tbody");
    this.doubt = h("p", { class: "muted" });
    this.element = h("section", { class: "centres", hidden: true }, h("h2", {}, "Crystals, in cells from the top left corner"), h("table", {}, this.body), this.doubt);
  }

  /** What the collection says of the centres: those of a pair in three dimensions first, then those of each scan. */
  show(summary) {
    const byHand = (summary.grids_by_hand ?? []).some(Boolean);
    const told = JSON.stringify([byHand, summary.centring, summary.scans.map((scan) => scan.centring)]);
    if (told === this.told) return;
    this.told = told;
    const both = summary.centring?.results ?? [];
    const scans = summary.scans.map(({ scan, centring }) => ({ scan, centring })).filter(({ centring }) => centring);
    const rows = [
      ...both.slice(0, MOST).map((crystal, rank) => this.#row(`${rank + 1}`, crystal, null)),
      ...scans.flatMap(({ scan, centring }) =>
        (centring.crystals ?? []).slice(0, MOST).map((crystal, rank) => {
          const name = summary.scans.length > 1 ? `scan ${scan + 1}: ${rank + 1}` : `${rank + 1}`;
          return this.#row(name, crystal, scan);
        }),
      ),
    ];
    this.element.hidden = !scans.length && !both.length;
    const message = scans.map(({ centring }) => centring.message).find((words) => words && words !== "ok") ?? "none yet";
    this.body.replaceChildren(...(rows.length ? rows : [h("tr", {}, h("td", { class: "none" }, message))]));
    const settled = summary.centring?.results ? summary.centring.settled : scans.every(({ centring }) => centring.settled);
    const where = byHand ? "In the grid as collected: run it again for those in the one set by hand. " : "";
    this.doubt.textContent = where + (settled ? "Settled: no image that is not known could change this." : "Not settled: images that are not known could change this.");
  }

  #row(name, crystal, scan) {
    const where = crystal.centre_of_mass.map((at, axis) => `${"xyz"[axis]} ${at.toFixed(1)}${sureness(crystal.uncertainty_box?.[axis])}`);
    const image = crystal.best_image;
    const link = scan === null || !image ? "" : h("button", { type: "button", class: "link", onclick: () => this.choose(scan, image - 1) }, String(image));
    return h("tr", {}, h("td", {}, name), h("td", { class: "where" }, where.join("  ")), h("td", { class: "number" }, whole(Math.round(crystal.total_count))), h("td", { class: "number" }, link));
  }
}

const sureness = (deviation) => (deviation === null || deviation === undefined ? "" : ` ± ${deviation.toFixed(1)}`);
