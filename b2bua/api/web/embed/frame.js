// The page /embed: the element in a frame, which hears the page around it and speaks to it.
//
// Rule 1: only the page right around this one is heard, and only where its origin is one of those that sip.conf names.
// Rule 2: what is said goes to that origin alone.

import "./tonewall-payment.js";

const NAMES = ["call", "order", "amount", "currency", "locale", "form"];
const EVENTS = ["ready", "change", "complete", "error"];
const form = document.querySelector("tonewall-payment");
const named = document.querySelector("meta[name=origins]").content.split(" ").filter(Boolean);
const isFramed = window.parent !== window;
let around = location.ancestorOrigins ? named.filter((each) => each === location.ancestorOrigins[0]) : named;

function take(values) {
  for (const name of NAMES) {
    if (typeof values[name] === "string") form.setAttribute(name, values[name]);
    if (values[name] === null) form.removeAttribute(name);
  }
  if (typeof values.token === "string") form.token = values.token;
}

/** From the fragment of the address, which no server sees. The token does not stay in it. */
function takeFragment() {
  const given = new URLSearchParams(location.hash.slice(1));
  take(Object.fromEntries(given));
  if (!given.has("token")) return;
  given.delete("token");
  history.replaceState(null, "", `${location.pathname}#${given}`);
}

function tell(message) {
  if (isFramed) for (const origin of around) window.parent.postMessage(message, origin);
}

addEventListener("message", ({ source, origin, data }) => {
  if (!isFramed || source !== window.parent || !named.includes(origin) || data?.tonewall !== "set") return;
  around = [origin];
  take(data);
});
addEventListener("hashchange", takeFragment);
for (const name of EVENTS) form.addEventListener(name, ({ detail }) => tell({ tonewall: name, detail }));
new ResizeObserver(() => tell({ tonewall: "resize", height: document.documentElement.offsetHeight })).observe(document.documentElement);
takeFragment();
tell({ tonewall: "listening" });
