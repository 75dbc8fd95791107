// What a page knows of how fresh it is, and its way to the hub.
import type { Asked, Told } from "./hub";

export type Heard = (type: string, data: string) => void;
/** Told whenever everything from here on will be heard; where that is anew, something before may have been missed. */
export type Came = (isAnew: boolean) => void;

/** A page that has just begun to watch is not late yet. */
const SETTLE_MS = 3_000;
const PING_EVERY_MS = 10_000;
/** A hub that answers nothing for so long is gone. */
const SILENCE_MS = 25_000;

class Live {
  /** Whether what happens is told as it happens. */
  isLive = $state(false);
  /** Since when it is not. */
  since = $state(Date.now());
  /** The status with which the stream was refused, if it was. */
  refused = $state<number | null>(null);
  /** Whether it was ever live since this page watches, or long enough not. */
  isSettled = $state(false);

  private send: ((asked: Asked) => void) | null = null;
  private last: Asked | null = null;
  private answeredAt = 0;
  private hubs = 0;
  private heard: Heard = () => undefined;
  private came: Came = () => undefined;
  private isListening = false;
  private settling: ReturnType<typeof setTimeout> | undefined;

  /** Has what happens told to this page, and to whoever asks last. */
  listen(heard: Heard, came: Came): void {
    this.heard = heard;
    this.came = came;
    if (this.isListening) return;
    this.isListening = true;
    // A page that is put away is told nothing and holds nothing open; a page that is taken up again asks anew.
    addEventListener("pagehide", () => this.send?.({ kind: "leave" }));
    addEventListener("pageshow", (shown) => {
      if (shown.persisted && this.last) this.ask(this.last);
    });
    addEventListener("online", () => this.look());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.look();
    });
    setInterval(() => this.ping(), PING_EVERY_MS);
  }

  /** Watches these calls; nothing where there are none. */
  watch(calls: readonly number[]): void {
    if (calls.length === 0) this.leave();
    else this.ask({ kind: "watch", calls: [...calls] });
  }

  watchAll(token: string): void {
    this.ask({ kind: "watchAll", token });
  }

  leave(): void {
    this.last = null;
    this.send?.({ kind: "leave" });
    clearTimeout(this.settling);
    this.isLive = this.isSettled = false;
    this.refused = null;
  }

  private ask(asked: Asked): void {
    if (this.last === null) {
      this.since = Date.now();
      this.settling = setTimeout(() => (this.isSettled = true), SETTLE_MS);
    }
    this.last = asked;
    this.refused = null;
    if (!this.send) this.connect();
    this.send?.(asked);
  }

  /** Somebody looks: whatever was missed while nobody did is looked up, and a connection that is dead is noticed now. */
  private look(): void {
    if (!this.last) return;
    this.send?.({ kind: "retry" });
    this.came(false);
  }

  private ping(): void {
    if (!this.last || !this.send) return;
    // Hidden pages are let speak so seldom that a silence says nothing.
    const isSilent = document.visibilityState === "visible" && Date.now() - this.answeredAt > SILENCE_MS;
    if (isSilent) this.reconnect();
    else this.send({ kind: "ping" });
  }

  private reconnect(): void {
    this.receive({ kind: "stale", since: Date.now(), refused: null });
    this.connect();
    if (this.last) this.send?.(this.last);
  }

  /** The shared worker once more where it is gone; within the page where there is none, or where it does not come. */
  private connect(): void {
    this.hubs += 1;
    this.answeredAt = Date.now();
    const place = this.hubs;
    const receive = (told: Told) => {
      // What an earlier one says late is of no use.
      if (place === this.hubs) this.receive(told);
    };
    if (typeof SharedWorker === "undefined" || this.hubs > 2) {
      this.send = within(receive);
      return;
    }
    const worker = new SharedWorker(new URL("./worker.ts", import.meta.url), { type: "module", name: "taxisvc" });
    worker.port.onmessage = (message: MessageEvent<Told>) => receive(message.data);
    worker.onerror = () => {
      if (place !== this.hubs) return;
      this.hubs = 2;
      this.reconnect();
    };
    this.send = (asked) => worker.port.postMessage(asked);
  }

  private receive(told: Told): void {
    this.answeredAt = Date.now();
    if (!this.last) return;
    switch (told.kind) {
      case "event":
        return this.heard(told.type, told.data);
      case "live":
        this.isLive = this.isSettled = true;
        this.refused = null;
        return this.came(told.isAnew);
      case "stale":
        if (this.isLive || told.since > this.since) this.since = told.since;
        this.isLive = false;
        this.refused = told.refused;
        return;
      case "pong":
        return;
    }
  }
}

/** Browsers without shared workers have a hub for each page. */
function within(receive: (told: Told) => void): (asked: Asked) => void {
  const hub = import("./hub").then(({ Hub }) => new Hub());
  const port = { tell: receive };
  return (asked) => {
    hub.then((hub) => hub.hear(port, asked)).catch(() => receive({ kind: "stale", since: Date.now(), refused: null }));
  };
}

export const live = new Live();
