// Payment links: the form beside the card, and the panel of a link that is open, with its QR code.

import { open } from "./api.js";
import { dateOf, say, t } from "./i18n.js";
import { $, announce, icon, make, wipe, write } from "./page.js";
import { handOver, linkState } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
let offer = { offered: null, hand_over: false };
let wanted = false; // the order form asks for a link
let drawn = ""; // the address in the QR code
let said = ""; // what was announced
let redraw = () => {};

/** `given`: what the service offers. */
export function takeOffer(given) { offer = given; }

/** `onChange` when there is something new to show. */
export function buildLinks(onChange) {
  redraw = onChange;
  $("by-link").addEventListener("click", () => { wantLink(true); ($("link-to").hidden ? $("link-open") : $("phone")).focus(); });
  $("link-back").addEventListener("click", () => { wantLink(false); $("by-link").focus(); });
  $("link-copy").addEventListener("click", copy);
}

export function wantLink(yes) {
  wanted = yes;
  if (!yes) $("phone").value = $("email").value = "";
  redraw();
}

export function forgetLinks() {
  wanted = false;
  $("phone").value = $("email").value = "";
  drawn = said = "";
  $("link-url").value = "";
  wipe("link-qr", "link-title", "link-text", "link-hand-over", "link-facts");
}

export const wantsLink = () => wanted;
export const linksOffered = () => offer.offered === true;

/** The order with what is typed beside it; no form is keyed for it. */
export function withRecipient({ form: _, ...order }) {
  const to = {};
  for (const name of ["phone", "email"]) if (offer.hand_over && $(name).value.trim()) to[name] = $(name).value.trim();
  return Object.keys(to).length ? { ...order, to } : order;
}

/** The part of the order form that is about links. */
export function showLinkForm(able) {
  wanted &&= linksOffered();
  $("take").hidden = wanted;
  $("by-link").hidden = wanted || !linksOffered();
  $("by-link").disabled = !able;
  $("link-fields").hidden = !wanted;
  $("link-to").hidden = !offer.hand_over;
  $("link-open").disabled = !able;
}

/** A link that is not over. */
export function showLink(payment, amount, able) {
  const link = payment.link;
  const words = linkState(link, amount);
  icon("link-icon", words.icon);
  write($("link-title"), words.title);
  write($("link-text"), words.text);
  write($("link-hand-over"), handOver(link.hand_over));
  const facts = [[t("fact.your_reference"), payment.order.transaction_id], [t("fact.open_until"), dateOf(link.expires_at)]];
  if ($("link-facts").textContent !== facts.flat().join("")) {
    $("link-facts").replaceChildren(...facts.flatMap(([name, value]) => [make("dt", { text: name }), make("dd", { text: value })]));
  }
  const usable = link.state === "open";
  $("link-address").hidden = !usable;
  if ($("link-url").value !== link.url) $("link-url").value = link.url;
  $("link-qr").hidden = !usable;
  $("link-close").disabled = !able || link.state === "closing";
  say($("link-close"), link.state === "closing" ? "link.closing_short" : "link.close");
  if (usable && drawn !== payment.id + link.url) drawCode(payment);
  const news = [words.title, handOver(link.hand_over)].filter(Boolean).join(". ");
  if (said !== payment.id + news) announce(news);
  said = payment.id + news;
}

// A picture cannot carry the token, and no policy allows one made here: its modules are drawn anew.
async function drawCode(payment) {
  const key = drawn = payment.id + payment.link.url;
  $("link-qr").replaceChildren();
  try {
    const text = await (await open(`/v1/payments/${encodeURIComponent(payment.id)}/link/qr.svg`)).text();
    const box = /viewBox="([\d ]+)"/.exec(text)?.[1];
    const path = /<path[^>]*stroke="[^"]*"[^>]* d="([^"]+)"/.exec(text)?.[1];
    if (drawn !== key || !box || !path) return;
    const svg = document.createElementNS(SVG, "svg");
    const modules = document.createElementNS(SVG, "path");
    for (const [name, value] of Object.entries({ viewBox: box, role: "img", "aria-label": t("link.qr") })) svg.setAttribute(name, value);
    modules.setAttribute("d", path);
    svg.append(modules);
    $("link-qr").replaceChildren(svg);
  } catch {
    if (drawn === key) drawn = "";
  }
}

async function copy() {
  const field = $("link-url");
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    announce(t("link.copied"));
    say($("link-copy"), "link.copied_short");
    setTimeout(() => say($("link-copy"), "link.copy"), 2000);
  } catch {
    announce(t("link.selected"));
  }
}
