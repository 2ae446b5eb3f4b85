// What the page says: every sentence for the agent, and every sentence for the agent to say, in one place.

import { fieldReason, labelOf, wordsOf } from "./field_words.js";
import { clearKey, usualLength } from "./form.js";
import { deliveryResult, sayUnpaid } from "./purpose.js";
import { explain, language, said } from "./reasons.js";

const FINAL = new Set(["finished", "cancelled", "aborted"]);
const BRANDS = {
  visa: "Visa", mastercard: "Mastercard", amex: "American Express", american_express: "American Express", discover: "Discover",
  diners: "Diners Club", diners_club: "Diners Club", other: "", jcb: "JCB", maestro: "Maestro", unionpay: "UnionPay",
};

export const isFinal = (capture) => FINAL.has(capture.stage);
export const brandName = (brand) => BRANDS[brand?.toLowerCase()] ?? brand ?? "";

/** Since when, by the clock of whoever reads it; "" where it is not known. */
function maskedSince(call) {
  if (!call.masked_since) return "";
  const time = new Date(call.masked_since).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return ` Protected since ${time}.`;
}

/** What came before the agent, where the customer keyed without one; "" where nothing did. */
function withoutAgent(call) {
  if (!call.unattended) return "";
  if (!["done", "over"].includes(call.unattended.step)) return " The customer keys without an agent.";
  return call.unattended.detail ? ` Without an agent before: ${call.unattended.detail}` : " The customer paid without an agent.";
}

/** The big banner: how safe the line is at this moment, and what came before the agent. */
export function banner(call, capture) {
  const line = lineBanner(call, capture);
  return { ...line, text: `${line.text}${withoutAgent(call)}`.trim() };
}

function lineBanner(call, capture) {
  if (call.state === "ended" && capture?.stage === "charging") {
    return { tone: "wait", icon: "wait", title: "The customer has hung up; the charge goes on", text: "Hanging up does not call it back. The outcome comes here." };
  }
  if (call.state === "ended") return { tone: "calm", icon: "phone", title: "The call has ended", text: "" };
  if (call.state === "ringing") return { tone: "calm", icon: "phone", title: "Ringing", text: "The call has not been answered yet." };
  const running = capture && !isFinal(capture) && !capture.link;
  if (announced(call) && !call.masked_since) {
    return { tone: "wait", icon: "wait", title: "Securing the line", text: "One moment: the customer must not key anything yet." };
  }
  if (running && capture.stage === "starting") {
    return { tone: "wait", icon: "wait", title: "Securing the line", text: "One moment: the customer must not key anything yet." };
  }
  if (call.masked && call.still_keying) {
    return { tone: "wait", icon: "warn", title: "The customer is still keying; nothing reaches you", text: "Ask them to stop." };
  }
  if (running && call.line_fault) {
    const from = call.line_fault.address ? ` (${call.line_fault.packets} packets from ${call.line_fault.address})` : "";
    return { tone: "bad", icon: "warn", title: "The customer's phone is not heard", text: `No key can arrive. ${call.line_fault.detail}${from}` };
  }
  if (announced(call)) {
    return { tone: "safe", icon: "shield", title: "The line is protected before the payment", text: `What the customer keys now reaches nobody and does not count.${dropped(call)}${maskedSince(call)}` };
  }
  if (call.mask === "held") {
    return { tone: "safe", icon: "shield", title: "The line is still protected", text: "The digits do not reach you until you open the line." };
  }
  if (call.masked && running && capture.unheard) {
    return { tone: "wait", icon: "warn", title: "No key has come from this phone yet", text: "Ask the customer to press any key of the card number and watch for a dot. Some phones send no keys: then another phone, or another way to pay, helps." };
  }
  if (call.masked) {
    return { tone: "safe", icon: "shield", title: "You hear the customer; the digits do not reach you", text: `You can keep talking.${maskedSince(call)}` };
  }
  if (running && capture.stage !== "charging") {
    return { tone: "bad", icon: "warn", title: "The line is not protected", text: "Ask the customer to stop keying, and cancel." };
  }
  const text = capture && isFinal(capture) ? "Key presses reach you again." : "Key presses reach you. Do not ask for card details yet.";
  return { tone: "calm", icon: "phone", title: "Normal call", text };
}

/** Whether the line is protected for a payment that has not begun. */
const announced = (call) => call.mask === "on" && call.announced_by != null;

function dropped(call) {
  if (!call.keys_dropped) return "";
  return call.keys_dropped === 1 ? " One key was thrown away." : ` ${call.keys_dropped} keys were thrown away.`;
}

/** Whether the agent may protect the line before a payment. `capture`: the one that is shown. */
export function protectable(call, capture) {
  return call.state === "up" && call.mask === "off" && (!capture || isFinal(capture));
}

