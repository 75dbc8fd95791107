// The list's fold against the rules that the API's document states, in every order of the events.
import { describe, expect, test } from "vitest";
import type { Envelope } from "../api/shapes";
import { heard, unheard } from "./view";

const BODIES: Record<string, Record<string, unknown>> = {
  CallRequested: { fare: 100_000, meters: 10_000, userName: { plain: "eojin" } },
  CallPlaced: { meters: 10_000, userName: { plain: "eojin" } },
  FarePaid: { fare: 100_000 },
  PaymentFailed: { fare: 100_000, reason: "refused" },
  FareRefunded: { fare: 100_000 },
  DriveStarted: { driverName: "driver1111", taxiNum: "1111", fare: 100_000 },
  DriveNotAvailable: { driverName: "driver1111", taxiNum: "1111", fare: 100_000 },
  DriveEnded: { driverName: "driver1111", taxiNum: "1111", fare: 100_000 },
  DriveCancelled: { driverName: "driver1111", taxiNum: "1111", fare: 0 },
  CancelRequested: { meters: 10_000, userName: { plain: "eojin" } },
  CallCancelled: { meters: 10_000, userName: { plain: "eojin" } },
};

const CASES: [string[], string | null, string | null, string | null][] = [
  [["CallRequested"], "payRequest", "asked", null],
  [["CallRequested", "FarePaid"], "driveRequest", "paid", null],
  [["CallRequested", "FarePaid", "CallPlaced", "DriveStarted"], "driveStart", "paid", "start"],
  [["CallRequested", "FarePaid", "CallPlaced", "DriveStarted", "DriveEnded"], "driveComplete", "paid", "end"],
  [["CallRequested", "PaymentFailed"], "payFail", "failed", null],
  [["CallRequested", "PaymentFailed", "FareRefunded"], "payFail", "refunded", null],
  [["CallRequested", "FarePaid", "DriveNotAvailable", "CallCancelled"], "requestCancel", "refunding", "requestCancel"],
  [["FarePaid", "DriveNotAvailable", "CallCancelled", "FareRefunded"], "requestCancel", "refunded", "requestCancel"],
  [["CallRequested", "CancelRequested", "DriveCancelled", "CallCancelled"], "requestCancel", "voided", "cancel"],
  [["CallRequested", "FarePaid", "CancelRequested", "DriveEnded"], "driveComplete", "paid", "end"],
];

function event(type: string, place: number): Envelope {
  const at = `2026-11-28T08:11:${String(10 + place)}.000Z`;
  return { service: "", shard: 0, position: 1, type, published: true, at, actor: "rider", cause: "", callId: 7, body: BODIES[type] ?? {} };
}

function orders<Item>(all: Item[]): Item[][] {
  if (all.length < 2) return [all];
  return all.flatMap((one, place) => orders(all.toSpliced(place, 1)).map((rest) => [one, ...rest]));
}

describe("a call in a list", () => {
  test.each(CASES)("%s", (types, callStatus, payStatus, driveStatus) => {
    const events = types.map(event);
    const first = events.reduce(heard, unheard(7));
    expect([first.callStatus, first.payStatus, first.driveStatus]).toEqual([callStatus, payStatus, driveStatus]);
    // In any order, and each twice.
    for (const order of orders(events)) expect([...order, ...order].reduce(heard, unheard(7))).toEqual(first);
  });

  test("is not changed by private notes or by what nobody knows", () => {
    const view = [event("CallRequested", 0)].reduce(heard, unheard(7));
    expect(heard(view, event("SeatWarmed", 1))).toBe(view);
    expect(heard(view, { ...event("FarePaid", 1), published: false })).toBe(view);
  });

  test("does not show a name that is not plain", () => {
    const told = { ...event("CallRequested", 0), body: { userName: { sealed: "…" } } };
    expect(heard(unheard(7), told).userName).toBeNull();
  });
});
