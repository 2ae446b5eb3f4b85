// The agent's page. One truth: the views that the feed brings. What the agent presses goes to the API, and what comes of it
// comes back on the feed; so an old answer can never overwrite a newer state.

import { buildAccount, hideAccount, showAccount } from "./account.js";
import { ask, onRefused, token } from "./api.js";
import { buildCalls, forgetList, mine, showCalls } from "./call_list.js";
import { Calls } from "./calls.js";
import { buildDemo, showDemo } from "./demo.js";
import { follow } from "./feed.js";
import { formNames, takeForms } from "./form.js";
import { explainCharge, explainTake } from "./grey.js";
import { offerLanguages, plain, say as sayIn, t, tell, translate } from "./i18n.js";
import { buildKept, forgetKept, keepResult, showKept } from "./kept_result.js";
import { buildLater, chargesSaved, forgetLater, noteLater, settledAt, showLater } from "./later.js";
import { buildLinks, forgetLinks, linksOffered, showLink, showLinkForm, takeOffer, wantLink, wantsLink, withRecipient } from "./links.js";
import { buildForms, buildOrder, clearErrors, echo, fill, firstInput, money, readOrder, refill, showErrors } from "./order.js";
import { keysPass, newsOfPassing } from "./notes.js";
import { $, announce, icon, wipe, write } from "./page.js";
import { announcePhone, buildPhone, forgetPhone, offerPhone, showPhoneCode, takePhone } from "./phone.js";
import { forgetPrepared, isPrepared, notePrepared, preparedOf, showPrepared } from "./prepared.js";
import { buildFields, drawFacts, forgetPanels, showCapture, showResult } from "./panels.js";
import { buildPresence, isAway, unwatch, wasIdle, watch } from "./presence.js";
import { buildReceipt, forgetReceipt, offerReceipts, showReceipt } from "./receipt.js";
import { buildSignIn, findWays, hideSignIn, refuseToken, showSignIn } from "./sign_in.js";
import { buildToday, noteToday, offerToday } from "./today.js";
import { announcedWords, announcement, banner, customer, extension, isFinal, news, owner, protectable, protection, repeated, savedCard, say, unfit } from "./words.js";

// What the elements that say something of a call are emptied of, once nobody is signed in.
const OF_CALLS = [
  "number", "extension", "timer", "banner-title", "banner-text", "protection-text", "phone-said", "say-text", "say-hint", "owner", "take-over",
  "prepared-title", "prepared-text", "prepared-refusal", "take-saved", "calls-list", "others-list", "calls-found", "kept-title", "take-why", "charge-why",
];

const calls = new Calls();
let stop = null; // ends the feed
let live = false;
let busy = false;
let fit = true; // a card could be charged
let offset = 0; // the server's clock minus ours, ms
let round = 0; // counts the sign-ins and sign-outs: an answer to an older one is too late
let me = { agent: "" };
let takingOver = ""; // the payment whose take-over waits for a second press
let blank = {}; // what an empty order form holds
let savedArmed = false; // the next press charges the saved card
let again = null; // how the order that was charged already is asked for once more
let shown = { panel: "", key: "" };
let moveFocus = false; // the agent pressed something: the focus goes on to the panel that it leads to

// --- signing in and out ---

/** Nobody is signed in on this page any more. `why`: a sentence for them; `options`: as `showSignIn` takes them. */
function signOut(why = "", options) {
  round += 1;
  stop?.();
  stop = null;
  live = busy = false;
  takingOver = "";
  unwatch();
  hideAccount();
  showRepeat(null);
  shown = { panel: "", key: "" };
  calls.clear();
  forgetList();
  forgetKept();
  offerToday(false);
  forgetLater();
  forgetLinks();
  forgetPhone();
  forgetPrepared();
  forgetReceipt();
  forgetPanels();
  wipe(...OF_CALLS);
  token.set(null);
  fill();
  trouble(null);
  $("announce").textContent = "";
  for (const id of ["idle", "calls", "desk", "lost", "unfit", "demo"]) $(id).hidden = true;
  line("off", "page.signed_out");
  document.title = "Tonewall";
  showSignIn(why, options);
}

