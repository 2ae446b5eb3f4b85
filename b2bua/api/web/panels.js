// The payment as it is being made: its fields as dots; and the panel at the end of it.

import { $, icon, make, wipe, write } from "./page.js";
import { labelOf } from "./field_words.js";
import { formFields, groupsOf, useForm, usualLength } from "./form.js";
import { t, tell, within } from "./i18n.js";
import { keyNotes, slowButton } from "./notes.js";
import { submitWords, titleOf } from "./purpose.js";
import { askWords, brandName, fieldState, result } from "./words.js";

const rows = new Map();
let onAsk, onSkip;

/** `ask(field)` when the agent wants one, now or again; without a field: the earlier one counts. `skip(field)`: when it is not needed. */
export function buildFields(ask, skip) {
  [onAsk, onSkip] = [ask, skip];
  drawRows();
}

/** A row for each field of the form. */
function drawRows() {
  rows.clear();
  $("fields").replaceChildren();
  for (const { field, optional, confirms } of formFields()) {
    const state = make("span", { className: "state" });
    const again = make("button", { className: "small", type: "button", text: t("keying.ask_again") });
    const dots = make("div", { className: "dots", role: "img" });
    again.hidden = Boolean(confirms); // it is asked for with the first entry
    const row = make("li", { "data-field": field }, make("div", {}, make("h3", { text: labelOf(field) }), " ", state), again, dots);
    const skip = optional ? make("button", { className: "small", type: "button", text: t("keying.skip"), "aria-label": t("keying.skip_of", { field: within(labelOf(field)) }) }) : null;
    if (skip) again.before(skip);
    skip?.addEventListener("click", () => onSkip(field));
    again.addEventListener("click", () => onAsk(again.dataset.keeps === "yes" ? undefined : field));
    rows.set(field, { row, state, again, skip, dots, drawn: "" });
    $("fields").append(row);
  }
}

/** Leave nothing of a payment in the page. */
export function forgetPanels() {
  rows.clear();
  wipe("fields", "notes", "capture-title", "capture-reference", "result-title", "result-text", "result-facts");
  write($("charge"), "");
}

export function showCapture(capture, amount, able) {
  write($("capture-title"), titleOf(capture.order, amount));
  write($("capture-reference"), capture.order.transaction_id);
  if (useForm(capture.order.form)) drawRows();
  const open = capture.stage === "collecting" || capture.stage === "ready";
  for (const described of formFields()) {
    const { field } = described;
    const progress = capture.fields.find((one) => one.field === field) ?? { field, count: 0, complete: false, rejected: 0 };
    const { row, state, again, skip } = rows.get(field);
    const now = capture.stage === "collecting" && capture.field === field;
    row.dataset.now = now ? "yes" : "no";
    row.dataset.reason = progress.reason ?? "";
    row.dataset.rejected = now && progress.rejected > 0 && progress.count === 0 ? "yes" : "no";
    row.dataset.done = progress.complete ? "yes" : "no";
    now ? row.setAttribute("aria-current", "step") : row.removeAttribute("aria-current");
    write(state, fieldState(progress, capture));
    state.classList.toggle("again", now && progress.rejected > 0 && progress.count === 0);
    const waits = now && !progress.kept && progress.count === 0;
    const [word, spoken] = askWords(progress, now);
    again.dataset.keeps = now && progress.kept ? "yes" : "no";
    write(again, word);
    again.setAttribute("aria-label", spoken);
    again.classList.toggle("nothing", waits);
    again.disabled = !(able && open && !waits);
    if (skip) skip.hidden = !(able && open) || progress.complete || progress.kept;
    drawDots(rows.get(field), described, progress, capture);
  }
  showNotes(capture, able);
  const charge = $("charge");
  const [submit, submitting] = submitWords(capture.order, amount);
  write(charge, capture.stage === "charging" ? submitting : submit);
  charge.disabled = !(able && capture.stage === "ready");
  charge.setAttribute("aria-busy", String(capture.stage === "charging"));
  $("cancel").hidden = capture.stage === "charging";
  $("cancel").disabled = !able;
}

/** How the keys come, and the button for keys that come twice. */
function showNotes(capture, able) {
  const notes = keyNotes(capture), button = slowButton(capture), list = $("notes");
  const drawn = JSON.stringify(notes);
  if (list.dataset.drawn !== drawn) {
    list.dataset.drawn = drawn;
    list.replaceChildren(...notes.map(({ text, warns }) => {
      const row = make("li", { className: warns ? "warns" : "" });
      tell(row, text);
      return row;
    }));
  }
  list.hidden = notes.length === 0;
  $("slow").hidden = !button;
  $("slow").disabled = !able;
  if (!button) return;
  write($("slow"), button.text);
}

function drawDots(shown, described, progress, capture) {
  const { last_shown } = described;
  const usual = usualLength(described.field, capture.brand, capture.order.country);
  const isCard = described.kind === "card_number";
  const last = isCard ? capture.last_four : Object.hasOwn(capture.shown ?? {}, described.field) && capture.shown[described.field];
  const whole = progress.complete && last_shown && last;
  const brand = isCard ? brandName(capture.brand) : "";
  const drawn = [progress.count, progress.complete, brand, last, usual].join();
  if (shown.drawn === drawn) return;
  shown.drawn = drawn;
  const expected = progress.complete ? progress.count : Math.max(usual, progress.count);
  const ends = groupsOf(described, capture.brand, expected);
  const count = whole ? Math.max(0, progress.count - last_shown) : expected;
  // Keep the dots that stand, so that only a new key press moves.
  const old = shown.dots.querySelectorAll(".dot");
  const dots = Array.from({ length: count }, (_, place) => {
    const dot = old[place] ?? make("span", {});
    const gap = place + 1 < expected && ends.includes(place + 1);
    dot.className = `dot${place < progress.count ? " keyed" : ""}${gap ? " gap" : ""}`;
    return dot;
  });
  if (whole) dots.push(make("span", { className: "last", text: last }));
  if (progress.count && brand) dots.push(make("span", { className: "cardbrand", text: brand }));
  shown.dots.replaceChildren(...dots);
  const digits = [progress.count ? brand : "", t("keying.digits", { count: progress.count })].filter(Boolean).join(", ");
  const words = whole ? t("keying.ending", { card: brand || labelOf(described.field), digits: last }) : digits;
  shown.dots.setAttribute("aria-label", words);
}

/** Facts, `[name, value, className]`; the value: for `tell`. */
export const drawFacts = (facts) => facts.flatMap(([text, value, className = ""]) => {
  const given = make("dd");
  tell(given, value);
  return [make("dt", { text, className }), given];
});

export function showResult(capture, amount, approved) {
  const words = result(capture, amount, approved);
  $("result").dataset.tone = words.tone;
  icon("result-icon", words.icon);
  write($("result-title"), words.title);
  tell($("result-text"), words.text);
  const facts = words.facts.filter(([, value]) => value);
  $("result-facts").replaceChildren(...drawFacts(facts));
  $("done").hidden = capture.stage === "charging";
  $("again").hidden = !words.again;
  write($("again"), words.again ?? "");
  // One way on is the large button, whichever it is.
  $("done").className = words.again ? "second" : "main";
  return words;
}
