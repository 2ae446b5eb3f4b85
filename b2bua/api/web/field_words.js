// The words of fields: what each is called, how the customer is asked for it, and why it was refused.

import { endKey, fieldOf } from "./form.js";
import { has, t, within } from "./i18n.js";

const OWN = ["card_number", "expiry", "security_code"]; // they are asked for in sentences of their own
const DATES = ["ddmmyyyy", "mmddyyyy", "yyyymmdd"];

const end = () => (endKey() ? t("ask.then_end", { key: endKey() }) : "");

/** Both sentences that ask for a field, first and again. */
const pair = (name, values) => ({
  ask: () => t(`ask.${name}`, { ...values, end: end() }),
  again: () => t(`ask.${name}_again`, { ...values, end: end() }),
});

/** The words of a field that is called by a phrase. */
const named = (label, what, how) => ({ label, ...pair(how ? "date" : "named", { what, how }) });

/** The words of a field that everybody's form may have; null of any other. */
function known(field, how) {
  if (!has(`field.${field}`) || field === "again") return null;
  const label = t(`field.${field}`);
  if (field === "security_code") {
    const of = (digits) => pair(`security_code_${digits === 4 ? 4 : 3}`);
    return { label, ask: (digits) => of(digits).ask(), again: (digits) => of(digits).again() };
  }
  return OWN.includes(field) ? { label, ...pair(field) } : named(label, t(`what.${field}`), how);
}

/** The words of a field; those of its label or its name where it has none of its own. A second entry is asked for as one. */
export function wordsOf(field) {
  const described = fieldOf(field);
  if (described?.confirms) {
    const first = wordsOf(described.confirms).label;
    const ask = () => t("ask.confirm", { field: within(first), end: end() });
    return { label: t("field.again", { field: first }), ask, again: ask };
  }
  const how = DATES.includes(described?.date_format) ? t(`ask.${described.date_format}`) : "";
  const name = described?.label || field.replaceAll("_", " ");
  return (described?.label ? null : known(field, how)) ?? named(name.charAt(0).toUpperCase() + name.slice(1), t("ask.own", { field: name }), how);
}

export const labelOf = (field) => wordsOf(field).label;

/** Why what was keyed for a field does not count, by the API's `reason` of that field. */
export const fieldReason = (reason) => (has(`field_reason.${reason}`) ? t(`field_reason.${reason}`) : t("keying.wrong"));
