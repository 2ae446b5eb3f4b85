// What a page of Tonewall says, in one language: the agent's choice on the page, or the one of sip.conf, or the browser's.
//
// Rule 1: every sentence comes from a file of messages/; what comes from the service as it is, is English, and marked so.
// Rule 2: text goes in as text only.

import { fetchMessages, LANGUAGES, Messages, pickLanguage, pickLocale } from "./messages.js";
import { $, make } from "./page.js";

const CHOICE = "tonewall-language";
const OURS = { "data-words-label": "aria-label", "data-words-placeholder": "placeholder" };

function chosen() {
  try { return localStorage.getItem(CHOICE) ?? ""; } catch { return ""; }
}

const settled = document.querySelector("meta[name=language]")?.content ?? "";
export const language = pickLanguage([chosen(), settled, ...navigator.languages].filter(Boolean));
export const locale = pickLocale(language, navigator.languages);
const file = document.querySelector(`link[rel=messages][hreflang=${language}]`);
const messages = new Messages(await fetchMessages(file.href, file.integrity), locale);
document.documentElement.lang = language;

export const has = (name) => messages.has(name);

/** The sentence of this name, with its values. */
export const t = (name, values) => messages.text(name, values);

/** What the service says as it is: English. */
export const foreign = (text) => ({ text, lang: "en" });

/** What was put together for `tell`, as one text. */
export const plain = (said) => [said].flat().filter(Boolean).map((each) => each.text ?? each).join(" ");

const drawn = new WeakMap(); // element → what it was given last

/** Put sentences into an element: texts, and those of `foreign`. It is touched only where they have changed. */
export function tell(element, said) {
  const parts = [said].flat().filter(Boolean), key = JSON.stringify(parts);
  if (drawn.get(element) === key && element.textContent === plain(parts)) return;
  drawn.set(element, key);
  element.lang = language;
  const one = (part) => (typeof part === "string" || language === part.lang ? part.text ?? part : make("span", part));
  element.replaceChildren(...parts.flatMap((part, place) => (place ? [" ", one(part)] : [one(part)])));
}

/** Put the sentence of this name into an element; what is no name is a sentence of the service, as it is; "" empties it. */
export function say(element, name, values) {
  tell(element, !name ? "" : has(name) ? t(name, values) : foreign(name));
}

/** Put the sentence of this name into an element, with elements as its values. */
export function sayWith(element, name, values) {
  element.lang = language;
  element.replaceChildren(...messages.parts(name, values));
}

/** Fill every element that names its sentence, or those of its attributes. */
export function translate() {
  for (const element of document.querySelectorAll("[data-words]")) say(element, element.dataset.words);
  for (const [names, attribute] of Object.entries(OURS)) {
    for (const element of document.querySelectorAll(`[${names}]`)) element.setAttribute(attribute, t(element.getAttribute(names)));
  }
}

/** A label within a sentence: without its capital, but in German, and where it is an abbreviation. */
export const within = (label) => (language !== "de" && /^\p{Lu}\p{Ll}/u.test(label) ? label.charAt(0).toLocaleLowerCase(locale) + label.slice(1) : label);

/** A time of today. `at`: RFC 3339, or ms. */
export const timeOf = (at) => new Date(at).toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit" });

export const dateOf = (at) => new Date(at).toLocaleString(locale);

/** Offer the languages in a `select`, each by its own name. The page is loaded anew in the one that is chosen. */
export function offerLanguages() {
  $("language").replaceChildren(...LANGUAGES.map((each) =>
    make("option", { value: each, lang: each, text: new Intl.DisplayNames([each], { type: "language" }).of(each) })));
  $("language").value = language;
  $("language").addEventListener("change", () => {
    try { localStorage.setItem(CHOICE, $("language").value); } catch { return; }
    location.reload();
  });
}
