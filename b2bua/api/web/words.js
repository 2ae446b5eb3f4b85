// What the page says of a call and its payment: which sentence fits the moment. The sentences are in messages/.

import { fieldReason, labelOf, wordsOf } from "./field_words.js";
import { clearKey, usualLength } from "./form.js";
import { dateOf, foreign, has, plain, t, timeOf, within } from "./i18n.js";
import { deliveryResult, sayUnpaid } from "./purpose.js";
import { explain, said } from "./reasons.js";

const FINAL = new Set(["finished", "cancelled", "aborted"]);
const BRANDS = {
  visa: "Visa", mastercard: "Mastercard", amex: "American Express", american_express: "American Express", discover: "Discover",
  diners: "Diners Club", diners_club: "Diners Club", other: "", jcb: "JCB", maestro: "Maestro", unionpay: "UnionPay",
};

export const isFinal = (capture) => FINAL.has(capture.stage);
export const brandName = (brand) => BRANDS[brand?.toLowerCase()] ?? brand ?? "";

/** Since when, by the clock of whoever reads it; "" where it is not known. */
const maskedSince = (call) => (call.masked_since ? t("banner.protected_since", { time: timeOf(call.masked_since) }) : "");

/** What came before the agent, where the customer keyed without one; nothing where nothing did. */
function withoutAgent(call) {
  if (!call.unattended) return [];
  if (!["done", "over"].includes(call.unattended.step)) return [t("banner.keys_alone")];
  return call.unattended.detail ? [t("banner.before_alone"), foreign(call.unattended.detail)] : [t("banner.paid_alone")];
}

/** The big banner: how safe the line is at this moment, and what came before the agent. `text`: for `tell`. */
export function banner(call, capture) {
  const [tone, icon, name, ...text] = lineBanner(call, capture);
  return { tone, icon, title: t(`banner.${name}`), text: [...text, ...withoutAgent(call)] };
}

/** Tone, icon, the name of the title, and sentences below it. */
function lineBanner(call, capture) {
  if (call.state === "ended" && capture?.stage === "charging") return ["wait", "wait", "charge_goes_on", t("banner.charge_goes_on_text")];
  if (call.state === "ended") return ["calm", "phone", "ended"];
  if (call.state === "ringing") return ["calm", "phone", "ringing", t("banner.ringing_text")];
  const running = capture && !isFinal(capture) && !capture.link;
  const securing = (announced(call) && !call.masked_since) || (running && capture.stage === "starting");
  if (securing) return ["wait", "wait", "securing", t("banner.securing_text")];
  if (call.masked && call.still_keying) return ["wait", "warn", "still_keying", t("banner.ask_to_stop")];
  if (running && call.line_fault) {
    const { address, packets: count, detail } = call.line_fault;
    return ["bad", "warn", "not_heard", t("banner.no_key"), foreign(detail), address ? t("banner.packets", { count, address }) : ""];
  }
  if (announced(call)) {
    const count = call.keys_dropped;
    return ["safe", "shield", "before_payment", t("banner.before_payment_text"), count ? t("banner.dropped", { count }) : "", maskedSince(call)];
  }
  if (call.mask === "held") return ["safe", "shield", "still_protected", t("banner.still_protected_text")];
  if (call.masked && running && capture.unheard) return ["wait", "warn", "unheard", t("banner.unheard_text")];
  if (call.masked) return ["safe", "shield", "protected", t("banner.keep_talking"), maskedSince(call)];
  if (running && capture.stage !== "charging") return ["bad", "warn", "open", t("banner.open_text")];
  return ["calm", "phone", "normal", t(capture && isFinal(capture) ? "banner.keys_again" : "banner.keys_reach")];
}

/** Whether the line is protected for a payment that has not begun. */
const announced = (call) => call.mask === "on" && call.announced_by != null;

/** Whether the agent may protect the line before a payment. `capture`: the one that is shown. */
export function protectable(call, capture) {
  return call.state === "up" && call.mask === "off" && (!capture || isFinal(capture));
}

/** The announced payment of a call, as far as its agent matters; null where there is none. */
export const announcement = (call) => (call.masked && call.announced_by != null ? { id: `announced ${call.id}`, agent: call.announced_by, announced: true } : null);