/** The announced payment of a call, as far as its agent matters; null where there is none. */
export const announcement = (call) => (call.masked && call.announced_by != null ? { id: `announced ${call.id}`, agent: call.announced_by, announced: true } : null);

export const announcedWords = (agent) => `The line was protected by ${agent}.`;

/** The line after a payment, while the agent may open it: what a button leads to; null where there is none. */
export function protection(call) {
  if (call.state !== "up") return null;
  if (announced(call)) return { text: "Start the payment now, or open the line.", able: !call.still_keying };
  if (call.mask !== "held" && call.mask !== "releasing") return null;
  if (call.still_keying) return { text: "Wait until the customer has stopped keying, then open the line.", able: false };
  if (call.mask === "releasing") return { text: "The line opens in a moment, unless the customer keys again.", able: false };
  return { text: "Until a payment is approved the customer may go on keying. Open the line when they have stopped.", able: true };
}

/** What to say to the customer now, and a hint for the agent. `approved`: what was approved of `amount`, where that is less. */
export function say(call, capture, amount, approved) {
  if (!capture || call.state === "ended") return null;
  const unpaid = sayUnpaid(capture);
  if (unpaid) return unpaid;
  const card = [brandName(capture.brand), capture.last_four && `ending in ${capture.last_four}`].filter(Boolean).join(" ");
  switch (capture.stage) {
    case "starting":
      return { text: "One moment, please. I am securing the line." };
    case "collecting": {
      const now = capture.fields.find((progress) => progress.field === capture.field);
      const again = now && now.rejected > 0 && now.count === 0;
      const hint = { "*": "A slip? The star key (*) clears the field.", "#": "A slip? The hash key (#) clears the field." }[clearKey()] ?? "A slip? Ask for the field again.";
      if (!capture.field) return null;
      const words = wordsOf(capture.field);
      const digits = usualLength(capture.field, capture.brand, capture.order.country);
      return { text: again ? words.again(digits) : words.ask(digits), hint };
    }
    case "ready":
      return { text: `Thank you. Shall I charge ${amount}${card ? ` to your ${card}` : ""} now?`, hint: "Charge only when the customer agrees." };
    case "charging":
      return { text: "One moment, please. The bank is answering." };
    case "linked":
      if (capture.link.state !== "open") return null;
      return { text: `You get a link. Please open it and pay ${amount} there.`, hint: "Nobody on the telephone needs the card." };
    case "finished":
      if (capture.link && capture.outcome?.type === "failed") return { text: "The link is closed, and nothing was charged. How would you like to pay?" };
      switch (capture.outcome?.type) {
        case "approved": return { text: capture.order.operation === "verify" ? "Thank you. Your card was checked." : `Thank you. Your payment of ${amount} went through.` };
        case "partially_approved": return { text: `Your bank allowed ${approved} of ${amount} only. How would you like to pay the rest?` };
        case "declined": return { text: "Your bank did not accept this card, and nothing was charged. Would you like to use another one?" };
        case "failed": return { text: "That did not go through, and nothing was charged. Shall we try again?" };
        default: return { text: "The bank has not confirmed the payment yet. Please do not pay again; we check it and come back to you." };
      }
    default:
      return null;
  }
}

/** What the button beside a field says, and what a screen reader says of it. `now`: it is being keyed. */
export function askWords(progress, now) {
  const name = labelOf(progress.field).toLowerCase();
  if (now && progress.kept) return ["Keep the earlier", `Keep the earlier ${name}`];
  if (!progress.skipped && (progress.complete || progress.count > 0)) return ["Ask again", `Ask again: ${name}`];
  return ["Ask now", `Ask now: ${name}`];
}

/** One field's state, in a few words. */
export function fieldState(progress, capture) {
  if (progress.skipped) return "Skipped";
  if (progress.complete) return progress.ignored && progress.reason ? "Complete; a key that followed was ignored" : "Complete";
  const now = capture.stage === "collecting" && capture.field === progress.field;
  if (now && progress.reason && progress.count === 0) return fieldReason(progress.reason) ?? "Not valid, to be keyed again";
  if (now && progress.rejected > 0 && progress.count === 0) return "Not valid, to be keyed again";
  if (now && progress.kept) return progress.count ? "Being keyed again; the earlier one counts until then" : "Asked again; the earlier one counts until then";
  if (now) return progress.count ? "Being keyed" : "Waiting for the customer";
  return "";
}

/** The card that the newest payment of a call has saved, in words; "" where it saved none. */
export function savedCard(call) {
  const { outcome, brand, last_four: last } = call.capture ?? {};
  return outcome?.token ? `the saved ${[brandName(brand), last && `•••• ${last}`].filter(Boolean).join(" ") || "card"}` : "";
}

