// All calls that the console shows: loaded once, kept up by the stream, and looked through again now and then.
import { Problem, ask } from "../api/http";
import { CALL_STATUSES } from "../api/shapes";
import type { CallStatus, CallView, Envelope, PageOf } from "../api/shapes";
import { heard, isOpen, unheard } from "../business/view";
import { live } from "../live/live.svelte";

type Views = PageOf<"callViews", CallView>;

/** Calls of one page of the server's. */
const PAGE = 1_000;
/** How many of the newest are loaded at first, and how many open ones of each status at most. */
const NEWEST = 10_000;
const PEEKED = 200;
const OPEN_MAX = 10_000;
const OPEN: readonly CallStatus[] = ["payRequest", "driveRequest", "driveStart"];
/** What comes within so long is shown together. */
const GATHER_MS = 150;
/** Everything open is looked through again so often: what a lost connection or a late read model hid comes to light. */
const SWEEP_MS = 60_000;
/** The read model is behind the events by as long as this at most, usually. */
const BEHIND_MS = 3_000;
const COUNT_MS = 5_000;
/** How long what failed is left alone at most before it is asked again. */
const REST_MS_MAX = 60_000;
/** More calls than these are not kept; of those that are over the oldest go first. */
const KEPT_MAX = 30_000;
/** Events shown as they happen. */
const FEED_MAX = 200;

class Book {
  /** By number, the newest first. */
  all = $state.raw<CallView[]>([]);
  /** How many there are of each, on the server. */
  totals = $state.raw<Partial<Record<CallStatus, number>>>({});
  isLoaded = $state(false);
  isLoading = $state(false);
  problem = $state<Problem | null>(null);
  hasOlder = $state(false);
  feed = $state.raw<Envelope[]>([]);
  isPaused = $state(false);
  /** Counts what was told of the call that is open, so that its story is told anew. */
  told = $state.raw<{ callId: number; count: number }>({ callId: 0, count: 0 });