/** Begin with what this browser has: the token of this tab, or else the cookie of a session. `fresh`: it was just given. */
async function signIn(fresh = false) {
  round += 1;
  const begun = round;
  const given = token.get();
  let about;
  try {
    me = await ask("/v1/me");
    if (!fresh && given && isAway(me.idle_time)) return signOut("away");
    if (location.hash === "#supervisor" && me.roles?.includes("supervisor")) return location.replace("supervisor");
    buildOrder(await ask("/v1/currencies"));
    takeForms(await ask("/v1/forms"));
    buildForms(formNames());
    takeOffer(await ask("/v1/links"));
    about = await ask("/v1/demo");
  } catch (problem) {
    if (begun !== round) return;
    if (problem.status === 401 || (fresh && given)) {
      signOut(problem.status === 401 && fresh && !given ? "not_kept" : "");
      if (given) refuseToken(problem.status === 401 ? "wrong_token" : problem.message, problem);
      return;
    }
    lost(true); // a reload while the service is away: keep the token, and try until it is back
    setTimeout(() => begun === round && signIn(fresh), 1500);
    return;
  }
  if (begun !== round) return;
  buildFields((field) => act("/ask", { body: field ? { field } : {} }), (field) => act("/skip", { body: { field } }));
  buildDemo(about, () => calls.current?.id ?? "", trouble);
  blank = about.demo ? { amount: "49.90", transaction_id: "DEMO-1" } : {};
  fill(blank);
  hideSignIn();
  showAccount(me);
  offerPhone(me.short_codes);
  offerReceipts(me.receipts);
  watch(me.idle_time, fresh);
  $("no-calls").hidden = true;
  $("next-call").hidden = false;
  line("off", "page.connecting");
  offerToday(true);
  stop = follow({
    calls(ids, anew) {
      if (anew) { calls.lost(); forgetPrepared(); }
      calls.only(ids);
      for (const id of calls.unseen) ask(`/v1/payments/${encodeURIComponent(id)}`).then(paid).catch(() => {});
      setTimeout(() => { calls.settle(); show(); }, 2000);
    },
    call(view) {
      const before = calls.take(view);
      if (view.id === calls.current?.id) { announce(newsOfPassing(before, view) || news(before, view)); announcePhone(before, view); }
      if (takePhone(view)) open(view.id);
      show();
    },
    payment: paid,
    state(now) {
      lost(now === "lost");
      show();
    },
    service(faults) {
      showFaults(faults);
      show();
    },
    forbidden() {
      offerToday(false);
      line("off", "page.no_calls");
      $("no-calls").hidden = $("idle").hidden = false;
      $("next-call").hidden = true;
    },
    clock(ms) { offset = ms; },
  });
}

function paid(payment) {
  noteLater(payment);
  noteToday(payment);
  notePrepared(payment);
  calls.pay(payment);
  show();
}

function lost(yes) {
  live = !yes;
  $("lost").hidden = live;
  line(live ? "live" : "lost", live ? "page.live" : "page.reconnecting");
}

function showFaults(faults) {
  const words = unfit(faults);
  fit = !words;
  write($("unfit-title"), words?.title ?? "");
  tell($("unfit-text"), words?.text ?? "");
  $("unfit").hidden = fit;
}

function line(kind, name) {
  $("line").dataset.state = kind;
  sayIn($("line"), name);
}

// --- what is to be seen ---