/** What an approval means, by what was asked of the bank. */
function approvedAs(order, amount) {
  if (order.operation === "verify") return ["Card verified", "The bank says that the card is good. Nothing was charged."];
  if (order.operation === "authorise") return [`${amount} reserved`, "The money is reserved on the card. It is taken when you capture it."];
  return [`${amount} paid`, "The payment was approved."];
}

const LATER = { capture: "Capture", refund: "Refund", void: "Void" };

/** One thing that was done about a payment, in a line. `amount`: of it. */
export function laterState(each, amount) {
  const what = `${LATER[each.kind]} of ${amount}`;
  const reason = each.outcome?.reason;
  switch (each.outcome?.type) {
    case undefined: return { text: `${what}: under way`, lang: "en" };
    case "approved": return { text: `${what}: done`, lang: "en" };
    case "accepted": return { text: `${what}: on its way at the provider`, lang: "en" };
    case "declined": case "failed": return { text: `${what}: not done. ${said(reason)}`, lang: language };
    default: return { text: `${what}: not known. Have it checked with the payment provider. ${said(reason)}`, lang: language };
  }
}

/** A payment link that is not over, in words. */
export function linkState(link, amount) {
  switch (link.state) {
    case "opening": return { icon: "wait", title: "Opening the link…", text: "The payment provider is asked for it." };
    case "closing": return { icon: "wait", title: "Closing the link…", text: "The provider says whether it was paid before." };
    default:
      if (Date.parse(link.expires_at) < Date.now()) return { icon: "wait", title: "The link has expired", text: "The provider says whether it was paid before." };
      return { icon: "wait", title: `Waiting for ${amount}`, text: "The customer pays by the link. You see here when it is paid." };
  }
}

/** How a link reached the service that sends it; "" where there is none. */
export function handOver(given) {
  switch (given?.state) {
    case "waiting": return "The link is on its way to your SMS and e-mail service.";
    case "delivered": return "Your SMS and e-mail service has the link.";
    case "failing": return `Your SMS and e-mail service does not take the link (${given.reason}). It is tried again; copy the link meanwhile.`;
    case "given_up": return `Your SMS and e-mail service did not take the link (${given.reason}).`;
    default: return "";
  }
}

/** The panel at the end: what came of it, and whether it may be tried again. `approved`: as in `say`. `lang` of the text,
 *  and of a fact as its third part, where that is not the page's. */
export function result(capture, amount, approved) {
  const delivered = deliveryResult(capture);
  if (delivered) return delivered;
  const order = capture.order;
  const card = [brandName(capture.brand), capture.last_four && `•••• ${capture.last_four}`].filter(Boolean).join(" ");
  const own = [["Payment", `${amount}, ${order.transaction_id}`], ["Card", card]];
  const unknown = {
    tone: "warn", icon: "warn", title: "Do not try again",
    text: "It is not known whether the customer was charged. Have it checked with the payment provider, under the transaction below, first.",
    facts: own,
  };
  if (capture.stage === "cancelled") {
    return { tone: "", icon: "stop", title: "Cancelled", text: "Nothing was charged. What was keyed is wiped.", facts: [], again: "Start again" };
  }
  if (capture.stage === "aborted") {
    if (capture.seen === "charging" || capture.outcome?.type === "unknown") return { ...unknown, facts: [...own, ["Reason", capture.reason]] };
    const why = capture.reason ? sentence(capture.reason) : "The payment ended before it was complete.";
    if (!capture.seen) return { tone: "bad", icon: "stop", title: "Stopped", text: why, facts: own };
    return { tone: "bad", icon: "stop", title: "Stopped", text: `${why} What was keyed is wiped.`, facts: [], again: "Start again" };
  }
  if (capture.stage === "charging") return { tone: "warn", icon: "wait", title: "Charging…", text: "The bank is answering.", facts: own };
  const outcome = capture.outcome;
  if (outcome?.type === "failed" && ["closed", "expired"].includes(capture.link?.state)) {
    const ended = capture.link.state === "closed" ? "Link closed" : "Link expired";
    return { tone: "bad", icon: "stop", title: ended, text: "Nobody paid by it. Nothing was charged.", facts: own, again: "Start again" };
  }
  const [title, what] = approvedAs(order, amount);
  switch (outcome?.type) {
    case "approved":
      return {
        tone: "good", icon: "good", title, text: what,
        facts: [["Your reference", order.transaction_id], ["Card", card], ["Provider's reference", outcome.reference], ["Token", outcome.token], ["Authorisation", outcome.authorisation_code]],
      };
    case "partially_approved":
      return {
        tone: "warn", icon: "warn", title: `Only ${approved} paid`,
        text: `The bank approved ${approved} of ${amount}. The rest is still to be paid, under a reference of its own.`,
        facts: [["Your reference", capture.order.transaction_id], ["Asked for", amount], ["Card", card], ["Provider's reference", outcome.reference], ["Token", outcome.token], ["Authorisation", outcome.authorisation_code]],
      };
    case "declined": {
      const known = explain(outcome.reason);
      const text = known || `${sentence(outcome.message || "The bank said no.")} Nothing was charged.`;
      const charged = known && !known.includes(explain("nothing_charged")) ? ` ${explain("nothing_charged")}` : "";
      return {
        tone: "bad", icon: "stop", title: "Declined", text: text + charged, lang: known ? language : "en",
        facts: [
          ["Reason", outcome.reason], ["Provider's code", outcome.code], ["Provider says", known ? outcome.message : ""], ["Card", card],
          ["Provider's reference", outcome.reference],
        ],
        again: "Try another card",
      };
    }
    case "failed":
      return {
        tone: "bad", icon: "stop", title: "Not charged", text: "The payment could not be made. It is safe to try again.",
        facts: [["Reason", said(outcome.reason), language], ["Provider's code", outcome.code], ["Card", card]], again: "Try again",
      };
    default:
      return { ...unknown, facts: [...own, ["Reason", said(outcome?.reason), language]] };
  }
}

