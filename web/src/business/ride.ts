// What the events of one call come to for whoever rides or drives: the same in any order of them, as the contract has it.
import type { Actor, CallEvent } from "../api/shapes";

/** How a ride stands, in the order in which one usually goes on. */
export const PHASES = [
  "paying",
  "finding",
  "underWay",
  "arrived",
  "cancelling",
  "returning",
  "returned",
  "off",
  "refused",
] as const;
export type Phase = (typeof PHASES)[number];

/** Why there was no ride. */
export type Reason = "rider" | "operator" | "unpaid" | "undriven" | "noTaxi" | "refused" | "silent" | null;

export interface Ride {
  callId: number;
  phase: Phase;
  reason: Reason;
  /** Whether it goes on without anybody's doing: nothing of it is final yet. */
  isOpen: boolean;
  userName: string | null;
  distance: number | null;
  fare: number | null;
  taxiNum: string | null;
  driverName: string | null;
  isPaid: boolean;
  wasDriven: boolean;
  requestedAt: number | null;
  startedAt: number | null;
  endedAt: number | null;
  /** When the last thing happened. */
  changedAt: number | null;
  events: readonly CallEvent[];
}

/** Folds what happened. Events that nobody here knows are kept for the story and change nothing. */
export function rideOf(callId: number, events: readonly CallEvent[]): Ride {
  const first = (...types: string[]) => events.find((event) => types.includes(event.eventType));
  const requested = first("CallRequested") ?? first("CallPlaced", "CancelRequested", "CallCancelled");
  const taxi = first("DriveStarted", "DriveEnded", "DriveCancelled", "DriveNotAvailable");
  const started = first("DriveStarted");
  const ended = first("DriveEnded");
  const isPaid = first("FarePaid") !== undefined;
  const phase = phaseOf(events);
  const wasDriven = started !== undefined || ended !== undefined;
  return {
    callId,
    phase,
    reason: reasonOf(events),
    isOpen: ["paying", "finding", "underWay", "cancelling", "returning"].includes(phase),
    userName: requested?.userName ?? null,
    distance: requested?.distance ?? null,
    fare: (first("CallRequested", "FarePaid") ?? taxi)?.fare ?? null,
    taxiNum: wasDriven ? (taxi?.taxiNum ?? null) : null,
    driverName: wasDriven ? (taxi?.driverName ?? null) : null,
    isPaid,
    wasDriven,
    requestedAt: (first("CallRequested") ?? events[0])?.timestamp ?? null,
    startedAt: started?.timestamp ?? null,
    endedAt: ended?.timestamp ?? null,
    changedAt: events.length === 0 ? null : Math.max(...events.map((event) => event.timestamp)),
    events,
  };
}

function phaseOf(events: readonly CallEvent[]): Phase {
  const has = (type: string) => events.some((event) => event.eventType === type);
  if (has("DriveEnded")) return "arrived";
  if (has("PaymentFailed")) return "refused";
  if (has("FareRefunded")) return "returned";
  if (has("CallCancelled")) return has("FarePaid") ? "returning" : "off";
  if (has("DriveNotAvailable") || has("DriveCancelled")) return has("FarePaid") ? "returning" : "cancelling";
  // A deadline only asks; a ride that has begun goes on.
  const wishes = events.filter((event) => event.eventType === "CancelRequested");
  const byDeadlineAlone = wishes.every((event) => event.reason !== undefined);
  if (wishes.length > 0 && !(byDeadlineAlone && has("DriveStarted"))) return "cancelling";
  if (has("DriveStarted")) return "underWay";
  return has("FarePaid") || has("CallPlaced") ? "finding" : "paying";
}

function reasonOf(events: readonly CallEvent[]): Reason {
  const failed = events.find((event) => event.eventType === "PaymentFailed");
  if (failed) return failed.reason === "refused" ? "refused" : "silent";
  if (events.some((event) => event.eventType === "DriveNotAvailable")) return "noTaxi";
  const wishes = events.filter((event) => event.eventType === "CancelRequested");
  const byPerson = wishes.find((event) => event.reason === undefined);
  if (byPerson) return byPerson.actor === "operator" ? "operator" : "rider";
  const reason = wishes[0]?.reason;
  return reason === "unpaid" || reason === "undriven" ? reason : null;
}

/** What of a ride is told in its story, and how: one line for each thing that a rider would tell. */
export interface Line {
  at: number;
  kind: LineKind;
  by: Actor;
  fare: number | null;
  distance: number | null;
  taxiNum: string | null;
  driverName: string | null;
}

export const LINE_KINDS = [
  "requested",
  "paid",
  "refused",
  "silent",
  "started",
  "ended",
  "noTaxi",
  "cancelWished",
  "cancelUnpaid",
  "cancelUndriven",
  "driveOff",
  "cancelled",
  "refunded",
] as const;
export type LineKind = (typeof LINE_KINDS)[number];

export function storyOf(ride: Ride): Line[] {
  const lines: Line[] = [];
  for (const event of ride.events) {
    const kind = lineKind(event, ride);
    if (kind === null) continue;
    lines.push({
      at: event.timestamp,
      kind,
      by: event.actor,
      fare: event.fare ?? ride.fare,
      distance: event.distance ?? ride.distance,
      taxiNum: event.taxiNum ?? null,
      driverName: event.driverName ?? null,
    });
  }
  return lines;
}

function lineKind(event: CallEvent, ride: Ride): LineKind | null {
  switch (event.eventType) {
    case "CallRequested":
      return "requested";
    case "FarePaid":
      return "paid";
    case "PaymentFailed":
      return event.reason === "refused" ? "refused" : "silent";
    case "DriveStarted":
      return "started";
    case "DriveEnded":
      return "ended";
    case "DriveNotAvailable":
      return "noTaxi";
    case "CancelRequested":
      if (event.reason === "unpaid") return "cancelUnpaid";
      return event.reason === "undriven" ? "cancelUndriven" : "cancelWished";
    case "DriveCancelled":
      // Worth telling only where a taxi was on its way.
      return ride.startedAt === null ? null : "driveOff";
    case "CallCancelled":
      return "cancelled";
    case "FareRefunded":
      return "refunded";
    // That it is placed follows from the payment; a rider would not tell it.
    default:
      return null;
  }
}
