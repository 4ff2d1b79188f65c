// What is looked at, in the address: #/c/ID?metric=...&range=0,40&cell=0.123 shows the same to everyone.

import { METRICS } from "./metrics.js";

/** Read an address: {id: null} is the list of collections. */
export function read(hash) {
  const [path, query = ""] = hash.replace(/^#/, "").split("?");
  const match = /^\/c\/([^/]+)$/.exec(path);
  if (!match) return { id: null, settings: {} };
  const words = new URLSearchParams(query);
  const settings = {};
  if (METRICS.includes(words.get("metric"))) settings.metric = words.get("metric");
  const range = numbers(words.get("range"), 2);
  if (range && range[0] < range[1]) settings.lock = range;
  if (words.get("scale") === "sqrt") settings.root = true;
  const threshold = numbers(words.get("threshold"), 1);
  if (threshold) [settings.threshold] = threshold;
  const image = numbers(words.get("image"), 1);
  const scan = numbers(words.get("scan") ?? "0", 1);
  if (image && scan && Number.isInteger(image[0]) && image[0] >= 1) {
    settings.selected = { scan: scan[0], frame: image[0] - 1 };
  }
  return { id: decodeURIComponent(match[1]), settings };
}

/** Where a collection is shown. */
export const placeOf = (id) => `#/c/${encodeURIComponent(id)}`;

/** Write one; images count from 1, as people do. */
export function write(id, settings) {
  const words = new URLSearchParams({ metric: settings.metric });
  if (settings.lock) words.set("range", settings.lock.join(","));
  if (settings.root) words.set("scale", "sqrt");
  if (settings.threshold !== null) words.set("threshold", settings.threshold);
  if (settings.selected) {
    words.set("scan", settings.selected.scan);
    words.set("image", settings.selected.frame + 1);
  }
  return `${placeOf(id)}?${words.toString().replaceAll("%2C", ",")}`;
}

function numbers(text, count) {
  if (!text) return null;
  const found = text.split(",").map(Number);
  return found.length === count && found.every(Number.isFinite) ? found : null;
}
