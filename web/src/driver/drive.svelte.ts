// The drive in hand, by its number: looked up, followed live.
import { Problem } from "../api/http";
import { rideOf } from "../business/ride";
import type { Ride } from "../business/ride";
import { live } from "../live/live.svelte";
import { Lookups } from "../live/told";

const RECENT = "taxisvc.drives";
const RECENT_MAX = 5;
const LOOK_EVERY_MS = 5_000;

class Drive {
  number = $state<number | null>(null);
  ride = $state.raw<Ride | null>(null);
  isUnknown = $state(false);
  problem = $state<Problem | null>(null);
  recent = $state<number[]>(read());

  private readonly lookups = new Lookups(
    (callId, events) => {
      if (callId !== this.number) return;
      this.ride = rideOf(callId, events);
      this.isUnknown = false;
      this.problem = null;
      this.remember(callId);
    },
    (callId, error) => {
      if (callId !== this.number || !(error instanceof Problem)) return;
      this.isUnknown = error.status === 404;
      // What is known already stays; the sign above says that it is not live.
      this.problem = this.isUnknown || this.ride ? null : error;
    },
  );

  begin(): void {
    live.listen(
      (_, data) => {
        const { callId } = JSON.parse(data) as { callId: number };
        if (callId === this.number) this.lookUp();
      },
      () => this.lookUp(),
    );
    setInterval(() => {
      if (!live.isLive && document.visibilityState === "visible") this.lookUp();
    }, LOOK_EVERY_MS);
  }

  /** Takes the drive of this number in hand, or none. */
  take(number: number | null): void {
    if (number === this.number) return this.lookUp();
    this.number = number;
    this.ride = null;
    this.isUnknown = false;
    this.problem = null;
    if (number === null) live.leave();
    else live.watch([number]);
    this.lookUp();
  }

  lookUp(): void {
    if (this.number !== null) this.lookups.lookUp(this.number);
  }

  private remember(number: number): void {
    if (this.recent[0] === number) return;
    this.recent = [number, ...this.recent.filter((other) => other !== number)].slice(0, RECENT_MAX);
    try {
      localStorage.setItem(RECENT, JSON.stringify(this.recent));
    } catch {
      // Then they are forgotten with the page.
    }
  }
}

function read(): number[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(RECENT) ?? "[]");
    return Array.isArray(kept) ? kept.filter((number) => Number.isInteger(number)) : [];
  } catch {
    return [];
  }
}

export const drive = new Drive();
