// Why a payment was declined, or failed, or is not known: one sentence a word, as the API has them, in the agent's language.

export const language = navigator.language?.toLowerCase().startsWith("pl") ? "pl" : "en";
let reasons = {};

/** `given`: sentences by word, and then by language. */
export function takeReasons(given) { reasons = given; }

/** The sentence for a word; empty where it has none. */
export function explain(reason) {
  const number = /^http_(\d+)$/.exec(reason ?? "")?.[1];
  return (reasons[number ? "http_error" : reason]?.[language] ?? "").replace("{}", number);
}

/** The sentence with its word behind it, for whoever mends it; the word alone where it has no sentence. */
export function said(reason) {
  const text = explain(reason);
  return text ? `${text} (${reason})` : reason;
}
