// Light or dark: as the system says, until a person says otherwise.

const KEY = "filewatcher.theme";
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set();

export const theme = () => localStorage.getItem(KEY) ?? (dark.matches ? "dark" : "light");

export const onTheme = (listener) => listeners.add(listener);

export function turnTheme() {
  localStorage.setItem(KEY, theme() === "dark" ? "light" : "dark");
  apply();
}

function apply() {
  document.documentElement.dataset.theme = theme();
  for (const listener of listeners) listener();
}

dark.addEventListener("change", apply);
apply();
