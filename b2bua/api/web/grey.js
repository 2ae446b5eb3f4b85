// Why a button cannot be pressed now, in the agent's language; it stands below the button, and belongs to it.

import { labelOf } from "./field_words.js";
import { say, within } from "./i18n.js";
import { $ } from "./page.js";

/** Why nothing at all can be pressed: the name of a sentence; "" where something can. */
const stopped = ({ live, busy, theirs }) => (!live ? "lost" : busy ? "busy" : theirs ? "theirs" : "");

/** Say it of the button that begins a payment. `now`: what the page knows: `live`, `busy`, `theirs` (whose it is), `fit`. */
export function explainTake(now) {
  explain("take", stopped(now) || (now.fit ? "" : "unfit"), { agent: now.theirs });
}

/** Say it of the button that submits. */
export function explainCharge(capture, now) {
  const missing = capture.fields.filter((field) => !field.complete).map(({ field }) => within(labelOf(field)));
  const open = { starting: "starting", collecting: "missing" }[capture.stage] ?? "";
  explain("charge", stopped(now) || open, { agent: now.theirs, fields: missing.join(", ") });
}

/** Say it of the button that sends a receipt. `offered`: a service of the company's sends some. */
export function explainReceipt(offered, now) {
  explain("receipt-press", stopped(now) || (offered ? "" : "no_receipts"), {});
}

function explain(button, name, values) {
  say($(`${button}-why`), name && `grey.${name}`, values);
}
