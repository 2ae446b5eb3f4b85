// Amounts: from what an agent types to minor units and back, without ever being a fraction in between.

/**
 * "49.90" with 2 decimals is 4990. One decimal sign, point or comma; no thousands separators, since "1,234" means
 * different things to different people. Throws Error with a sentence for the agent.
 */
export function toMinor(text, decimals, code) {
  const plain = text.trim();
  if (plain === "") throw new Error("Type the amount.");
  const match = /^(\d+)(?:[.,](\d*))?$/.exec(plain);
  if (!match) throw new Error("Type digits and one decimal sign only, without separators, such as " + sample(decimals) + ".");
  const fraction = match[2] ?? "";
  if (fraction.length > decimals) {
    throw new Error(decimals ? `${code} has ${decimals} decimals at most, such as ${sample(decimals)}.` : `${code} has no decimals.`);
  }
  const minor = (match[1] + fraction.padEnd(decimals, "0")).replace(/^0+(?=\d)/, "");
  if (minor.length > 11) throw new Error("This amount is too large.");
  if (minor === "0") throw new Error("The amount must be more than zero.");
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

/** As the agent's browser writes money, with as many decimals as the currency has: "€49.90". */
export function format(minor, decimals, code) {
  const options = { style: "currency", currency: code, minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  // A string is formatted exactly, where the engine can; eleven digits are exact as a number, too.
  return new Intl.NumberFormat(undefined, options).format(toDecimal(minor, decimals));
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
