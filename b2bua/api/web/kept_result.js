// The result that stays with the order form, which stays filled, once the agent is done with it. It stays for its call, until
// another payment begins there.

import { say } from "./i18n.js";
import { $, write } from "./page.js";

const kept = new Map(); // call → { id, title, text }

/** `onShow(call)`: the agent wants to see it again. */
export function buildKept(onShow) {
  say($("kept-show"), "kept.show");
  $("kept-show").addEventListener("click", onShow);
}

/** The agent is done with a result. `words`: of it, as the panel has them. */
export function keepResult(call, capture, { title, tone }) {
  kept.set(call.id, { id: capture.id, title, tone, order: capture.order.transaction_id });
}

export function forgetKept() {
  kept.clear();
  write($("kept-title"), "");
}

/** Show it above the form. `newest`: the id of the newest payment of the call. */
export function showKept(call, newest) {
  const last = kept.get(call.id);
  if (last && last.id !== newest) kept.delete(call.id);
  const shown = last?.id === newest ? last : null;
  $("kept").hidden = !shown;
  if (!shown) return;
  $("kept").dataset.tone = shown.tone;
  say($("kept-title"), "kept.last", { payment: `${shown.title}, ${shown.order}` });
}
