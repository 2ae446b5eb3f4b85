// Takes a payment in a call, found by the number of who called, and prints what becomes of it.

import { follow, tonewall } from "./src/index.js";

const [address = "", token = ""] = process.argv.slice(2);
const api = tonewall(address, token);

const { data: calls, error } = await api.GET("/v1/calls", { params: { query: { caller: "+49301234567" } } });
if (error) throw new Error(error.detail);
const call = calls[0];
if (!call) throw new Error("There is no call.");

const started = await api.POST("/v1/calls/{call_id}/capture", {
  params: { path: { call_id: call.id } },
  body: { transaction_id: "INV-2041", amount: 4990, currency: "EUR", allow_repeat: false },
});
if (started.error) throw new Error(started.error.detail);

const stop = new AbortController();
for await (const event of follow(address, token, stop.signal)) {
  if (event.name !== "call" || event.data.id !== call.id) continue;
  const capture = event.data.capture;
  if (capture?.stage === "ready") {
    await api.POST("/v1/calls/{call_id}/capture/submit", { params: { path: { call_id: call.id } } });
  }
  if (capture?.outcome) {
    console.log(capture.outcome.type);
    stop.abort();
  }
}
