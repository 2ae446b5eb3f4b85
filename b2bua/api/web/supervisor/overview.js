// The numbers of the window that was chosen: tiles, plots and tables, all of one answer of /v1/statistics.

import { language, t } from "../i18n.js";
import { $, make } from "../page.js";
import { buildTable, csvButton, Figure, fillTable } from "./figure.js";
import { mos, number, part, share, sum } from "./numbers.js";

const REFUSED = ["failed", "unknown"];
const LEFT = ["cancelled", "aborted"];
const OUTCOMES = ["approved", "partially_approved", "declined", ...REFUSED, ...LEFT, "open"];
const mean = (values) => { const known = values.filter((each) => each !== null); return known.length ? sum(known) / known.length : null; };
const most = (values) => Math.max(...values);
const added = (...series) => series[0].map((_, place) => sum(series.map((each) => each[place])));

let figures = {};
let bodies = {};
let reasons = {};

/** `fetchTable(name)`: the table of this name as a file; `sentences`: of outcomes' reasons, by word. */
export function buildOverview(fetchTable, sentences) {
  reasons = sentences;
  const figure = (name, table, more) => {
    figures[name] = new Figure({ title: t(`supervisor.plot_${name}`), write: number, merge: sum, top: 4, fetchTable: () => fetchTable(table), ...more });
    return figures[name].element;
  };
  $("plots").replaceChildren(
    figure("calls", "calls"),
    figure("busy", "calls", { merge: most }),
    figure("payments", "payments"),
    figure("leaks", "calls", { top: 1 }),
    figure("mos", "quality", { write: mos, merge: mean, top: 4.5, bottom: 1 }),
    figure("loss", "quality", { write: share, merge: mean, top: 0.01 }),
  );
  const table = (name, columns) => {
    const title = t(`supervisor.table_${name}`);
    const { body, part: scrolled } = buildTable(title, columns);
    bodies[name] = body;
    const none = make("p", { className: "hint", text: t("supervisor.nothing") });
    body.none = none;
    return make("section", { className: "card" }, make("div", { className: "part-head" }, make("h2", { text: title }), csvButton(title, () => fetchTable(name))), none, scrolled);
  };
  const column = (name, isText = false) => ({ text: t(`supervisor.${name}`), isText });
  $("tables").replaceChildren(
    table("agents", [column("agent", true), column("payments"), ...OUTCOMES.map((each) => column(`state_${each}`))]),
    table("reasons", [column("reason", true), column("outcome", true), column("payments")]),
    table("trunks", [column("trunk", true), column("state", true), column("calls_now"), column("refused"), column("legs"), column("answered"), column("faulty"), column("loss"), column("score"), column("worst")]),
    table("providers", [column("provider", true), column("circuit", true)]),
  );
}

/** Empty it: whoever comes next finds nothing in the page. */
export function forgetOverview() {
  figures = {};
  bodies = {};
  for (const id of ["tiles", "plots", "tables"]) $(id).replaceChildren();
}

function put(name, rows) {
  fillTable(bodies[name], rows);
  bodies[name].none.hidden = rows.length > 0;
}

export function showOverview(view, captures) {
  const { calls, payments, times, trunks } = view;
  const approved = sum(payments.approved) + sum(payments.partially_approved);
  const declined = sum(payments.declined);
  const leaks = sum(calls.leaks);
  const open = view.providers.filter(({ circuit }) => circuit !== "closed").map(({ name }) => name);
  const tiles = [
    ["calls_now", number(view.calls_now)],
    ["captures_now", number(captures)],
    ["answered_share", share(part(sum(calls.answered), sum(calls.ended)))],
    ["approved_share", share(part(approved, approved + declined))],
    ["declined", number(declined)],
    ["leaks", number(leaks), leaks ? "bad" : ""],
    ["passed_by", open.join(", ") || t("supervisor.nobody"), open.length ? "bad" : ""],
  ];
  $("tiles").replaceChildren(...tiles.map(([name, text, tone = ""]) =>
    make("div", { "data-tone": tone }, make("dt", { text: t(`supervisor.tile_${name}`) }), make("dd", { text }))));

  const line = (name, values) => ({ name: t(`supervisor.${name}`), values });
  figures.calls.show(times, [line("ended", calls.ended), line("answered", calls.answered)],
    t("supervisor.summary_calls", { ended: sum(calls.ended), answered: sum(calls.answered) }));
  figures.busy.show(times, [line("at_once", calls.most)], t("supervisor.summary_busy", { most: most(calls.most) }));
  figures.payments.show(times, [
    line("state_approved", added(payments.approved, payments.partially_approved)),
    line("state_declined", payments.declined),
    line("failed_unknown", added(...REFUSED.map((each) => payments[each]))),
    line("left_off", added(...LEFT.map((each) => payments[each]))),
  ], t("supervisor.summary_payments", { approved, declined, other: sum([...REFUSED, ...LEFT].map((each) => sum(payments[each]))) }));
  figures.leaks.show(times, [line("leaks", calls.leaks)], t("supervisor.summary_leaks", { count: leaks }));
  const worst = trunks.map(({ worst_mos: each }) => each).filter((each) => each !== null);
  figures.mos.show(times, trunks.map(({ name, mos_steps: values }) => ({ name, values })),
    t("supervisor.summary_mos", { worst: worst.length ? mos(Math.min(...worst)) : t("supervisor.none") }));
  figures.loss.show(times, trunks.map(({ name, loss_steps: values }) => ({ name, values })), t("supervisor.plot_loss"));

  put("agents", view.agents.map((each) => [each.name || t("supervisor.nobody"), number(each.payments), ...OUTCOMES.map((state) => number(each[state]))]));
  put("reasons", view.reasons.map(({ outcome, reason, count }) => [sentence(reason), { text: t(`supervisor.state_${outcome}`), isText: true }, number(count)]));
  put("trunks", trunks.map((each) => [each.name, stateOf(each), number(each.calls), number(each.refused), number(each.legs), number(each.answered),
    { text: number(each.faults), tone: each.faults ? "bad" : "" }, share(each.loss), mos(each.mos), mos(each.worst_mos)]));
  put("providers", view.providers.map(({ name, circuit }) => [name, { text: t(`supervisor.circuit_${circuit}`), tone: circuit === "closed" ? "good" : "bad", isText: true }]));
}

function sentence(word) {
  const numbered = word.startsWith("http_") && word !== "http_error";
  const found = reasons[numbered ? "http_error" : word];
  const text = found?.[language] ?? found?.en;
  return text ? text.replace("{}", word.slice("http_".length)) : word || t("supervisor.no_reason");
}

function stateOf({ hops, registration }) {
  const usable = hops.filter((hop) => hop.usable).length;
  const bad = usable < hops.length || registration === "failed";
  const parts = [hops.length ? t("supervisor.addresses", { usable, all: hops.length }) : t("supervisor.none"), registration && t("supervisor.registration", { state: registration })];
  return { text: parts.filter(Boolean).join(" · "), tone: bad ? "bad" : "good", isText: true };
}
