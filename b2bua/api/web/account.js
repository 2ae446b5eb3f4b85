// Who is signed in, and what they may do about that: sign out, here or everywhere, and change their password.

import { open, token } from "./api.js";
import { $, announce, write } from "./page.js";
import { tellTabs } from "./presence.js";
import { showSignIn } from "./sign_in.js";
import { roleWords, say, waitWords, weakness, words } from "./sign_in_words.js";

const SECRETS = ["so-far", "next-password", "next-again"];
let me = { agent: "", method: "" };
let onLeave = () => {};

/** `leave(why, options)`: clear the page, and show the ways in. */
export function buildAccount(leave) {
  onLeave = leave;
  $("sign-out").addEventListener("click", () => signOut("/sign-out", "signed_out"));
  $("sign-out-everywhere").addEventListener("click", () => signOut("/sign-out-everywhere", "signed_out_everywhere"));
  $("change-password").addEventListener("click", openChange);
  $("change-cancel").addEventListener("click", () => $("change").close());
  $("change").addEventListener("close", empty);
  $("change-form").addEventListener("submit", (event) => { event.preventDefault(); change(); });
  $("account").addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !$("account").open) return;
    $("account").open = false;
    $("account").querySelector("summary").focus();
  });
  addEventListener("click", ({ target }) => { if (!$("account").contains(target)) $("account").open = false; });
  addEventListener("pagehide", empty);
}

export function showAccount(known) {
  me = known;
  write($("who"), me.agent);
  const roles = roleWords(me.roles ?? []);
  write($("roles"), roles);
  write($("all-roles"), roles);
  $("account").hidden = false;
  $("to-supervisor").hidden = !me.roles?.includes("supervisor");
  $("sign-out-everywhere").hidden = Boolean(token.get());
  $("change-password").hidden = me.method !== "password";
}

export function hideAccount() {
  for (const id of ["who", "roles", "all-roles"]) write($(id), "");
  $("account").open = false;
  $("account").hidden = true;
  if ($("change").open) $("change").close();
}

/** End the session at the service, and say so only once it is over. */
async function signOut(path, why) {
  if (token.get()) return onLeave("");
  const { method } = me;
  onLeave("", { pending: true });
  tellTabs();
  for (let wait = 500; ; wait = Math.min(5000, wait * 2)) {
    try {
      await open(path, { method: "POST" });
      return showSignIn(why, { method });
    } catch (problem) {
      if (problem.status === 401) return showSignIn(why, { method });
      if (problem.status && problem.status < 500) return showSignIn("not_ended", { method });
      say($("why"), "leaving");
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

function openChange() {
  $("account").open = false;
  $("change-name").value = me.agent;
  $("change").showModal();
}

function empty() {
  for (const id of SECRETS) $(id).value = "";
  complain("", "so-far");
}

function complain(why, field, values) {
  for (const id of SECRETS) $(id).removeAttribute("aria-invalid");
  say($("change-error"), why, values);
  if (!why) return;
  $(field).setAttribute("aria-invalid", "true");
  $(field).focus();
}

async function change() {
  const [before, next] = [$("so-far"), $("next-password")];
  if (!before.value) return complain("type_password", "so-far");
  const weak = weakness(next.value, $("next-again").value, me.agent, before.value);
  if (weak) return complain(weak, weak === "unequal" ? "next-again" : "next-password");
  complain("", "so-far");
  $("change-press").disabled = true;
  let fault = null;
  try {
    await open("/v1/me/password", { method: "POST", body: { password: before.value, new_password: next.value } });
  } catch (problem) {
    fault = problem;
  }
  $("change-press").disabled = false;
  if (!fault) {
    tellTabs();
    announce(words("changed"));
    return onLeave("changed");
  }
  if (fault.status === 429) return complain("wait", "so-far", { time: waitWords(fault.wait || 1) });
  if (fault.status === 409 && fault.type.startsWith("urn:")) return complain(fault.message, "next-password", fault);
  if (fault.status === 409) before.value = "";
  if (fault.status !== 401) complain(fault.status === 409 ? "wrong_so_far" : fault.message, "so-far", fault);
}
