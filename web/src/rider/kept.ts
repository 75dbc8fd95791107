// What this browser keeps of its rider: who it is, its rides as they were last seen, and calls that nobody answered yet.
//
// Several tabs keep the same: what is written is added to what is there, never put in its place. A browser that keeps nothing
// has it for as long as the page is open.
import { newKey } from "../api/http";
import type { CallEvent } from "../api/shapes";

const RIDER = "taxisvc.rider";
const RIDES = "taxisvc.rides";
const FORGOTTEN = "taxisvc.forgotten";
const PENDING = "taxisvc.pending";
/** Older ones are forgotten here; the firm has them all. */
const RIDES_MAX = 50;
const FORGOTTEN_MAX = 200;
/** The server knows keys for 24 hours; an hour less, since its clock may be another. */
export const KEY_LIVES_MS = 23 * 3_600_000;

export interface Rider {
  userId: string;
  userName: string;
}

export interface KeptRide {
  callId: number;
  events: CallEvent[];
}

/** What is asked for, and the key under which it may be asked again. */
export interface Pending {
  key: string;
  /** When it was asked for first, in milliseconds since 1970. */
  at: number;
  body: { userId: string; userName: string; distance: string; paymentMethod?: string };
}

export function rider(): Rider {
  const kept = read<Rider>(RIDER);
  if (kept && typeof kept.userId === "string") return { userId: kept.userId, userName: String(kept.userName ?? "") };
  const drawn = { userId: `web-${newKey().slice(0, 20)}`, userName: "" };
  write(RIDER, drawn);
  return drawn;
}

export function keepRider(rider: Rider): void {
  write(RIDER, rider);
}

/** The newest first. */
export function rides(): KeptRide[] {
  const forgotten = new Set(list<number>(FORGOTTEN));
  const kept = list<KeptRide>(RIDES).filter((ride) => Number.isInteger(ride?.callId) && Array.isArray(ride.events));
  return kept.filter((ride) => !forgotten.has(ride.callId));
}

/** Adds these to what is kept: of each ride what knows more. */
export function keepRides(own: readonly KeptRide[]): KeptRide[] {
  const all = joined(own, rides());
  write(RIDES, all.slice(0, RIDES_MAX));
  return all;
}

export function forgetRide(callId: number): void {
  write(FORGOTTEN, [callId, ...list<number>(FORGOTTEN)].slice(0, FORGOTTEN_MAX));
  write(RIDES, rides());
}

/** Both, the newest first; of a ride that is in both, the one that knows more. */
export function joined(own: readonly KeptRide[], others: readonly KeptRide[]): KeptRide[] {
  const all = new Map(others.map((ride) => [ride.callId, ride]));
  for (const ride of own) {
    const known = all.get(ride.callId);
    if (!known || known.events.length <= ride.events.length) all.set(ride.callId, ride);
  }
  const calledAt = (ride: KeptRide) => ride.events[0]?.timestamp ?? 0;
  return [...all.values()].sort((a, b) => calledAt(b) - calledAt(a) || b.callId - a.callId);
}

/** Calls that were not answered, the oldest first. */
export function pending(): Pending[] {
  const kept = list<Pending>(PENDING);
  return kept.filter((one) => typeof one?.key === "string" && typeof one.at === "number" && Boolean(one.body));
}

export function keepPending(one: Pending): void {
  write(PENDING, [...pending().filter((other) => other.key !== one.key), one]);
}

export function dropPending(key: string): void {
  write(
    PENDING,
    pending().filter((other) => other.key !== key),
  );
}

/** Has this tab told what another tab of the browser keeps. */
export function onKept(told: () => void): void {
  addEventListener("storage", (event) => {
    if (event.key === null || [RIDES, FORGOTTEN, PENDING].includes(event.key)) told();
  });
}

/** What could not be kept. */
const unkept = new Map<string, unknown>();

function list<Item>(name: string): Item[] {
  const kept = read<Item[]>(name);
  return Array.isArray(kept) ? kept : [];
}

function read<Kept>(name: string): Kept | null {
  if (unkept.has(name)) return unkept.get(name) as Kept;
  try {
    return JSON.parse(localStorage.getItem(name) ?? "null") as Kept | null;
  } catch {
    return null;
  }
}

function write(name: string, value: unknown): void {
  try {
    localStorage.setItem(name, JSON.stringify(value));
    unkept.delete(name);
  } catch {
    unkept.set(name, value);
  }
}