export const announcedWords = (agent) => t("owner.protected_by", { agent });

/** The line after a payment, while the agent may open it: what a button leads to; null where there is none. */
export function protection(call) {
  if (call.state !== "up") return null;
  if (announced(call)) return { text: t("protection.announced"), able: !call.still_keying };
  if (call.mask !== "held" && call.mask !== "releasing") return null;
  if (call.still_keying) return { text: t("protection.keying"), able: false };
  if (call.mask === "releasing") return { text: t("protection.releasing"), able: false };
  return { text: t("protection.held"), able: true };
}

/** A card as it is spoken of: its brand and how it ends; "" where neither is known. */
function spokenCard(capture) {
  const card = brandName(capture.brand), digits = capture.last_four;
  if (!digits) return card;
  return card ? t("keying.ending", { card, digits }) : t("keying.ending_alone", { digits });
}

/** What to say to the customer now, and a hint for the agent. `approved`: what was approved of `amount`, where that is less. */
export function say(call, capture, amount, approved) {
  if (!capture || call.state === "ended") return null;
  const unpaid = sayUnpaid(capture);
  if (unpaid) return unpaid;
  switch (capture.stage) {
    case "starting":
      return { text: t("say.starting") };
    case "collecting": {
      const now = capture.fields.find((progress) => progress.field === capture.field);
      const again = now && now.rejected > 0 && now.count === 0;
      const hint = t({ "*": "ask.slip_star", "#": "ask.slip_hash" }[clearKey()] ?? "ask.slip");
      if (!capture.field) return null;
      const words = wordsOf(capture.field);
      const digits = usualLength(capture.field, capture.brand, capture.order.country);
      return { text: again ? words.again(digits) : words.ask(digits), hint };
    }
    case "ready": {
      const card = spokenCard(capture);
      return { text: t(card ? "say.ready_card" : "say.ready", { amount, card }), hint: t("say.ready_hint") };
    }
    case "charging":
      return { text: t("say.charging") };
    case "linked":
      return capture.link.state === "open" ? { text: t("say.link", { amount }), hint: t("say.link_hint") } : null;
    case "finished":
      if (capture.link && capture.outcome?.type === "failed") return { text: t("say.link_closed") };
      switch (capture.outcome?.type) {
        case "approved": return { text: t(capture.order.operation === "verify" ? "say.checked" : "say.approved", { amount }) };
        case "partially_approved": return { text: t("say.partially_approved", { approved, amount }) };
        case "declined": return { text: t("say.declined") };
        case "failed": return { text: t("say.failed") };
        default: return { text: t("say.unknown") };
      }
    default:
      return null;
  }
}

/** What the button beside a field says, and what a screen reader says of it. `now`: it is being keyed. */
export function askWords(progress, now) {
  const field = within(labelOf(progress.field));
  const both = (name) => [t(`keying.${name}`), t(`keying.${name}_of`, { field })];
  if (now && progress.kept) return both("keep");
  return both(!progress.skipped && (progress.complete || progress.count > 0) ? "ask_again" : "ask_now");
}

/** One field's state, in a few words. */
export function fieldState(progress, capture) {
  if (progress.skipped) return t("keying.skipped");
  if (progress.complete) return t(progress.ignored && progress.reason ? "keying.complete_ignored" : "keying.complete");
  if (capture.stage !== "collecting" || capture.field !== progress.field) return "";
  if (progress.reason && progress.count === 0) return fieldReason(progress.reason);
  if (progress.rejected > 0 && progress.count === 0) return t("keying.wrong");
  if (progress.kept) return t(progress.count ? "keying.keyed_again" : "keying.asked_again");
  return t(progress.count ? "keying.being_keyed" : "keying.waiting");
}

const dottedCard = ({ brand, last_four: last }) => [brandName(brand), last && `•••• ${last}`].filter(Boolean).join(" ");

/** The card that the newest payment of a call has saved, in words; "" where it saved none. */
export function savedCard(call) {
  const capture = call.capture ?? {};
  return capture.outcome?.token ? t("order.saved_card", { card: dottedCard(capture) || t("order.card") }) : "";
}

