// Which page is shown: the list of collections, or one of them; and what belongs to all pages.

import { CollectionPage } from "./collection.js";
import { ListPage } from "./list.js";
import { Refused, address, ask } from "./api.js";
import { byId, h, say } from "./dom.js";
import { KEYS, listenToKeys } from "./keyboard.js";
import { onTheme, turnTheme } from "./theme.js";
import { read } from "./permalink.js";

let page = null;
let shown = null;

function route() {
  const { id, settings } = read(location.hash);
  if (page && id === shown) {
    if (id !== null) page.settings.set(settings);
    return;
  }
  page?.close();
  shown = id;
  page = id === null ? new ListPage() : new CollectionPage(id, settings);
  page.onserver = ({ version, workers } = {}) => say(byId("server"), [version && `filewatcher ${version}`, workers !== undefined && `${workers} workers`].filter(Boolean).join(", "));
  byId("main").replaceChildren(page.element);
  // for scripts and tests: what the page knows and draws
  window.__grid = page;
}

function help() {
  const rows = KEYS.map(([keys, , words]) => h("tr", {}, h("th", {}, keys.split(" ").map((key) => h("kbd", {}, key.replace("Arrow", "")))), h("td", {}, words)));
  const dialog = h("dialog", { class: "help", onclose: () => dialog.remove() }, h("h2", {}, "Keys"), h("table", {}, h("tbody", {}, rows)), h("form", { method: "dialog" }, h("button", { type: "submit" }, "close")));
  document.body.append(dialog);
  dialog.showModal();
}

/** The server wants to know who asks. */
function login() {
  if (document.querySelector("dialog.login")) return;
  const token = h("input", { type: "password", autocomplete: "current-password", "aria-label": "token" });
  const problem = h("p", { class: "problem", role: "alert" });
  const form = h("form", { method: "dialog" }, h("h2", {}, "This server asks for a token"), token, problem, h("button", { type: "submit", class: "primary" }, "Enter"));
  const dialog = h("dialog", { class: "login", onclose: () => dialog.remove() }, form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await ask(address("login"), { method: "POST", body: { token: token.value } });
      dialog.close();
      shown = undefined;
      route();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      problem.textContent = error.message;
    }
  });
  document.body.append(dialog);
  dialog.showModal();
}

byId("theme").addEventListener("click", turnTheme);
byId("help").addEventListener("click", help);
onTheme(() => {
  page?.panes?.forEach((pane) => pane.restyle());
  page?.image?.draw();
});
window.addEventListener("hashchange", route);
window.addEventListener("filewatcher:login", login);
listenToKeys(() => page && { keys: { ...page.keys, theme: turnTheme, help } });
route();
