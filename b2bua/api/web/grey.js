// Why a button cannot be pressed now, in the agent's language; it stands below the button, and belongs to it.

import { labelOf } from "./field_words.js";
import { $, say, write } from "./page.js";

const WORDS = {
  lost: { en: "The connection is lost: wait until it is back.", pl: "Brak połączenia: poczekaj, aż wróci." },
  busy: { en: "One moment: the service is answering.", pl: "Chwileczkę: usługa odpowiada." },
  theirs: { en: "{} drives this payment: take it over first.", pl: "Tę płatność prowadzi {}: najpierw ją przejmij." },
  unfit: { en: "No card can be charged now: the reason is at the top of the page.", pl: "Teraz nie można obciążyć karty: powód jest u góry strony." },
  starting: { en: "The line is being secured.", pl: "Linia jest zabezpieczana." },
  missing: { en: "Still to be keyed: {}.", pl: "Do wpisania pozostało: {}." },
};

/** Why nothing at all can be pressed: the name of a sentence; "" where something can. */
const stopped = ({ live, busy, theirs }) => (!live ? "lost" : busy ? "busy" : theirs ? "theirs" : "");

/** Say it of the button that begins a payment. `now`: what the page knows: `live`, `busy`, `theirs` (whose it is), `fit`. */
export function explainTake(now) {
  explain("take", stopped(now) || (now.fit ? "" : "unfit"), now.theirs);
}

/** Say it of the button that submits. */
export function explainCharge(capture, now) {
  const missing = capture.fields.filter((field) => !field.complete).map(({ field }) => labelOf(field).toLowerCase());
  const open = { starting: "starting", collecting: "missing" }[capture.stage] ?? "";
  const name = stopped(now) || open;
  explain("charge", name, name === "theirs" ? now.theirs : missing.join(", "));
}

function explain(button, name, value) {
  const place = $(`${button}-why`);
  name ? say(place, WORDS[name], value) : write(place, "");
}
