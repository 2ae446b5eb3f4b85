// The payments of today that the agent may see, with what became of each: folded, fetched as it is opened, and followed on the
// feed from then on.

import { ask } from "./api.js";
import { money } from "./order.js";
import { $, make, say, write } from "./page.js";
import { language } from "./reasons.js";
import { brandName, result } from "./words.js";

const MOST = 100; // payments that are asked for
const WORDS = {
  title: { en: "Payments of today", pl: "Płatności z dzisiaj" },
  none: { en: "No payment today.", pl: "Dziś nie było płatności." },
  more: { en: "The newest 100 are shown.", pl: "Widać 100 najnowszych." },
  gone: { en: "The list could not be fetched: close it and open it again.", pl: "Nie udało się pobrać listy: zamknij ją i otwórz ponownie." },
};
const UNDER_WAY = {
  prepared: { en: "Prepared", pl: "Przygotowana" },
  linked: { en: "Link open", pl: "Link otwarty" },
  charging: { en: "Charging…", pl: "Obciążanie…" },
};
const KEYED = { en: "Under way", pl: "W toku" };

const payments = new Map(); // id → payment, as far as the list is open
let cut = false; // there are more

export function buildToday() {
  say($("today-title"), WORDS.title);
  $("today").addEventListener("toggle", () => { $("today").open ? fetchAll() : forgetRows(); });
}

/** Whether it is offered: to who may follow calls. */
export function offerToday(yes) {
  $("today").hidden = !yes;
  if (yes) return;
  $("today").open = false;
  forgetRows();
}

/** A payment as the feed has it. */
export function noteToday(payment) {
  if (!$("today").open) return;
  payments.set(payment.id, payment);
  draw();
}

function forgetRows() {
  payments.clear();
  write($("today-said"), "");
  $("today-list").replaceChildren();
}

async function fetchAll() {
  try {
    const found = await ask(`/v1/payments?limit=${MOST}`);
    if (!$("today").open) return;
    for (const payment of found) payments.set(payment.id, payment);
    cut = found.length === MOST && isToday(found.at(-1));
    draw();
  } catch {
    if ($("today").open) say($("today-said"), WORDS.gone);
  }
}

/** By the clock of whoever looks. */
const isToday = ({ started_at: at }) => new Date(at).toDateString() === new Date().toDateString();

function draw() {
  const rows = [...payments.values()].filter(isToday).sort((one, other) => (one.started_at < other.started_at ? 1 : -1));
  const words = !rows.length ? WORDS.none : cut ? WORDS.more : null;
  words ? say($("today-said"), words) : write($("today-said"), "");
  $("today-list").replaceChildren(...rows.map((payment) => {
    const { order, brand, last_four: last } = payment;
    const time = new Date(payment.started_at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    const card = [brandName(brand), last && `•••• ${last}`].filter(Boolean).join(" ");
    const { text, tone, lang } = stateOf(payment);
    const about = [order.transaction_id, card, payment.agent].filter(Boolean).join(" · ");
    return make("li", {},
      make("span", { className: "when", text: time }), make("b", { text: money(order) || order.form || "" }), make("span", { className: "grow", text: about }),
      make("span", { className: "state", text, lang, "data-tone": tone }));
  }));
}

/** What became of it, in the words of its panel. */
function stateOf(payment) {
  const { stage, order, outcome } = payment;
  if (stage in UNDER_WAY) return { text: UNDER_WAY[stage][language], tone: "", lang: language };
  if (!["finished", "cancelled", "aborted"].includes(stage)) return { text: KEYED[language], tone: "", lang: language };
  const approved = outcome?.amount === undefined ? "" : money({ ...order, amount: outcome.amount });
  const { title, tone } = result({ ...payment, seen: stage === "aborted" ? "collecting" : null }, money(order), approved);
  return { text: outcome?.type === "unknown" ? "Not known" : title, tone, lang: "en" };
}
