// The agent's page. One truth: the views that the feed brings. What the agent presses goes to the API, and what comes of it
// comes back on the feed; so an old answer can never overwrite a newer state.

import { ask, token } from "./api.js";
import { Calls } from "./calls.js";
import { buildDemo, showDemo } from "./demo.js";
import { follow } from "./feed.js";
import { buildOrder, clearErrors, echo, fill, money, readOrder, refill, showErrors } from "./order.js";
import { $, announce, icon, make, write } from "./page.js";
import { buildFields, showCapture, showResult } from "./panels.js";
import { banner, customer, isFinal, news, protection, say, unfit } from "./words.js";

const IDLE = 15 * 60_000; // PCI DSS 8.2.8: who is away that long must sign in again
const EXPIRED = "Your token is no longer valid. Sign in again.";

const calls = new Calls();
let stop = null; // ends the feed
let live = false;
let busy = false;
let fit = true; // a card could be charged
let offset = 0; // the server's clock minus ours, ms
let touched = Date.now();
let shown = { panel: "", key: "" };
let moveFocus = false; // the agent pressed something: the focus goes on to the panel that it leads to

// --- signing in and out ---

function signOut(message = "") {
  stop?.();
  stop = null;
  live = busy = false;
  shown = { panel: "", key: "" };
  calls.clear();
  token.set(null);
  fill();
  trouble("");
  $("announce").textContent = "";
  for (const id of ["idle", "calls", "desk", "lost", "unfit", "sign-out", "demo"]) $(id).hidden = true;
  $("sign-in").hidden = false;
  line("off", "Signed out");
  document.title = "Tonewall";
  write($("token-error"), message);
  $("token").value = "";
  if (document.hasFocus()) $("token").focus();
}

async function signIn(given) {
  if (given) token.set(given);
  try {
    buildOrder(await ask("/v1/currencies"));
    const about = await ask("/v1/demo");
    buildDemo(about, () => calls.current?.id ?? "", trouble);
    if (about.demo) fill({ amount: "49.90", transaction_id: "DEMO-1" });
  } catch (problem) {
    if (problem.status === 401) return signOut("This token is not valid.");
    if (given) return signOut(problem.message);
    lost(true); // a reload while the service is away: keep the token, and try until it is back
    setTimeout(() => token.get() && signIn(), 1500);
    return;
  }
  $("sign-in").hidden = true;
  $("sign-out").hidden = false;
  touched = Date.now();
  line("off", "Connecting");
  stop = follow({
    calls(ids) {
      calls.only(ids);
      setTimeout(() => { calls.settle(); show(); }, 2000);
    },
    call(view) {
      const before = calls.take(view);
      if (view.id === calls.current?.id) announce(news(before, view));
      show();
    },
    state(now) {
      lost(now === "lost");
      show();
    },
    service(faults) {
      showFaults(faults);
      show();
    },
    refused: () => signOut(EXPIRED),
    clock(ms) { offset = ms; },
  });
}

function lost(yes) {
  live = !yes;
  if (yes) calls.lost();
  $("lost").hidden = live;
  line(live ? "live" : "lost", live ? "Live" : "Reconnecting");
}

function showFaults(faults) {
  const words = unfit(faults);
  fit = !words;
  write($("unfit-title"), words?.title ?? "");
  write($("unfit-text"), words?.text ?? "");
  $("unfit").hidden = fit;
}

function line(kind, text) {
  $("line").dataset.state = kind;
  write($("line"), text);
}

// --- what is to be seen ---

function show() {
  if (!stop) return;
  const call = calls.current;
  showCalls(call);
  $("idle").hidden = calls.size > 0 || !calls.complete;
  $("desk").hidden = !call;
  if (!call) {
    document.title = "Tonewall";
    shown = { panel: "", key: "" };
    return;
  }
  const capture = calls.capture(call);
  const amount = capture ? money(capture.order) : "";
  const part = capture?.outcome?.amount;
  const approved = part === undefined ? "" : money({ ...capture.order, amount: part });
  showCall(call, capture, amount, approved);
  showPanel(call, capture, amount, approved);
  showDemo(live && call.state === "up" && capture?.stage === "collecting");
}

function showPanel(call, capture, amount, approved) {
  const panel = capture ? (isFinal(capture) ? "result" : "capture") : call.state === "up" ? "order" : "";
  const key = `${call.id} ${panel} ${capture?.id ?? ""}`;
  const able = live && !busy;
  const focused = document.activeElement;
  for (const id of ["order", "capture", "result"]) $(id).hidden = id !== panel;
  $("take").disabled = !able || !fit;
  if (panel === "capture") showCapture(capture, amount, able);
  if (panel === "result") {
    const words = showResult(capture, amount, approved);
    $("again").hidden ||= call.state !== "up";
    if (shown.key !== key) announce(`${words.title}. ${words.text}`);
  }
  if (shown.key !== key) trouble("");
  // The focus moves only on from what has gone, or after the agent's own key press; never out of another frame or window.
  const orphan = focused && focused !== document.body && focused.closest("[hidden]");
  if (shown.panel !== panel && panel && document.hasFocus() && (moveFocus || orphan)) {
    moveFocus = false;
    $(panel === "order" ? "amount" : `${panel}-title`).focus();
  }
  shown = { panel, key };
}

