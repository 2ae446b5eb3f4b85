// What becomes of a form once it is submitted, in words: a charge, a question to the bank, or fields that are passed on.

import { language, said } from "./reasons.js";

const delivers = (order) => order.operation === "deliver";

/** What the button that submits says. `amount`: in words. */
export function submitWords(order, amount) {
  if (delivers(order)) return ["Pass it on", "Passing on…"];
  if (order.operation === "verify") return [order.token_type === "reusable" ? "Save the card" : "Check the card", "Asking the bank…"];
  return [`Charge ${amount}`, "Charging…"];
}

/** The title of a payment under way. */
export const titleOf = (order, amount) => (delivers(order) ? order.form : amount);

/** What to say once all is keyed, or about the outcome, where nothing is paid; null where it is a payment. */
export function sayUnpaid(capture) {
  const { order, stage, outcome } = capture;
  if (stage === "ready" && order.operation === "verify") return { text: "Thank you. Shall I have the bank check your card now?", hint: "Nothing is charged." };
  if (!delivers(order)) return null;
  if (stage === "ready") return { text: "Thank you. Shall I pass that on now?", hint: "Pass it on only when the customer agrees." };
  if (stage === "charging") return { text: "One moment, please. It is being passed on." };
  if (stage !== "finished") return null;
  switch (outcome?.type) {
    case "approved": return { text: "Thank you. We have what you keyed." };
    case "declined": return { text: "That was not accepted. Shall we try again?" };
    case "failed": return { text: "That could not be passed on. Shall we try again?" };
    default: return { text: "We are checking whether it arrived. Please do not key it again." };
  }
}

/** The panel at the end of a form that is passed on; null where it is a payment. */
export function deliveryResult({ order, stage, outcome }) {
  if (!delivers(order) || (stage !== "charging" && stage !== "finished")) return null;
  const own = [["Form", order.form], ["Your reference", order.transaction_id]];
  if (stage === "charging") return { tone: "warn", icon: "wait", title: "Passing on…", text: "Your company's service is answering.", facts: own };
  switch (outcome?.type) {
    case "approved":
      return { tone: "good", icon: "good", title: "Passed on", text: outcome.message || "Your company's service has what was keyed.", facts: [...own, ["Its reference", outcome.reference]] };
    case "declined":
      return { tone: "bad", icon: "stop", title: "Not accepted", text: outcome.message || "Your company's service did not accept what was keyed.", facts: [...own, ["Reason", outcome.code || outcome.reason]], again: "Try again" };
    case "failed":
      return { tone: "bad", icon: "stop", title: "Not passed on", text: "Nothing arrived. It is safe to try again.", facts: [...own, ["Reason", said(outcome.reason), language]], again: "Try again" };
    default:
      return { tone: "warn", icon: "warn", title: "Do not try again", text: "It is not known whether it arrived. Have it checked with your company's service first.", facts: [...own, ["Reason", said(outcome?.reason), language]] };
  }
}
