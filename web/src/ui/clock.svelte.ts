// The time that ages are told by: it ticks once a second for all that show one.
class Clock {
  now = $state(Date.now());

  constructor() {
    if (typeof window !== "undefined") setInterval(() => (this.now = Date.now()), 1_000);
  }
}

export const clock = new Clock();
