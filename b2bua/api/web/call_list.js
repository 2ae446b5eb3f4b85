// The list of calls. The agent's own come first; the others, and all where there are many, are folded, with a field to search.
//
// Rule 1: a call is the agent's own by their extension, or because they drive its payment or have announced one. Who sees their
//         own calls alone has no others.
// Rule 2: what is folded is not drawn, and never more than MOST of it: the form stays where it is, however many calls there are.

import { say, t } from "./i18n.js";
import { $, make } from "./page.js";
import { customer, extension, isFinal } from "./words.js";

const FEW = 6; // calls that are shown unfolded
const MOST = 100; // rows

let choose = () => {};
let redraw = () => {};
let decided = ""; // the state for which the fold was opened or closed
let found = []; // what the search has found

/** `onChoose(id)` when the agent presses a call; `onChange` when the list is to be drawn again. */
export function buildCalls(onChoose, onChange) {
  [choose, redraw] = [onChoose, onChange];
  say($("calls-search-label"), "list.search");
  $("calls-others").addEventListener("toggle", redraw);
  $("calls-search").addEventListener("input", redraw);
  $("calls-search").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && found.length === 1) pick(found[0].id);
    if (event.key === "Escape") { $("calls-search").value = ""; redraw(); }
  });
}

/** Nobody is signed in any more. */
export function forgetList() {
  $("calls-search").value = "";
  $("calls-others").open = false;
  decided = "";
  found = [];
}

/** The agent's own calls. `me`: as the API says who is signed in. */
export function mine(calls, me) {
  const there = calls.all.filter(({ state }) => state !== "ended");
  return onlyOwn(me) ? there : there.filter((view) => isOwn(view, me.agent));
}

const onlyOwn = ({ roles }) => roles?.length === 1 && roles[0] === "agent";

function isOwn(view, name) {
  const { agent, announced_by: announced, capture } = view;
  return name !== "" && [agent, announced, capture && !isFinal(capture) ? capture.agent : ""].includes(name);
}

/** Show it, where there is more than the call that was chosen. */
export function showCalls(calls, me) {
  const current = calls.current;
  const own = mine(calls, me);
  const first = own.length && own.length <= FEW ? own : calls.size <= FEW ? calls.all : [];
  const others = calls.all.filter((view) => !first.includes(view));
  $("calls").hidden = calls.size === 0 || (calls.size === 1 && Boolean(current));
  say($("calls-title"), own.length === 1 ? "list.own" : own.length && own.length <= FEW ? "list.owns" : current ? "list.calls" : "list.which");
  draw("calls-list", first, current);
  $("calls-others").hidden = others.length === 0;
  // Where nothing else can be chosen from, it is open until something is chosen.
  const state = current?.id ?? (first.length || !others.length ? "few" : "many");
  if (state !== decided) $("calls-others").open = state === "many";
  decided = state;
  say($("calls-others-title"), first.length ? "list.others" : "list.all", { count: others.length });
  showOthers(others, current);
}

function showOthers(others, current) {
  const open = $("calls-others").open && others.length > 0;
  $("calls-search-part").hidden = others.length <= FEW;
  const wanted = others.length <= FEW ? "" : $("calls-search").value.trim();
  found = wanted ? others.filter((view) => fits(view, wanted)) : [];
  const shown = !open ? [] : wanted ? found : others;
  draw("others-list", shown.slice(0, MOST), current);
  const many = shown.length > MOST;
  const name = many ? "list.more" : !wanted ? "" : { 0: "list.none", 1: "list.one" }[found.length] ?? "list.some";
  say($("calls-found"), name, { count: shown.length });
}

const plain = (text) => text.toLowerCase().replace(/[\s()/.-]/g, "");

/** Whether every word that is wanted is in what is shown of a call, or a number without its spaces. */
function fits(view, wanted) {
  const { capture } = view;
  const known = [customer(view), extension(view), view.extension, view.agent, view.reference, capture?.agent, capture?.order.transaction_id];
  const text = known.filter(Boolean).join("\n").toLowerCase();
  const numbers = known.filter(Boolean).map(plain);
  return wanted.toLowerCase().split(/\s+/).every((word) => text.includes(word)) || numbers.some((each) => each.includes(plain(wanted)));
}

function pick(id) {
  $("calls-search").value = "";
  choose(id);
}

function draw(list, views, current) {
  const rows = views.map((view) => {
    const running = view.capture && !isFinal(view.capture), agent = view.capture?.agent;
    const payment = agent ? t("call.payment_of", { agent }) : t("call.payment_of_an_agent");
    const reference = view.reference ? ` · ${view.reference}` : "";
    return [view.id, view === current, customer(view), `${view.extension || extension(view)} · ${running ? payment : t(`call.${view.state}`)}${reference}`];
  });
  const drawn = JSON.stringify(rows);
  if ($(list).dataset.drawn === drawn) return;
  $(list).dataset.drawn = drawn;
  const focused = document.activeElement?.dataset.call;
  $(list).replaceChildren(...rows.map(([id, pressed, text, about]) => {
    const button = make("button", { type: "button", "data-call": id, "aria-pressed": String(pressed), text }, make("small", { text: about }));
    button.addEventListener("click", () => pick(id));
    return make("li", {}, button);
  }));
  if (focused) $(list).querySelector(`[data-call="${CSS.escape(focused)}"]`)?.focus();
}
