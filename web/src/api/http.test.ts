// Requests over a server that does as it is told: what is sent again, under which key, and what is said of a refusal.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Doing } from "../ui/doing.svelte";
import { Problem, ask, change, newKey } from "./http";

type Answer = Response | Error;
interface Sent {
  path: string;
  key: string | null;
  body: unknown;
}

let sent: Sent[] = [];
let answers: Answer[] = [];

beforeEach(() => {
  vi.useFakeTimers();
  sent = [];
  vi.stubGlobal("fetch", async (path: string, request: RequestInit) => {
    sent.push({ path, key: new Headers(request.headers).get("idempotency-key"), body: request.body ?? null });
    const answer = answers.shift() ?? new Error("nothing is told");
    if (answer instanceof Error) throw answer;
    return answer;
  });
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const fine = () => Response.json({ callId: 7 }, { status: 201 });
const refused = (status: number, headers: Record<string, string> = {}) =>
  Response.json(
    { type: "/problems/x", title: "No", status, detail: "because", requestId: "abc", field: "distance" },
    { status, headers: { "content-type": "application/problem+json", ...headers } },
  );

/** Until it is settled, however long it pauses in between. */
async function settled<Value>(promise: Promise<Value>): Promise<Value | Problem> {
  const caught = promise.catch((error: unknown) => {
    if (error instanceof Problem) return error;
    throw error;
  });
  await vi.runAllTimersAsync();
  return caught;
}

describe("a change", () => {
  test.each<[string, () => Answer[]]>([
    ["the connection breaks", () => [new TypeError("broken"), fine()]],
    ["the answer breaks off", () => [new Response("{", { status: 201 }), fine()]],
    ["the outcome is unknown", () => [refused(504), fine()]],
    ["there is too much at once", () => [refused(503, { "retry-after": "1" }), fine()]],
    ["something in front answers in its own way", () => [new Response("<html>", { status: 502 }), fine()]],
  ])("is sent again under its key where %s", async (_, told) => {
    answers = told();
    expect(await settled(change("/calls", { key: "k", body: { distance: "10" } }))).toEqual({ callId: 7 });
    expect(sent.map(({ key }) => key)).toEqual(["k", "k"]);
    expect(sent[0]?.body).toEqual(sent[1]?.body);
  });

  test.each([400, 401, 404, 409, 422])("is not sent again where it is refused with %i", async (status) => {
    answers = [refused(status), fine()];
    const problem = await settled(change("/calls", { key: "k" }));
    expect(problem).toMatchObject({ status, title: "No", detail: "because", requestId: "abc", field: "distance", passes: false });
    expect(sent.length).toBe(1);
  });

  test("is given up after some attempts, and says that nobody answered", async () => {
    answers = Array.from({ length: 9 }, () => new TypeError("broken"));
    expect(await settled(change("/calls", { key: "k" }))).toMatchObject({ status: 0, isUnreachable: true, passes: true });
    expect(sent.length).toBe(4);
  });
});

describe("a button", () => {
  test("pressed twice does one thing", async () => {
    answers = [fine(), fine()];
    const doing = new Doing();
    const both = Promise.all([doing.change("/calls/cancel", { body: { callId: 7 } }), doing.change("/calls/cancel", { body: { callId: 7 } })]);
    expect(await settled(both)).toEqual([{ callId: 7 }, null]);
    expect(sent.length).toBe(1);
  });

  test("pressed again after nobody answered asks for the same thing, after an answer for another", async () => {
    answers = [...Array.from({ length: 4 }, () => new TypeError("broken")), fine(), fine()];
    const doing = new Doing();
    const press = () => settled(doing.change("/calls/cancel", { body: { callId: 7 } }));
    expect([await press(), doing.problem?.isUnreachable, await press(), doing.problem, await press()]).toEqual([
      null,
      true,
      { callId: 7 },
      null,
      { callId: 7 },
    ]);
    const keys = sent.map(({ key }) => key);
    expect([new Set(keys.slice(0, 5)).size, keys[5] === keys[0]]).toEqual([1, false]);
  });

  test("pressed for something else asks under another key", async () => {
    answers = [...Array.from({ length: 4 }, () => new TypeError("broken")), fine()];
    const doing = new Doing();
    await settled(doing.change("/calls/cancel", { body: { callId: 7 } }));
    await settled(doing.change("/calls/cancel", { body: { callId: 8 } }));
    expect(sent[4]?.key).not.toBe(sent[0]?.key);
  });
});

test("a read is asked once, and a refusal without a body is still one", async () => {
  answers = [new Response(null, { status: 500, headers: { "x-request-id": "abc" } })];
  expect(await settled(ask("/fares?distance=1"))).toMatchObject({ status: 500, requestId: "abc" });
  expect(sent.length).toBe(1);
});

test("keys do not repeat, and are such as the server takes", () => {
  const keys = new Set(Array.from({ length: 1_000 }, newKey));
  expect(keys.size).toBe(1_000);
  for (const key of keys) expect(key).toMatch(/^[0-9a-f]{32}$/);
});
