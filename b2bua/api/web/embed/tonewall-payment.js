// <tonewall-payment>: the form for one payment, in a page of the company.
//
// Rule 1: what the page gives goes into the document as text, and to the API as values: never as HTML, a path or an address.
// Rule 2: no event has a digit of a card, not its last four either.
// Rule 3: what is shown is what the feed says; a payment is charged by the agent's press alone, never by an attribute.

import { looksLikeCard, toDecimal } from "../money.js";
import { make, write } from "../page.js";
import { Client } from "./client.js";
import { sheet } from "./style.js";
import { labelIn, languageOf, localeOf, messagesIn } from "./words.js";

const FINAL = ["finished", "cancelled", "aborted"];
const TONES = { collecting: "safe", ready: "safe", held: "safe", approved: "good", declined: "bad", failed: "bad", unknown: "wait", open_line: "bad", keying: "wait", starting: "wait", lost: "bad", order: "bad", over: "bad" };
const BUTTONS = ["take", "charge", "again", "release", "cancel"];
const isOver = (payment) => FINAL.includes(payment.stage);

export class TonewallPayment extends HTMLElement {
  static observedAttributes = ["call", "order", "amount", "currency", "locale", "form", "token"];
  #client = null;
  #token = "";
  #isOver = false; // the token that there was is refused
  #me = "";
  #forms = [];
  #decimals = {};
  #calls = new Map(); // id → view
  #call = ""; // the id of the one that is shown
  #ended = null; // the last payment of a call that is gone
  #seen = new Set(); // payments that ran while this form was there
  #told = new Map(); // event → what it said last
  #dismissed = "";
  #live = false;
  #busy = false;
  #problem = "";
  #parts = {};
  #messages = null; // sentences in the language of `#said`
  #said = ""; // the locale that they are asked for

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
    const part = (tag, name, more = {}) => (this.#parts[name] = make(tag, { className: name, part: name, ...more }));
    const buttons = part("div", "buttons");
    for (const name of BUTTONS) {
      const button = part("button", name, { type: "button" });
      button.part.add("button");
      if (name === "take" || name === "charge") button.className = "main";
      button.addEventListener("click", () => this.#press(name));
      buttons.append(button);
    }
    const bill = make("div", { className: "bill" }, part("span", "amount"), part("span", "order"));
    const form = part("div", "form", { role: "group" });
    form.append(bill, part("p", "status", { role: "status" }), part("div", "calls"), part("ol", "fields"), part("p", "message", { role: "alert" }), buttons);
    root.append(form);
  }

  /** The token, which cannot be read back: `element.token = "tonewall_embed_…"`. */
  set token(value) {
    this.#token = String(value ?? "");
    this.#isOver = false;
    this.#client?.end();
    this.#client = null;
    this.#live = false;
    if (this.isConnected) this.#begin();
  }

  connectedCallback() { if (!this.#client) this.#begin(); }

  disconnectedCallback() {
    this.#client?.end();
    this.#client = null;
    this.#live = false;
  }

  attributeChangedCallback(name, before, now) {
    if (name === "token") {
      if (now === null) return;
      this.removeAttribute("token"); // it stays in no copy of the document
      this.token = now;
      return;
    }
    if (before === now) return;
    if (name === "call") { this.#call = ""; this.#ended = null; this.#told.clear(); this.#find(); }
    if (name === "order") this.#dismissed = this.#payment?.id ?? "";
    this.#problem = "";
    this.#show();
  }

  /** The sentence of this name, among those of the embedded form. */
  #text(name, values) { return this.#messages.text(`embed.${name}`, values); }

  /** Whether the sentences of the locale are there; else they are asked for, and shown then. */
  get #speaks() {
    const locale = this.#locale;
    if (this.#said !== locale) {
      this.#said = locale;
      messagesIn(locale).then((messages) => {
        if (this.#said !== locale) return;
        this.#messages = messages;
        this.#show();
      });
    }
    return this.#messages !== null;
  }

  get #locale() { return localeOf(this.getAttribute("locale")); }
  get #view() { return this.#calls.get(this.#call); }

  /** The payment that is shown, or undefined. */
  get #payment() {
    const newest = this.#view?.capture ?? this.#ended;
    if (!newest || newest.id === this.#dismissed) return undefined;
    return !isOver(newest) || this.#seen.has(newest.id) || newest.order.transaction_id === this.getAttribute("order") ? newest : undefined;
  }

  /** Why no payment can begin in this call, for this agent; undefined: nothing is in its way. */
  #bar(view) {
    const bar = view?.not_capturable;
    return bar && bar.agent !== this.#me ? bar : undefined;
  }

  /** The order of the attributes, or null where it is none. */
  get #order() {
    const [reference, amount, currency, form] = ["order", "amount", "currency", "form"].map((name) => this.getAttribute(name)?.trim() ?? "");
    if (!reference || reference.length > 64 || looksLikeCard(reference) || !/^[1-9]\d{0,10}$/.test(amount) || !Object.hasOwn(this.#decimals, currency)) return null;
    return { transaction_id: reference, amount: Number(amount), currency, ...(form ? { form } : {}) };
  }

  #money({ amount, currency }) {
    const decimals = this.#decimals[currency] ?? 2;
    const options = { style: "currency", currency, minimumFractionDigits: decimals, maximumFractionDigits: decimals };
    return new Intl.NumberFormat(this.#locale, options).format(toDecimal(amount, decimals));
  }

  // --- what the service says ---

  async #begin() {
    this.#show();
    if (!this.#token) return;
    const client = (this.#client = new Client(this.#token));
    for (let wait = 500; !client.over; wait = Math.min(5000, wait * 2)) {
      try {
        const [me, currencies, forms] = await Promise.all(["me", "currencies", "forms"].map((path) => client.ask(path)));
        [this.#me, this.#decimals, this.#forms] = [me.agent, currencies, forms];
        break;
      } catch (problem) {
        if (client.over) return;
        if (problem.status === 401) return this.#refused(problem);
        this.#emit("error", { code: "connection", message: problem.message });
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
    }
    client.follow({
      event: (name, data) => { if (client === this.#client) this.#take(name, data); },
      lost: () => { this.#live = false; this.#emit("error", { code: "connection", message: "" }); this.#show(); },
      refused: (problem) => this.#refused(problem),
    });
  }

  #refused(problem) {
    this.#client?.end();
    this.#client = null;
    this.#live = false;
    this.#token = "";
    this.#told.delete("ready");
    this.#emit("error", { code: "token", message: problem.message });
    this.#isOver = true;
    this.#show();
  }

  #take(name, data) {
    if (name === "calls") {
      this.#live = true;
      for (const id of this.#calls.keys()) if (!data.ids.includes(id)) this.#gone(id);
      this.#find();
    }
    if (name === "call") {
      const isNew = !this.#calls.has(data.id);
      if (data.capture && !isOver(data.capture)) this.#seen.add(data.capture.id);
      // What was refused for this reason is refused no more.
      if (data.id === this.#call && this.#bar(this.#view) && !this.#bar(data)) this.#problem = "";
      this.#calls.set(data.id, data);
      if (data.state === "ended") this.#gone(data.id);
      if (isNew) this.#find();
    }
    if (name === "payment") this.#paid(data);
    this.#show();
  }

  /** A call has ended: what became of its payment comes apart from it. */
  #gone(id) {
    const { capture } = this.#calls.get(id);
    this.#calls.delete(id);
    if (id !== this.#call || !capture) return;
    this.#ended = capture;
    if (!isOver(capture)) this.#client?.ask(`payments/${encodeURIComponent(capture.id)}`).then((payment) => { this.#paid(payment); this.#show(); }, () => {});
  }

  #paid(payment) {
    if (this.#ended?.id === payment.id) this.#ended = { ...this.#ended, stage: payment.stage, outcome: payment.outcome, reason: payment.reason };
  }

  /** Which call it is: the one that the page names, or the agent's, where there is one alone. */
  async #find() {
    const name = this.getAttribute("call"), client = this.#client;
    if (this.#call || !client || !this.#live) return;
    if (!name || this.#calls.has(name)) {
      this.#call = name || (this.#calls.size === 1 ? [...this.#calls.keys()][0] : "");
    } else {
      const found = await client.ask(`calls/${encodeURIComponent(name)}`).catch(() => null);
      if (!found || client !== this.#client || name !== this.getAttribute("call")) return;
      this.#calls.set(found.id, found);
      this.#call = found.id;
    }
    this.#show();
  }

  // --- what the agent presses ---

  #press(name) {
    const path = `calls/${encodeURIComponent(this.#call)}`;
    if (name === "take" && this.#order) this.#act(`${path}/capture`, { method: "POST", body: this.#order });
    if (name === "charge") this.#act(`${path}/capture/submit`, { method: "POST" });
    if (name === "cancel") this.#act(`${path}/capture`, { method: "DELETE" });
    if (name === "release") this.#act(`${path}/mask/release`, { method: "POST" });
    if (name === "again") { this.#dismissed = this.#payment?.id ?? ""; this.#show(); }
  }

  #askField(field, what) {
    this.#act(`calls/${encodeURIComponent(this.#call)}/capture/${what}`, { method: "POST", body: { field } });
  }

  async #act(path, options) {
    if (this.#busy || !this.#live) return;
    this.#busy = true;
    this.#problem = "";
    this.#show();
    try {
      await this.#client.ask(path, options);
    } catch (problem) {
      const code = problem.status === 401 ? "token" : problem.payments.length ? "repeated" : problem.status ? "refused" : "connection";
      const ours = code === "repeated" ? this.#text("repeated") : problem.message ? "" : this.#messages.text(problem.status ? "page.answered" : "page.no_answer", problem);
      this.#problem = ours || [problem.message, ...problem.errors.map((each) => each.problem)].join(" ");
      this.#parts.message.lang = ours ? languageOf(this.#locale) : "en";
      this.#emit("error", { code, message: problem.message });
    }
    this.#busy = false;
    this.#show();
  }

  // --- what is to be seen, and what the page is told ---

  /** The name of the sentence about the moment. */
  #moment(payment) {
    const view = this.#view;
    if (!this.#client) return this.#isOver ? "over" : "token";
    if (!this.#live) return "lost";
    if (payment?.stage === "finished") return payment.outcome?.type ?? "unknown";
    if (payment && isOver(payment)) return payment.stage;
    if (payment?.stage === "charging") return "charging";
    if (!view) return this.#ended ? "ended" : !this.#call && this.#calls.size > 1 && !this.getAttribute("call") ? "choose" : "call";
    if (view.state === "ringing") return "ringing";
    if (view.masked && view.still_keying) return "keying";
    if (payment?.stage === "starting") return "starting";
    if (payment) return view.masked ? payment.stage : "open_line";
    if (view.masked) return "held";
    return this.#order ? "normal" : "order";
  }

  #show() {
    if (!this.#speaks) return;
    const parts = this.#parts, view = this.#view, payment = this.#payment, order = payment?.order ?? this.#order;
    const moment = this.#moment(payment);
    const amount = order ? this.#money(order) : "";
    const part = payment?.outcome?.type === "partially_approved" ? this.#money({ ...order, amount: payment.outcome.amount }) : amount;
    const bar = this.#bar(view);
    const agent = payment && !isOver(payment) ? payment.agent : bar?.agent;
    const theirs = Boolean(agent) && agent !== this.#me;
    const able = this.#live && !this.#busy && !theirs;
    parts.form.lang = languageOf(this.#locale);
    parts.form.setAttribute("aria-label", this.#text("form"));
    write(parts.amount, amount);
    write(parts.order, order?.transaction_id ?? "");
    write(parts.status, this.#text(moment, { amount: part }) + (theirs ? ` ${this.#text("theirs", { agent })}` : ""));
    parts.status.dataset.tone = TONES[moment] ?? "calm";
    write(parts.message, this.#problem);
    const isOpen = payment && ["collecting", "ready"].includes(payment.stage);
    const shown = {
      take: view?.state === "up" && !payment, charge: isOpen, cancel: isOpen || payment?.stage === "starting",
      again: Boolean(payment && isOver(payment) && view?.state === "up" && !["approved", "partially_approved", "unknown"].includes(payment.outcome?.type)),
      release: view?.mask === "held" && (!payment || isOver(payment)),
    };
    const may = { take: this.#order !== null && !bar, charge: payment?.stage === "ready", cancel: true, again: true, release: !view?.still_keying };
    for (const name of BUTTONS) {
      parts[name].hidden = !shown[name];
      parts[name].disabled = !(able && may[name]);
      write(parts[name], this.#text(name, { amount }));
    }
    this.#showCalls(moment === "choose");
    this.#showFields(isOpen || payment?.stage === "charging" ? payment : null, able && isOpen);
    this.#tell(view, payment);
  }

  #showCalls(choosing) {
    const key = choosing ? JSON.stringify([...this.#calls.values()].map(({ id, caller, extension }) => [id, caller, extension])) : "";
    if (this.#parts.calls.dataset.drawn === key) return;
    this.#parts.calls.dataset.drawn = key;
    this.#parts.calls.replaceChildren(...(choosing ? [...this.#calls.values()] : []).map(({ id, caller, extension }) => {
      const button = make("button", { type: "button", part: "button", text: [caller, extension].filter(Boolean).join(" · ") });
      button.addEventListener("click", () => { this.#call = id; this.#show(); });
      return button;
    }));
  }

  #showFields(payment, able) {
    const form = this.#forms.find(({ name }) => name === payment?.order.form) ?? this.#forms[0];
    const rows = payment ? payment.fields.map((progress) => {
      const described = form?.fields.find(({ field }) => field === progress.field) ?? progress;
      const now = payment.stage === "collecting" && payment.field === progress.field;
      const wrong = now && progress.rejected > 0 && progress.count === 0;
      const state = progress.skipped ? "skipped" : progress.complete ? "complete" : wrong ? "wrong" : !now ? "" : progress.count ? "keyed" : "waits";
      const last = progress.complete && described.kind === "card_number" && payment.last_four ? `${payment.brand ?? ""} ${this.#text("last", { digits: payment.last_four })}` : "";
      const ask = able && !described.confirms && (progress.complete || progress.count > 0), skip = able && described.optional && !progress.complete;
      return { field: progress.field, label: labelIn(this.#messages, described), now, state: state && this.#text(state), dots: "●".repeat(progress.count), spoken: this.#text("digits", { count: progress.count }), last, ask, skip };
    }) : [];
    const key = JSON.stringify([this.#said, rows]), list = this.#parts.fields;
    if (list.dataset.drawn === key) return;
    list.dataset.drawn = key;
    list.hidden = rows.length === 0;
    const focused = this.shadowRoot.activeElement?.dataset.press;
    list.replaceChildren(...rows.map((row) => {
      const item = make("li", { part: row.now ? "field now" : "field", "data-field": row.field, ...(row.now ? { "aria-current": "step" } : {}) },
        make("span", { className: "label", text: row.label }), make("span", { className: "state", text: row.state }));
      for (const what of ["ask", "skip"].filter((each) => row[each])) {
        const button = make("button", { type: "button", part: "button", "data-press": `${what} ${row.field}`, text: this.#text(what), "aria-label": `${this.#text(what)}: ${row.label}` });
        button.addEventListener("click", () => this.#askField(row.field, what));
        item.append(button);
      }
      item.append(make("span", { className: "dots", role: "img", "aria-label": row.last || row.spoken, text: row.last || row.dots }));
      return item;
    }));
    if (focused) list.querySelector(`[data-press="${CSS.escape(focused)}"]`)?.focus();
  }

  #tell(view, payment) {
    if (!this.#live) return;
    if (view) this.#emitOnce("ready", { call: view.id });
    const fields = payment?.fields.map(({ field, complete, rejected }) => ({ field, complete, rejected: rejected > 0 })) ?? [];
    if (view || payment) {
      this.#emitOnce("change", {
        call: this.#call, payment: payment?.id ?? null, stage: payment?.stage ?? null, protected: Boolean(view?.masked),
        field: payment?.field ?? null, fields, brand: payment?.brand ?? null, complete: payment?.stage === "ready",
      });
    }
    if (!payment || !isOver(payment)) return;
    const { outcome, order } = payment;
    this.#emitOnce("complete", {
      call: this.#call, payment: payment.id, order: order.transaction_id, amount: order.amount, currency: order.currency,
      outcome: payment.stage === "finished" ? outcome?.type ?? "unknown" : payment.stage,
      ...(outcome?.type === "partially_approved" ? { approved: outcome.amount } : {}),
      reference: outcome?.reference ?? null, reason: outcome?.reason ?? payment.reason ?? null,
    });
  }

  #emitOnce(name, detail) {
    const key = JSON.stringify(detail);
    if (this.#told.get(name) === key) return;
    this.#told.set(name, key);
    this.#emit(name, detail);
  }

  // After what is under way: a page that changes the form from within an event finds it whole.
  #emit(name, detail) { queueMicrotask(() => this.dispatchEvent(new CustomEvent(name, { detail }))); }
}

if (!customElements.get("tonewall-payment")) customElements.define("tonewall-payment", TonewallPayment);
