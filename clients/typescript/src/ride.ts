// Rides with the generated client: one to its end, one called off, and what is refused, told apart by its type.
// Nothing here is written by hand that the document says: where the two differ, this does not compile.

import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import createClient from "openapi-fetch";
import type { components, paths } from "./taxisvc.js";

type Problem = components["schemas"]["Problem"];
type CallView = components["schemas"]["CallView"];

const [baseUrl, token] = process.argv.slice(2);
assert(baseUrl !== undefined && token !== undefined, "usage: ride.js <address of the gateway> <operator's token>");
const client = createClient<paths>({ baseUrl });

const LOOKS_MAX = 10_000;

/** Looks at a call's view until it is as wanted. */
async function view(id: number, isEnough: (view: CallView) => boolean, atLeast?: string): Promise<CallView> {
  for (let look = 0; look < LOOKS_MAX; look += 1) {
    const header = atLeast === undefined ? {} : { "Taxisvc-At-Least": atLeast };
    const { data } = await client.GET("/callViews/{id}", { params: { path: { id }, header } });
    if (data !== undefined && isEnough(data)) return data;
    await nextTurn();
  }
  throw new Error(`call ${id} never comes so far`);
}

/** What a rider is told; a new type of problem stops the compiler here. */
function told(problem: Problem): string {
  switch (problem.type) {
    case "/problems/impossible":
    case "/problems/malformed":
      return `please correct ${problem.field ?? "your request"}`;
    case "/problems/not-allowed-now":
      return `too late: ${problem.callStatus ?? problem.driveStatus ?? problem.payStatus ?? "over"}`;
    case "/problems/outcome-unknown":
    case "/problems/too-busy":
    case "/problems/unavailable":
    case "/problems/not-read-yet":
    case "/problems/storage-full":
    case "/problems/rate-limited":
    case "/problems/request-timeout":
    case "/problems/upstream-broken":
    case "/problems/upstream-timeout":
    case "/problems/upstream-unavailable":
      return "one moment, please";
    case "/problems/payment-refused":
    case "/problems/payment-given-up":
    case "/problems/other-fare":
      return "the payment failed";
    case "/problems/not-found":
    case "/problems/another-log":
      return "nothing here";
    case "/problems/unauthorized":
      return "not for you";
    case "/problems/method-not-allowed":
    case "/problems/not-acceptable":
    case "/problems/payload-too-large":
    case "/problems/unsupported-media-type":
    case "/problems/idempotency-key-reused":
    case "/problems/internal":
      return "our mistake";
    default:
      return problem satisfies never;
  }
}

async function aRide(): Promise<void> {
  const key = { header: { "Idempotency-Key": `ride-${process.pid}-${Date.now()}` } };
  const body = { userId: 1, userName: "eojin", distance: "10" };
  const { data: call, error, response } = await client.POST("/calls", { params: key, body });
  assert(call !== undefined, JSON.stringify(error));
  assert.equal(response.status, 201);
  assert.equal(call.callStatus, "driveRequest");
  assert.equal(call.fare, 100_000);
  const again = await client.POST("/calls", { params: key, body });
  assert.equal(again.data?.callId, call.callId, "the same key is the same call");
  assert.equal(again.response.headers.get("idempotent-replayed"), "true");

  const underWay = await view(call.callId, (seen) => seen.callStatus === "driveStart");
  assert.equal(underWay.payStatus, "paid");
  const ended = await client.POST("/drives/end", { body: { driveId: call.callId } });
  assert.equal(ended.data?.driveStatus, "end");
  const position = ended.response.headers.get("taxisvc-position");
  assert(position !== null);
  const over = await view(call.callId, () => true, position);
  assert.equal(over.driveStatus, "end", "what was just written is read");

  const refused = await client.POST("/calls/cancel", { body: { callId: call.callId } });
  assert(refused.error !== undefined);
  assert.equal(refused.error.type, "/problems/not-allowed-now");
  assert.equal(told(refused.error), "too late: driveComplete");
}

async function oneCalledOff(): Promise<void> {
  const { data: call } = await client.POST("/calls", { body: { userId: "2", userName: "Mina", distance: 3.2 } });
  assert(call !== undefined);
  const { data: off, response } = await client.POST("/calls/cancel", { body: { callId: call.callId } });
  assert(response.status === 200 || response.status === 202);
  assert.equal(off?.callStatus, "requestCancel");
  const back = await view(call.callId, (seen) => seen.payStatus === "refunded" || seen.payStatus === "voided");
  assert.equal(back.callStatus, "requestCancel");
  const { data: page } = await client.GET("/calls", { params: { query: { callStatus: "requestCancel", sort: "callId,desc", size: 1 } } });
  assert.equal(page?._embedded.calls[0]?.callId, call.callId);
}

async function whatIsRefused(): Promise<void> {
  const far = await client.POST("/calls", { body: { userId: "3", userName: "Jo", distance: 0 } });
  assert(far.error !== undefined);
  assert.equal(told(far.error), "please correct distance");
  const none = await client.GET("/calls/{id}", { params: { path: { id: 9_007_199_254_740_991 } } });
  assert(none.error !== undefined);
  assert.equal(told(none.error), "nothing here");
  const { data: unpaid } = await client.POST("/calls", {
    body: { userId: "4", userName: "Ara", distance: 5, paymentMethod: "test:refused" },
  });
  assert.equal(unpaid?.callStatus, "payFail");
  const { data: fare } = await client.GET("/fares", { params: { query: { distance: 150 } } });
  assert.equal(fare?.tooFar, true);
}

async function anOperator(): Promise<void> {
  const stranger = await client.GET("/operator/log");
  assert(stranger.error !== undefined);
  assert.equal(told(stranger.error), "not for you");
  const { data: level } = await client.GET("/operator/log", { headers: { authorization: `Bearer ${token}` } });
  assert(level !== undefined && level.level.length > 0);
}

await aRide();
await oneCalledOff();
await whatIsRefused();
await anOperator();
console.log("a ride, one called off, three refused, and an operator's look: as the document says");
