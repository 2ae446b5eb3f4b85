// The payments of today that the agent may see, with what became of each: folded, fetched as it is opened, and followed on the
// feed from then on.

import { ask } from "./api.js";
import { say, t, timeOf } from "./i18n.js";
import { money } from "./order.js";
import { $, make, write } from "./page.js";
import { brandName, result } from "./words.js";

const MOST = 100; // payments that are asked for
const UNDER_WAY = ["prepared", "linked", "charging"];

const payments = new Map(); // id → payment, as far as the list is open
let cut = false; // there are more

export function buildToday() {
  say($("today-title"), "today.title");
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
    if ($("today").open) say($("today-said"), "today.gone");
  }
}

/** By the clock of whoever looks. */
const isToday = ({ started_at: at }) => new Date(at).toDateString() === new Date().toDateString();

function draw() {
  const rows = [...payments.values()].filter(isToday).sort((one, other) => (one.started_at < other.started_at ? 1 : -1));
  say($("today-said"), !rows.length ? "today.none" : cut ? "today.more" : "");
  $("today-list").replaceChildren(...rows.map((payment) => {
    const { order, brand, last_four: last } = payment;
    const time = timeOf(payment.started_at);
    const card = [brandName(brand), last && `•••• ${last}`].filter(Boolean).join(" ");
    const { text, tone } = stateOf(payment);
    const about = [order.transaction_id, card, payment.agent].filter(Boolean).join(" · ");
    return make("li", {},
      make("span", { className: "when", text: time }), make("b", { text: money(order) || order.form || "" }), make("span", { className: "grow", text: about }),
      make("span", { className: "state", text, "data-tone": tone }));
  }));
}

/** What became of it, in the words of its panel. */
function stateOf(payment) {
  const { stage, order, outcome } = payment;
  if (UNDER_WAY.includes(stage)) return { text: t(`today.${stage}`), tone: "" };
  if (!["finished", "cancelled", "aborted"].includes(stage)) return { text: t("today.under_way"), tone: "" };
  const approved = outcome?.amount === undefined ? "" : money({ ...order, amount: outcome.amount });
  const { title, tone } = result({ ...payment, seen: stage === "aborted" ? "collecting" : null }, money(order), approved);
  return { text: outcome?.type === "unknown" ? t("today.unknown") : title, tone };
}
