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
const RESUME_EVERY_MS = 3_000;
/** A ride that is over stays on top for so long. */
const FRESH_MS = 10 * 60_000;
const NOT_FOUND = "/problems/not-found";

/** What was called off unpaid may be taken late all the same; that it goes back is to be seen too. */
function mayGoOn(ride: Ride): boolean {
  return ride.isOpen || (ride.phase === "off" && Date.now() - (ride.changedAt ?? 0) < FRESH_MS);
}

class Rides {
  rider = $state(kept.rider());
  /** The newest first. */
  all = $state.raw<Ride[]>(kept.rides().map((ride) => rideOf(ride.callId, ride.events)));
  /** Rides that the server says it has never heard of. */
  lost = $state.raw<ReadonlySet<number>>(new Set());
  /** Calls of which nobody knows whether they arrived: no other is made before it is known. */
  unanswered = $state.raw<readonly Pending[]>([]);
  /** The keys of the calls that are being asked for. */
  private asking = $state.raw<ReadonlySet<string>>(new Set());
  /** The keys of the calls that are to be taken off as soon as they are known. */
  private unwanted = $state.raw<ReadonlySet<string>>(new Set());
  problem = $state<Problem | null>(null);

  private readonly lookups = new Lookups(
    (callId, events) => this.told(callId, events),
    (callId, error) => this.notTold(callId, error),
  );
  private watched = "";

  get isCalling(): boolean {
    return this.asking.size > 0;
  }

  begin(): void {
    live.listen(
      (_, data) => this.heard(data),
      () => this.lookUpAll(),
    );
    kept.onKept(() => this.take());
    // A page that was put away has not heard what other tabs kept meanwhile.
    addEventListener("pageshow", () => this.take());
    document.addEventListener("visibilitychange", () => this.take());
    setInterval(() => {
      if (!live.isLive && document.visibilityState === "visible") this.lookUpAll();
    }, LOOK_EVERY_MS);
    this.watch();
    this.lookUpAll();
    this.unanswered = kept.pending();
    const resume = () => {
      for (const pending of this.unanswered) {
        if (this.isFresh(pending)) void this.send(pending);
      }
    };
    setInterval(resume, RESUME_EVERY_MS);
    resume();
  }

  /** Whether a call is still asked for by itself. */
  private isFresh(pending: Pending): boolean {
    const age = Date.now() - pending.at;
    return age >= 0 && age < RESUME_MS;
  }

  /** Open rides, and the last one until it has been seen for a while. */
  current(now: number): Ride[] {
    return this.all.filter((ride, place) => ride.isOpen || (place === 0 && now - (ride.changedAt ?? 0) < FRESH_MS));
  }

  of(callId: number): Ride | undefined {
    return this.all.find((ride) => ride.callId === callId);
  }

  isAsking(pending: Pending): boolean {
    return this.asking.has(pending.key);
  }

  async call(wish: { userName: string; distance: string; paymentMethod: string }): Promise<number | null> {
    if (this.isCalling || this.unanswered.length > 0) return null;
    const userName = wish.userName.trim();
    this.rider = { ...this.rider, userName };
    kept.keepRider(this.rider);
    const body: Pending["body"] = { userId: this.rider.userId, userName, distance: wish.distance };
    if (wish.paymentMethod.trim()) body.paymentMethod = wish.paymentMethod.trim();
    return this.send({ key: newKey(), at: Date.now(), body });
  }

  /** Asks again for a call that was not answered: there is one of it, whether it had arrived or not. */
  resume(pending: Pending): Promise<number | null> {
    return this.send(pending);
  }

  /** Takes a call off of which nobody knows whether it arrived: only one that is known can be cancelled for certain. */
  cancelUnanswered(pending: Pending): Promise<number | null> {
    this.unwanted = new Set([...this.unwanted, pending.key]);
    return this.send(pending);
  }

  isUnwanted(pending: Pending): boolean {
    return this.unwanted.has(pending.key);
  }

  private async takeOff(callId: number): Promise<void> {
    try {
      await change("/calls/cancel", { key: newKey(), body: { callId } });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      // The ride is shown as it stands, with its own way to cancel it.
      this.problem = error;
    }
    this.lookups.lookUp(callId);
  }

  /** Drops a call that is too old to be asked about. */
  drop(pending: Pending): void {
    kept.dropPending(pending.key);
    this.unanswered = this.unanswered.filter((other) => other.key !== pending.key);
    this.problem = null;
  }

  private async send(pending: Pending): Promise<number | null> {
    if (this.isAsking(pending)) return null;
    this.asking = new Set([...this.asking, pending.key]);
    this.problem = null;
    kept.keepPending(pending);
    try {
      const call = await change<Call>("/calls", { key: pending.key, body: pending.body });
      this.add(call);
      this.drop(pending);
      if (this.isUnwanted(pending)) await this.takeOff(call.callId);
      return call.callId;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      // What is refused is decided; what passes may have been done, and is asked again under the same key.
      if (error.passes) this.unanswered = [...this.unanswered.filter((other) => other.key !== pending.key), pending];
      else this.drop(pending);
      this.problem = error;
      return null;
    } finally {
      this.asking = new Set([...this.asking].filter((key) => key !== pending.key));
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
    if (!this.of(call.callId)) this.keep([{ callId: call.callId, events: [event] }]);
    this.lookups.lookUp(call.callId);
  }

  forget(callId: number): void {
    kept.forgetRide(callId);
    this.all = this.all.filter((ride) => ride.callId !== callId);
    this.watch();
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
    if (this.lost.has(callId)) this.lost = new Set([...this.lost].filter((other) => other !== callId));
    this.keep([{ callId, events }]);
  }

  private notTold(callId: number, error: unknown): void {
    // A server that has never heard of it serves other data than the one that took the call. Money may hang on it: that is
    // said, and nothing is forgotten.
    if (error instanceof Problem && error.type === NOT_FOUND && this.of(callId)?.isOpen) this.lost = new Set([...this.lost, callId]);
  }

  /** What other tabs have kept; what this one knows better stays. */
  private take(): void {
    const stored = kept.rides();
    const isThere = new Set(stored.map((ride) => ride.callId));
    const own = this.all.filter((ride) => isThere.has(ride.callId)).map(keptOf);
    this.show(kept.joined(own, stored));
    // What another tab has had answered.
    const waiting = new Set(kept.pending().map((pending) => pending.key));
    this.unanswered = this.unanswered.filter((pending) => waiting.has(pending.key));
  }

  private keep(rides: readonly KeptRide[]): void {
    this.show(kept.keepRides(kept.joined(rides, this.all.map(keptOf))));
  }

  private show(rides: readonly KeptRide[]): void {
    this.all = rides.map(({ callId, events }) => {
      const own = this.of(callId);
      return own && own.events === events ? own : rideOf(callId, events);
    });
    this.watch();
  }

  private watch(): void {
    const calls = this.all.filter(mayGoOn).map((ride) => ride.callId);
    if (calls.join() === this.watched) return;
    this.watched = calls.join();
    live.watch(calls);
  }
}

function keptOf(ride: Ride): KeptRide {
  return { callId: ride.callId, events: ride.events as CallEvent[] };
}

export const rides = new Rides();
