// What the plots and the tiles show: counted minute by minute from the calls that are loaded.
import type { CallView } from "../api/shapes";

const MINUTE_MS = 60_000;
export const MINUTES = 60;

export interface Figures {
  /** The beginnings of the minutes, in seconds since 1970. */
  at: number[];
  requested: number[];
  ended: number[];
  cancelled: number[];
  /** From the call to a taxi, in seconds; nothing in a minute without one. */
  median: (number | null)[];
  slow: (number | null)[];
  lastHour: number;
  withoutRide: number;
  untilTaxi: number | null;
}

/** The last hour up to now, the minute that runs included. */
export function figuresOf(calls: readonly CallView[], now: number): Figures {
  const first = Math.floor(now / MINUTE_MS) - MINUTES + 1;
  const empty = () => new Array<number>(MINUTES).fill(0);
  const [requested, ended, cancelled] = [empty(), empty(), empty()];
  const waits: number[][] = Array.from({ length: MINUTES }, () => []);
  const all: number[] = [];
  let withoutRide = 0;
  const add = (counts: number[], at: string | null) => {
    const minute = at === null ? -1 : Math.floor(Date.parse(at) / MINUTE_MS) - first;
    if (minute >= 0 && minute < MINUTES) counts[minute] = (counts[minute] ?? 0) + 1;
    return minute;
  };
  for (const call of calls) {
    const isRecent = add(requested, call.requestedAt) >= 0;
    add(ended, call.endedAt);
    add(cancelled, call.cancelledAt ?? (call.callStatus === "payFail" ? call.updatedAt : null));
    if (isRecent && (call.callStatus === "requestCancel" || call.callStatus === "payFail")) withoutRide += 1;
    if (call.requestedAt === null || call.startedAt === null) continue;
    const wait = (Date.parse(call.startedAt) - Date.parse(call.requestedAt)) / 1_000;
    const minute = Math.floor(Date.parse(call.startedAt) / MINUTE_MS) - first;
    if (minute >= 0) {
      waits[minute]?.push(wait);
      all.push(wait);
    }
  }
  return {
    at: Array.from({ length: MINUTES }, (_, minute) => ((first + minute) * MINUTE_MS) / 1_000),
    requested,
    ended,
    cancelled,
    median: waits.map((wait) => quantile(wait, 0.5)),
    slow: waits.map((wait) => quantile(wait, 0.95)),
    lastHour: requested.reduce((sum, count) => sum + count, 0),
    withoutRide,
    untilTaxi: quantile(all, 0.5),
  };
}

/** The nearest rank: the smallest value that so large a part is not above. */
export function quantile(values: readonly number[], part: number): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? null;
}
