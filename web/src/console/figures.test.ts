// The figures of an hour, from calls that are made up.
import { expect, test } from "vitest";
import { unheard } from "../business/view";
import { MINUTES, figuresOf, quantile } from "./figures";

const NOW = Date.parse("2026-11-28T08:30:30.000Z");
const at = (seconds: number) => new Date(NOW - seconds * 1_000).toISOString();

test("an hour is counted minute by minute", () => {
  const calls = [
    { ...unheard(1), callStatus: "driveComplete" as const, requestedAt: at(100), startedAt: at(98), endedAt: at(20) },
    { ...unheard(2), callStatus: "driveStart" as const, requestedAt: at(10), startedAt: at(4) },
    { ...unheard(3), callStatus: "requestCancel" as const, requestedAt: at(10), cancelledAt: at(9) },
    { ...unheard(4), callStatus: "payFail" as const, requestedAt: at(10), updatedAt: at(5) },
    { ...unheard(5), callStatus: "driveComplete" as const, requestedAt: at(7_200), startedAt: at(7_100), endedAt: at(7_000) },
    unheard(6),
  ];
  const figures = figuresOf(calls, NOW);
  expect([figures.lastHour, figures.withoutRide, figures.untilTaxi]).toEqual([4, 2, 2]);
  expect([figures.requested.at(-1), figures.requested.at(-2), figures.requested.at(-3)]).toEqual([3, 0, 1]);
  expect([figures.ended.at(-1), figures.cancelled.at(-1)]).toEqual([1, 2]);
  expect([figures.median.at(-1), figures.median.at(-2), figures.median.at(-3)]).toEqual([6, null, 2]);
  expect([figures.at.length, figures.at.at(-1)]).toEqual([MINUTES, Date.parse("2026-11-28T08:30:00.000Z") / 1_000]);
});

test("a part of values is the nearest that is one of them", () => {
  const values = [5, 1, 4, 2, 3];
  expect([0, 0.5, 0.95, 1].map((part) => quantile(values, part))).toEqual([1, 3, 5, 5]);
  expect(quantile([], 0.5)).toBeNull();
});
