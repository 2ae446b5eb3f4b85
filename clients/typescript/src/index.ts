// The API of a Tonewall: openapi-fetch with the types of b2bua/api/openapi.json, the token, and the feed.
//
// Rule 1: a POST that has an Idempotency-Key gets one where its caller gives none.
// Rule 2: nothing is sent twice by itself; the caller repeats, under the same key.

import createClient, { type Client, type Middleware } from "openapi-fetch";
import type { components, paths } from "./schema.js";

export type Call = components["schemas"]["CallView"];
export type Payment = components["schemas"]["PaymentView"];
export type Service = components["schemas"]["ServiceView"];
export type Problem = components["schemas"]["Problem"];
export type Tonewall = Client<paths>;

export type FeedEvent =
  | { name: "calls"; data: { ids: string[] }; id: string }
  | { name: "call"; data: Call; id: string }
  | { name: "payment"; data: Payment; id: string }
  | { name: "service"; data: Service; id: string };

const KEYED =
  /\/v1\/(payments|links|calls\/[^/]+\/(capture|links)|payments\/[^/]+\/(start|settlement|captures|voids|refunds|link\/close))$/;

/** The API at `address`, such as https://tonewall.example, as the owner of `token`. */
export function tonewall(address: string, token: string): Tonewall {
  const client = createClient<paths>({ baseUrl: checked(address), redirect: "error" });
  const headers: Middleware = {
    onRequest({ request }) {
      request.headers.set("Authorization", `Bearer ${token}`);
      const path = new URL(request.url).pathname;
      if (request.method === "POST" && KEYED.test(path) && !request.headers.has("Idempotency-Key")) {
        request.headers.set("Idempotency-Key", crypto.randomUUID());
      }
      return request;
    },
  };
  client.use(headers);
  return client;
}

/** The events of the feed, over as many connections as it takes; ends with `signal`. */
export async function* follow(
  address: string,
  token: string,
  signal: AbortSignal,
  lastId = "",
): AsyncGenerator<FeedEvent> {
  while (!signal.aborted) {
    try {
      const headers: Record<string, string> = { Authorization: `Bearer ${token}`, Accept: "text/event-stream" };
      if (lastId) headers["Last-Event-ID"] = lastId;
      const answer = await fetch(`${checked(address)}/v1/feed`, { headers, signal, redirect: "error" });
      if (answer.status === 401 || answer.status === 403) throw new Refused(answer.status);
      if (answer.ok && answer.body) {
        for await (const event of events(answer.body)) {
          lastId = event.id || lastId;
          yield event;
        }
      }
    } catch (error) {
      if (error instanceof Refused) throw error;
    }
    if (!signal.aborted) await new Promise((done) => setTimeout(done, 2000));
  }
}

/** The token may not read the feed. */
export class Refused extends Error {
  constructor(readonly status: number) {
    super(`The feed is refused (${status}).`);
  }
}

async function* events(body: ReadableStream<Uint8Array>): AsyncGenerator<FeedEvent> {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let rest = "";
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      rest += decoder.decode(part.value, { stream: true });
      const blocks = rest.split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const fields = new Map(
          block.split("\n").map((line): [string, string] => {
            const colon = line.indexOf(":");
            return [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, "")];
          }),
        );
        const data = fields.get("data");
        if (data !== undefined) {
          yield { name: fields.get("event"), data: JSON.parse(data), id: fields.get("id") ?? "" } as FeedEvent;
        }
      }
    }
  } finally {
    await reader.cancel();
  }
}

function checked(address: string): string {
  const url = new URL(address);
  if (url.protocol !== "https:" && !["127.0.0.1", "[::1]", "localhost"].includes(url.hostname)) {
    throw new TypeError("Over http:// the token would pass in the clear: use https://.");
  }
  return address.replace(/\/+$/, "");
}
