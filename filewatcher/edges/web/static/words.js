// Times and states in words.

export function ageOf(seconds) {
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}

const THOUSANDS = new Intl.NumberFormat("en-GB");

/** A whole number with its thousands apart. */
export const whole = (number) => THOUSANDS.format(number).replaceAll(",", "\u202f");

const STATES = {
  waiting: "waiting for the first image",
  queued: "queued",
  running: "running",
  done: "done",
  failed: "failed",
  cancelled: "cancelled",
};

export const stateOf = ({ state }) => STATES[state] ?? state;

export const timeOf = (iso) => (iso ? new Date(iso).toLocaleString("en-GB", { dateStyle: "short", timeStyle: "medium" }) : "");
