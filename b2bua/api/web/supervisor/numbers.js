// Numbers, times and shares as the reader's language writes them.

import { locale, t } from "../i18n.js";

const whole = new Intl.NumberFormat(locale);
const percent = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 });
const score = new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 2 });
const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });

export const sum = (numbers) => numbers.reduce((total, each) => total + each, 0);
export const number = (value) => (value === null ? t("supervisor.none") : whole.format(value));
export const share = (value) => (value === null ? t("supervisor.none") : percent.format(value));
export const mos = (value) => (value === null ? t("supervisor.none") : score.format(value));

/** `seconds` since the epoch, as a time of day. */
export const timeAt = (seconds) => clock.format(new Date(seconds * 1000));

/** A part of a whole; null where there is no whole. */
export const part = (some, all) => (all ? some / all : null);

/** An amount in minor units. `decimals`: by currency. */
export function amount({ amount: minor, currency }, decimals) {
  const digits = decimals[currency];
  if (minor === undefined || digits === undefined) return "";
  const text = String(minor).padStart(digits + 1, "0");
  const decimal = digits ? `${text.slice(0, -digits)}.${text.slice(-digits)}` : text;
  return new Intl.NumberFormat(locale, { style: "currency", currency, minimumFractionDigits: digits, maximumFractionDigits: digits }).format(decimal);
}
