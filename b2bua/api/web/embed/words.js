// The sentences of the embedded form: those of Tonewall's pages, in the language of the page around it.

import { fetchMessages, Messages, pickLanguage } from "../messages.js";

const BASE = new URL("../messages/", import.meta.url);
const files = new Map(); // language → the promise of its file

/** The locale that a page asks for, where it is one; else the browser's. */
export function localeOf(text) {
  try { return Intl.getCanonicalLocales(text || navigator.language)[0] ?? "en"; } catch { return "en"; }
}

/** The language that there are sentences in for a locale. */
export const languageOf = (locale) => pickLanguage([locale]);

/** The sentences for a locale, once they are there. */
export async function messagesIn(locale) {
  const language = languageOf(locale);
  if (!files.has(language)) files.set(language, fetchMessages(new URL(`${language}.json`, BASE)));
  return new Messages(await files.get(language), language === locale.split("-")[0] ? locale : language);
}

/** What a field is called. */
export function labelIn(messages, { field, label }) {
  if (label) return label;
  return messages.has(`field.${field}`) ? messages.text(`field.${field}`) : field.replaceAll("_", " ");
}
