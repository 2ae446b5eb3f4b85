// How the customer's keys come: one sentence a note, by the code that the API has, in the agent's language.

import { foreign, has, t } from "./i18n.js";

const WARNS = ["keys_not_taken", "keys_doubled", "customer_talks"]; // they ask the agent for something
const PASSING = 8_000; // ms after the newest key

/** The banner of a call in which keys reach the agent; null where none does. `now`: by the server's clock, in ms. */
export function keysPass(call, now) {
  if (call.state !== "up" || call.masked || !call.keys_passed_at || now - Date.parse(call.keys_passed_at) > PASSING) return null;
  return { tone: "bad", icon: "warn", title: t("pass.title"), text: t("pass.text"), passes: true };
}

/** What a screen reader says once keys begin to reach the agent; "" where that is no news. */
export function newsOfPassing(before, view) {
  const newest = Date.parse(view.keys_passed_at ?? ""), known = Date.parse(before?.keys_passed_at ?? "");
  const begins = !view.masked && newest > 0 && !(newest - known <= PASSING);
  return begins ? `${t("pass.title")}. ${t("pass.text")}` : "";
}

/** The notes of a payment as lines, the ones that ask for something first; a code without a sentence as the API has it. */
export function keyNotes(capture) {
  if (capture.stage !== "collecting" && capture.stage !== "ready") return [];
  const notes = (capture.notes ?? []).map(({ code, detail }) => {
    const name = `note.${code}`;
    return { text: has(name) ? t(name) : foreign(detail), warns: WARNS.includes(code) };
  });
  const slow = capture.slow ? [{ text: t("slow.told"), warns: false }] : [];
  return [...notes.filter((note) => note.warns), ...slow, ...notes.filter((note) => !note.warns)];
}

/** The button that switches slow keying; null where there is nothing to switch. */
export function slowButton(capture) {
  const asks = capture.slow || (capture.notes ?? []).some(({ code }) => code === "keys_doubled");
  if (!asks || (capture.stage !== "collecting" && capture.stage !== "ready")) return null;
  return { text: t(capture.slow ? "slow.on" : "slow.off"), on: !capture.slow };
}
