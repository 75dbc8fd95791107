// The hub over streams that do as they are told: one of them at a time, and nothing missed between two.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Hub } from "./hub";
import type { Asked, Told } from "./hub";
import type { Beginning, Outcome } from "./stream";

class World {
  opened: (Beginning & { outcome: Outcome; isClosed: boolean })[] = [];
  readonly hub = new Hub((beginning, outcome) => {
    const stream = { ...beginning, outcome, isClosed: false };
    this.opened.push(stream);
    return { close: () => (stream.isClosed = true) };
  });

  page() {
    const told: Told[] = [];
    const port = { tell: (one: Told) => void told.push(one) };
    return { told, ask: (asked: Asked) => this.hub.hear(port, asked) };
  }

  get open() {
    return this.opened.filter((stream) => !stream.isClosed);
  }
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("the hub", () => {
  test("keeps one stream for all, of what anybody watches", () => {
    const world = new World();
    const [one, two] = [world.page(), world.page()];
    one.ask({ kind: "watch", calls: [1] });
    two.ask({ kind: "watch", calls: [2, 1] });
    expect(world.open.map((stream) => stream.path)).toEqual(["/events?callId=2,1"]);
    world.open[0]?.outcome.came();
    world.open[0]?.outcome.happened("FarePaid", "{}");
    for (const page of [one, two]) expect(page.told.at(-1)).toEqual({ kind: "event", type: "FarePaid", data: "{}" });
  });

  test("takes the operators' stream where one watches all, and goes back when that one leaves", () => {
    const world = new World();
    const [rider, operator] = [world.page(), world.page()];
    rider.ask({ kind: "watch", calls: [1] });
    operator.ask({ kind: "watchAll", token: "secret" });
    expect(world.open.map(({ path, token }) => [path, token])).toEqual([["/operator/events", "secret"]]);
    operator.ask({ kind: "leave" });
    expect(world.open.map(({ path, token }) => [path, token])).toEqual([["/events?callId=1", null]]);
    rider.ask({ kind: "leave" });
    expect(world.open).toEqual([]);
  });

  test("goes on where it broke off, and says that it is stale meanwhile", () => {
    const world = new World();
    const page = world.page();
    page.ask({ kind: "watch", calls: [1] });
    world.open[0]?.outcome.came();
    world.open[0]?.outcome.reached("here");
    world.open[0]?.outcome.over(null);
    expect(page.told.at(-1)).toMatchObject({ kind: "stale", refused: null });
    vi.advanceTimersByTime(1_000);
    expect(world.opened.at(-1)).toMatchObject({ after: "here", isClosed: false });
    world.opened.at(-1)?.outcome.came();
    expect(page.told.at(-1)).toEqual({ kind: "live", isAnew: false });
  });

  test("begins anew in another log, and not at all where it is not let in", () => {
    const world = new World();
    const page = world.page();
    page.ask({ kind: "watchAll", token: "secret" });
    world.open[0]?.outcome.reached("here");
    world.open[0]?.outcome.over(409);
    vi.advanceTimersByTime(1_000);
    expect(world.opened.at(-1)).toMatchObject({ after: null });
    world.opened.at(-1)?.outcome.came();
    expect(page.told.at(-1)).toEqual({ kind: "live", isAnew: true });
    world.opened.at(-1)?.outcome.over(401);
    const count = world.opened.length;
    vi.advanceTimersByTime(60_000);
    expect([world.opened.length, page.told.at(-1)]).toMatchObject([count, { kind: "stale", refused: 401 }]);
  });

  test("goes on for the others where one token is refused", () => {
    const world = new World();
    const [rider, stranger] = [world.page(), world.page()];
    rider.ask({ kind: "watch", calls: [1] });
    stranger.ask({ kind: "watchAll", token: "guessed" });
    world.open[0]?.outcome.over(401);
    expect(stranger.told.at(-1)).toMatchObject({ kind: "stale", refused: 401 });
    expect(world.open.map((stream) => stream.path)).toEqual(["/events?callId=1"]);
  });

  test("waits longer each time, and not at all when it is asked to look", () => {
    const world = new World();
    const page = world.page();
    page.ask({ kind: "watch", calls: [1] });
    for (let round = 0; round < 8; round += 1) {
      world.opened.at(-1)?.outcome.over(null);
      vi.advanceTimersByTime(12_000);
    }
    const count = world.opened.length;
    world.opened.at(-1)?.outcome.over(503);
    vi.advanceTimersByTime(5_000);
    expect(world.opened.length).toBe(count);
    page.ask({ kind: "retry" });
    expect(world.opened.length).toBe(count + 1);
  });

  test("takes a stream that is accepted and ends at once for a failure", () => {
    const world = new World();
    world.page().ask({ kind: "watch", calls: [1] });
    let seen = 0;
    for (let second = 0; second < 60; second += 1) {
      const stream = world.opened.length > seen ? world.opened.at(-1) : undefined;
      seen = world.opened.length;
      stream?.outcome.came();
      stream?.outcome.reached("here");
      stream?.outcome.over(null);
      vi.advanceTimersByTime(1_000);
    }
    expect(world.opened.length).toBeLessThan(20);
  });

  test("looks again where somebody looks and nothing was heard for a while", () => {
    const world = new World();
    const page = world.page();
    page.ask({ kind: "watch", calls: [1] });
    world.open[0]?.outcome.came();
    page.ask({ kind: "retry" });
    expect(world.opened.length).toBe(1);
    vi.advanceTimersByTime(20_000);
    page.ask({ kind: "retry" });
    expect([world.opened.length, world.open.length]).toEqual([2, 1]);
  });

  test("forgets pages that have crashed, and answers those that ask", () => {
    const world = new World();
    const [crashed, there] = [world.page(), world.page()];
    crashed.ask({ kind: "watchAll", token: "secret" });
    there.ask({ kind: "watch", calls: [1] });
    for (let minute = 0; minute < 7; minute += 1) {
      there.ask({ kind: "ping" });
      vi.advanceTimersByTime(60_000);
    }
    expect(there.told.at(-1)).toEqual({ kind: "pong" });
    expect(world.open.map((stream) => stream.path)).toEqual(["/events?callId=1"]);
  });

  test("tells one that comes late how things stand", () => {
    const world = new World();
    world.page().ask({ kind: "watch", calls: [1] });
    world.open[0]?.outcome.came();
    const late = world.page();
    late.ask({ kind: "watch", calls: [1] });
    expect([late.told, world.opened.length]).toEqual([[{ kind: "live", isAnew: false }], 1]);
  });
});