function show() {
  if (!stop) return;
  const own = mine(calls, me);
  if (!calls.current && own.length === 1) { calls.choose(own[0].id); fill(blank); }
  const call = calls.current;
  showCalls(calls, me);
  $("idle").hidden = calls.size > 0 || !calls.complete;
  $("desk").hidden = !call;
  if (!call) {
    document.title = "Tonewall";
    shown = { panel: "", key: "" };
    return;
  }
  const capture = calls.capture(call);
  const driven = announcement(call) ?? capture ?? (call.masked ? call.capture : null); // a mask belongs to its payment, also after "Done"
  const amount = capture ? money(capture.order) : "";
  const part = capture?.outcome?.amount;
  const approved = part === undefined ? "" : money({ ...capture.order, amount: part });
  showCall(call, capture, amount, approved);
  const theirs = showOwner(capture, driven, call);
  $("protect").hidden = !protectable(call, capture);
  $("protect").disabled = !(live && !busy);
  $("release").disabled = theirs || !(protection(call)?.able && live && !busy);
  showPanel(call, capture, amount, approved, theirs);
  showDemo(live && call.state === "up" && capture?.stage === "collecting");
}

/** The agent is in this call from now on. */
function open(id) {
  calls.choose(id);
  fill(blank);
  showRepeat(null);
  show();
}

function showPanel(call, capture, amount, approved, theirs) {
  const over = capture && (isFinal(capture) || capture.saved_from); // a saved card is not keyed
  const panel = over ? "result" : capture?.link ? "link" : capture ? "capture" : call.state === "up" ? "order" : "";
  const key = `${call.id} ${panel} ${capture?.id ?? ""} ${over ? capture.stage : ""}`;
  const able = live && !busy && !theirs;
  const focused = document.activeElement;
  for (const id of ["order", "capture", "result", "link"]) $(id).hidden = id !== panel;
  $("take").disabled = !able || !fit;
  const now = { live, busy, fit, theirs: theirs ? (capture ?? call.capture)?.agent || call.announced_by || "" : "" };
  explainTake(now);
  showKept(call, calls.newestId(call));
  showLinkForm(able);
  showPrepared(panel === "order" ? call : null, able);
  const card = panel === "order" && !wantsLink() && chargesSaved(call.capture) ? savedCard(call) : "";
  $("take-saved").hidden = !card;
  $("take-saved").disabled = !able;
  if (card) write($("take-saved"), t(savedArmed ? "order.charge_saved_sure" : "order.charge_saved", { card }));
  if (panel === "capture") { showCapture(capture, amount, able); explainCharge(capture, now); }
  $("link-instead").hidden = !linksOffered() || $("cancel").hidden;
  $("link-instead").disabled = !able;
  if (panel === "link") showLink(capture, amount, live && !busy);
  if (panel === "result") {
    const words = showResult(capture, amount, approved);
    $("again").hidden ||= call.state !== "up" || theirs;
    showReceipt(capture, settledAt(capture.id), { live, busy });
    showLater(capture, live && !busy);
    if (shown.key !== key) announce(`${words.title}. ${plain(words.text)}`);
  }
  if (shown.key !== key) { trouble(null); showRepeat(null); }
  // The focus moves only on from what has gone, or after the agent's own key press; never out of another frame or window.
  const orphan = focused && focused !== document.body && focused.closest("[hidden]");
  if (shown.panel !== panel && panel && document.hasFocus() && (moveFocus || orphan)) {
    moveFocus = false;
    $(panel === "order" ? firstInput() : `${panel}-title`).focus();
  }
  shown = { panel, key };
}

/** Whose payment it is; returns whether it is another agent's. `capture`: the payment that is shown; `driven`: the one that
 *  has the mask, too. */
function showOwner(capture, driven, call) {
  const theirs = Boolean(driven) && !driven.link && driven.agent !== "" && driven.agent !== me.agent;
  const words = driven?.announced ? (theirs ? announcedWords(driven.agent) : "") : capture || theirs ? owner(driven, me.agent) : "";
  $("owner").hidden = !words;
  write($("owner"), words);
  const open = theirs && call.state === "up" && (!isFinal(driven) || call.masked);
  if (!open || takingOver !== driven.id) takingOver = "";
  $("take-over").hidden = !open;
  $("take-over").disabled = !(live && !busy);
  if (open) write($("take-over"), t(takingOver ? "owner.take_over_sure" : "owner.take_over", { agent: driven.agent }));
  return theirs;
}

