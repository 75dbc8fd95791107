// A stream over a connection that brings what it is given, in pieces as networks cut them.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Stream } from "./stream";

let asked: { path: string; headers: Headers }[] = [];
let connection: ReadableStreamDefaultController<Uint8Array>;

beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  vi.stubGlobal("fetch", async (path: string, request: RequestInit) => {
    asked.push({ path, headers: new Headers(request.headers) });
    const body = new ReadableStream<Uint8Array>({ start: (controller) => void (connection = controller) });
    request.signal?.addEventListener("abort", () => {
      try {
        connection.error(new Error("aborted"));
      } catch {
        // It is over already.
      }
    });
    const headers = { "content-type": path.includes("page") ? "text/html" : "text/event-stream" };
    return new Response(path.includes("refused") ? null : body, { status: path.includes("refused") ? 401 : 200, headers });
  });
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

function open(path = "/events", after: string | null = null) {
  const told: unknown[] = [];
  const stream = new Stream(
    { path, token: "secret", after },
    {
      came: () => told.push("came"),
      reached: (id) => told.push(["reached", id]),
      happened: (type, data) => told.push([type, data]),
      over: (status) => told.push(["over", status]),
    },
  );
  const bring = async (text: string) => {
    connection.enqueue(new TextEncoder().encode(text));
    await vi.advanceTimersByTimeAsync(1);
  };
  return { stream, told, bring };
}

test("what comes is told, in whatever pieces, and where one is", async () => {
  const { told, bring } = open("/events", "before");
  await vi.advanceTimersByTimeAsync(1);
  await bring("retry: 2000\nid: a\n\nid: b\nevent: Fare");
  await bring('Paid\ndata: {"callId":7}\n\n: still here\n\n');
  await bring(": still here\nid: c\n");
  expect(told).toEqual(["came", ["reached", "a"], ["FarePaid", '{"callId":7}'], ["reached", "b"]]);
  await bring("\n");
  expect(told.at(-1)).toEqual(["reached", "c"]);
  expect([asked[0]?.headers.get("last-event-id"), asked[0]?.headers.get("authorization")]).toEqual(["before", "Bearer secret"]);
});

test("a connection that says nothing is given up, one that breathes is not", async () => {
  const { told, bring } = open();
  await vi.advanceTimersByTimeAsync(1);
  for (let round = 0; round < 10; round += 1) {
    await vi.advanceTimersByTimeAsync(15_000);
    await bring(": still here\n\n");
  }
  expect(told).toEqual(["came"]);
  await vi.advanceTimersByTimeAsync(40_000);
  expect(told).toEqual(["came", ["over", null]]);
});

test("an end, and a refusal, are told once; after closing nothing is", async () => {
  const ended = open();
  await vi.advanceTimersByTimeAsync(1);
  connection.close();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(ended.told).toEqual(["came", ["over", null]]);
  const refused = open("/refused");
  await vi.advanceTimersByTimeAsync(60_000);
  expect(refused.told).toEqual([["over", 401]]);
  const page = open("/page");
  await vi.advanceTimersByTimeAsync(1);
  expect(page.told).toEqual([["over", null]]);
  const closed = open();
  await vi.advanceTimersByTimeAsync(1);
  closed.stream.close();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(closed.told).toEqual(["came"]);
});
