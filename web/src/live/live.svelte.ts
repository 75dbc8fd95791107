// What a page knows of how fresh it is, and its way to the hub.
import type { Asked, Told } from "./hub";

export type Heard = (type: string, data: string) => void;
/** Told whenever everything from here on will be heard; where that is anew, something before may have been missed. */
export type Came = (isAnew: boolean) => void;

class Live {
  /** Whether what happens is told as it happens. */
  isLive = $state(false);
  /** Since when it is not. */
  since = $state(Date.now());
  /** The status with which the stream was refused, if it was. */
  refused = $state<number | null>(null);
  /** Whether it was ever live, or long enough not: a page that has just opened is not late. */
  isSettled = $state(false);

  private send: ((asked: Asked) => void) | null = null;
  private last: Asked | null = null;
  private heard: Heard = () => undefined;
  private came: Came = () => undefined;
  private isListening = false;

  /** Has what happens told to this page, and to whoever asks last. */
  listen(heard: Heard, came: Came): void {
    this.heard = heard;
    this.came = came;
    if (this.isListening) return;
    this.isListening = true;
    setTimeout(() => (this.isSettled = true), 3_000);
    // A page that is put away is told nothing and holds nothing open; a page that is taken up again asks anew.
    addEventListener("pagehide", () => this.send?.({ kind: "leave" }));
    addEventListener("pageshow", (shown) => shown.persisted && this.last && this.ask(this.last));
    addEventListener("online", () => this.send?.({ kind: "retry" }));
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.send?.({ kind: "retry" });
    });
  }

  watch(calls: readonly number[]): void {
    this.ask({ kind: "watch", calls: [...calls] });
  }

  watchAll(token: string): void {
    this.ask({ kind: "watchAll", token });
  }

  leave(): void {
    this.last = null;
    this.send?.({ kind: "leave" });
  }

  private ask(asked: Asked): void {
    this.last = asked;
    this.send ??= this.connect();
    this.send(asked);
  }

  private connect(): (asked: Asked) => void {
    const receive = (told: Told) => this.receive(told);
    if (typeof SharedWorker === "undefined") return within(receive);
    const worker = new SharedWorker(new URL("./worker.ts", import.meta.url), { type: "module", name: "taxisvc" });
    worker.port.onmessage = (message: MessageEvent<Told>) => receive(message.data);
    return (asked) => worker.port.postMessage(asked);
  }

  private receive(told: Told): void {
    switch (told.kind) {
      case "event":
        return this.heard(told.type, told.data);
      case "live":
        this.isLive = true;
        this.isSettled = true;
        this.refused = null;
        return this.came(told.isAnew);
      case "stale":
        this.isLive = false;
        this.since = told.since;
        this.refused = told.refused;
        return;
    }
  }
}

/** Browsers without shared workers have a hub for each page. */
function within(receive: (told: Told) => void): (asked: Asked) => void {
  const hub = import("./hub").then(({ Hub }) => new Hub());
  const port = { tell: receive };
  return (asked) => void hub.then((hub) => hub.hear(port, asked));
}

export const live = new Live();
