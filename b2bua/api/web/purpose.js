// What becomes of a form once it is submitted, in words: a charge, a question to the bank, or fields that are passed on.

import { foreign, t } from "./i18n.js";
import { said } from "./reasons.js";

const delivers = (order) => order.operation === "deliver";

/** What the button that submits says. `amount`: in words. */
export function submitWords(order, amount) {
  if (delivers(order)) return [t("keying.pass_on"), t("keying.passing_on")];
  if (order.operation === "verify") return [t(order.token_type === "reusable" ? "keying.save_card" : "keying.check_card"), t("keying.asking_bank")];
  return [t("keying.charge", { amount }), t("keying.charging")];
}

/** The title of a payment under way. */
export const titleOf = (order, amount) => (delivers(order) ? order.form : amount);

/** What to say once all is keyed, or about the outcome, where nothing is paid; null where it is a payment. */
export function sayUnpaid(capture) {
  const { order, stage, outcome } = capture;
  if (stage === "ready" && order.operation === "verify") return { text: t("say.check_ready"), hint: t("say.check_ready_hint") };
  if (!delivers(order)) return null;
  if (stage === "ready") return { text: t("say.pass_ready"), hint: t("say.pass_ready_hint") };
  if (stage === "charging") return { text: t("say.passing_on") };
  if (stage !== "finished") return null;
  switch (outcome?.type) {
    case "approved": return { text: t("say.passed_on") };
    case "declined": return { text: t("say.not_accepted") };
    case "failed": return { text: t("say.not_passed_on") };
    default: return { text: t("say.pass_unknown") };
  }
}

/** The panel at the end of a form that is passed on; null where it is a payment. */
export function deliveryResult({ order, stage, outcome }) {
  if (!delivers(order) || (stage !== "charging" && stage !== "finished")) return null;
  const own = [[t("fact.form"), order.form], [t("fact.your_reference"), order.transaction_id]];
  if (stage === "charging") return { tone: "warn", icon: "wait", title: t("keying.passing_on"), text: t("result.passing_text"), facts: own };
  const why = [t("fact.reason"), said(outcome?.reason)], theirs = outcome?.message && foreign(outcome.message), again = t("result.try_again");
  switch (outcome?.type) {
    case "approved":
      return { tone: "good", icon: "good", title: t("result.passed"), text: theirs || t("result.passed_text"), facts: [...own, [t("fact.its_reference"), outcome.reference]] };
    case "declined":
      return {
        tone: "bad", icon: "stop", title: t("result.not_accepted"), text: theirs || t("result.not_accepted_text"),
        facts: [...own, [t("fact.reason"), outcome.code || outcome.reason]], again,
      };
    case "failed":
      return { tone: "bad", icon: "stop", title: t("result.not_passed"), text: t("result.not_passed_text"), facts: [...own, why], again };
    default:
      return { tone: "warn", icon: "warn", title: t("result.unknown"), text: t("result.pass_unknown_text"), facts: [...own, why] };
  }
}
