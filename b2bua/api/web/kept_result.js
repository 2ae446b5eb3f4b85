// The result that stays with the order form, which stays filled, once the agent is done with it. It stays for its call, until
// another payment begins there.

import { $, say, write } from "./page.js";

const WORDS = {
  last: { en: "Last payment: {}", pl: "Ostatnia płatność: {}" },
  show: { en: "Show it again", pl: "Pokaż ponownie" },
};
const kept = new Map(); // call → { id, title, text }

/** `onShow(call)`: the agent wants to see it again. */
export function buildKept(onShow) {
  say($("kept-show"), WORDS.show);
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
  say($("kept-title"), WORDS.last, `${shown.title}, ${shown.order}`);
}
