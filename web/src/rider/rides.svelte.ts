// The rides of this browser's rider: called, looked up, followed live.
import { Problem, change, newKey } from "../api/http";
import type { Call, CallEvent } from "../api/shapes";
import { rideOf } from "../business/ride";
import type { Ride } from "../business/ride";
import { live } from "../live/live.svelte";
import { Lookups } from "../live/told";
import * as kept from "./kept";
import type { KeptRide, Pending } from "./kept";

/** How often open rides are looked up while nothing is told live. */
const LOOK_EVERY_MS = 5_000;
/** A call that nobody answered is asked again by itself so soon after; later the rider may not want it any more. */
const RESUME_MS = 60_000;
/** A ride that is over stays on top for so long. */
const FRESH_MS = 10 * 60_000;

/** What was called off unpaid may be taken late all the same; that it goes back is to be seen too. */
function mayGoOn(ride: Ride): boolean {
  return ride.isOpen || (ride.phase === "off" && Date.now() - (ride.changedAt ?? 0) < FRESH_MS);
}

class Rides {
  rider = $state(kept.rider());
  /** The newest first. */
  all = $state.raw<Ride[]>(kept.rides().map((ride) => rideOf(ride.callId, ride.events)));
  isCalling = $state(false);
  /** Whether a call of an earlier visit is being asked again. */
  isResumed = $state(false);
  /** A call of a while ago of which nobody knows whether it arrived. */
  unanswered = $state.raw<Pending | null>(null);
  problem = $state<Problem | null>(null);

  private readonly lookups = new Lookups(
    (callId, events) => this.told(callId, events),
    (callId, error) => this.notTold(callId, error),
  );
  private watched = "";

  begin(): void {
    live.listen(
      (_, data) => this.heard(data),
      () => this.lookUpAll(),
    );
    kept.onKept(() => this.take(kept.rides()));
    setInterval(() => {
      if (!live.isLive && document.visibilityState === "visible") this.lookUpAll();
    }, LOOK_EVERY_MS);
    this.watch();
    this.lookUpAll();
    const pending = kept.pending();
    if (pending && Date.now() - pending.at < RESUME_MS) void this.resume(pending);
    else this.unanswered = pending;
  }

  /** Asks again for a call that was not answered: there is one of it, whether it had arrived or not. */
  resume(pending: Pending): Promise<number | null> {
    this.isResumed = true;
    return this.send(pending);
  }

  /** Takes a call off of which nobody knows whether it arrived: only one that is known can be cancelled for certain. */
  async drop(pending: Pending): Promise<void> {
    const callId = await this.resume(pending);
    if (callId === null) return;
    try {
      await change("/calls/cancel", { key: newKey(), body: { callId } });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      // The ride is shown as it stands, with its own way to cancel it.
      this.problem = error;
    }
    this.lookups.lookUp(callId);
  }

  /** Open rides, and the last one until it has been seen for a while. */
  current(now: number): Ride[] {
    return this.all.filter((ride, place) => ride.isOpen || (place === 0 && now - (ride.changedAt ?? 0) < FRESH_MS));
  }

  of(callId: number): Ride | undefined {
    return this.all.find((ride) => ride.callId === callId);
  }

  async call(wish: { userName: string; distance: string; paymentMethod: string }): Promise<number | null> {
    if (this.isCalling) return null;
    const userName = wish.userName.trim();
    this.rider = { ...this.rider, userName };
    kept.keepRider(this.rider);
    const body: Pending["body"] = { userId: this.rider.userId, userName, distance: wish.distance };
    if (wish.paymentMethod.trim()) body.paymentMethod = wish.paymentMethod.trim();
    const before = kept.pending();
    // The same wish that was not answered is the same call.
    const isSame = before && JSON.stringify(before.body) === JSON.stringify(body);
    return this.send(isSame ? before : { key: newKey(), at: Date.now(), body });
  }

  private async send(pending: Pending): Promise<number | null> {
    this.isCalling = true;
    this.unanswered = null;
    this.problem = null;
    kept.keepPending(pending);
    try {
      const call = await change<Call>("/calls", { key: pending.key, body: pending.body });
      kept.keepPending(null);
      this.add(call);
      return call.callId;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.problem = error;
      // What is refused is decided; what passes may have been done, and is asked again under the same key.
      if (!error.passes) kept.keepPending(null);
      return null;
    } finally {
      this.isCalling = false;
      this.isResumed = false;
    }
  }

  private add(call: Call): void {
    const event: CallEvent = {
      eventType: "CallRequested",
      timestamp: Date.parse(call.requestedAt),
      actor: "rider",
      callId: call.callId,
      userId: call.userId,
      userName: call.userName,
      distance: call.distance,
      fare: call.fare,
    };
    if (!this.of(call.callId)) this.set([rideOf(call.callId, [event]), ...this.all]);
    this.lookups.lookUp(call.callId);
  }

  forget(callId: number): void {
    this.set(this.all.filter((ride) => ride.callId !== callId));
  }

  lookUp(callId: number): void {
    this.lookups.lookUp(callId);
  }

  private heard(data: string): void {
    const { callId } = JSON.parse(data) as { callId: number };
    if (this.of(callId)) this.lookups.lookUp(callId);
  }

  private lookUpAll(): void {
    for (const ride of this.all) {
      if (mayGoOn(ride)) this.lookups.lookUp(ride.callId);
    }
  }

  private told(callId: number, events: CallEvent[]): void {
    // Another data directory has given the number to somebody else.
    const isMine = events.every((event) => event.userId === undefined || event.userId === this.rider.userId);
    if (!isMine) return this.forget(callId);
    this.set(this.all.map((ride) => (ride.callId === callId ? rideOf(callId, events) : ride)));
  }

  private notTold(callId: number, error: unknown): void {
    // A server that has never heard of it serves other data than the one that took the call.
    if (error instanceof Problem && error.status === 404) this.forget(callId);
  }

  /** What another tab has kept; what this one knows better stays. */
  private take(rides: readonly KeptRide[]): void {
    this.all = rides.map(({ callId, events }) => {
      const own = this.of(callId);
      return own && own.events.length >= events.length ? own : rideOf(callId, events);
    });
    this.watch();
  }

  private set(rides: Ride[]): void {
    this.all = rides;
    kept.keepRides(rides.map(({ callId, events }) => ({ callId, events: [...events] })));
    this.watch();
  }

  private watch(): void {
    const calls = this.all.filter(mayGoOn).map((ride) => ride.callId);
    if (calls.join() === this.watched) return;
    this.watched = calls.join();
    live.watch(calls);
  }
}

export const rides = new Rides();
