// The order form: amount, currency and reference, checked before anything is sent.

import { $, make } from "./page.js";
import { countriesOf, resultOf } from "./form.js";
import { foreign, has, locale, sayWith, t, tell } from "./i18n.js";
import { format, looksLikeCard, toDecimal, toMinor } from "./money.js";

const LAST = "tonewall-currency";
const COMMON = ["EUR", "USD", "GBP", "CHF", "PLN", "SEK", "NOK", "DKK", "CZK", "JPY", "CAD", "AUD"];
const INPUTS = ["amount", "currency", "transaction_id", "phone", "email"];
let decimals = {};

/** `known`: decimals of each currency, as the service counts them. */
export function buildOrder(known) {
  decimals = known;
  const choose = $("currency");
  const option = (code) => make("option", { value: code, text: code });
  const common = COMMON.filter((code) => code in known);
  choose.replaceChildren(
    make("optgroup", { label: t("order.often_used") }, ...common.map(option)),
    make("optgroup", { label: t("order.all") }, ...Object.keys(known).filter((code) => !common.includes(code)).map(option)),
  );
  let last = null;
  try { last = localStorage.getItem(LAST); } catch { /* the first one, then */ }
  choose.value = last in known ? last : common[0];
}

const options = (values) => values.map((value) => make("option", { value, text: value }));

/** The forms to choose from, where there are several; and the countries of an IBAN. */
export function buildForms(names) {
  $("form-choice").hidden = names.length < 2;
  $("form").replaceChildren(...options(names));
  $("form").addEventListener("change", chooseForm);
  chooseForm();
}

/** Whether something is paid by the chosen form; whether it has a currency. */
const isPaid = () => resultOf($("form").value) === "charge";
const hasCurrency = () => resultOf($("form").value) !== "deliver";

function chooseForm() {
  $("amount-row").hidden = !hasCurrency();
  $("amount-part").hidden = !isPaid();
  const countries = countriesOf($("form").value);
  $("country-choice").hidden = countries.length < 2;
  $("country").replaceChildren(...options(countries));
}

/** What an order comes to; "" where it has no currency: nothing is paid. */
export const money = (order) => order.currency && format(order.amount, decimals[order.currency] ?? 2, order.currency, locale);

/** What an agent has typed as an amount in this currency; throws BadAmount. */
export const readMoney = (text, currency) => toMinor(text, decimals[currency] ?? 2, currency);

/** `fault`: a sentence; "": there is none. */
function complain(name, fault) {
  tell($(`${name}-error`), fault);
  fault ? $(name).setAttribute("aria-invalid", "true") : $(name).removeAttribute("aria-invalid");
}

export function clearErrors() {
  for (const name of INPUTS) complain(name, "");
}

const sentence = (problem) => foreign(`${problem.charAt(0).toUpperCase()}${problem.slice(1)}.`);

/** Show what is wrong by input, `[{field, problem, values}]`, and go to the first; returns what belongs to no input. `problem`: of
 *  the service, or the name of a sentence. */
export function showErrors(errors) {
  for (const { field, problem, values } of errors) if (INPUTS.includes(field)) complain(field, has(problem) ? t(problem, values) : sentence(problem));
  const first = INPUTS.find((name) => $(name).getAttribute("aria-invalid"));
  if (first) $(first).focus();
  return errors.filter(({ field }) => !INPUTS.includes(field));
}

function readAmount() {
  const code = $("currency").value;
  return toMinor($("amount").value, decimals[code] ?? 2, code);
}

/** What is in the form as an order, or null after its faults were shown. */
export function readOrder() {
  clearErrors();
  const faults = [];
  let amount = 0;
  try { amount = isPaid() ? readAmount() : 0; } catch (error) { faults.push({ field: "amount", problem: error.message, values: error }); }
  const reference = $("transaction_id").value.trim();
  if (!reference) faults.push({ field: "transaction_id", problem: "order.no_reference" });
  if (looksLikeCard(reference)) faults.push({ field: "transaction_id", problem: "order.card_typed" });
  if (faults.length) { showErrors(faults); return null; }
  const currency = $("currency").value;
  try { localStorage.setItem(LAST, currency); } catch { /* not remembered, then */ }
  const form = $("form-choice").hidden ? {} : { form: $("form").value };
  if (!$("country-choice").hidden) form.country = $("country").value;
  return { transaction_id: reference, ...(isPaid() ? { amount } : {}), ...(hasCurrency() ? { currency } : {}), ...form };
}

/** While the agent types: say in full what would be charged. */
export function echo() {
  const line = $("amount-echo");
  try {
    if (!isPaid()) return line.replaceChildren();
    const amount = readAmount();
    sayWith(line, "order.will_pay", { amount: make("b", { text: money({ amount, currency: $("currency").value }) }) });
  } catch {
    line.replaceChildren();
  }
}

/** Where the agent begins to type. */
export const firstInput = () => ($("amount-row").hidden || $("amount-part").hidden ? "transaction_id" : "amount");

export function fill({ amount = "", transaction_id = "" } = {}) {
  clearErrors();
  $("amount").value = amount;
  $("transaction_id").value = transaction_id;
  echo();
}

/** Put an order back into the form, to be tried again. */
export function refill(order) {
  if (order.currency) $("currency").value = order.currency;
  if (order.form) $("form").value = order.form;
  chooseForm();
  if (order.country) $("country").value = order.country;
  fill({ amount: order.amount ? toDecimal(order.amount, decimals[order.currency] ?? 2) : "", transaction_id: order.transaction_id });
}
