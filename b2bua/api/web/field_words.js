// The words of fields: what each is called, how the customer is asked for it, and why it was refused.

import { endKey, fieldOf } from "./form.js";
import { language } from "./reasons.js";

const thenEnd = () => (endKey() ? `, then ${endKey()}` : "");

/** The words of a field that is called by a phrase. */
function named(label, what) {
  return {
    label,
    ask: () => `Now ${what}, please${thenEnd()}.`,
    again: () => `That was not right. Please key ${what} once more${thenEnd()}.`,
  };
}

// Of each field: its name, and how the customer is asked for it, first and again. `digits`: how many it has.
const codeOf = (digits) => (digits === 4 ? "four digits on the front of your card" : "three digits on the back of your card");
const DATES = {
  ddmmyyyy: "two digits for the day, two for the month, four for the year",
  mmddyyyy: "two digits for the month, two for the day, four for the year",
  yyyymmdd: "four digits for the year, two for the month, two for the day",
};
const FIELD_WORDS = {
  __proto__: null, // a company's field may be called constructor
  card_number: {
    label: "Card number",
    ask: () => `Please key your card number${thenEnd()}.`,
    again: () => `That number was not quite right. Please key your card number once more${thenEnd()}.`,
  },
  expiry: {
    label: "Expiry date",
    ask: () => `Now the expiry date, please: two digits for the month, two for the year${thenEnd()}.`,
    again: () => `That date was not right. Please key month and year once more${thenEnd()}.`,
  },
  security_code: {
    label: "Security code",
    ask: (digits) => `Now the ${codeOf(digits)}, please${thenEnd()}.`,
    again: (digits) => `That code was not complete. Please key the ${codeOf(digits)} once more${thenEnd()}.`,
  },
  postcode: named("Postcode", "the digits of your postcode"),
  house_number: named("House number", "your house number"),
  birth_date: named("Date of birth", "your date of birth"),
  sort_code: named("Sort code", "your sort code, six digits"),
  account_number: named("Account number", "your account number"),
  iban: named("IBAN", "the digits of your IBAN, without the two letters in front"),
  nrb: named("Account number (NRB)", "the 26 digits of your account number"),
  routing_number: named("Routing number", "your bank's routing number, nine digits"),
  us_account_number: named("Account number", "your account number"),
  customer_number: named("Customer number", "your customer number"),
  policy_number: named("Policy number", "your policy number"),
  pin: named("PIN", "your PIN"),
};

/** The words of a field; those of its label or its name where it has none of its own. A second entry is asked for as one. */
export function wordsOf(field) {
  const described = fieldOf(field);
  if (described?.confirms) {
    const first = wordsOf(described.confirms);
    const what = `${first.label.toLowerCase()} once more, to be sure`;
    return { label: `${first.label}, again`, ask: () => `Please key your ${what}${thenEnd()}.`, again: () => `Please key your ${what}${thenEnd()}.` };
  }
  const name = described?.label || field.replaceAll("_", " ");
  const words = (described?.label ? null : FIELD_WORDS[field]) ?? named(name.charAt(0).toUpperCase() + name.slice(1), `your ${name}`);
  const how = DATES[described?.date_format];
  if (!how) return words;
  const what = `your ${words.label.toLowerCase()}: ${how}`;
  return { ...words, ask: () => `Now ${what}${thenEnd()}.`, again: () => `That was not right. Please key ${what}${thenEnd()}.` };
}

export const labelOf = (field) => wordsOf(field).label;

