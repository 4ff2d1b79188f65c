// Elements without markup: text is only ever text, so that no file name can become part of the page.

/**
 * Make an element. Properties are set as such (`onclick`, `title`, `type`, ...), `data-` and `aria-` ones as
 * attributes; children are elements or text.
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role" || name === "for") element.setAttribute(name, value);
    else if (name === "class") element.className = value;
    else element[name] = value;
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** Set the text of an element, if it differs: the page is redrawn for nothing else. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Offer a file for download. */
export function download(name, blob) {
  const url = URL.createObjectURL(blob);
  const link = h("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/**
 * Call `work` at most every `milliseconds`, and always once more after the last request: the newest state is never
 * left unsaid.
 */
export function throttled(work, milliseconds) {
  let timer = 0;
  let last = -Infinity;
  const run = () => {
    timer = 0;
    last = performance.now();
    work();
  };
  return () => {
    if (timer) return;
    timer = setTimeout(run, Math.max(0, last + milliseconds - performance.now()));
  };
}

/** Call every function of `works` once before the next picture on the screen, however often they were asked for. */
const waiting = new Set();
export function beforeNextPicture(work) {
  if (!waiting.size) {
    requestAnimationFrame((time) => {
      const now = [...waiting];
      waiting.clear();
      for (const each of now) each(time);
    });
  }
  waiting.add(work);
}
