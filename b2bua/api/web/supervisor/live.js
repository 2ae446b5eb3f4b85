// The calls that there are, as the feed has them, and what a supervisor may do in one: take its payment over, open its line.
//
// Rule 1: a row that is there stays the same element, so that a press never lands on another call's button.
// Rule 2: taking over is pressed twice: from then on the agent before cannot drive the payment.

import { t } from "../i18n.js";
import { $, make, write } from "../page.js";
import { amount, timeAt } from "./numbers.js";

const FINAL = ["finished", "cancelled", "aborted"];
const rows = new Map(); // id of a call → its elements
const views = new Map();
let armed = ""; // the call whose button was pressed once
let me = "";
let decimals = {};
let live = true;
let act = () => {};

/** `ask(call, path)`: carry it out. */
export function buildLive(name, currencies, ask) {
  [me, decimals, act] = [name, currencies, ask];
}

export const captures = () => [...views.values()].filter(({ capture }) => capture && !FINAL.includes(capture.stage)).length;

export function takeCall(view) {
  const over = view.state === "ended" && view.capture?.stage !== "charging";
  over ? views.delete(view.id) : views.set(view.id, view);
  draw();
}

/** These calls there are, and no other. */
export function keepOnly(ids) {
  for (const id of views.keys()) if (!ids.includes(id)) views.delete(id);
  draw();
}

export function setLive(yes) {
  live = yes;
  draw();
}

export function forgetLive() {
  views.clear();
  draw();
}

function draw() {
  for (const [id, { row }] of rows) {
    if (views.has(id)) continue;
    const held = row.contains(document.activeElement);
    row.remove();
    rows.delete(id);
    if (armed === id) armed = "";
    if (held) $("live-title").focus();
  }
  for (const view of views.values()) {
    if (!rows.has(view.id)) add(view);
    fill(view, rows.get(view.id));
  }
  $("live-none").hidden = views.size > 0;
  $("live-part").hidden = views.size === 0;
}

function add({ id }) {
  const cells = ["number", "extension", "agent", "line", "payment", "since"].map((name) => [name, make(name === "number" ? "th" : "td", name === "number" ? { scope: "row" } : {})]);
  const take = make("button", { className: "small", type: "button" });
  const open = make("button", { className: "small", type: "button" });
  take.addEventListener("click", () => {
    if (armed !== id) { armed = id; return draw(); }
    armed = "";
    draw();
    act(views.get(id), "/capture/take-over", "supervisor.taken");
  });
  open.addEventListener("click", () => act(views.get(id), "/mask/release", "supervisor.released"));
  const row = make("tr", {}, ...cells.map(([, cell]) => cell), make("td", {}, take, open));
  rows.set(id, { row, take, open, ...Object.fromEntries(cells) });
  $("live").append(row);
}

/** Who drives the payment, or has announced one. */
const driver = (view) => {
  if (view.masked && view.announced_by != null) return view.announced_by;
  const { capture } = view;
  return capture && (!FINAL.includes(capture.stage) || view.masked) ? capture.agent : null;
};

function fill(view, part) {
  const number = (view.direction === "outbound" ? view.callee : view.caller) || t("call.withheld");
  const drives = driver(view);
  const up = view.state === "up";
  write(part.number, number);
  write(part.extension, view.extension);
  write(part.agent, [...new Set([view.agent, drives])].filter(Boolean).join(", ") || t("supervisor.nobody"));
  write(part.line, t(lineOf(view)));
  part.line.dataset.tone = view.masked ? "good" : "";
  const stage = view.capture && t(`supervisor.stage_${view.capture.outcome?.type ?? view.capture.stage}`);
  write(part.payment, view.capture ? [stage, amount(view.capture.order, decimals)].filter(Boolean).join(" · ") : t("supervisor.none"));
  write(part.since, timeAt(Date.parse(view.started_at) / 1000));
  const theirs = drives !== null && drives !== "" && drives !== me;
  part.take.hidden = !up || !theirs;
  part.take.disabled = !live;
  write(part.take, armed === view.id ? t("supervisor.take_over_sure", { agent: drives }) : t("supervisor.take_over"));
  part.take.setAttribute("aria-label", `${part.take.textContent}: ${number}`);
  const held = view.mask === "held" || (view.masked && view.announced_by != null);
  part.open.hidden = !up || !held || theirs;
  part.open.disabled = !live || view.still_keying;
  write(part.open, t("supervisor.open_line"));
  part.open.setAttribute("aria-label", `${part.open.textContent}: ${number}`);
}

function lineOf(view) {
  if (view.state !== "up") return `call.${view.state}`;
  if (!view.masked) return "supervisor.line_open";
  return view.still_keying ? "supervisor.line_keying" : `supervisor.line_${view.mask === "off" ? "on" : view.mask}`;
}
