// The list of calls, of which the agent says which is theirs.

import { $, make, write } from "./page.js";
import { customer, extension, isFinal } from "./words.js";

/** Show it, where there is more than the call that was chosen. `onChoose(id)` when the agent presses one. */
export function showCalls(calls, onChoose) {
  const current = calls.current;
  $("calls").hidden = calls.size === 0 || (calls.size === 1 && Boolean(current));
  write($("calls-title"), current ? "Calls" : "Which call is yours?");
  const rows = calls.all.map((view) => {
    const running = view.capture && !isFinal(view.capture);
    return [view.id, view === current, customer(view), `${extension(view)} · ${running ? `payment of ${view.capture.agent || "an agent"}` : view.state}`];
  });
  const drawn = JSON.stringify(rows);
  if ($("calls-list").dataset.drawn === drawn) return;
  $("calls-list").dataset.drawn = drawn;
  const focused = document.activeElement?.dataset.call;
  $("calls-list").replaceChildren(...rows.map(([id, pressed, text, about]) => {
    const button = make("button", { type: "button", "data-call": id, "aria-pressed": String(pressed), text }, make("small", { text: about }));
    button.addEventListener("click", () => onChoose(id));
    return make("li", {}, button);
  }));
  if (focused) document.querySelector(`[data-call="${CSS.escape(focused)}"]`)?.focus();
}
