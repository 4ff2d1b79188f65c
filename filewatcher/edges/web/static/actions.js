// What a person may do to a collection: stop it, run it again with other parameters.

import { Refused, address, askJson } from "./api.js";
import { h } from "./dom.js";
import { Grid } from "./grid.js";
import { placeOf } from "./permalink.js";

const SURE = 3000;

/** A button that does it at the second press within three seconds. */
export function confirmButton(text, question, act) {
  let timer = 0;
  const calm = () => {
    timer = 0;
    button.textContent = text;
    button.classList.remove("sure");
  };
  const button = h("button", { type: "button", onclick: () => {
    if (timer) {
      clearTimeout(timer);
      calm();
      act();
      return;
    }
    button.textContent = question;
    button.classList.add("sure");
    timer = setTimeout(calm, SURE);
  } }, text);
  return button;
}

/** Ask for parameters, then run a collection again, with the grid by hand if there is one; it opens beside the old. */
export function rerun(summary) {
  const grid = summary.grids_by_hand?.[0] ?? null;
  const before = words(summary.parameters ?? {});
  const text = h("textarea", { rows: Math.min(18, before.length + 2), spellcheck: false, value: before.join("\n"), "aria-label": "parameters, one key=value per line" });
  const engine = h("select", { "aria-label": "engine" }, ["auto", "native", "dials"].map((name) => h("option", { selected: name === summary.engine }, name)));
  const problem = h("p", { class: "problem", role: "alert" });
  const go = h("button", { type: "submit", class: "primary" }, "Run");
  const form = h(
    "form",
    { method: "dialog" },
    h("h2", {}, "Run again with other parameters"),
    h("p", { class: "muted" }, "One key=value per line. This run and its results stay as they are."),
    text,
    h("label", {}, "engine ", engine),
    h("p", { hidden: !grid }, grid ? `The grid is the one set by hand: ${new Grid(grid).order}.` : ""),
    problem,
    h("div", { class: "actions" }, go, h("button", { type: "button", onclick: () => dialog.close() }, "Not now")),
  );
  const dialog = h("dialog", { class: "rerun", onclose: () => dialog.remove() }, form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const now = text.value.split("\n").map((line) => line.trim()).filter(Boolean);
    go.disabled = true;
    try {
      const body = { parameters: now, engine: engine.value, ...(grid && { grid }) };
      const made = await askJson(address("collections", summary.id, "reprocess"), { method: "POST", body });
      dialog.close();
      location.hash = placeOf(made.id);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      problem.textContent = error.message;
      go.disabled = false;
    }
  });
  document.body.append(dialog);
  dialog.showModal();
  text.focus();
}

/** Parameters as the command line takes them. */
function words(parameters) {
  return Object.entries(parameters).map(([name, value]) => `${name}=${value === null ? "none" : Array.isArray(value) ? value.join(",") : value}`);
}
