// Amounts: from what an agent types to minor units and back, without ever being a fraction in between.

/** What is no amount. `message`: the name of the sentence for the agent; its values are properties. */
export class BadAmount extends Error {
  constructor(name, values = {}) {
    super(name);
    Object.assign(this, values);
  }
}

/**
 * "49.90" with 2 decimals is 4990. One decimal sign, point or comma; no thousands separators, since "1,234" means
 * different things to different people. Throws BadAmount.
 */
export function toMinor(text, decimals, code) {
  const plain = text.trim();
  if (plain === "") throw new BadAmount("amount.empty");
  const match = /^(\d+)(?:[.,](\d*))?$/.exec(plain);
  if (!match) throw new BadAmount("amount.not_digits", { sample: sample(decimals) });
  const fraction = match[2] ?? "";
  if (fraction.length > decimals) {
    const values = { currency: code, count: decimals, sample: sample(decimals) };
    throw new BadAmount(decimals ? "amount.decimals" : "amount.no_decimals", values);
  }
  const minor = (match[1] + fraction.padEnd(decimals, "0")).replace(/^0+(?=\d)/, "");
  if (minor.length > 11) throw new BadAmount("amount.too_large");
  if (minor === "0") throw new BadAmount("amount.zero");
  return Number(minor);
}

function sample(decimals) {
  return decimals ? "1234." + "50".padEnd(decimals, "0").slice(0, decimals) : "1234";
}

/** 4990 with 2 decimals is "49.90". */
export function toDecimal(minor, decimals) {
  const digits = String(minor).padStart(decimals + 1, "0");
  return decimals ? `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}` : digits;
}

/** As people of a locale write money, with as many decimals as the currency has: "€49.90". */
export function format(minor, decimals, code, locale) {
  const options = { style: "currency", currency: code, minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  // A string is formatted exactly, where the engine can; eleven digits are exact as a number, too.
  return new Intl.NumberFormat(locale, options).format(toDecimal(minor, decimals));
}

/** Whether a text holds a card number: 12 or more digits (in a row, or in groups of four) with a correct check digit. */
export function looksLikeCard(text) {
  const printed = /(?<!\d)(?:(?:\d{4}[ ./-]){3}\d{4}(?:[ ./-]\d{1,3})?|\d{4}[ ./-]\d{6}[ ./-]\d{4,5})(?!\d)/g;
  const plain = text.normalize("NFKC");
  return [...(plain.match(/\d{12,}/g) ?? []), ...(plain.match(printed) ?? [])].some((run) => {
    const digits = [...run.replace(/\D/g, "")].reverse().map(Number);
    const sum = digits.reduce((total, digit, place) => total + (place % 2 ? (digit > 4 ? digit * 2 - 9 : digit * 2) : digit), 0);
    return sum % 10 === 0;
  });
}
