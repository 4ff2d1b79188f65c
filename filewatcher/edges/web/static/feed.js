// The cells of one scan as they come: by WebSocket, or where none gets through, by questions that wait for an answer.
// A feed is a cursor into the server's log: lost connections resume, a server that was started again starts it anew.

import { Refused, address, ask, askJson } from "./api.js";
import { decode } from "./wire.js";

/** Seconds without a word after which a connection counts as lost: the server speaks every second. */
const SILENCE = 5;
const FIRST_PAUSE = 0.25;
const LONGEST_PAUSE = 4;
/** After so many connections that never opened, ask by HTTP in between. */
const TRIES = 2;
/** Seconds that a question waits for news. */
const PATIENCE = 10;

export class Feed {
  /**
   * `hears`: {cells({reset, fresh}), status(summary), connected(boolean), refused(sentence)}. The store is that of the
   * scan.
   */
  constructor(id, scan, store, hears) {
    Object.assign(this, { id, scan, store, hears, pause: FIRST_PAUSE, unopened: 0, closed: false, messages: 0 });
    this.#connect();
    this.watch = setInterval(() => this.#listen(), 1000);
  }

  close() {
    this.closed = true;
    clearInterval(this.watch);
    clearTimeout(this.timer);
    this.asking?.abort();
    this.socket?.close();
  }

  /** Ask for everything from the start. */
  restart() {
    this.store.clear(0);
    this.socket?.close();
  }

  #connect() {
    if (this.closed) return;
    const { version: since, generation } = this.store;
    const url = address("collections", this.id, "live", { scan: this.scan, since, generation });
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    let opened = false;
    socket.onopen = () => {
      opened = true;
      [this.pause, this.unopened] = [FIRST_PAUSE, 0];
      this.#heard();
    };
    socket.onmessage = ({ data }) => this.#take(data);
    socket.onclose = ({ code, reason }) => {
      if (this.socket !== socket || this.closed) return;
      this.hears.connected(false);
      if (code === 1008 || code >= 4000) this.hears.refused(reason || "the server refuses this connection");
      if (!opened) this.unopened++;
      this.#again();
    };
    this.socket = socket;
  }

  #again() {
    clearTimeout(this.timer);
    const next = this.unopened >= TRIES ? () => this.#question() : () => this.#connect();
    // not all viewers of a server that comes back at the same moment
    this.timer = setTimeout(next, 1000 * this.pause * (0.75 + Math.random() / 2));
    this.pause = Math.min(LONGEST_PAUSE, 2 * this.pause);
  }

  /** One question by HTTP, then a connection is tried again. */
  async #question() {
    this.unopened = TRIES - 1;
    this.asking = new AbortController();
    const { signal } = this.asking;
    try {
      const summary = await askJson(address("collections", this.id), { signal });
      this.hears.status(summary);
      const wait = this.store.version ? PATIENCE : 0;
      const url = address("collections", this.id, "cells", { scan: this.scan, since: this.store.version, wait });
      const response = await ask(url, { signal });
      this.pause = FIRST_PAUSE;
      this.#heard();
      this.#cells(await response.arrayBuffer());
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof Refused)) throw error;
      this.hears.connected(false);
      if (error.status) this.hears.refused(error.message, error.status);
    }
    if (!this.closed) this.#again();
  }

  #take(data) {
    this.#heard();
    this.messages++;
    if (typeof data !== "string") {
      this.#cells(data);
      return;
    }
    const message = JSON.parse(data);
    if (message.type === "status") this.hears.status(message.collection);
  }

  #cells(buffer) {
    const outcome = this.store.apply(decode(buffer));
    if (outcome === null) this.restart();
    else this.hears.cells(outcome);
  }

  #heard() {
    this.last = performance.now();
    this.hears.connected(true);
  }

  /** A connection that says nothing is none, even if nobody closed it. */
  #listen() {
    if (this.socket?.readyState !== WebSocket.OPEN || performance.now() - this.last < 1000 * SILENCE) return;
    const { socket } = this;
    this.socket = null;
    socket.close();
    this.hears.connected(false);
    this.#again();
  }
}