function showCall(call, capture, amount, approved) {
  write($("direction"), call.direction === "outbound" ? "Call to" : "Call from");
  write($("number"), customer(call));
  const words = banner(call, capture);
  $("banner").dataset.tone = words.tone;
  icon("banner-icon", words.icon);
  write($("banner-title"), words.title);
  write($("banner-text"), words.text);
  const still = protection(call);
  $("protection").hidden = !still;
  write($("protection-text"), still?.text ?? "");
  $("release").disabled = !(still?.able && live && !busy);
  const speech = say(call, capture, amount, approved);
  $("say").hidden = !speech;
  write($("say-text"), speech ? `“${speech.text}”` : "");
  write($("say-hint"), speech?.hint ?? "");
  const mark = capture && !isFinal(capture) ? (capture.stage === "ready" ? "✓ " : "● ") : "";
  document.title = `${mark}${customer(call)} – Tonewall`;
  tick();
}

function showCalls(current) {
  $("calls").hidden = calls.size < 2;
  write($("calls-title"), current ? "Calls" : "Which call is yours?");
  const rows = calls.all.map((view) => {
    const running = view.capture && !isFinal(view.capture);
    return [view.id, view === current, customer(view), running ? "payment running" : view.state];
  });
  const drawn = JSON.stringify(rows);
  if ($("calls-list").dataset.drawn === drawn) return;
  $("calls-list").dataset.drawn = drawn;
  const focused = document.activeElement?.dataset.call;
  $("calls-list").replaceChildren(...rows.map(([id, pressed, text, about]) => {
    const button = make("button", { type: "button", "data-call": id, "aria-pressed": String(pressed), text }, make("small", { text: about }));
    button.addEventListener("click", () => { calls.choose(id); fill(); show(); });
    return make("li", {}, button);
  }));
  if (focused) document.querySelector(`[data-call="${CSS.escape(focused)}"]`)?.focus();
}

function tick() {
  const call = stop && calls.current;
  if (call && call.state !== "ended") {
    const seconds = Math.max(0, Math.floor((Date.now() + offset - Date.parse(call.started_at)) / 1000)) || 0;
    const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60].slice(seconds < 3600 ? 1 : 0);
    write($("timer"), parts.map((part, place) => (place ? String(part).padStart(2, "0") : part)).join(":"));
  }
  if (stop && calls.size === 0 && Date.now() - touched > IDLE) signOut("You were away for 15 minutes. Sign in again.");
}

function trouble(text) {
  $("trouble").hidden = !text;
  write($("trouble"), text);
}

// --- what the agent presses ---

async function act(path, options, part = "capture") {
  const call = calls.current;
  if (busy || !live || !call) return;
  const from = document.activeElement;
  busy = moveFocus = true;
  trouble("");
  show();
  let fault = null;
  try {
    await ask(`/v1/calls/${encodeURIComponent(call.id)}/${part}${path}`, { method: "POST", ...options });
  } catch (problem) {
    fault = problem;
  }
  busy = false;
  if (!stop) return;
  if (fault || path === "/reset" || part === "mask") moveFocus = false;
  show();
  if (!moveFocus && document.activeElement === document.body) (from.disabled ? $(`${shown.panel || "order"}-title`) : from).focus();
  if (fault?.status === 401) signOut(EXPIRED);
  else if (fault && (showErrors(fault.errors).length || !fault.errors.length)) trouble(fault.message);
}

function next(order) {
  calls.dismiss();
  moveFocus = true;
  order ? refill(order) : fill();
  show();
}

$("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  const given = $("token").value.trim();
  given ? signIn(given) : write($("token-error"), "Type your access token.");
});
$("order").addEventListener("submit", (event) => {
  event.preventDefault();
  const order = readOrder();
  if (order) act("", { body: order });
});
$("order").addEventListener("input", (event) => {
  if (event.target.getAttribute("aria-invalid")) clearErrors();
  echo();
});
$("sign-out").addEventListener("click", () => signOut());
$("charge").addEventListener("click", () => act("/submit"));
$("cancel").addEventListener("click", () => act("", { method: "DELETE" }));
$("release").addEventListener("click", () => act("/release", {}, "mask"));
$("again").addEventListener("click", () => next(calls.current.capture.order));
$("done").addEventListener("click", () => next(null));
buildFields((field) => act("/reset", { body: { field } }));
for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, () => { touched = Date.now(); }, { passive: true });
setInterval(tick, 1000);

token.get() ? signIn() : signOut();
