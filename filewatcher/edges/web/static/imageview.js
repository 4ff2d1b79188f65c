// One image as a picture: from a worker, with the spots of the engine that ran, resolution rings and mask.

import { Refused, address, ask, askJson } from "./api.js";
import { beforeNextPicture, h, say } from "./dom.js";
import { drawRings, drawSpots } from "./annotations.js";
import { headerTable } from "./header.js";

/** Milliseconds to wait for another arrow key before an image is asked for. */
const PAUSE = 120;
const SWITCHES = [["spots", "spots (o)"], ["rings", "rings (r)"], ["mask", "mask (x)"]];

export class ImageView {
  constructor(id, changed) {
    Object.assign(this, { id, changed, image: null, notes: null, stops: 0, zoom: 1, x: 0, y: 0 });
    this.shown = { spots: true, rings: true, mask: true };
    this.title = h("h2", {}, "");
    this.canvas = h("canvas");
    this.words = h("p", { class: "words", role: "status" });
    this.contrast = h("input", {
      type: "range", min: -4, max: 6, step: 0.5, value: 0, "aria-label": "contrast",
      oninput: () => this.setContrast(Number(this.contrast.value)),
    });
    this.boxes = Object.fromEntries(SWITCHES.map(([name, label]) => [name, this.#switch(name, label)]));
    this.table = h("details", { class: "header" }, h("summary", {}, "header"), h("table"));
    this.large = h("button", { type: "button", class: "toggle", title: "large (Enter)", onclick: () => this.open() }, "large");
    this.away = h("button", { type: "button", title: "close (Escape)", onclick: () => this.leave() }, "close");
    this.stage = h("div", { class: "picture" }, this.canvas, this.words);
    const tools = h("div", { class: "tools" }, h("label", {}, "contrast ", this.contrast), ...Object.values(this.boxes).map((box) => box.parentElement));
    this.element = h("section", { class: "image", hidden: true }, h("header", {}, this.title, this.large, this.away), this.stage, tools, this.table);
    this.draw = this.draw.bind(this);
    this.#follow();
    new ResizeObserver(() => this.#resize()).observe(this.stage);
  }

  /** Show a frame of a scan; `name` is what people call it. Null: nothing. */
  show(scan, frame, name) {
    const key = frame === null ? null : `${scan}.${frame}`;
    say(this.title, name);
    if (key === this.key) return;
    Object.assign(this, { key, scan, frame });
    this.element.hidden = key === null;
    clearTimeout(this.timer);
    this.asking?.abort();
    if (key !== null) this.timer = setTimeout(() => this.#load(true), PAUSE);
    else this.element.classList.remove("large");
  }

  open() {
    this.element.classList.toggle("large");
    this.large.setAttribute("aria-pressed", String(this.element.classList.contains("large")));
  }

  /** From large to small; false if it was small. */
  shrink() {
    if (!this.element.classList.contains("large")) return false;
    this.open();
    return true;
  }

  leave() {
    if (!this.shrink()) this.changed(null);
  }

  /** Steps of a factor of two from what the server chose; more = darker spots. */
  setContrast(stops) {
    this.stops = Math.min(6, Math.max(-4, stops));
    this.contrast.value = this.stops;
    clearTimeout(this.timer);
    if (this.key !== null) this.timer = setTimeout(() => this.#load(false), PAUSE);
  }

  toggle(name) {
    this.shown[name] = !this.shown[name];
    this.boxes[name].checked = this.shown[name];
    beforeNextPicture(this.draw);
  }

  async #load(notes) {
    this.asking?.abort();
    const asking = (this.asking = new AbortController());
    const { signal } = asking;
    const place = [this.id, "frames", this.frame];
    say(this.words, this.image ? "" : "…");
    try {
      if (notes) {
        this.notes = null;
        this.notes = await askJson(address("collections", ...place, "spots", { scan: this.scan }), { signal });
        headerTable(this.table.lastChild, this.notes);
      }
      const top = this.notes?.counts?.top;
      const contrast = top && this.stops ? Math.max(1, top / 2 ** this.stops) : "auto";
      const response = await ask(address("collections", ...place, "image", { scan: this.scan, contrast }), { signal });
      this.image = await createImageBitmap(await response.blob());
      say(this.words, "");
    } catch (error) {
      if (error.name === "AbortError" || this.asking !== asking) return;
      [this.image, this.notes] = [null, null];
      say(this.words, error instanceof Refused ? error.message : "this image cannot be shown");
    }
    beforeNextPicture(this.draw);
  }

  draw() {
    const { canvas, image, notes } = this;
    const to = canvas.getContext("2d");
    to.setTransform(1, 0, 0, 1, 0, 0);
    to.clearRect(0, 0, canvas.width, canvas.height);
    if (!image || !canvas.width) return;
    const dark = document.documentElement.dataset.theme === "dark";
    const fit = Math.min(canvas.width / image.width, canvas.height / image.height);
    const scale = fit * this.zoom;
    const [x, y] = [canvas.width / 2 + this.x - (image.width * scale) / 2, canvas.height / 2 + this.y - (image.height * scale) / 2];
    // masked pixels are transparent: their colour is what lies below
    to.fillStyle = this.shown.mask ? (dark ? "#1d3a4a" : "#cfe3ee") : dark ? "#000000" : "#ffffff";
    to.fillRect(x, y, image.width * scale, image.height * scale);
    // in a dark hutch, bright spots on black; colours keep their hue
    to.filter = dark ? "invert(1) hue-rotate(180deg)" : "none";
    to.imageSmoothingEnabled = scale < 1;
    to.drawImage(image, x, y, image.width * scale, image.height * scale);
    to.filter = "none";
    if (!notes) return;
    // pixels of the detector: the picture has the maximum of blocks of them
    const block = Math.ceil(notes.header.shape[1] / image.width);
    const view = { x, y, scale: scale / block, ratio: this.ratio, dark };
    to.save();
    to.beginPath();
    to.rect(x, y, image.width * scale, image.height * scale);
    to.clip();
    if (this.shown.rings && notes.beam) drawRings(to, notes, view);
    if (this.shown.spots) drawSpots(to, notes.spots, view);
    to.restore();
  }

  #switch(name, label) {
    const box = h("input", { type: "checkbox", checked: true, onchange: () => this.toggle(name) });
    h("label", {}, box, label);
    return box;
  }

  /** Wheel to enlarge, drag to move, double click for the whole image. */
  #follow() {
    const { canvas } = this;
    const redraw = () => beforeNextPicture(this.draw);
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const by = Math.exp(-event.deltaY / 400);
      const zoom = Math.min(40, Math.max(1, this.zoom * by));
      const [px, py] = [event.offsetX * this.ratio - canvas.width / 2, event.offsetY * this.ratio - canvas.height / 2];
      [this.x, this.y] = [this.x, this.y].map((at, axis) => ([px, py][axis] - at) * (1 - zoom / this.zoom) + at);
      this.zoom = zoom;
      if (zoom === 1) [this.x, this.y] = [0, 0];
      redraw();
    }, { passive: false });
    canvas.addEventListener("pointermove", (event) => {
      if (!event.buttons) return;
      this.x += event.movementX * this.ratio;
      this.y += event.movementY * this.ratio;
      redraw();
    });
    canvas.addEventListener("dblclick", () => {
      [this.zoom, this.x, this.y] = [1, 0, 0];
      redraw();
    });
  }

  #resize() {
    this.ratio = window.devicePixelRatio || 1;
    const box = this.stage.getBoundingClientRect();
    Object.assign(this.canvas, { width: Math.round(box.width * this.ratio), height: Math.round(box.height * this.ratio) });
    this.draw();
  }
}
