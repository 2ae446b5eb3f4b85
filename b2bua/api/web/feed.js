// The live feed: Server-Sent Events read with fetch, because EventSource cannot send an Authorization header.
// Whatever breaks it, it comes back by itself, and goes on where it was; where the server does not remember that, it begins
// with the calls that there are.

import { open } from "./api.js";

const KEEP_ALIVE = 2; // s without an event after which the server is asked to say that it is there
const SILENCE = 4_500; // ms: who says nothing for so long is lost
const LONGEST_WAIT = 5_000;

/** Splits a text stream into events `{name, data}`; `push` takes what arrived, in any pieces. `onId` once an event, or a
 *  comment, is whole that has an id. */
export function parser(onEvent, onId = () => {}) {
  let rest = "", name = "", data = [], id = null;
  return function push(text) {
    rest += text;
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (data.length) onEvent({ name: name || "message", data: data.join("\n") });
        if (id !== null) onId(id);
        name = ""; data = []; id = null;
        continue;
      }
      const colon = line.indexOf(":");
      if (colon === 0) continue;
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "event") name = value;
      if (field === "data") data.push(value);
      if (field === "id") id = value;
    }
  };
}

/**
 * Follow the feed until the returned function is called.
 * `on.calls(ids, anew)`: what there is, after each (re)connection, and once it is less; `anew`: all of it comes again, and
 * what was in between is not known; `on.call(view)`; `on.payment(view)`; `on.state("live" | "lost")`;
 * `on.service(faults)`: what is wrong with the service, none where it is well;
 * `on.forbidden()`: who is signed in may not follow calls; `on.clock(ms)`: how far this machine's clock is behind the server's.
 */
export function follow(on) {
  let stopped = false, wait = 0, newest = "", hurry = () => {}, abort = new AbortController();
  const soon = () => hurry();
  const again = () => { if (document.visibilityState === "visible") hurry(); };
  addEventListener("online", soon);
  document.addEventListener("visibilitychange", again);

  async function once() {
    abort = new AbortController();
    let watchdog = setTimeout(() => abort.abort(), SILENCE), first = true;
    try {
      const headers = newest ? { "Last-Event-ID": newest } : {};
      const answer = await open(`/v1/feed?keep_alive=${KEEP_ALIVE}`, { signal: abort.signal, headers });
      const date = Date.parse(answer.headers.get("date") ?? "");
      if (!Number.isNaN(date)) on.clock(date - Date.now());
      const push = parser(({ name, data }) => {
        if (stopped) return;
        if (name === "calls") {
          const { ids, resumed = false } = JSON.parse(data);
          wait = 0;
          const anew = first && !resumed;
          if (anew) { newest = ""; on.service([]); }
          on.calls(ids, anew);
          on.state("live");
          first = false;
        }
        if (name === "call") on.call(JSON.parse(data));
        if (name === "payment") on.payment(JSON.parse(data));
        if (name === "service") on.service(JSON.parse(data).faults);
      }, (id) => { newest = id; });
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

  async function forever() {
    while (!stopped) {
      try {
        await once();
      } catch (problem) {
        if (problem.status === 401) return;
        if (problem.status === 403) { if (!stopped) on.forbidden(); return; }
      }
      if (stopped) return;
      on.state("lost");
      wait = Math.min(LONGEST_WAIT, wait ? wait * 2 : 400);
      await new Promise((resolve) => {
        hurry = resolve;
        setTimeout(resolve, wait * (0.75 + Math.random() / 2)); // not all agents at once
      });
    }
  }

  forever();
  return () => {
    stopped = true;
    removeEventListener("online", soon);
    document.removeEventListener("visibilitychange", again);
    abort.abort();
    hurry();
  };
}
