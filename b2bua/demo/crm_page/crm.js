// The page of the CRM: asks its own server for a token, gives it to the form, and shows its events.

const form = document.querySelector("tonewall-payment");
const take = document.querySelector("#take");
const state = document.querySelector("#state");
const hint = document.querySelector("#hint");
const log = document.querySelector("#log");

const SAYS = {
  approved: "paid",
  partially_approved: "paid in part",
  declined: "open: the card was declined",
  failed: "open: the payment failed",
  unknown: "to be checked: do not charge again",
  cancelled: "open: the payment was cancelled",
  aborted: "open: the payment was broken off",
};

// A token ends after minutes: the form asks for another by its event "error".
async function giveToken() {
  const answer = await fetch("/token", { method: "POST" });
  const given = await answer.json();
  if (!answer.ok) {
    hint.textContent = given.error;
    return false;
  }
  form.setAttribute("call", given.call);
  form.token = given.token;
  return true;
}

take.addEventListener("click", async () => {
  take.disabled = true;
  if (await giveToken()) {
    hint.hidden = true;
    form.hidden = false;
  } else {
    take.disabled = false;
  }
});

for (const name of ["ready", "change", "complete", "error"]) {
  form.addEventListener(name, ({ detail }) => {
    const line = document.createElement("li");
    line.textContent = `${name} ${JSON.stringify(detail)}`;
    log.prepend(line);
    while (log.children.length > 5) log.lastChild.remove();
  });
}

// Shows the outcome. What is shipped or booked waits for the webhook, which no browser can forge.
form.addEventListener("complete", ({ detail }) => {
  state.textContent = SAYS[detail.outcome] ?? detail.outcome;
});

form.addEventListener("error", ({ detail }) => {
  if (detail.code === "token") giveToken();
});
