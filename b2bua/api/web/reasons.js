// Why a payment was declined, or failed, or is not known: one sentence a word, as the API has them.

import { foreign, has, t } from "./i18n.js";

/** The sentence for a word; empty where it has none. */
export function explain(reason) {
  const number = /^http_(\d+)$/.exec(reason ?? "")?.[1];
  const name = `reason.${number ? "http_error" : reason}`;
  return has(name) ? t(name, { number }) : "";
}

/** The sentence with its word behind it, for whoever mends it; the word alone where it has no sentence. */
export function said(reason) {
  const text = explain(reason);
  return text ? `${text} (${reason})` : reason && foreign(reason);
}
