// The time that ages are told by: it ticks once a second for all that show one.
import { now } from "../api/time";

class Clock {
  now = $state(now());

  constructor() {
    if (typeof window !== "undefined") setInterval(() => (this.now = now()), 1_000);
  }
}

export const clock = new Clock();
