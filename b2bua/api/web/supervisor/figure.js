// A plot with its key, and the same numbers in a table beside it: a picture on a canvas says nothing to a screen reader.
//
// Rule 1: lines differ by dash as well as by colour.
// Rule 2: the table has rows of an hour at most a quarter of the window each, so that it can be read out.

import { t } from "../i18n.js";
import { make, write } from "../page.js";
import { timeAt } from "./numbers.js";

const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [4, 2], [1, 5]];
const ROWS = 12;

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const forced = matchMedia("(forced-colors: active)");
const schemes = [forced, matchMedia("(prefers-color-scheme: dark)")];

function swatch(place) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("viewBox", "0 0 32 10");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", `line-${place} dash-${place}`);
  path.setAttribute("d", "M0 5h32");
  svg.append(path);
  return svg;
}

/** A button that fetches a table as CSV. */
export function csvButton(title, fetchTable) {
  const button = make("button", { className: "small", type: "button", text: t("supervisor.csv"), "aria-label": t("supervisor.csv_of", { table: title }) });
  button.addEventListener("click", fetchTable);
  return button;
}

/** A table in a part that scrolls, and can be reached by key. `columns`: `{name, text}`; `numbers`: which are numbers. */
export function buildTable(title, columns) {
  const head = make("tr", {}, ...columns.map(({ text, isText }) => make("th", { scope: "col", text, className: isText ? "" : "number" })));
  const body = make("tbody");
  const table = make("table", { "aria-label": title }, make("thead", {}, head), body);
  return { body, part: make("div", { className: "scroll", tabindex: "0", role: "region", "aria-label": title }, table) };
}

/** Put rows into a table: each a heading and cells, `text` or `{text, tone}`. It is touched only where they have changed. */
export function fillTable(body, rows) {
  const key = JSON.stringify(rows);
  if (body.drawn === key) return;
  body.drawn = key;
  body.replaceChildren(...rows.map(([heading, ...cells]) => make("tr", {},
    make("th", { scope: "row", text: heading }),
    ...cells.map((cell) => {
      const { text, tone = "", isText = false } = typeof cell === "string" ? { text: cell } : cell;
      return make("td", { text, className: isText ? "" : "number", "data-tone": tone });
    }))));
}

export class Figure {
  #plot = null;
  #data = null;
  #lines = [];

  /** `write`: how a value reads; `merge`: how the values of several steps become one; `top`: the least that the axis shows. */
  constructor({ title, write: words, merge, top, bottom = 0, fetchTable }) {
    Object.assign(this, { title, words, merge, top, bottom });
    this.place = make("div", { className: "plot", role: "img" });
    this.key = make("ul", { className: "key" });
    this.numbers = make("details", { className: "numbers" });
    this.element = make("section", { className: "card" },
      make("div", { className: "part-head" }, make("h2", { text: title }), csvButton(title, fetchTable)), this.key, this.place, this.numbers);
    new ResizeObserver(() => this.#fit()).observe(this.place);
    for (const scheme of schemes) scheme.addEventListener("change", () => this.#rebuild());
  }

  /** Draw lines `{name, values}` at `times`, seconds since the epoch; null where there is no value. */
  show(times, lines, summary) {
    const same = lines.length === this.#lines.length && lines.every(({ name }, place) => name === this.#lines[place].name);
    this.#lines = lines;
    this.#data = [times, ...lines.map(({ values }) => values)];
    this.place.setAttribute("aria-label", summary);
    if (!same) this.#rename();
    same && this.#plot ? this.#plot.setData(this.#data) : this.#rebuild();
    this.#tabulate(times);
  }

  #rename() {
    this.key.replaceChildren(...this.#lines.map(({ name }, place) => make("li", {}, swatch(place % DASHES.length), make("span", { text: name }))));
    const { body, part } = buildTable(this.title, [{ text: t("supervisor.from"), isText: true }, ...this.#lines.map(({ name }) => ({ text: name }))]);
    this.body = body;
    this.numbers.replaceChildren(make("summary", { text: t("supervisor.numbers") }), part);
  }

  #tabulate(times) {
    const width = Math.ceil(times.length / ROWS);
    const rows = [];
    for (let from = 0; from < times.length; from += width) {
      rows.push([timeAt(times[from]), ...this.#lines.map(({ values }) => this.words(this.merge(values.slice(from, from + width))))]);
    }
    fillTable(this.body, rows.reverse());
  }

  #rebuild() {
    if (!this.#data) return;
    this.#plot?.destroy();
    const ink = forced.matches ? "canvastext" : colour("--soft");
    const axis = { stroke: ink, grid: { stroke: forced.matches ? "canvastext" : colour("--edge"), width: forced.matches ? 0.3 : 1 }, ticks: { stroke: ink, width: 1 } };
    this.#plot = new window.uPlot({
      width: Math.max(this.place.clientWidth, 120),
      height: Math.max(this.place.clientHeight, 100),
      legend: { show: false },
      cursor: { show: false },
      scales: { y: { range: (_, least, most) => [Math.min(this.bottom, least ?? this.bottom), Math.max(this.top, most ?? this.top)] } },
      axes: [
        { ...axis, values: (_, splits) => splits.map(timeAt) },
        { ...axis, size: 56, values: (_, splits) => splits.map((each) => this.words(each)) },
      ],
      series: [{}, ...this.#lines.map((_, place) => ({
        stroke: forced.matches ? "canvastext" : colour(`--line-${place % DASHES.length}`),
        dash: DASHES[place % DASHES.length], width: 2, points: { size: 4 }, spanGaps: false,
      }))],
    }, this.#data, this.place);
  }

  #fit() {
    const { clientWidth: width, clientHeight: height } = this.place;
    if (this.#plot && width && (width !== this.#plot.width || height !== this.#plot.height)) this.#plot.setSize({ width, height });
  }
}
