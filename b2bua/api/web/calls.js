// The calls that this page knows, and which of them the agent is in.
//
// Rule 1: the agent chooses the call, here or by a code on the telephone, also where there is one: a wrong guess could charge
//         the wrong customer. Where the agent's own telephone is in one call alone, that is no guess.
// Rule 2: `capture.seen` is the last stage before the end that was seen without a gap. Without it nobody may say that
//         nothing was charged, unless the service says so.

import { isFinal } from "./words.js";

export class Calls {
  #views = new Map(); // id → view, oldest first
  #dismissed = new Set(); // captures whose end the agent has seen
  #chosen = null;
  #saved = new Map(); // call → its newest payment by a saved card or a link, where that is newer than its capture
  #awaited = new Set(); // calls that the feed has named, but not shown yet

  get size() { return this.#views.size; }
  get all() { return [...this.#views.values()]; }

  /** Whether every call that there is has been seen. */
  get complete() { return this.#awaited.size === 0; }

  /** The call that the agent is in, or undefined. */
  get current() {
    if (!this.#views.has(this.#chosen)) this.#chosen = null;
    return this.#views.get(this.#chosen);
  }

  /** The payment of a call that is to be shown, or null. */
  capture(view) {
    const newest = this.#newest(view);
    return newest && !this.#dismissed.has(newest.id) ? newest : null;
  }

  /** A saved card is being charged in a call, or a link was opened. */
  charge(view, payment) {
    // What the feed has said of it meanwhile is newer than the answer.
    if (this.#saved.get(view.id)?.id !== payment.id) this.#saved.set(view.id, payment);
  }

  #newest(view) {
    return this.#saved.get(view.id) ?? view.capture;
  }

  /** Take a newer view of a call; returns the older one. */
  take(view) {
    const before = this.#views.get(view.id);
    const capture = view.capture;
    if (capture) {
      const same = before?.capture?.id === capture.id;
      if (!isFinal(capture)) this.#saved.delete(view.id);
      capture.seen = isFinal(capture) ? (same ? before.capture.seen : null) : capture.stage;
    }
    this.#views.set(view.id, view);
    this.#awaited.delete(view.id);
    this.#forget(view);
    return before;
  }

  /** A payment has gone on; its call may be gone. Returns the view of that call, if this changed it. */
  pay(payment) {
    const [charged] = [...this.#saved].find(([, each]) => each.id === payment.id) ?? [];
    if (charged !== undefined) {
      this.#saved.set(charged, payment);
      return this.#views.get(charged);
    }
    const view = this.#views.get(payment.call);
    const capture = view?.capture;
    if (view && payment.link && !isFinal(payment) && (!capture || isFinal(capture))) {
      this.#saved.set(view.id, payment); // opened elsewhere, or before this page was loaded
      return view;
    }
    const decided = payment.decided_at && capture?.outcome?.type === "unknown";
    if (capture?.id !== payment.id || view.state !== "ended" || (isFinal(capture) && !capture.lost && !decided)) return undefined;
    const { stage, outcome, reason, brand, last_four } = payment;
    Object.assign(capture, { stage, outcome, reason, brand: brand ?? capture.brand, last_four: last_four ?? capture.last_four });
    if (isFinal(payment)) capture.lost = false;
    this.#forget(view);
    return view;
  }

  /** Payments whose end was not seen, since the connection was lost when their calls ended. */
  get unseen() {
    const charged = [...this.#saved.values()].filter((payment) => !isFinal(payment));
    return [...this.all.map(({ capture }) => capture).filter((capture) => capture?.lost), ...charged].map(({ id }) => id);
  }

  /** The connection was lost: what has happened since was not seen. */
  lost() {
    for (const { capture } of this.all) {
      if (capture && !isFinal(capture)) capture.seen = capture.stage === "charging" || capture.stage === "ready" ? "charging" : null;
    }
  }

  /** After a reconnection: these calls there are; any other has ended. */
  only(ids) {
    this.#awaited = new Set(ids.filter((id) => !this.#views.has(id)));
    for (const view of this.all) {
      if (ids.includes(view.id)) continue;
      const capture = view.capture;
      if (capture && !isFinal(capture)) {
        capture.lost = true;
        capture.stage = "aborted";
        capture.reason = "result.ended_while_lost";
      }
      Object.assign(view, { state: "ended", masked: false });
      this.#forget(view);
    }
  }

  /** Wait no longer for calls that were named: they have ended since. */
  settle() {
    this.#awaited.clear();
  }

  choose(id) {
    this.#chosen = id;
    for (const view of this.all) this.#forget(view);
  }

  /** The agent has seen how the payment of the current call ended. */
  dismiss() {
    const view = this.current;
    if (view && this.#newest(view)) this.#dismissed.add(this.#newest(view).id);
    if (view) this.#forget(view);
  }

  /** The id of the newest payment of a call, whether or not its end was seen. */
  newestId(view) { return this.#newest(view)?.id; }

  /** The agent wants to see the end of the current call's payment again. */
  recall() {
    const view = this.current;
    if (view) this.#dismissed.delete(this.#newest(view)?.id);
  }

  clear() {
    this.#views.clear();
    this.#saved.clear();
    this.#awaited.clear();
    this.#chosen = null;
  }

  // A call that has ended stays until its agent has seen the end of its payment.
  #forget(view) {
    const unseen = this.capture(view) && view.id === this.#chosen;
    if (view.state === "ended" && !unseen && view.capture?.stage !== "charging") this.#views.delete(view.id);
  }
}
