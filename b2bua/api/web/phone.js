// The agent's own telephone: a short code that links its call to this page, and what became of the codes that it keyed.
//
// Rule 1: keying the code in a call says whose call it is, as choosing it on the page does.

import { ask } from "./api.js";
import { foreign, has, plain, say, t, tell } from "./i18n.js";
import { $, announce, write } from "./page.js";

const TICK = 1000; // ms

let offered = false;
let claim = null; // { id, until }: what this page waits for
let timer = null;
let trouble = () => {};

/** `onTrouble(problem)`: a code could not be had. */
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
  tell($("phone-said"), said);
}

/** The news of a call's telephone, for who does not look. */
export function announcePhone(before, view) {
  if (view.feature_code && view.feature_code.count !== before?.feature_code?.count) announce(plain(sentence(view.feature_code)));
}

function sentence(code) {
  if (!code) return "";
  const done = `phone.done.${code.feature}`;
  if (code.done) return has(done) ? t(done) : "";
  return [t("phone.refused"), foreign(code.reason)];
}

async function open() {
  $("phone-link").disabled = true;
  try {
    const got = await ask("/v1/claims", { method: "POST", body: {} });
    claim = { id: got.id, until: Date.now() + got.expires_in * 1000 };
    write($("phone-code"), `*${got.code}#`);
    say($("phone-text"), "phone.key");
    clearInterval(timer);
    timer = setInterval(() => claim && Date.now() > claim.until && forget("phone.over"), TICK);
    announce(`${t("phone.key")} *${got.code}#`);
  } catch (problem) {
    trouble(problem);
  }
  $("phone-link").disabled = false;
  showPhone();
}

function forget(name) {
  claim = null;
  clearInterval(timer);
  write($("phone-code"), "");
  say($("phone-text"), name);
  showPhone();
}

function showPhone() {
  $("desk-phone").hidden = !offered;
  $("phone-code").hidden = !claim;
  $("phone-text").hidden = !$("phone-text").textContent;
  say($("phone-link"), claim ? "phone.another" : "phone.link");
}
