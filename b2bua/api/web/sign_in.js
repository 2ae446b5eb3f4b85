// How people sign in: by name, password and the code of an app, at their company's identity provider, or with a token.
//
// Rule 1: a password is in its field alone, and no longer than it is needed there: it goes when it was wrong, when it has
//         opened a session, when the page is left, and after five minutes in which nobody typed.

import { open } from "./api.js";
import { $, announce } from "./page.js";
import { say, waitWords, weakness, words } from "./sign_in_words.js";

const MUST_CHANGE = "urn:tonewall:password-must-change";
const SECRETS = ["password", "new-password", "new-again", "code", "token"];
const FORGET = 300_000; // ms
const SOON = 10; // seconds that a password may wait in its field

let ways = { token: true, password: false, oidc: null };
let choosing = false; // the right password was typed, and must be changed
let asking = false;
let countdown = null;
let forgetting = null;
let onSession = () => {};

/** `session()`: the browser has the cookie of a session now. `withToken(text)`: somebody has typed a token. */
export function buildSignIn(session, withToken) {
  onSession = session;
  $("by-password").addEventListener("submit", (event) => { event.preventDefault(); press(); });
  $("by-password").addEventListener("input", () => { clearTimeout(forgetting); forgetting = setTimeout(restart, FORGET); });
  $("by-token").addEventListener("submit", (event) => {
    event.preventDefault();
    const given = $("token").value.trim();
    given ? withToken(given) : say($("token-error"), "type_token");
  });
  addEventListener("pagehide", restart);
}

/** Ask which ways there are, until there is an answer; whether one of them opens sessions. */
export async function findWays() {
  for (let wait = 1000; ; wait = Math.min(5000, wait * 2)) {
    try {
      ways = await (await open("/sign-in")).json();
      return Boolean(ways.password || ways.oidc);
    } catch (problem) {
      if (problem.status && problem.status < 500) return false; // only tokens, then
      say($("why"), "gone");
      $("sign-in").hidden = false;
      for (const id of ["by-password", "by-oidc", "token-way"]) $(id).hidden = true;
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

/** Show the ways in. `why`: nobody is signed in any more; `method`: how somebody was; `pending`: their session is being ended. */
export function showSignIn(why = "", { method = "", pending = false } = {}) {
  restart();
  say($("why"), why);
  complain("", "name");
  say($("token-error"), "");
  $("sign-in").hidden = false;
  $("by-password").hidden = pending || !ways.password;
  const address = /^\/(?!\/)/.test(ways.oidc ?? "") ? ways.oidc : "";
  $("by-oidc").hidden = pending || !address;
  $("by-oidc").href = address;
  $("company-out").hidden = pending || !address || method !== "oidc" || !why;
  $("company-out").href = `${address}/sign-out`;
  const alone = !ways.password && !address;
  $("token-way").hidden = pending;
  $("token-way").open = alone;
  $("token-summary").hidden = alone;
  if (document.hasFocus() && !pending) (ways.password ? $("name") : alone ? $("token") : $("by-oidc")).focus();
}

export function hideSignIn() {
  restart();
  $("sign-in").hidden = true;
}

/** A token that somebody typed was refused. */
export function refuseToken(why, values) {
  $("token-way").open = true;
  say($("token-error"), why, values);
  $("token").focus();
}

/** Forget what was typed, and begin anew. */
function restart() {
  clearTimeout(forgetting);
  clearInterval(countdown);
  countdown = null;
  for (const id of SECRETS) $(id).value = "";
  choose(false);
  say($("sign-in-wait"), "");
  enable();
}

function choose(yes) {
  choosing = yes;
  $("choose").hidden = !yes;
  $("name").readOnly = yes;
}

function enable() {
  $("sign-in-press").disabled = countdown !== null;
  $("sign-in-press").setAttribute("aria-busy", String(asking));
}

/** Say what is wrong, and go to the field where it is put right. */
function complain(why, field, values) {
  for (const id of ["name", ...SECRETS]) $(id).removeAttribute("aria-invalid");
  say($("sign-in-error"), why, values);
  if (!why) return;
  $(field).setAttribute("aria-invalid", "true");
  $(field).focus();
}

async function press() {
  if (asking || countdown) return;
  say($("why"), "");
  const name = $("name").value.trim();
  if (!name) return complain("type_name", "name");
  if (!$("password").value) return complain("type_password", "password");
  const weak = choosing ? weakness($("new-password").value, $("new-again").value, name, $("password").value) : "";
  if (weak) return complain(weak, weak === "unequal" ? "new-again" : "new-password");
  complain("", "name");
  asking = true;
  enable();
  let fault = null;
  try {
    const code = $("code").value.replace(/\s/g, "");
    const chosen = choosing ? { new_password: $("new-password").value } : {};
    await open("/sign-in", { method: "POST", body: { name, password: $("password").value, code, ...chosen } });
  } catch (problem) {
    fault = problem;
  }
  asking = false;
  enable();
  if (fault) return refuse(fault);
  restart();
  onSession();
}

function refuse({ status, type, message, wait }) {
  if (status === 0) return awaitService();
  if (status === 429) return hold(wait || 1);
  if (status === 409 && type === MUST_CHANGE && choosing) return complain(message, "new-password", { status });
  if (status === 409 && type === MUST_CHANGE) {
    choose(true);
    $("code").value = ""; // its time may be over once they have chosen
    return complain("choose", "new-password");
  }
  if (status === 401 && choosing && $("code").value) {
    $("code").value = "";
    return complain("wrong_code", "code");
  }
  restart();
  if (status === 404) {
    ways.password = false;
    return showSignIn("nobody");
  }
  complain({ 401: "wrong", 409: "needs_app", 422: "wrong" }[status] ?? message, "password", { status });
}

/** Nothing was looked at: the next try has to wait. */
function hold(seconds) {
  const until = Date.now() + seconds * 1000;
  if (seconds > SOON) restart();
  const tick = () => {
    const left = (until - Date.now()) / 1000;
    if (left > 0) return say($("sign-in-wait"), "wait", { time: waitWords(left) });
    clearInterval(countdown);
    countdown = null;
    say($("sign-in-wait"), "waited");
    announce(words("waited"));
    enable();
    if (document.hasFocus()) ($("password").value ? $("sign-in-press") : $("password")).focus();
  };
  countdown = setInterval(tick, 500);
  enable();
  tick();
  announce(words("wait", { time: waitWords(seconds) }));
}

async function awaitService() {
  say($("sign-in-error"), "gone");
  await findWays();
  if ($("sign-in").hidden) return;
  showSignIn("back");
}
