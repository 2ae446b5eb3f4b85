// How the customer's keys come: one sentence a note, by the code that the API has, in the agent's language.

import { language } from "./reasons.js";

const NOTES = {
  keys_as_events: { en: "Keys come as telephone-events.", pl: "Klawisze przychodzą jako zdarzenia telefoniczne." },
  keys_as_tones: { en: "Keys come as tones.", pl: "Klawisze przychodzą jako tony." },
  keys_as_both: { en: "Keys come as events and as tones; each counts once.", pl: "Klawisze przychodzą jako zdarzenia i jako tony; każdy liczy się raz." },
  keys_as_info: { en: "Keys come as SIP INFO.", pl: "Klawisze przychodzą jako SIP INFO." },
  keys_not_taken: {
    en: "In this form keys are not taken on this line. Take the payment in another way, and tell your administrator.",
    pl: "W tej postaci klawisze na tej linii nie są przyjmowane. Przyjmij płatność inaczej i powiadom administratora.",
    warns: true,
  },
  keys_doubled: {
    en: "Each key comes twice. Switch slow keying on, have the customer take a second for each key, and ask for the field again.",
    pl: "Każdy klawisz przychodzi dwa razy. Włącz wolne wpisywanie, poproś klienta o sekundę na każdy klawisz i o ponowne wpisanie pola.",
    warns: true,
  },
  customer_talks: { en: "The customer talks and keys nothing. Ask them to key.", pl: "Klient mówi i nic nie wpisuje. Poproś o wpisywanie.", warns: true },
};
const SLOW = {
  off: { en: "Slow keying", pl: "Wolne wpisywanie" },
  on: { en: "End slow keying", pl: "Zakończ wolne wpisywanie" },
  told: { en: "Slow keying: two equal keys within 0.4 s count as one.", pl: "Wolne wpisywanie: dwa równe klawisze w ciągu 0,4 s liczą się jako jeden." },
};

const PASSING = 8_000; // ms after the newest key
const PASS = {
  title: { en: "The customer is keying, and the keys reach you", pl: "Klient wpisuje, a klawisze do Ciebie docierają" },
  text: {
    en: "Ask them to stop. Press “Protect now” before they key a card.",
    pl: "Poproś, aby przestał. Zanim wpisze kartę, naciśnij „Protect now”.",
  },
};

/** The banner of a call in which keys reach the agent; null where none does. `now`: by the server's clock, in ms. */
export function keysPass(call, now) {
  if (call.state !== "up" || call.masked || !call.keys_passed_at || now - Date.parse(call.keys_passed_at) > PASSING) return null;
  return { tone: "bad", icon: "warn", title: PASS.title[language], text: PASS.text[language], lang: language, passes: true };
}

/** What a screen reader says once keys begin to reach the agent; "" where that is no news. */
export function newsOfPassing(before, view) {
  const newest = Date.parse(view.keys_passed_at ?? ""), known = Date.parse(before?.keys_passed_at ?? "");
  const begins = !view.masked && newest > 0 && !(newest - known <= PASSING);
  return begins ? `${PASS.title[language]}. ${PASS.text[language]}` : "";
}

/** The notes of a payment as lines, the ones that ask for something first; a code without a sentence as the API has it. */
export function keyNotes(capture) {
  if (capture.stage !== "collecting" && capture.stage !== "ready") return [];
  const notes = (capture.notes ?? []).map(({ code, detail }) => {
    const words = NOTES[code];
    return { text: words?.[language] ?? detail, lang: words ? language : "en", warns: Boolean(words?.warns) };
  });
  const slow = capture.slow ? [{ text: SLOW.told[language], lang: language, warns: false }] : [];
  return [...notes.filter((note) => note.warns), ...slow, ...notes.filter((note) => !note.warns)];
}

/** The button that switches slow keying; null where there is nothing to switch. */
export function slowButton(capture) {
  const asks = capture.slow || (capture.notes ?? []).some(({ code }) => code === "keys_doubled");
  if (!asks || (capture.stage !== "collecting" && capture.stage !== "ready")) return null;
  return { text: SLOW[capture.slow ? "on" : "off"][language], lang: language, on: !capture.slow };
}
