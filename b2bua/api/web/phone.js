// The agent's own telephone: a short code that links its call to this page, and what became of the codes that it keyed.
//
// Rule 1: keying the code in a call says whose call it is, as choosing it on the page does.

import { ask } from "./api.js";
import { $, announce, write } from "./page.js";
import { language } from "./reasons.js";

const WORDS = {
  link: { en: "Link my telephone", pl: "Połącz mój telefon" },
  another: { en: "Another code", pl: "Inny kod" },
  key: { en: "Key this on your telephone, in your call. The customer does not hear it.", pl: "Wpisz to na swoim telefonie, w swojej rozmowie. Klient tego nie słyszy." },
  over: { en: "The code has expired.", pl: "Kod wygasł." },
  linked: { en: "Your telephone is linked to this call.", pl: "Twój telefon jest połączony z tą rozmową." },
  refused: { en: "Your telephone:", pl: "Twój telefon:" },
};
const DONE = {
  start: { en: "Your telephone started the payment.", pl: "Twój telefon rozpoczął płatność." },
  submit: { en: "Your telephone submitted the card.", pl: "Twój telefon przekazał kartę do obciążenia." },
  skip: { en: "Your telephone skipped the field.", pl: "Twój telefon pominął pole." },
  ask: { en: "Your telephone asked for the field again.", pl: "Twój telefon poprosił o pole ponownie." },
  protect: { en: "Your telephone masked the line.", pl: "Twój telefon zamaskował linię." },
  cancel: { en: "Your telephone cancelled the payment.", pl: "Twój telefon anulował płatność." },
  release: { en: "Your telephone said that keying is over.", pl: "Twój telefon zgłosił koniec wpisywania." },
  link: WORDS.linked,
};
const TICK = 1000; // ms

let offered = false;
let claim = null; // { id, until }: what this page waits for
let timer = null;
let trouble = () => {};

/** `onTrouble(text)`: a code could not be had. */
export function buildPhone(onTrouble) {
  trouble = onTrouble;
  $("phone-link").addEventListener("click", open);
}

/** Whether any trunk has telephones that key codes. */
export function offerPhone(yes) {
  offered = yes;
  showPhone();
}

export function forgetPhone() {
  offered = false;
  forget("");
}

/** A newer view of a call. Returns whether it is the one in which the code was keyed. */
export function takePhone(view) {
  if (!claim || view.claim !== claim.id) return false;
  forget("");
  return true;
}

/** What the newest code of the call's telephone came to. */
export function showPhoneCode(view) {
  const said = sentence(view?.feature_code);
  $("phone-said").hidden = !said;
  $("phone-said").lang = said && view.feature_code.done ? language : "en";
  write($("phone-said"), said);
}

/** The news of a call's telephone, for who does not look. */
export function announcePhone(before, view) {
  if (view.feature_code && view.feature_code.count !== before?.feature_code?.count) announce(sentence(view.feature_code));
}

function sentence(code) {
  if (!code) return "";
  return code.done ? DONE[code.feature]?.[language] ?? "" : `${WORDS.refused.en} ${code.reason}`;
}

async function open() {
  $("phone-link").disabled = true;
  try {
    const got = await ask("/v1/claims", { method: "POST", body: {} });
    claim = { id: got.id, until: Date.now() + got.expires_in * 1000 };
    write($("phone-code"), `*${got.code}#`);
    write($("phone-text"), WORDS.key[language]);
    clearInterval(timer);
    timer = setInterval(() => claim && Date.now() > claim.until && forget(WORDS.over[language]), TICK);
    announce(`${WORDS.key[language]} *${got.code}#`);
  } catch (problem) {
    trouble(problem.message);
  }
  $("phone-link").disabled = false;
  showPhone();
}

function forget(text) {
  claim = null;
  clearInterval(timer);
  write($("phone-code"), "");
  write($("phone-text"), text);
  showPhone();
}

function showPhone() {
  $("desk-phone").hidden = !offered;
  $("desk-phone").lang = language;
  $("phone-code").hidden = !claim;
  $("phone-text").hidden = !$("phone-text").textContent;
  write($("phone-link"), WORDS[claim ? "another" : "link"][language]);
}
