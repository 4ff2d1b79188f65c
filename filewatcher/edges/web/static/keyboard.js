// Everything without a mouse. Keys do nothing while text is typed.

/** [key, what it does], also the page of help; the view that is shown has a method of the same name for each. */
export const KEYS = [
  ["ArrowLeft ArrowRight ArrowUp ArrowDown", "move", "the next cell in that direction"],
  ["j k", "step", "the image before, after"],
  ["b", "best", "the strongest cell"],
  ["m M", "metric", "the next number, the one before"],
  ["l", "lock", "lock the ends of the scale, let them follow"],
  ["s", "root", "linear or square root"],
  ["Enter", "open", "the image, large"],
  ["Escape", "leave", "small again; nothing chosen"],
  ["+ -", "contrast", "more, less contrast of the image"],
  ["r", "rings", "resolution rings on, off"],
  ["o", "spots", "spots on, off"],
  ["x", "mask", "mask on, off"],
  ["f", "fit", "the whole grid"],
  ["t", "theme", "light or dark"],
  ["?", "help", "these keys"],
];

const TYPED = "input:not([type=checkbox]):not([type=range]), textarea, select, dialog";

/** `view()` returns the view that is shown now. */
export function listenToKeys(view) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest(TYPED) || document.querySelector("dialog[open]")) return;
    if (event.key === "Enter" && event.target.closest("button, a, summary")) return;
    const entry = KEYS.find(([keys]) => keys.split(" ").includes(event.key));
    const action = entry && view()?.keys?.[entry[1]];
    if (!action) return;
    event.preventDefault();
    action(event.key);
  });
}
