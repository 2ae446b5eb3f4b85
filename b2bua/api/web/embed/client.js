// Requests and the feed of one embedded form: with its token alone, never with cookies.

import { Problem } from "../api.js";
import { parser } from "../feed.js";

const BASE = new URL("../", import.meta.url); // Tonewall's own address, whoever's page this is
const KEEP_ALIVE = 2; // seconds
const SILENCE = 4_500; // ms: who says nothing for so long is lost
const NAMES = ["calls", "call", "payment"];
const LONGEST_WAIT = 5_000;

export class Client {
  #token;
  #ended = new AbortController();

  constructor(token) { this.#token = token; }

  /** Nothing is asked from now on, and no answer is waited for. */
  end() { this.#ended.abort(); }

  get over() { return this.#ended.signal.aborted; }

  /** Call `path` below /v1/; the answer. Throws Problem. */
  async open(path, { method = "GET", body, signal } = {}) {
    const headers = { Authorization: `Bearer ${this.#token}` };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    let answer;
    try {
      answer = await fetch(new URL(`v1/${path}`, BASE), {
        method, headers, body: body && JSON.stringify(body), cache: "no-store", credentials: "omit",
        signal: AbortSignal.any([this.#ended.signal, ...(signal ? [signal] : [])]),
      });
    } catch {
      throw new Problem(0, "");
    }
    if (answer.ok) return answer;
    const problem = await answer.json().catch(() => ({}));
    throw new Problem(answer.status, problem.detail ?? "", problem);
  }

  /** Call `path`; the answer's JSON. Throws Problem. */
  async ask(path, options) { return (await this.open(path, options)).json(); }

  /** Follow the feed until the client ends: `on.event(name, data)`; `on.lost()`; `on.refused(problem)`, after which it is not followed. */
  async follow(on) {
    let wait = 0;
    while (!this.over) {
      try {
        await this.#once((name, data) => { wait = 0; on.event(name, data); });
      } catch (problem) {
        if (this.over) return;
        if (problem.status === 401 || problem.status === 403) return on.refused(problem);
      }
      if (this.over) return;
      on.lost();
      wait = Math.min(LONGEST_WAIT, wait ? wait * 2 : 400);
      await new Promise((resolve) => setTimeout(resolve, wait * (0.75 + Math.random() / 2)));
    }
  }

  async #once(take) {
    const abort = new AbortController();
    let watchdog = setTimeout(() => abort.abort(), SILENCE);
    try {
      const answer = await this.open(`feed?keep_alive=${KEEP_ALIVE}`, { signal: abort.signal });
      const push = parser(({ name, data }) => { if (!this.over && NAMES.includes(name)) take(name, JSON.parse(data)); });
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        clearTimeout(watchdog);
        watchdog = setTimeout(() => abort.abort(), SILENCE);
        push(value);
      }
    } finally {
      clearTimeout(watchdog);
      abort.abort();
    }
  }
}
