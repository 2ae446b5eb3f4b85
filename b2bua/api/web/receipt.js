// The receipt of a payment that was approved, to copy and to print. What is printed is the panel at the end, without its
// buttons; what is copied says the same. A saved card's token is in neither.

import { $, announce, make, say, write } from "./page.js";
import { language } from "./reasons.js";

const WORDS = {
  copy: { en: "Copy receipt", pl: "Kopiuj potwierdzenie" },
  copied: { en: "The receipt was copied.", pl: "Skopiowano potwierdzenie." },
  refused: { en: "The browser refuses to copy: print it instead.", pl: "Przeglądarka odmawia kopiowania: wydrukuj." },
  print: { en: "Print receipt", pl: "Drukuj potwierdzenie" },
  when: { en: "When", pl: "Kiedy" },
};

export function buildReceipt() {
  say($("receipt-copy"), WORDS.copy);
  say($("receipt-print"), WORDS.print);
  $("receipt-print").addEventListener("click", () => print());
  $("receipt-copy").addEventListener("click", copy);
}

/** Offer it. `settledAt`: RFC 3339, where it is known. */
export function showReceipt(capture, settledAt) {
  const approved = ["approved", "partially_approved"].includes(capture.outcome?.type);
  $("receipt").hidden = !approved;
  const when = approved && settledAt ? new Date(settledAt).toLocaleString() : "";
  const row = $("result-facts").querySelector(".when");
  if (!when || row) return;
  $("result-facts").append(make("dt", { className: "when", text: WORDS.when[language], lang: language }), make("dd", { text: when }));
}

/** What is copied: the title, and each fact in a line. */
function receiptText() {
  const names = [...$("result-facts").querySelectorAll("dt:not(.private)")];
  return [$("result-title").textContent, ...names.map((name) => `${name.textContent}: ${name.nextElementSibling.textContent}`)].join("\n");
}

async function copy() {
  try {
    await navigator.clipboard.writeText(receiptText());
    write($("receipt-said"), WORDS.copied[language]);
  } catch {
    write($("receipt-said"), WORDS.refused[language]);
  }
  $("receipt-said").lang = language;
  announce($("receipt-said").textContent);
}
