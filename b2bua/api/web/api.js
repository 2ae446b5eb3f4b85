// Requests to the API, with the token that this tab holds, or else with the cookie of a session, which no script can read.
// The token is never part of an address.

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

/** An answer that is no success: `status` (0 where there was none), `message`: what the service says, or the name of a sentence,
 *  whose value is the status; `errors` by field, `payments`
 *  that charged the order already, `type` of the problem, and the seconds to `wait` before the next try. */
export class Problem extends Error {
  constructor(status, detail, { errors = [], payments = [], type = "", wait = 0 } = {}) {
    super(detail);
    Object.assign(this, { status, errors, payments, type, wait });
  }
}

let refused = () => {};

/** `hear()`: a request was answered that nobody is signed in (any more). */
export function onRefused(hear) { refused = hear; }

const PATIENCE = 60_000; // ms; a password takes its time on a busy machine, and a lost service is seen by the feed

/** Call `path`; returns the answer's Response. Throws Problem. */
export async function open(path, { method = "GET", body, signal = AbortSignal.timeout(PATIENCE), headers: more } = {}) {
  const given = token.get();
  const headers = { ...more, ...(given ? { Authorization: `Bearer ${given}` } : {}) };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method, headers, signal, cache: "no-store", body: body && JSON.stringify(body) });
  } catch {
    throw new Problem(0, "page.no_answer");
  }
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  if (answer.status === 401 && path.startsWith("/v1/")) refused();
  const wait = Number(answer.headers.get("retry-after")) || 0;
  throw new Problem(answer.status, problem.detail ?? "page.answered", { ...problem, wait });
}

/** Call `path`; returns the answer's JSON. Throws Problem. */
export async function ask(path, options) {
  return (await open(path, options)).json();
}
