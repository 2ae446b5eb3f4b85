// The supervisor's page: what happens now by the feed, the last hours by asking every few seconds. Whoever is not signed in
// does that on the agents' page, and comes back.

import { ask, onRefused, open, token } from "../api.js";
import { follow } from "../feed.js";
import { foreign, language, say, t, tell, translate } from "../i18n.js";
import { $, announce, make, write } from "../page.js";
import { buildPresence, tellTabs, unwatch, watch } from "../presence.js";
import { buildLive, captures, forgetLive, keepOnly, setLive, takeCall } from "./live.js";
import { timeAt } from "./numbers.js";
import { buildOverview, forgetOverview, showOverview } from "./overview.js";

const EVERY = 10_000; // ms between two questions
const WINDOWS = [1, 6, 24]; // hours
const BACK = "./#supervisor"; // the agents' page, which leads here again

let hours = WINDOWS[0];
let stop = null;
let newest = null; // the last answer
let asked = 0;
let timer = 0;

function leave() {
  stop?.();
  stop = null;
  clearTimeout(timer);
  unwatch();
  forgetLive();
  forgetOverview();
  $("main").hidden = true;
  location.replace(BACK);
}

async function signOut() {
  if (token.get()) token.set(null);
  else {
    try {
      await open("/sign-out", { method: "POST" });
    } catch (problem) {
      if (problem.status !== 401) return trouble(problem.message);
    }
    tellTabs();
  }
  leave();
}

const trouble = (text) => {
  $("trouble").hidden = !text;
  tell($("trouble"), text ? foreign(text) : "");
};

async function start() {
  let me, decimals, reasons;
  try {
    [me, decimals, reasons] = await Promise.all([ask("/v1/me"), ask("/v1/currencies"), ask("/v1/reasons")]);
  } catch (problem) {
    if (problem.status === 401) return leave();
    line("lost");
    setTimeout(start, 1500);
    return;
  }
  write($("who"), me.agent);
  $("main").hidden = false;
  if (!me.roles.includes("supervisor")) {
    for (const each of [...$("main").children].slice(1)) each.hidden = true;
    $("window").hidden = true;
    say($("trouble"), "supervisor.not_for_you");
    $("trouble").hidden = false;
    return;
  }
  watch(me.idle_time, false);
  buildLive(me.agent, decimals, act);
  buildOverview(fetchTable, reasons);
  stop = follow({
    calls: keepOnly,
    call(view) { takeCall(view); show(); },
    payment() {},
    state(now) { line(now); setLive(now === "live"); },
    service: showFaults,
    forbidden() {},
    clock() {},
  });
  poll();
}

function line(state) {
  $("line").dataset.state = state;
  say($("line"), state === "live" ? "page.live" : "page.reconnecting");
  $("lost").hidden = state === "live";
}

function showFaults(faults) {
  $("faults").hidden = faults.length === 0;
  tell($("faults"), faults.map(({ says }) => foreign(says)));
}

async function poll() {
  clearTimeout(timer);
  const mine = ++asked;
  try {
    const view = await ask(`/v1/statistics?hours=${hours}`);
    if (!stop || mine !== asked) return;
    newest = view;
    trouble("");
    say($("updated"), "supervisor.updated", { time: timeAt(Date.now() / 1000) });
    show();
  } catch (problem) {
    if (stop && mine === asked && problem.status) trouble(problem.message);
  }
  if (stop && mine === asked) timer = setTimeout(poll, EVERY);
}

function show() {
  if (stop && newest) showOverview(newest, captures());
}

async function act(view, path, done) {
  if (!view) return;
  try {
    await open(`/v1/calls/${encodeURIComponent(view.id)}${path}`, { method: "POST" });
    trouble("");
    announce(t(done));
  } catch (problem) {
    trouble(problem.message);
  }
}

async function fetchTable(name) {
  try {
    const answer = await open(`/v1/statistics/table?table=${name}&hours=${hours}`);
    const address = URL.createObjectURL(await answer.blob());
    make("a", { href: address, download: `tonewall-${name}-${hours}h.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  } catch (problem) {
    trouble(problem.message);
  }
}

function offerWindows() {
  for (const each of WINDOWS) {
    const input = make("input", { type: "radio", name: "window", value: String(each) });
    input.checked = each === hours;
    input.addEventListener("change", () => { hours = each; poll(); });
    $("window").append(make("label", {}, input, make("span", { text: t("supervisor.hours", { count: each }) })));
  }
}

translate();
document.title = `${t("supervisor.title")} – Tonewall`;
offerWindows();
buildPresence(leave);
onRefused(leave);
$("sign-out").addEventListener("click", signOut);
document.addEventListener("visibilitychange", () => { if (stop && document.visibilityState === "visible") poll(); });
start();