  private readonly byId = new Map<number, CallView>();
  private gathered: Envelope[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private older: string | null = null;
  private timers: ReturnType<typeof setInterval>[] = [];
  private isLoadWanted = false;
  private failures = 0;
  private restUntil = 0;

  begin(): () => void {
    live.listen(
      (_, data) => this.hear(JSON.parse(data) as Envelope),
      (isAnew) => this.came(isAnew),
    );
    this.timers = [
      setInterval(() => void this.sweep(), SWEEP_MS),
      setInterval(() => this.beat(), COUNT_MS),
    ];
    return () => {
      for (const timer of this.timers) clearInterval(timer);
      this.clear();
      this.totals = {};
      this.problem = null;
    };
  }

  private clear(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.gathered = [];
    this.byId.clear();
    this.all = [];
    this.feed = [];
    this.isLoaded = false;
    this.older = null;
    this.hasOlder = false;
  }

  /** Without a stream everything is still there to be looked at; what failed is left alone for a while. */
  private beat(): void {
    if (document.visibilityState !== "visible" || Date.now() < this.restUntil) return;
    void this.count();
    if (!this.isLoaded) this.load();
    else if (!live.isLive) void this.peek();
  }

  get(callId: number): CallView | undefined {
    return this.byId.get(callId);
  }

  get total(): number {
    return CALL_STATUSES.reduce((sum, status) => sum + (this.totals[status] ?? 0), 0);
  }

  async loadOlder(): Promise<void> {
    if (!this.older || this.isLoading) return;
    await this.guarded(async () => {
      const page = await ask<Views>(this.older ?? "");
      this.take(page._embedded.callViews);
      this.older = next(page);
      this.hasOlder = this.older !== null;
    });
  }

  /** After a stream that broke off and goes on nothing was missed; one that begins anew may be of other data altogether. */
  private came(isAnew: boolean): void {
    if (!this.isLoaded) return this.load();
    if (!isAnew) return void this.sweep();
    this.clear();
    this.load();
  }

  private load(): void {
    // What runs now may be of before, and is not enough.
    this.isLoadWanted = this.isLoading;
    if (this.isLoading) return;
    void this.guarded(async () => {
      await Promise.all([this.open(), this.count()]);
      // What is far back waits until what is near is there.
      await this.newest();
      this.isLoaded = true;
    });
    setTimeout(() => void this.sweep(), BEHIND_MS);
  }

  private async guarded(work: () => Promise<void>): Promise<void> {
    this.isLoading = true;
    try {
      await work();
      this.problem = null;
      this.failures = 0;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.problem = error;
      const rest = error.retryAfterMs ?? COUNT_MS * 2 ** this.failures;
      this.restUntil = Date.now() + Math.min(rest, REST_MS_MAX);
      this.failures += 1;
    } finally {
      this.isLoading = false;
    }
    if (this.isLoadWanted) this.load();
  }

  /** What is newest, and nothing else. */
  private async peek(): Promise<void> {
    if (this.isLoading) return;
    await this.guarded(async () => {
      const page = await ask<Views>(`/callViews?sort=id,desc&size=${PEEKED}`);
      this.take(page._embedded.callViews);
    });
  }

  private async newest(): Promise<void> {
    let path: string | null = `/callViews?sort=id,desc&size=${PAGE}`;
    for (let loaded = 0; path && loaded < NEWEST; loaded += PAGE) {
      const page: Views = await ask<Views>(path);
      this.take(page._embedded.callViews);
      this.isLoaded = true;
      path = next(page);
    }
    this.older = path;
    this.hasOlder = path !== null;
  }

  /** Every call that something is still to come of, however old. */
  private async open(): Promise<void> {
    const found = new Set<number>();
    for (const status of OPEN) {
      let path: string | null = `/callViews?callStatus=${status}&size=${PAGE}`;
      for (let loaded = 0; path && loaded < OPEN_MAX; loaded += PAGE) {
        const page: Views = await ask<Views>(path);
        for (const view of page._embedded.callViews) found.add(view.callId);
        this.take(page._embedded.callViews);
        path = next(page);
      }
    }
    // What we show as open and the server does not has gone on without us.
    const gone = [...this.byId.values()].filter((view) => isOpen(view) && !found.has(view.callId));
    for (const view of gone.slice(0, 200)) {
      const now = await ask<CallView>(`/callViews/${view.callId}`).catch(() => null);
      if (now) this.take([now]);
    }
  }

  private async sweep(): Promise<void> {
    if (document.visibilityState !== "visible" || this.isLoading || !this.isLoaded) return;
    await this.guarded(async () => {
      await this.open();
      const page = await ask<Views>(`/callViews?sort=id,desc&size=${PAGE}`);
      this.take(page._embedded.callViews);
    });
  }

  private async count(): Promise<void> {
    const counted = CALL_STATUSES.map(async (status) => {
      const page = await ask<Views>(`/callViews?callStatus=${status}&size=1`);
      return [status, page.page.totalElements] as const;
    });
    try {
      this.totals = Object.fromEntries(await Promise.all(counted));
    } catch {
      // The counts stay as they were; the sign above says that something is wrong.
    }
  }

  private take(views: readonly CallView[]): void {
    for (const view of views) {
      const known = this.byId.get(view.callId);
      // The read model may be behind what the stream has told.
      if (!known || known.updatedAt <= view.updatedAt) this.byId.set(view.callId, view);
    }
    this.show();
  }

  private hear(event: Envelope): void {
    this.gathered.push(event);
    this.timer ??= setTimeout(() => this.settle(), GATHER_MS);
  }

  private settle(): void {
    this.timer = undefined;
    const events = this.gathered;
    this.gathered = [];
    for (const event of events) {
      const known = this.byId.get(event.callId);
      const next = heard(known ?? unheard(event.callId), event);
      if (next.updatedAt !== "") this.byId.set(event.callId, next);
    }
    this.forget();
    this.show();
    if (!this.isPaused) this.feed = [...events.toReversed(), ...this.feed].slice(0, FEED_MAX);
    const watched = events.filter((event) => event.callId === this.told.callId).length;
    if (watched > 0) this.told = { callId: this.told.callId, count: this.told.count + watched };
  }

  private forget(): void {
    if (this.byId.size <= KEPT_MAX) return;
    const over = this.all.filter((view) => !isOpen(view)).slice(NEWEST);
    for (const view of over) this.byId.delete(view.callId);
    if (over.length === 0) return;
    this.older = `/callViews?sort=id,desc&size=${PAGE}&page=${Math.floor(NEWEST / PAGE)}`;
    this.hasOlder = true;
  }

  private show(): void {
    this.all = [...this.byId.values()].sort((a, b) => b.callId - a.callId);
  }
}

function next(page: Views): string | null {
  const href = page._links.next?.href;
  if (!href) return null;
  // On the origin that the page came from, whatever the server calls itself.
  const { pathname, search } = new URL(href, location.href);
  return pathname + search;
}

export const book = new Book();