function showCall(call, capture, amount, approved) {
  sayIn($("direction"), call.direction === "outbound" ? "call.to" : "call.from");
  write($("number"), customer(call));
  write($("extension"), extension(call));
  const paying = capture && !isFinal(capture) && !capture.link;
  const words = (!paying && keysPass(call, Date.now() + offset)) || banner(call, capture);
  $("banner").dataset.tone = words.tone;
  $("protect").className = words.passes ? "main" : "second";
  icon("banner-icon", words.icon);
  write($("banner-title"), words.title);
  tell($("banner-text"), words.text);
  showPhoneCode(call);
  const still = protection(call);
  $("protection").hidden = !still;
  write($("protection-text"), still?.text ?? "");
  const speech = say(call, capture, amount, approved);
  $("say").hidden = !speech;
  write($("say-text"), speech ? t("call.quoted", { text: speech.text }) : "");
  write($("say-hint"), speech?.hint ?? "");
  const mark = capture && !isFinal(capture) ? (capture.stage === "ready" ? "✓ " : "● ") : "";
  document.title = `${mark}${customer(call)} – Tonewall`;
  tick();
}

function tick() {
  const call = stop && calls.current;
  if (call && call.state !== "ended") {
    const seconds = Math.max(0, Math.floor((Date.now() + offset - Date.parse(call.started_at)) / 1000)) || 0;
    const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60].slice(seconds < 3600 ? 1 : 0);
    write($("timer"), parts.map((part, place) => (place ? String(part).padStart(2, "0") : part)).join(":"));
  }
}

/** The order was charged already, or may have been: by what, and how to ask for it once more. */
function showRepeat(words, ask) {
  again = words ? ask : null;
  $("repeat").hidden = !words;
  write($("repeat-title"), words?.title ?? "");
  tell($("repeat-text"), words?.text ?? "");
  const facts = (words?.facts ?? []).filter(([, value]) => value);
  $("repeat-facts").replaceChildren(...drawFacts(facts));
  $("repeat-order").hidden = !words?.again;
  write($("repeat-order"), words?.again ?? "");
}

/** `problem`: what went wrong; null: nothing. */
function trouble(problem) {
  $("trouble").hidden = !problem;
  sayIn($("trouble"), problem?.message ?? "", problem);
}

// --- what the agent presses ---

async function act(path, options, part = "capture") {
  const call = calls.current;
  if (busy || !live || !call) return;
  const from = document.activeElement;
  busy = moveFocus = true;
  trouble(null);
  showRepeat(null);
  show();
  let fault = null;
  try {
    const at = path.startsWith("/v1/") ? path : `/v1/calls/${encodeURIComponent(call.id)}/${part}${path}`;
    const answer = await ask(at, { method: "POST", ...options });
    options?.taken?.(call, answer);
  } catch (problem) {
    fault = problem;
  }
  busy = false;
  if (!stop) return;
  if (fault || path === "/ask" || path === "/skip" || path === "/slow" || part === "mask") moveFocus = false;
  show();
  if (!moveFocus && document.activeElement === document.body) (from.disabled ? $(`${shown.panel || "order"}-title`) : from).focus();
  if (fault?.payments.length) {
    const body = { ...options?.body, allow_repeat: true };
    showRepeat(repeated(fault, money(fault.payments[0].order)), () => act(path, { ...options, body }, part));
    $("repeat-title").focus();
  }
  else if (fault && (showErrors(fault.errors).length || !fault.errors.length)) trouble(fault);
}

