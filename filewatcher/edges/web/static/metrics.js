// The numbers of an image, in the order in which they come over the wire (filewatcher/core/messages.py).

import { whole } from "./words.js";

export const METRICS = [
  "n_spots_total",
  "n_spots_no_ice",
  "n_spots_4A",
  "total_intensity",
  "estimated_d_min",
  "d_min_distl_method_1",
  "d_min_distl_method_2",
  "noisiness_method_1",
  "noisiness_method_2",
  "n_strong_pixels",
];

/** As on the axes of the pictures that the command line writes. */
export const LABELS = {
  n_spots_total: "spots",
  n_spots_no_ice: "spots outside ice rings",
  n_spots_4A: "spots with d > 4 Å",
  total_intensity: "total intensity",
  estimated_d_min: "estimated resolution",
  d_min_distl_method_1: "resolution, distl method 1",
  d_min_distl_method_2: "resolution, distl method 2",
  noisiness_method_1: "noisiness, method 1",
  noisiness_method_2: "noisiness, method 2",
  n_strong_pixels: "strong pixels",
};

const UNITS = {
  total_intensity: "counts",
  estimated_d_min: "Å",
  d_min_distl_method_1: "Å",
  d_min_distl_method_2: "Å",
};

const COUNTS = new Set(["n_spots_total", "n_spots_no_ice", "n_spots_4A", "n_strong_pixels", "total_intensity"]);

/** Metrics of which the lowest is the best, and that are negative where an image has too few spots to say. */
export const isEstimated = (metric) => !COUNTS.has(metric);

export const unitOf = (metric) => UNITS[metric] ?? "";

export const labelOf = (metric) => LABELS[metric] + (UNITS[metric] ? ` (${UNITS[metric]})` : "");

/** A value as people read it; a dash where there is none. */
export function textOf(metric, value) {
  if (!(value >= 0) || !Number.isFinite(value)) return "–";
  if (COUNTS.has(metric)) return whole(Math.round(value));
  return value.toFixed(2);
}
