// The sentences of one language, as a file of messages/ has them: by name, with values in braces, and in as many plural forms
// as the language has.

export const LANGUAGES = ["en", "pl", "de", "fr", "es"];
const LONGEST_WAIT = 5_000; // ms until the file is asked for again
const PLACEHOLDER = /\{([a-z_]+)\}/;

const languageOf = (tag) => { try { return new Intl.Locale(tag).language; } catch { return ""; } };

/** The language of the first of these tags (BCP 47) that there are sentences for; else English. */
export const pickLanguage = (tags) => tags.map(languageOf).find((each) => LANGUAGES.includes(each)) ?? "en";

/** How amounts and dates are written in a language: as the first of these tags says that is of it, with its country. */
export const pickLocale = (language, tags) => tags.find((tag) => languageOf(tag) === language) ?? language;

export class Messages {
  #table;
  #plurals;
  #numbers;

  /** `table`: sentences by name; `locale`: of its numbers. */
  constructor(table, locale) {
    this.#table = table;
    this.#plurals = new Intl.PluralRules(locale);
    this.#numbers = new Intl.NumberFormat(locale);
  }

  has(name) { return Object.hasOwn(this.#table, name); }

  /** A sentence in pieces, with its values between them, which may be elements. `count` chooses the plural form. */
  parts(name, values = {}) {
    if (!this.has(name)) return [name];
    const found = this.#table[name];
    const sentence = typeof found === "string" ? found : found[this.#plurals.select(values.count)] ?? found.other;
    return sentence.split(PLACEHOLDER).map((part, place) => (place % 2 ? this.#value(values[part]) : part)).filter((part) => part !== "");
  }

  text(name, values) { return this.parts(name, values).map((part) => part.textContent ?? part).join(""); }

  #value(value) {
    if (typeof value === "number") return this.#numbers.format(value);
    return value instanceof Node ? value : String(value ?? "");
  }
}

/** Fetch a file of messages, until it is there and has this hash (Subresource Integrity), where one is given. */
export async function fetchMessages(address, integrity = "") {
  for (let wait = 500; ; wait = Math.min(LONGEST_WAIT, wait * 2)) {
    try {
      const answer = await fetch(address, { integrity, credentials: "omit" });
      if (answer.ok) return await answer.json();
    } catch { /* again, then */ }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}
