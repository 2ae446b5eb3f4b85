// The demo's panel: buttons that let the demo's customer key a card. Empty and hidden anywhere else.

import { ask } from "./api.js";
import { has, t } from "./i18n.js";
import { $, make } from "./page.js";

/** `about`: what GET /v1/demo says. `callId()`: the agent's call; `onProblem(problem)`: it fails; without one, it is tried again. */
export function buildDemo(about, callId, onProblem) {
  $("demo").hidden = !about.demo;
  $("demo-cards").replaceChildren(...about.cards.map((card) => {
    const button = make("button", { className: "small", type: "button", "data-card": card, text: has(`demo.${card}`) ? t(`demo.${card}`) : card });
    button.addEventListener("click", async () => {
      onProblem(null);
      try { await ask("/v1/demo/key", { method: "POST", body: { call_id: callId(), card } }); } catch (problem) { onProblem(problem); }
    });
    return button;
  }));
}

/** The customer can key while the service collects. */
export function showDemo(may) {
  for (const button of $("demo-cards").children) button.disabled = !may;
}
