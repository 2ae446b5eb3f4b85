// Requests to the API, with the token that this tab holds. The token is never part of an address.

const KEY = "tonewall-token";
let held = null; // where the browser refuses storage, as in some frames

export const token = {
  get() {
    try { return sessionStorage.getItem(KEY) ?? held; } catch { return held; }
  },
  set(value) {
    held = value;
    try { value === null ? sessionStorage.removeItem(KEY) : sessionStorage.setItem(KEY, value); } catch { /* held is enough */ }
  },
};

/** An answer that is no success: `status` (0 where there was none), `message` for the agent, `errors` by field, `payments`
 *  that charged the order already. */
export class Problem extends Error {
  constructor(status, detail, errors = [], payments = []) {
    super(detail);
    this.status = status;
    this.errors = errors;
    this.payments = payments;
  }
}

/** Call `path`; returns the answer's Response. Throws Problem. */
export async function open(path, { method = "GET", body, signal } = {}) {
  const headers = { Authorization: `Bearer ${token.get() ?? ""}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method, headers, signal, cache: "no-store", body: body && JSON.stringify(body) });
  } catch {
    throw new Problem(0, "There was no answer. Wait until the connection is back and look at the state before you go on.");
  }
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  throw new Problem(answer.status, problem.detail ?? `The service answered ${answer.status}.`, problem.errors ?? [], problem.payments ?? []);
}

/** Call `path`; returns the answer's JSON. Throws Problem. */
export async function ask(path, options) {
  return (await open(path, options)).json();
}
