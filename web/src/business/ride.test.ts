// The fold of a call's events, as data: what each order of each situation comes to.
import { describe, expect, test } from "vitest";
import type { CallEvent } from "../api/shapes";
import { rideOf, storyOf } from "./ride";
import type { Phase, Reason } from "./ride";

const SAMPLES: Record<string, Partial<CallEvent>> = {
  requested: { eventType: "CallRequested", actor: "rider", userName: "eojin", distance: 10, fare: 100_000 },
  paid: { eventType: "FarePaid", actor: "provider", fare: 100_000 },
  failed: { eventType: "PaymentFailed", actor: "provider", fare: 100_000, reason: "refused" },
  silent: { eventType: "PaymentFailed", actor: "system", fare: 100_000, reason: "provider silent" },
  placed: { eventType: "CallPlaced", actor: "provider", userName: "eojin", distance: 10 },
  started: { eventType: "DriveStarted", actor: "provider", taxiNum: "1111", driverName: "driver1111", fare: 100_000 },
  ended: { eventType: "DriveEnded", actor: "driver", taxiNum: "1111", driverName: "driver1111", fare: 100_000 },
  noTaxi: { eventType: "DriveNotAvailable", actor: "provider", taxiNum: "1111", fare: 100_000 },
  wish: { eventType: "CancelRequested", actor: "rider" },
  operatorsWish: { eventType: "CancelRequested", actor: "operator" },
  deadline: { eventType: "CancelRequested", actor: "system", reason: "undriven" },
  driveOff: { eventType: "DriveCancelled", actor: "rider", taxiNum: "1111", fare: 100_000 },
  cancelled: { eventType: "CallCancelled", actor: "rider" },
  refunded: { eventType: "FareRefunded", actor: "provider", fare: 100_000 },
  unknown: { eventType: "SeatWarmed", actor: "system" },
};

const CASES: [string, string, Phase, Reason][] = [
  ["just asked", "requested", "paying", null],
  ["paid", "requested paid", "finding", null],
  ["placed", "requested paid placed", "finding", null],
  ["first heard of as placed", "placed", "finding", null],
  ["under way", "requested paid placed started", "underWay", null],
  ["over", "requested paid placed started ended", "arrived", null],
  ["refused", "requested failed", "refused", "refused"],
  ["the provider is silent", "requested silent", "refused", "silent"],
  ["refused, surfaced and given back", "requested silent refunded", "refused", "silent"],
  ["too far", "requested paid placed noTaxi", "returning", "noTaxi"],
  ["too far, off", "requested paid placed noTaxi cancelled", "returning", "noTaxi"],
  ["too far, given back", "requested paid placed noTaxi cancelled refunded", "returned", "noTaxi"],
  ["wanted off before payment", "requested wish", "cancelling", "rider"],
  ["off, never taken", "requested wish driveOff cancelled", "off", "rider"],
  ["wanted off under way", "requested paid placed started wish", "cancelling", "rider"],
  ["off under way, money out", "requested paid placed started wish driveOff cancelled", "returning", "rider"],
  ["off, given back", "requested paid placed started wish driveOff cancelled refunded", "returned", "rider"],
  ["wanted off, too late", "requested paid placed started wish ended", "arrived", "rider"],
  ["an operator takes it off", "requested paid started operatorsWish driveOff cancelled refunded", "returned", "operator"],
  ["a deadline asks, the ride goes on", "requested paid placed started deadline", "underWay", "undriven"],
  ["a deadline asks, nobody drives", "requested paid placed deadline", "cancelling", "undriven"],
  ["what nobody knows changes nothing", "requested paid unknown", "finding", null],
];

function events(names: string): CallEvent[] {
  return names.split(" ").map((name, place) => ({ timestamp: 1_000 + place, callId: 7, ...SAMPLES[name] }) as CallEvent);
}

/** Every order of up to five, and the turned-round and rotated ones of more. */
function orders(all: CallEvent[]): CallEvent[][] {
  if (all.length > 5) return all.map((_, turn) => [...all.slice(turn), ...all.slice(0, turn)]).concat([all.toReversed()]);
  if (all.length < 2) return [all];
  return all.flatMap((one, place) => orders(all.toSpliced(place, 1)).map((rest) => [one, ...rest]));
}

describe("a ride", () => {
  test.each(CASES)("%s", (_, names, phase, reason) => {
    for (const order of orders(events(names))) {
      const ride = rideOf(7, order);
      expect([ride.phase, ride.reason], order.map((event) => event.eventType).join(" ")).toEqual([phase, reason]);
    }
  });

  test("knows what it is about, and a taxi only once there is one", () => {
    const asked = rideOf(7, events("requested paid placed noTaxi"));
    expect([asked.userName, asked.distance, asked.fare, asked.taxiNum]).toEqual(["eojin", 10, 100_000, null]);
    const driven = rideOf(7, events("requested paid placed started"));
    expect([driven.taxiNum, driven.driverName, driven.startedAt]).toEqual(["1111", "driver1111", 1_003]);
  });

  test("without an event is nothing to lean on", () => {
    const ride = rideOf(7, []);
    expect([ride.phase, ride.fare, ride.changedAt]).toEqual(["paying", null, null]);
  });
});

describe("a story", () => {
  test("tells each thing once, and nothing that a rider would not", () => {
    const kinds = (names: string) => storyOf(rideOf(7, events(names))).map((line) => line.kind);
    expect(kinds("requested paid placed started ended")).toEqual(["requested", "paid", "started", "ended"]);
    expect(kinds("requested wish driveOff cancelled")).toEqual(["requested", "cancelWished", "cancelled"]);
    expect(kinds("requested paid started wish driveOff cancelled refunded unknown")).toEqual([
      "requested",
      "paid",
      "started",
      "cancelWished",
      "driveOff",
      "cancelled",
      "refunded",
    ]);
  });
});