function sentence(text) {
  const plain = text.trim();
  return plain.charAt(0).toUpperCase() + plain.slice(1) + (/[.!?]$/.test(plain) ? "" : ".");
}

/** What an agent reads of the service's faults: null where none keeps cards from being charged. */
export function unfit(faults) {
  const fault = faults.find((one) => one.stops === "calls" || one.stops === "payments");
  return fault ? { title: "Do not take a card now.", text: `${fault.says} Tell your administrator.` } : null;
}

/** Whose call it is: the agent's side of it. */
export const extension = (call) => (call.direction === "outbound" ? call.caller : call.callee) || "unknown extension";

/** Who started a payment, and who drives it now, for the agent `me`. */
export function owner(capture, me) {
  const name = (agent) => (agent === me ? "you" : agent);
  if (!capture.started_by) return "";
  const now = capture.agent === capture.started_by ? "" : ` Taken over by ${name(capture.agent)}.`;
  return `Payment started by ${name(capture.started_by)}.${now}`;
}

/** The order was charged already, or may have been. `amount`: of the newest of the payments. */
export function repeated(problem, amount) {
  const newest = problem.payments[0];
  const outcome = newest.outcome?.type ?? (newest.link ? "linked" : "charging");
  const what = {
    approved: "approved", partially_approved: "approved in part", unknown: "not known", charging: "being charged", linked: "link open",
  }[outcome] ?? outcome;
  const titles = { unknown: "Perhaps charged already", charging: "Being charged now", linked: "A payment link is open" };
  return {
    title: titles[outcome] ?? "Charged already",
    text: problem.message,
    facts: [
      ["Your reference", newest.order.transaction_id], ["Amount", amount], ["Outcome", what],
      ["When", newest.submitted_at ? new Date(newest.submitted_at).toLocaleString() : ""], ["By", newest.started_by],
      ["Provider's reference", newest.outcome?.reference],
    ],
    again: outcome === "charging" || outcome === "linked" ? "" : "Charge it again: the customer pays once more",
  };
}

/** The customer of a call: the carrier's side of it. */
export const customer = (call) => (call.direction === "outbound" ? call.callee : call.caller) || "Number withheld";

/** What a screen reader says of a change; "" where there is nothing new, or the panel at the end says it. */
export function news(before, view) {
  const capture = view.capture;
  if (announced(view) && view.masked_since && !(before && announced(before) && before.masked_since)) return `${banner(view, capture).title}.`;
  if (view.still_keying && !before?.still_keying) return `${banner(view, capture).title}. Ask them to stop.`;
  if (before?.masked && !view.masked && capture && isFinal(capture)) return "The line is open. Key presses reach you again.";
  if (!capture || isFinal(capture)) return "";
  const earlier = before?.capture?.id === capture.id ? before.capture : null;
  if (earlier?.stage !== capture.stage) {
    const words = { ready: "All fields are complete.", charging: "Charging.", collecting: "The customer may key now." };
    return [words[capture.stage], banner(view, capture).title].filter(Boolean).join(" ");
  }
  for (const progress of capture.fields) {
    const old = earlier.fields.find((one) => one.field === progress.field);
    if (progress.complete && !old?.complete) return `${labelOf(progress.field)} complete.`;
    if (progress.rejected > (old?.rejected ?? 0)) return `${labelOf(progress.field)} not valid, to be keyed again.`;
  }
  return "";
}
