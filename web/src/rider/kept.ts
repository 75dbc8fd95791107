// What this browser keeps of its rider: who it is, its rides as they were last seen, and a call that nobody answered yet.
import { newKey } from "../api/http";
import type { CallEvent } from "../api/shapes";

const RIDER = "taxisvc.rider";
const RIDES = "taxisvc.rides";
const PENDING = "taxisvc.pending";
/** The server knows keys for 24 hours; an hour less, since its clock may be another. */
const KEY_LIVES_MS = 23 * 3_600_000;
/** Older ones are forgotten here; the firm has them all. */
const RIDES_MAX = 50;

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

export function rides(): KeptRide[] {
  const kept = read<KeptRide[]>(RIDES);
  return Array.isArray(kept) ? kept.filter((ride) => Number.isInteger(ride.callId) && Array.isArray(ride.events)) : [];
}

export function keepRides(rides: readonly KeptRide[]): void {
  write(RIDES, rides.slice(0, RIDES_MAX));
}

export function pending(): Pending | null {
  const kept = read<Pending>(PENDING);
  const isKept = kept !== null && typeof kept.key === "string" && typeof kept.at === "number" && Boolean(kept.body);
  // Longer than the server knows keys it would be another call.
  return isKept && Date.now() - kept.at < KEY_LIVES_MS ? kept : null;
}

export function keepPending(pending: Pending | null): void {
  write(PENDING, pending);
}

/** Has this tab told what another tab of the browser keeps. */
export function onKept(told: () => void): void {
  addEventListener("storage", (event) => {
    if (event.key === RIDES || event.key === null) told();
  });
}

function read<Kept>(name: string): Kept | null {
  try {
    return JSON.parse(localStorage.getItem(name) ?? "null") as Kept | null;
  } catch {
    return null;
  }
}

function write(name: string, value: unknown): void {
  try {
    if (value === null) localStorage.removeItem(name);
    else localStorage.setItem(name, JSON.stringify(value));
  } catch {
    // A browser that keeps nothing has its rides for as long as the page is open.
  }
}
