// The receipt of a payment that was approved, to copy, to print, and to send by the company's own service. What is printed is
// the panel at the end, without its buttons; what is copied says the same. A saved card's token is in neither.

import { ask } from "./api.js";
import { explainReceipt } from "./grey.js";
import { dateOf, say, t } from "./i18n.js";
import { $, announce, make, wipe } from "./page.js";

let offered = false; // a service of the company's sends receipts
let shown = ""; // the payment whose receipt it is
let sending = false;
let redraw = () => {};

/** `onChange` when there is something new to show. */
export function buildReceipt(onChange) {
  redraw = onChange;
  say($("receipt-copy"), "receipt.copy");
  say($("receipt-print"), "receipt.print");
  $("receipt-print").addEventListener("click", () => print());
  $("receipt-copy").addEventListener("click", copy);
  $("receipt-to").addEventListener("input", () => complain(""));
  $("receipt-send").addEventListener("submit", (event) => { event.preventDefault(); send(); });
}

/** `yes`: the service says that receipts can be sent. */
export function offerReceipts(yes) { offered = yes === true; }

export function forgetReceipt() {
  shown = "";
  sending = false;
  $("receipt-to").value = "";
  wipe("receipt-said", "receipt-error", "receipt-press-why");
  $("receipt-to").removeAttribute("aria-invalid");
}

/** Offer it. `settledAt`: RFC 3339, where it is known; `now`: `live` and `busy`, as the page knows them. */
export function showReceipt(capture, settledAt, now) {
  const approved = ["approved", "partially_approved"].includes(capture.outcome?.type);
  if (shown !== capture.id) forgetReceipt();
  shown = capture.id;
  $("receipt").hidden = !approved;
  const open = { live: now.live, busy: now.busy || sending };
  $("receipt-press").disabled = !offered || !open.live || open.busy;
  $("receipt-to").disabled = !offered;
  explainReceipt(offered, open);
  const when = approved && settledAt ? dateOf(settledAt) : "";
  const row = $("result-facts").querySelector(".when");
  if (!when || row) return;
  $("result-facts").append(make("dt", { className: "when", text: t("receipt.when") }), make("dd", { text: when }));
}

/** What is copied: the title, and each fact in a line. */
function receiptText() {
  const names = [...$("result-facts").querySelectorAll("dt:not(.private)")];
  return [$("result-title").textContent, ...names.map((name) => `${name.textContent}: ${name.nextElementSibling.textContent}`)].join("\n");
}

async function copy() {
  try {
    await navigator.clipboard.writeText(receiptText());
    say($("receipt-said"), "receipt.copied");
  } catch {
    say($("receipt-said"), "receipt.refused");
  }
  announce($("receipt-said").textContent);
}

/** `fault`: the name of a sentence, or a sentence of the service; "": there is none. */
function complain(fault, values) {
  say($("receipt-error"), fault, values);
  fault ? $("receipt-to").setAttribute("aria-invalid", "true") : $("receipt-to").removeAttribute("aria-invalid");
}

async function send() {
  const to = $("receipt-to").value.trim(), payment = shown, from = document.activeElement;
  if (sending || !offered || $("receipt-press").disabled) return;
  complain("");
  say($("receipt-said"), "");
  if (!to) { complain("receipt.whom"); return $("receipt-to").focus(); }
  sending = true;
  redraw();
  let fault = null;
  try {
    await ask(`/v1/payments/${encodeURIComponent(payment)}/receipt`, { method: "POST", body: { to } });
  } catch (problem) {
    fault = problem;
  }
  if (shown !== payment) return; // another payment is shown, or nobody is signed in any more
  sending = false;
  redraw();
  if (fault) {
    complain(fault.status === 422 ? "receipt.whom" : fault.message, fault);
    $("receipt-to").focus();
  } else {
    $("receipt-to").value = "";
    say($("receipt-said"), "receipt.handed");
    announce($("receipt-said").textContent);
    if (document.activeElement === document.body) from.focus();
  }
}
