// The header of an image as a table: what the master says of beam and detector, and what was found.

import { h } from "./dom.js";

export function headerTable(table, notes) {
  const rows = Object.entries(notes.header).map(([name, value]) => row(name.replaceAll("_", " "), words(value)));
  if (notes.engine) rows.push(row("engine", notes.engine));
  rows.push(row("spots drawn", String(notes.spots.length)));
  table.replaceChildren(h("tbody", {}, rows));
}

const row = (name, value) => h("tr", {}, h("th", {}, name), h("td", {}, value));

function words(value) {
  if (Array.isArray(value)) return value.map(words).join(" × ");
  if (typeof value === "number") return String(Number(value.toPrecision(6)));
  return value === null || value === "" ? "not known" : String(value);
}
