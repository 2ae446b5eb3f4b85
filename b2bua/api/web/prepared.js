// Payments that were prepared before their calls were there: the one of the call is filled in, and a press starts it.

import { foreign, say, tell } from "./i18n.js";
import { $ } from "./page.js";
import { money, refill } from "./order.js";

const waiting = new Map(); // id → payment, while it is prepared and has a call
let filled = ""; // the payment that stands in the order form

/** Take what the feed says of a payment. */
export function notePrepared(payment) {
  if (payment.stage === "prepared" && payment.call) waiting.set(payment.id, payment);
  else waiting.delete(payment.id);
}

export function forgetPrepared() {
  waiting.clear();
  filled = "";
}

/** The prepared payment of a call that comes next, or undefined. */
export const preparedOf = (call) =>
  [...waiting.values()].filter((payment) => payment.call === call.id).sort((one, other) => (one.started_at < other.started_at ? -1 : 1))[0];

/** Fill it in, once, and say whose it is; nothing, where the call has none. */
export function showPrepared(call, able) {
  const payment = call && preparedOf(call);
  $("prepared").hidden = !payment;
  if (!payment) { filled = ""; return; }
  if (filled !== payment.id) {
    filled = payment.id;
    refill(payment.order);
  }
  const { also_fits: others, refusal } = payment.prepared;
  say($("prepared-title"), "order.prepared_by", { agent: payment.started_by, amount: money(payment.order), reference: payment.order.transaction_id });
  say($("prepared-text"), others.length ? "order.another_call_fits" : "");
  tell($("prepared-refusal"), refusal && foreign(refusal));
  $("prepared-cancel").disabled = !able;
}

/** The prepared payment that this order is; undefined where the agent has changed it. */
export function isPrepared(call, order) {
  const payment = preparedOf(call);
  const same = (name) => payment.order[name] === order[name];
  const form = payment && (!payment.order.form || !order.form || same("form"));
  return payment && form && ["transaction_id", "amount", "currency"].every(same) ? payment : undefined;
}