/** The name of what an approval means, by what was asked of the bank. */
const APPROVED_AS = { verify: "verified", authorise: "reserved" };

/** One thing that was done about a payment, in a line. `amount`: of it. */
export function laterState(each, amount) {
  const what = t(`later.${each.kind}_of`, { amount });
  const reason = plain(said(each.outcome?.reason));
  switch (each.outcome?.type) {
    case undefined: return t("later.under_way", { what });
    case "approved": return t("later.done", { what });
    case "accepted": return t("later.accepted", { what });
    case "declined": case "failed": return t("later.not_done", { what, reason });
    default: return t("later.unknown", { what, reason });
  }
}

/** A payment link that is not over, in words. */
export function linkState(link, amount) {
  const words = (name, text) => ({ icon: "wait", title: t(`link.${name}`, { amount }), text: t(`link.${text}`) });
  if (link.state === "opening") return words("opening", "opening_text");
  if (link.state === "closing") return words("closing", "paid_before");
  return Date.parse(link.expires_at) < Date.now() ? words("expired", "paid_before") : words("waiting", "waiting_text");
}

/** How a link reached the service that sends it; "" where there is none. */
export function handOver(given) {
  const name = `link.hand_over_${given?.state}`;
  return has(name) ? t(name, { reason: given.reason }) : "";
}

/** The panel at the end: what came of it, and whether it may be tried again. `approved`: as in `say`. `text` and the values of
 *  facts: for `tell`. */
export function result(capture, amount, approved) {
  const delivered = deliveryResult(capture);
  if (delivered) return delivered;
  const { order, outcome } = capture, reference = order.transaction_id;
  const card = [t("fact.card"), dottedCard(capture)];
  const own = [[t("fact.payment"), t("fact.payment_value", { amount, reference })], card];
  const why = (reason) => [t("fact.reason"), reason];
  const unknown = { tone: "warn", icon: "warn", title: t("result.unknown"), text: t("result.unknown_text"), facts: own };
  if (capture.stage === "cancelled") {
    return { tone: "", icon: "stop", title: t("result.cancelled"), text: t("result.cancelled_text"), facts: [], again: t("result.start_again") };
  }
  if (capture.stage === "aborted") {
    const ours = has(capture.reason) ? t(capture.reason) : capture.reason && foreign(sentence(capture.reason));
    if (capture.seen === "charging" || outcome?.type === "unknown") return { ...unknown, facts: [...own, why(ours)] };
    const stopped = { tone: "bad", icon: "stop", title: t("result.stopped"), text: [ours || t("result.stopped_text")], facts: own };
    if (!capture.seen) return stopped;
    return { ...stopped, text: [...stopped.text, t("result.wiped")], facts: [], again: t("result.start_again") };
  }
  if (capture.stage === "charging") return { tone: "warn", icon: "wait", title: t("keying.charging"), text: t("result.charging_text"), facts: own };
  if (outcome?.type === "failed" && ["closed", "expired"].includes(capture.link?.state)) {
    const title = t(capture.link.state === "closed" ? "result.link_closed" : "result.link_expired");
    return { tone: "bad", icon: "stop", title, text: t("result.link_unpaid"), facts: own, again: t("result.start_again") };
  }
  const provider = [t("fact.provider_reference"), outcome?.reference];
  const proofs = [provider, [t("fact.token"), outcome?.token, "private"], [t("fact.authorisation"), outcome?.authorisation_code]];
  switch (outcome?.type) {
    case "approved": {
      const name = APPROVED_AS[order.operation] ?? "paid";
      return {
        tone: "good", icon: "good", title: t(`result.${name}`, { amount }), text: t(`result.${name}_text`),
        facts: [[t("fact.your_reference"), reference], card, ...proofs],
      };
    }
    case "partially_approved":
      return {
        tone: "warn", icon: "warn", title: t("result.part", { approved }), text: t("result.part_text", { approved, amount }),
        facts: [[t("fact.your_reference"), reference], [t("fact.asked_for"), amount], card, ...proofs],
      };
    case "declined": {
      const known = explain(outcome.reason), nothing = explain("nothing_charged");
      const text = known || (outcome.message ? foreign(sentence(outcome.message)) : t("result.bank_said_no"));
      return {
        tone: "bad", icon: "stop", title: t("result.declined"), text: known.includes(nothing) ? [text] : [text, nothing],
        facts: [
          why(outcome.reason), [t("fact.provider_code"), outcome.code],
          [t("fact.provider_says"), known && outcome.message ? foreign(outcome.message) : ""], card, provider,
        ],
        again: t("result.another_card"),
      };
    }
    case "failed":
      return {
        tone: "bad", icon: "stop", title: t("result.not_charged"), text: t("result.not_charged_text"),
        facts: [why(said(outcome.reason)), [t("fact.provider_code"), outcome.code], card], again: t("result.try_again"),
      };
    default:
      return { ...unknown, facts: [...own, why(said(outcome?.reason))] };
  }
}

