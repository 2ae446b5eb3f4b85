// The receipt of a payment that was approved, to copy and to print. What is printed is the panel at the end, without its
// buttons; what is copied says the same. A saved card's token is in neither.

import { dateOf, say, t } from "./i18n.js";
import { $, announce, make } from "./page.js";

export function buildReceipt() {
  say($("receipt-copy"), "receipt.copy");
  say($("receipt-print"), "receipt.print");
  $("receipt-print").addEventListener("click", () => print());
  $("receipt-copy").addEventListener("click", copy);
}

/** Offer it. `settledAt`: RFC 3339, where it is known. */
export function showReceipt(capture, settledAt) {
  const approved = ["approved", "partially_approved"].includes(capture.outcome?.type);
  $("receipt").hidden = !approved;
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
