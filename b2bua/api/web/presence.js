// Whether somebody is there. What a person does keeps them signed in; what the feed brings does not, and no timer does.
//
// Rule 1: `POST /v1/me/active` goes out at a press of a key or pointer alone, and at most once a minute.
// Rule 2: with a session, time counts from what the service was last sent, so that the page warns before the service ends it.
//         Whether it is over, the service says: another tab may have kept it.

import { open, token } from "./api.js";
import { $, announce } from "./page.js";
import { say, waitWords, words } from "./sign_in_words.js";

const TOUCHED = "tonewall-touched"; // when somebody was last there: of a token in its tab, of a session in all tabs
const LEFT = "tonewall-signed-out"; // when a tab signed the session out
const MINUTE = 60_000; // ms
const AGAIN = 5_000; // ms until the next try, where there was no answer

let idle = 0; // ms; 0: nobody is signed in
let touched = 0;
let next = 0; // when the service may be sent the next sign
let sending = false;
let looking = false;
let warned = false;
let onEnd = () => {};

/** `end(why)`: nobody is signed in any more. */
export function buildPresence(end) {
  onEnd = end;
  for (const kind of ["pointerdown", "keydown", "click"]) addEventListener(kind, (event) => { if (event.isTrusted) act(event); }, { passive: true });
  addEventListener("storage", ({ key, newValue }) => {
    if (!idle || token.get()) return;
    if (key === TOUCHED) note(Number(newValue));
    if (key === LEFT && newValue) onEnd("elsewhere");
  });
  setInterval(tick, 1000);
}

/** Somebody is signed in, for `seconds` without a sign of them. `fresh`: they have just typed. */
export function watch(seconds, fresh) {
  idle = seconds * 1000;
  const last = fresh ? Date.now() : kept();
  // Where the service takes a session that was idle for too long by what we know, we know too little.
  const known = last > 0 && (token.get() || Date.now() - last < idle);
  touched = known ? Math.min(last, Date.now()) : Date.now();
  next = known ? touched + pace() : 0;
  if (fresh) note(touched);
  tick();
}

export function unwatch() {
  idle = 0;
  warn(false);
}

/** Whether somebody with a token was away too long before this page was loaded. */
export const isAway = (seconds) => kept() > 0 && Date.now() - kept() > seconds * 1000;

/** Whether nobody was there for as long as a session lasts. */
export const wasIdle = () => idle > 0 && Date.now() - touched >= idle - 1000;

/** Tell the other tabs that the session is signed out. */
export function tellTabs() {
  try { localStorage.setItem(LEFT, String(Date.now())); } catch { /* the feed will end there */ }
}

const pace = () => Math.min(MINUTE, idle / 4);
const store = () => (token.get() ? sessionStorage : localStorage);

/** When somebody was last there; 0: nobody knows. */
function kept() {
  try { return Number(store().getItem(TOUCHED)) || 0; } catch { return 0; }
}

function note(at) {
  touched = Math.max(touched, at);
  next = touched + pace();
  try { store().setItem(TOUCHED, String(touched)); } catch { /* this page knows it */ }
  tick();
}

async function act({ type }) {
  if (!idle || type === "click" && !warned) return;
  const now = Date.now();
  if (now - touched > idle) return end();
  if (token.get()) return note(now);
  if (sending || now < next) return;
  sending = true;
  next = now + AGAIN;
  try {
    await open("/v1/me/active", { method: "POST" });
    if (idle) note(now);
  } catch { /* a session that is over is seen by whoever asked; without an answer the next press tries again */ }
  sending = false;
}

function tick() {
  if (!idle) return;
  const left = touched + idle - Date.now();
  warn(left > 0 && left <= Math.min(MINUTE, idle / 3), left);
  // The service has noted the last sign a little later than this page.
  if (left < (token.get() ? 0 : -1000)) end();
}

async function end() {
  if (token.get()) return onEnd("away");
  if (looking) return;
  looking = true;
  try {
    await open("/v1/me");
    touched = Date.now() - idle + pace(); // kept by whoever could not say so
  } catch {
    if (idle) onEnd("away");
  }
  looking = false;
}

function warn(yes, left = 0) {
  if (yes && !warned) announce(`${words("still")} ${words("still_text", { time: waitWords(left / 1000) })}`);
  warned = yes;
  $("still").hidden = !yes;
  if (yes) say($("still-text"), "still_text", { time: waitWords(left / 1000) });
}
