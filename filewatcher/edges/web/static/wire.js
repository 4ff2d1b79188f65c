// One binary message of cells: the same bytes over the WebSocket and over GET .../cells. Little endian, like every
// processor that runs a browser, so that numbers are read in place.

import { METRICS } from "./metrics.js";

const HEADER = 32;
const MAGIC = 0x31435746; // "FWC1"

/**
 * Read a message: cells `since` .. `version` of the log of a scan.
 *
 * Returns {generation, since, version, frames, n, frame, state, values}: `frames` is the length of the scan,
 * `frame` and `state` have n elements, `values` one Float32Array of n per metric. Throws for anything else.
 */
export function decode(buffer) {
  const header = new DataView(buffer);
  if (buffer.byteLength < HEADER || header.getUint32(0, true) !== MAGIC) throw new Error("not a message of cells");
  const n = header.getUint32(24, true);
  const states = HEADER + 4 * n;
  const numbers = states + 4 * Math.ceil(n / 4);
  if (buffer.byteLength !== numbers + 4 * n * METRICS.length) {
    throw new Error(`a message of ${n} cells has ${buffer.byteLength} bytes`);
  }
  return {
    generation: header.getUint32(4, true),
    since: Number(header.getBigUint64(8, true)),
    version: Number(header.getBigUint64(16, true)),
    frames: header.getUint32(28, true),
    n,
    frame: new Uint32Array(buffer, HEADER, n),
    state: new Uint8Array(buffer, states, n),
    values: METRICS.map((_, i) => new Float32Array(buffer, numbers + 4 * n * i, n)),
  };
}
