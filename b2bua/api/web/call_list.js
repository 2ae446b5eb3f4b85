// The list of calls, of which the agent says which is theirs. Where the agent's extension says it, that call comes first, and
// the others are folded.

import { $, make, write } from "./page.js";
import { customer, extension, isFinal } from "./words.js";

/** The calls in which the agent's own telephone is. */
export const mine = (calls, me) => calls.all.filter((view) => view.agent !== "" && view.agent === me && view.state !== "ended");

/** Show it, where there is more than the call that was chosen. `onChoose(id)` when the agent presses one. */
export function showCalls(calls, me, onChoose) {
  const current = calls.current;
  const own = mine(calls, me);
  const others = own.length ? calls.all.filter((view) => !own.includes(view)) : [];
  $("calls").hidden = calls.size === 0 || (calls.size === 1 && Boolean(current));
  write($("calls-title"), own.length === 1 ? "Your call" : current ? "Calls" : "Which call is yours?");
  draw("calls-list", own.length ? own : calls.all, current, onChoose);
  $("calls-others").hidden = others.length === 0;
  write($("calls-others-title"), `Other calls (${others.length})`);
  draw("others-list", others, current, onChoose);
}

function draw(list, views, current, onChoose) {
  const rows = views.map((view) => {
    const running = view.capture && !isFinal(view.capture);
    const reference = view.reference ? ` · ${view.reference}` : "";
    return [view.id, view === current, customer(view), `${view.extension || extension(view)} · ${running ? `payment of ${view.capture.agent || "an agent"}` : view.state}${reference}`];
  });
  const drawn = JSON.stringify(rows);
  if ($(list).dataset.drawn === drawn) return;
  $(list).dataset.drawn = drawn;
  const focused = document.activeElement?.dataset.call;
  $(list).replaceChildren(...rows.map(([id, pressed, text, about]) => {
    const button = make("button", { type: "button", "data-call": id, "aria-pressed": String(pressed), text }, make("small", { text: about }));
    button.addEventListener("click", () => onChoose(id));
    return make("li", {}, button);
  }));
  if (focused) $(list).querySelector(`[data-call="${CSS.escape(focused)}"]`)?.focus();
}
