// One stream of events for all pages of a browser: a browser keeps six connections to an origin, and each tab would take one.
//
// Runs in a shared worker, or within the page where there are none. It knows no page: whoever watches says what of, and is
// told what happens and how fresh that is.
import { Stream } from "./stream";
import type { Beginning, Outcome } from "./stream";

/** What a page asks of the hub. */
export type Asked =
  | { kind: "watch"; calls: readonly number[] }
  | { kind: "watchAll"; token: string }
  /** That it is still there, and wants to know whether the hub is. */
  | { kind: "ping" }
  /** That somebody looks at it just now, or that the network is back. */
  | { kind: "retry" }
  | { kind: "leave" };

/** What a page is told. */
export type Told =
  | { kind: "event"; type: string; data: string }
  /** Everything from here on will be told, or from where it broke off where it is not anew; what was before that is to be looked up. */
  | { kind: "live"; isAnew: boolean }
  /** Nothing is told for now: since when, and whether it was refused rather than broken off. */
  | { kind: "stale"; since: number; refused: number | null }
  | { kind: "pong" };

export interface Port {
  tell(told: Told): void;
}

interface Watcher {
  calls: readonly number[];
  token: string | null;
  seenAt: number;
}

/** What one stream is to bring. */
interface Need {
  path: string;
  token: string | null;
}

export type Open = (beginning: Beginning, outcome: Outcome) => Pick<Stream, "close">;

const RETRY_MS_FIRST = 500;
const RETRY_MS_MAX = 8_000;
/** A stream that lived so long was no failure; one that is accepted and ends at once is. */
const LIVED_MS = 10_000;
/** The server breaks a silence every 15 seconds. */
const SILENCE_MS = 16_000;
/** A page that has said nothing for so long has crashed; hidden ones are let speak once a minute. */
const GONE_MS = 300_000;
const LOOK_EVERY_MS = 60_000;
/** The server takes no more in one question. */
export const CALLS_MAX = 100;

export class Hub {
  private readonly watchers = new Map<Port, Watcher>();
  private need: Need | null = null;
  private stream: Pick<Stream, "close"> | null = null;
  private cursor: string | null = null;
  private isLive = false;
  private since = Date.now();
  private cameAt = 0;
  private heardAt = 0;
  private refused: number | null = null;
  private failures = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly open: Open = (beginning, outcome) => new Stream(beginning, outcome)) {
    setInterval(() => this.sweep(), LOOK_EVERY_MS);
  }

  hear(port: Port, asked: Asked): void {
    const watcher = this.watchers.get(port);
    if (watcher) watcher.seenAt = Date.now();
    switch (asked.kind) {
      case "watch":
        return this.watch(port, asked.calls.slice(0, CALLS_MAX), null);
      case "watchAll":
        return this.watch(port, [], asked.token);
      case "ping":
        return port.tell({ kind: "pong" });
      case "retry":
        // A connection that a sleeping phone has lost says nothing of it for a while.
        if (this.need && (!this.isLive || Date.now() - this.heardAt > SILENCE_MS)) this.begin();
        return;
      case "leave":
        this.watchers.delete(port);
        this.settle();
    }
  }

  private watch(port: Port, calls: readonly number[], token: string | null): void {
    this.watchers.set(port, { calls, token, seenAt: Date.now() });
    if (this.settle()) return;
    port.tell(this.isLive ? { kind: "live", isAnew: false } : this.stale());
  }

  private sweep(): void {
    for (const [port, watcher] of this.watchers) {
      if (Date.now() - watcher.seenAt > GONE_MS) this.watchers.delete(port);
    }
    this.settle();
  }

  /** Has the one stream bring what all want; says whether that is another than before. */
  private settle(): boolean {
    const need = needOf([...this.watchers.values()]);
    if (need?.path === this.need?.path && need?.token === this.need?.token) return false;
    this.need = need;
    if (need === null) {
      this.end();
      this.cursor = null;
      return true;
    }
    this.failures = 0;
    this.begin();
    return true;
  }

  private begin(): void {
    this.end();
    const need = this.need;
    if (!need) return;
    const isAnew = this.cursor === null;
    this.stream = this.open(
      { ...need, after: this.cursor },
      {
        came: () => {
          this.isLive = true;
          this.cameAt = this.heardAt = Date.now();
          this.refused = null;
          this.tellAll({ kind: "live", isAnew });
        },
        reached: (id) => {
          this.cursor = id;
          this.heardAt = Date.now();
        },
        happened: (type, data) => {
          this.heardAt = Date.now();
          this.tellAll({ kind: "event", type, data });
        },
        over: (status) => this.lost(status),
      },
    );
  }

  private lost(status: number | null): void {
    if (this.isLive) {
      this.since = Date.now();
      if (this.since - this.cameAt > LIVED_MS) this.failures = 0;
    }
    this.isLive = false;
    this.refused = status;
    // A place in another log, or one that this log never gave: whoever watches looks everything up once it is live again.
    if (status === 409 || status === 400) this.cursor = null;
    this.tellAll(this.stale());
    if (status === 401) return this.refuse();
    const wait = Math.min(RETRY_MS_FIRST * 2 ** this.failures, RETRY_MS_MAX);
    this.failures += 1;
    this.timer = setTimeout(() => this.begin(), wait * (0.75 + Math.random() / 2));
  }

  /** Whoever came with this token has been told; what the others watch goes on without it. */
  private refuse(): void {
    const token = this.need?.token ?? null;
    for (const [port, watcher] of this.watchers) {
      if (watcher.token === token) this.watchers.delete(port);
    }
    this.refused = null;
    this.settle();
  }

  private stale(): Told {
    return { kind: "stale", since: this.since, refused: this.refused };
  }

  private tellAll(told: Told): void {
    for (const port of this.watchers.keys()) port.tell(told);
  }

  private end(): void {
    clearTimeout(this.timer);
    this.stream?.close();
    this.stream = null;
    if (this.isLive) this.since = Date.now();
    this.isLive = false;
  }
}

/** Operators' streams hold everything; without one, the calls that anybody watches. */
function needOf(watchers: readonly Watcher[]): Need | null {
  const token = watchers.map((watcher) => watcher.token).find((token) => token !== null);
  if (token) return { path: "/operator/events", token };
  const calls = [...new Set(watchers.flatMap((watcher) => watcher.calls))].sort((a, b) => b - a).slice(0, CALLS_MAX);
  return calls.length === 0 ? null : { path: `/events?callId=${calls.join(",")}`, token: null };
}
