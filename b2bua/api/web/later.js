// What is done later about a payment: refund, capture and void. Each goes out at the second press, and all that may be done
// is what the service says is left, of what the provider offers.

import { ask } from "./api.js";
import { say, t } from "./i18n.js";
import { money, readMoney } from "./order.js";
import { $, announce, make, wipe, write } from "./page.js";
import { laterState } from "./words.js";

const PATHS = { capture: "captures", refund: "refunds", void: "voids" };
const payments = new Map(); // id → the newest view
const asked = new Set(); // ids whose view was fetched, or is being fetched
let shown = null; // the payment in the panel, as its call has it
let armed = ""; // what the next press sends
let sending = false;
let redraw = () => {};

/** `onChange` when there is something new to show. */
export function buildLater(onChange) {
  redraw = onChange;
  for (const kind of Object.keys(PATHS)) $(`later-${kind}`).addEventListener("click", () => press(kind));
  $("later").addEventListener("submit", (event) => event.preventDefault());
  $("later-amount").addEventListener("input", () => { armed = ""; complain(null); redraw(); });
}

/** A payment as the feed, or an answer, has it. */
export function noteLater(payment) {
  payments.set(payment.id, payment);
}

/** When a payment was settled, RFC 3339; undefined where that is not known. */
export const settledAt = (id) => payments.get(id)?.settled_at;

export function forgetLater() {
  payments.clear();
  asked.clear();
  shown = null;
  armed = "";
  wipe("later-list", "later-capture", "later-refund", "later-void");
  $("later-amount").value = "";
}

/** Show what was done about a payment, and what may be; `able`: the agent may press now. */
export function showLater(capture, able) {
  if (shown?.id !== capture.id) {
    armed = "";
    $("later-amount").value = "";
    complain(null);
    fetchOnce(capture);
  }
  shown = capture;
  const payment = payments.get(capture.id);
  const done = payment?.follow_ups ?? [];
  const busy = sending || done.some((each) => each.outcome === null);
  const rows = done.map((each) => laterState(each, money({ ...payment.order, amount: each.amount })));
  const drawn = JSON.stringify(rows);
  if ($("later-list").dataset.drawn !== drawn) {
    $("later-list").dataset.drawn = drawn;
    $("later-list").replaceChildren(...rows.map((text) => make("li", { text })));
    if (rows.length) announce(rows.at(-1));
  }
  let any = false;
  let inPart = false;
  for (const kind of Object.keys(PATHS)) {
    const button = $(`later-${kind}`);
    const left = payment?.left?.[kind] ?? 0;
    // A payment that was charged at once is refunded, whether or not the provider would void it.
    const may = left > 0 && (kind !== "void" || payment.order.operation === "authorise");
    any ||= may;
    inPart ||= may && offers(payment, `${kind}_part`);
    button.hidden = !may;
    button.disabled = !able || busy;
    if (may) write(button, label(kind, payment, left));
  }
  $("later").hidden = !any;
  for (const part of ["later-amount", "later-amount-label"]) $(part).hidden = !inPart;
}

/** Whether the provider of a payment would charge its saved card again. */
export function chargesSaved(capture) {
  if (capture) fetchOnce(capture);
  return payments.has(capture?.id) && offers(payments.get(capture.id), "charge_saved");
}

/** Whether the provider of a payment does that; where nobody knows, it will say so itself. */
const offers = (payment, operation) => payment.offers?.includes(operation) ?? true;

async function fetchOnce(capture) {
  if (payments.has(capture.id) || asked.has(capture.id) || !["approved", "partially_approved"].includes(capture.outcome?.type)) return;
  asked.add(capture.id);
  try {
    noteLater(await ask(`/v1/payments/${encodeURIComponent(capture.id)}`));
    redraw();
  } catch { asked.delete(capture.id); /* without it nothing can be pressed */ }
}

function label(kind, payment, left) {
  const amount = kind === "void" ? left : wanted(payment) ?? left;
  return t(`later.${kind}${armed === key(kind, payment, amount) ? "_sure" : ""}`, { amount: money({ ...payment.order, amount }) });
}

const key = (kind, payment, amount) => `${payment.id} ${kind} ${amount}`;

/** The amount that is typed; null where that is none. */
function wanted(payment) {
  try { return readMoney($("later-amount").value, payment.order.currency); } catch { return null; }
}

/** `fault`: its message is the name of a sentence, or a sentence of the service; null: there is none. */
function complain(fault) {
  say($("later-error"), fault?.message ?? "", fault);
  fault ? $("later-amount").setAttribute("aria-invalid", "true") : $("later-amount").removeAttribute("aria-invalid");
}

async function press(kind) {
  const payment = payments.get(shown?.id);
  if (!payment || sending) return;
  complain(null);
  let amount = payment.left[kind];
  if (kind !== "void" && $("later-amount").value.trim()) {
    try { amount = readMoney($("later-amount").value, payment.order.currency); } catch (error) { return complain(error); }
  }
  if (armed !== key(kind, payment, amount)) {
    armed = key(kind, payment, amount);
    redraw();
    return announce(t("later.press_again", { button: $(`later-${kind}`).textContent }));
  }
  armed = "";
  sending = true;
  redraw();
  try {
    const options = { method: "POST", ...(kind === "void" ? {} : { body: { amount } }) };
    noteLater(await ask(`/v1/payments/${encodeURIComponent(payment.id)}/${PATHS[kind]}`, options));
    $("later-amount").value = "";
  } catch (problem) {
    complain(problem);
  }
  sending = false;
  redraw();
}