function sentence(text) {
  const trimmed = text.trim();
  return trimmed.charAt(0).toUpperCase() + trimmed.slice(1) + (/[.!?]$/.test(trimmed) ? "" : ".");
}

/** What an agent reads of the service's faults: null where none keeps cards from being charged. */
export function unfit(faults) {
  const fault = faults.find((one) => one.stops === "calls" || one.stops === "payments");
  return fault ? { title: t("unfit.title"), text: [foreign(fault.says), t("unfit.text")] } : null;
}

/** Whose call it is: the agent's side of it. */
export const extension = (call) => (call.direction === "outbound" ? call.caller : call.callee) || t("call.unknown_extension");

/** Who started a payment, and who drives it now, for the agent `me`. */
export function owner(capture, me) {
  const by = (name, agent) => t(agent === me ? `owner.${name}_by_you` : `owner.${name}_by`, { agent });
  if (!capture.started_by) return "";
  const started = by("started", capture.started_by);
  return capture.agent === capture.started_by ? started : `${started} ${by("taken_over", capture.agent)}`;
}

/** The order was charged already, or may have been. `amount`: of the newest of the payments. */
export function repeated(problem, amount) {
  const newest = problem.payments[0];
  const outcome = newest.outcome?.type ?? (newest.link ? "linked" : "charging");
  const title = `repeat.${outcome}`, what = `repeat.outcome_${outcome}`;
  return {
    title: t(has(title) ? title : "repeat.charged"),
    text: foreign(problem.message),
    facts: [
      [t("fact.your_reference"), newest.order.transaction_id], [t("fact.amount"), amount], [t("fact.outcome"), has(what) ? t(what) : foreign(outcome)],
      [t("fact.when"), newest.submitted_at ? dateOf(newest.submitted_at) : ""], [t("fact.by"), newest.started_by],
      [t("fact.provider_reference"), newest.outcome?.reference],
    ],
    again: outcome === "charging" || outcome === "linked" ? "" : t("repeat.again"),
  };
}

/** The customer of a call: the carrier's side of it. */
export const customer = (call) => (call.direction === "outbound" ? call.callee : call.caller) || t("call.withheld");

/** What a screen reader says of a change; "" where there is nothing new, or the panel at the end says it. */
export function news(before, view) {
  const capture = view.capture;
  if (announced(view) && view.masked_since && !(before && announced(before) && before.masked_since)) return `${banner(view, capture).title}.`;
  if (view.still_keying && !before?.still_keying) return `${banner(view, capture).title}. ${t("banner.ask_to_stop")}`;
  if (before?.masked && !view.masked && capture && isFinal(capture)) return t("news.open");
  if (!capture || isFinal(capture)) return "";
  const earlier = before?.capture?.id === capture.id ? before.capture : null;
  if (earlier?.stage !== capture.stage) {
    const name = `news.${capture.stage}`;
    return [has(name) && t(name), banner(view, capture).title].filter(Boolean).join(" ");
  }
  for (const progress of capture.fields) {
    const old = earlier.fields.find((one) => one.field === progress.field), field = labelOf(progress.field);
    if (progress.complete && !old?.complete) return t("news.field_complete", { field });
    if (progress.rejected > (old?.rejected ?? 0)) return t("news.field_wrong", { field });
  }
  return "";
}
