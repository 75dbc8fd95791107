// What is kept, over a storage that works, that is full, and that others write to.
import { beforeEach, describe, expect, test, vi } from "vitest";
import type { CallEvent } from "../api/shapes";
import * as kept from "./kept";

let stored: Map<string, string>;
let isFull = false;

beforeEach(() => {
  stored = new Map();
  isFull = false;
  vi.stubGlobal("localStorage", {
    getItem: (name: string) => stored.get(name) ?? null,
    setItem: (name: string, value: string) => {
      if (isFull) throw new Error("the quota is used up");
      stored.set(name, value);
    },
  });
});

const ride = (callId: number, events: number) => ({
  callId,
  events: Array.from({ length: events }, (_, place) => ({ timestamp: callId * 100 + place }) as CallEvent),
});
const pending = (key: string) => ({ key, at: 1, body: { userId: "u", userName: "n", distance: "10" } });
const ids = (rides: kept.KeptRide[]) => rides.map(({ callId, events }) => [callId, events.length]);

describe("rides", () => {
  test("are added to what another tab keeps, and of each the one that knows more stays", () => {
    kept.keepRides([ride(1, 5), ride(2, 1)]);
    expect(ids(kept.keepRides([ride(3, 1), ride(2, 4), ride(1, 2)]))).toEqual([
      [3, 1],
      [2, 4],
      [1, 5],
    ]);
    expect(ids(kept.rides())).toEqual(ids(kept.keepRides([])));
  });

  test("that were forgotten are not brought back by a tab that still has them", () => {
    kept.keepRides([ride(1, 5), ride(2, 1)]);
    kept.forgetRide(1);
    kept.keepRides([ride(1, 5)]);
    expect(ids(kept.rides())).toEqual([[2, 1]]);
  });

  test("that make no sense are passed over", () => {
    stored.set("taxisvc.rides", JSON.stringify([{ callId: "1" }, null, { callId: 2 }, ride(3, 1)]));
    expect(ids(kept.rides())).toEqual([[3, 1]]);
    stored.set("taxisvc.rides", "{");
    expect(kept.rides()).toEqual([]);
  });
});

describe("calls that were not answered", () => {
  test("are kept by their key, beside those of other tabs", () => {
    kept.keepPending(pending("a"));
    kept.keepPending(pending("b"));
    kept.keepPending(pending("a"));
    kept.dropPending("a");
    expect(kept.pending().map(({ key }) => key)).toEqual(["b"]);
  });

  test("are known as long as the page is open where nothing can be kept", () => {
    isFull = true;
    kept.keepPending(pending("a"));
    expect(kept.pending().map(({ key }) => key)).toEqual(["a"]);
    isFull = false;
    kept.dropPending("a");
    expect(kept.pending()).toEqual([]);
  });
});