// Why what was keyed for a field does not count, by the API's `reason` of that field.
const FIELD_REASONS = {
  en: {
    card_number_length: "Too few or too many digits, to be keyed again",
    card_number_check_digit: "Not a card number, to be keyed again",
    card_brand: "This brand is not taken: ask for another card",
    expiry_length: "Four digits are needed, month and year",
    expiry_month: "No such month, to be keyed again",
    expiry_past: "In the past: two digits for the month, two for the year",
    expiry_year_first: "The year came first: two digits for the month, then two for the year",
    expiry_long_year: "The year had four digits: two for the month, two for the year",
    expiry_too_far: "Too far in the future, to be keyed again",
    security_code_length: "Too few or too many digits, to be keyed again",
    too_many_keys: "Too many digits at once, to be keyed again",
    keys_ignored: "Keys that came too early were ignored; to be keyed now",
    nothing_to_clear: "* cleared nothing; * again goes back a field",
    date_length: "Eight digits are needed, the year in full",
    date_month: "No such month, to be keyed again",
    date_day: "No such day in that month, to be keyed again",
    date_day_first: "The day came first: month, then day, then year",
    date_month_first: "The month came first: day, then month, then year",
    date_year_first: "The year came first: it is to come last",
    date_year_last: "The year came last: year, then month, then day",
    date_future: "Not in the past, to be keyed again",
    date_too_young: "Too young: this date is not accepted",
    date_too_old: "Too long ago, to be keyed again",
    sort_code_length: "A sort code has six digits",
    account_number_length: "Six to eight digits are needed",
    account_number_check: "Does not fit the sort code: ask for both again if it happens twice",
    iban_length: "Too few or too many digits for this country",
    iban_check_digits: "Not a valid IBAN, to be keyed again",
    nrb_length: "An account number has 26 digits",
    nrb_check_digits: "Not a valid account number, to be keyed again",
    routing_number_length: "A routing number has nine digits",
    routing_number_check_digit: "Not a routing number, to be keyed again",
    digits_length: "Too few or too many digits, to be keyed again",
    digits_check_digit: "Not a valid number, to be keyed again",
    digits_of_a_card: "A card number was keyed: it is not asked for here",
    entries_differ: "The two entries differ: both are to be keyed again",
  },
  pl: {
    card_number_length: "Za mało lub za dużo cyfr, trzeba wpisać ponownie",
    card_number_check_digit: "To nie jest numer karty, trzeba wpisać ponownie",
    card_brand: "Ta karta nie jest przyjmowana: poproś o inną",
    expiry_length: "Potrzeba czterech cyfr: miesiąc i rok",
    expiry_month: "Nie ma takiego miesiąca, trzeba wpisać ponownie",
    expiry_past: "Ta data minęła: dwie cyfry miesiąca i dwie cyfry roku",
    expiry_year_first: "Rok był pierwszy: najpierw dwie cyfry miesiąca, potem dwie roku",
    expiry_long_year: "Rok miał cztery cyfry: dwie cyfry miesiąca i dwie roku",
    expiry_too_far: "Zbyt odległa data, trzeba wpisać ponownie",
    security_code_length: "Za mało lub za dużo cyfr, trzeba wpisać ponownie",
    too_many_keys: "Za dużo cyfr naraz, trzeba wpisać ponownie",
    keys_ignored: "Zbyt wczesne cyfry pominięto; teraz można wpisywać",
    nothing_to_clear: "Klawisz * niczego nie skasował; drugi * wraca do poprzedniego pola",
    date_length: "Potrzeba ośmiu cyfr, z pełnym rokiem",
    date_month: "Nie ma takiego miesiąca, trzeba wpisać ponownie",
    date_day: "Nie ma takiego dnia w tym miesiącu, trzeba wpisać ponownie",
    date_day_first: "Dzień był pierwszy: najpierw miesiąc, potem dzień, potem rok",
    date_month_first: "Miesiąc był pierwszy: najpierw dzień, potem miesiąc, potem rok",
    date_year_first: "Rok był pierwszy: ma być na końcu",
    date_year_last: "Rok był na końcu: najpierw rok, potem miesiąc, potem dzień",
    date_future: "Ta data nie minęła, trzeba wpisać ponownie",
    date_too_young: "Zbyt młody wiek: ta data nie jest przyjmowana",
    date_too_old: "Zbyt dawno, trzeba wpisać ponownie",
    sort_code_length: "Kod sort code ma sześć cyfr",
    account_number_length: "Potrzeba od sześciu do ośmiu cyfr",
    account_number_check: "Nie pasuje do kodu sort code: jeśli to się powtórzy, poproś o oba numery",
    iban_length: "Za mało lub za dużo cyfr dla tego kraju",
    iban_check_digits: "Nieprawidłowy IBAN, trzeba wpisać ponownie",
    nrb_length: "Numer rachunku ma 26 cyfr",
    nrb_check_digits: "Nieprawidłowy numer rachunku, trzeba wpisać ponownie",
    routing_number_length: "Numer routing number ma dziewięć cyfr",
    routing_number_check_digit: "Nieprawidłowy numer routing number, trzeba wpisać ponownie",
    digits_length: "Za mało lub za dużo cyfr, trzeba wpisać ponownie",
    digits_check_digit: "Nieprawidłowy numer, trzeba wpisać ponownie",
    digits_of_a_card: "Wpisano numer karty: tutaj nie jest potrzebny",
    entries_differ: "Wpisane numery się różnią: oba trzeba wpisać ponownie",
  },
};

/** The sentence for a reason, in the agent's language. */
export const fieldReason = (reason) => FIELD_REASONS[language][reason];