function next(order) {
  calls.dismiss();
  moveFocus = true;
  order ? refill(order) : fill();
  show();
}

$("order").addEventListener("submit", (event) => {
  event.preventDefault();
  const order = readOrder();
  if (order && wantsLink()) openLink(order);
  else if (order) takeCard(order);
});
$("order").addEventListener("input", (event) => {
  if (event.target.getAttribute("aria-invalid")) clearErrors();
  savedArmed = false;
  echo();
  show();
});
$("take-saved").addEventListener("click", () => {
  const order = readOrder();
  const from = calls.current?.capture?.id;
  if (!order || !from) return;
  savedArmed = !savedArmed;
  if (savedArmed) return show();
  const { form: _, country: __, ...plain } = order; // nothing is keyed
  act("/v1/payments", { body: { saved_from: from, ...plain }, taken: (call, payment) => calls.charge(call, payment) });
});

function takeCard(order) {
  const prepared = isPrepared(calls.current, order);
  prepared ? act(`/v1/payments/${encodeURIComponent(prepared.id)}/start`, { body: {} }) : act("", { body: order });
}

$("prepared-cancel").addEventListener("click", () => {
  const prepared = preparedOf(calls.current);
  if (prepared) act(`/v1/payments/${encodeURIComponent(prepared.id)}`, { method: "DELETE", taken: () => fill(blank) });
});

function openLink(order) {
  const path = `/v1/calls/${encodeURIComponent(calls.current.id)}/links`;
  act(path, { body: withRecipient(order), taken: (call, payment) => { calls.charge(call, payment); wantLink(false); } });
}

$("link-instead").addEventListener("click", async () => {
  const { order } = calls.current.capture;
  await act("", { method: "DELETE", taken: () => { calls.dismiss(); refill(order); wantLink(true); } });
  if (wantsLink()) $("link-open").focus();
});
$("link-close").addEventListener("click", () => {
  const { id } = calls.capture(calls.current);
  act(`/v1/payments/${encodeURIComponent(id)}/link/close`);
});
$("link-leave").addEventListener("click", () => next(null));
$("charge").addEventListener("click", () => act("/submit"));
$("cancel").addEventListener("click", () => act("", { method: "DELETE" }));
$("slow").addEventListener("click", () => act("/slow", { body: { on: !calls.current?.capture?.slow } }));
$("protect").addEventListener("click", () => act("", {}, "mask"));
$("release").addEventListener("click", () => act("/release", {}, "mask"));
$("again").addEventListener("click", () => next(calls.capture(calls.current).order));
$("repeat-order").addEventListener("click", () => again?.());
$("repeat-leave").addEventListener("click", () => showRepeat(null));
$("take-over").addEventListener("click", () => {
  const call = calls.current;
  const driven = call && (announcement(call) ?? call.capture);
  if (!driven) return;
  if (takingOver === driven.id) { takingOver = ""; act("/take-over"); return; }
  takingOver = driven.id;
  show();
});
$("done").addEventListener("click", () => {
  const call = calls.current, capture = calls.capture(call);
  keepResult(call, capture, { title: $("result-title").textContent, tone: $("result").dataset.tone });
  next(capture.order);
});
buildCalls(open, () => show());
buildKept(() => { calls.recall(); moveFocus = true; show(); });
buildReceipt(() => show());
buildToday();
buildLater(() => show());
buildLinks(() => show());
buildPhone(trouble);
translate();
offerLanguages();
buildPresence((why) => signOut(why));
buildAccount(signOut);
buildSignIn(() => signIn(true), (text) => { token.set(text); signIn(true); });
onRefused(() => { if (stop) signOut(token.get() ? "token_over" : wasIdle() ? "away" : "over"); });
setInterval(() => { tick(); if (calls.current?.keys_passed_at) show(); }, 1000);

if (token.get()) signIn();
else findWays().then((sessions) => (sessions ? signIn() : signOut()));
