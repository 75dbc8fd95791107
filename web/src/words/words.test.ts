// Both languages say the same things: the same keys, each with something to say, and each in its own script.
import { describe, expect, test } from "vitest";
import { en } from "./en";
import { ko } from "./ko";
import { kilometers, moment, span, won } from "./format";

type Leaf = { path: string; says: string };
const HANGUL = /[가-힣]/;
/** What is alike in both, or names the other language, or a key of the keyboard. */
const ALIKE = /^(brand|nothing|language|console\.keyHelp\.\d\.0)$/;

function leaves(words: unknown, path = ""): Leaf[] {
  if (typeof words === "string") return [{ path, says: words }];
  if (typeof words === "function") return [{ path, says: said(words as (given: unknown, more: unknown) => string) }];
  return Object.entries(words as object).flatMap(([key, value]) => leaves(value, path ? `${path}.${key}` : key));
}

/** A sentence with everything filled in that it may name. */
function said(sentence: (given: unknown, more: unknown) => string): string {
  const given = Object.assign(String("7"), { fare: "F", distance: "D", taxi: "T", driver: "N", by: "B" });
  return sentence(given, "8");
}

function parameters(words: unknown, path = ""): string[] {
  if (typeof words === "function") return [`${path}/${words.length}`];
  if (typeof words === "string") return [];
  return Object.entries(words as object).flatMap(([key, value]) => parameters(value, path ? `${path}.${key}` : key));
}

describe("the words", () => {
  const [english, korean] = [leaves(en), leaves(ko)];

  test("have the same keys and take the same", () => {
    expect(korean.map(({ path }) => path).sort()).toEqual(english.map(({ path }) => path).sort());
    expect(parameters(ko).sort()).toEqual(parameters(en).sort());
  });

  test.each([
    ["en", english, (says: string) => !HANGUL.test(says)],
    ["ko", korean, (says: string) => HANGUL.test(says) || !/[a-z]{4}/i.test(says)],
  ] as const)("are said in %s", (_, words, isOwn) => {
    const wrong = words.filter(({ path, says }) => says.trim() === "" || (!ALIKE.test(path) && !isOwn(says)));
    expect(wrong).toEqual([]);
  });

  test("say every amount, distance and time in either", () => {
    for (const words of [en, ko]) {
      for (const [kind, line] of Object.entries(words.line)) {
        const says = line({ fare: "[fare]", distance: "[distance]", taxi: "[taxi]", driver: "[driver]", by: "[by]" });
        const named = says.match(/\[\w+\]/g) ?? [];
        const other = (words === en ? ko : en).line[kind as keyof typeof en.line];
        const theirs = other({ fare: "[fare]", distance: "[distance]", taxi: "[taxi]", driver: "[driver]", by: "[by]" });
        expect([kind, named.sort()]).toEqual([kind, (theirs.match(/\[\w+\]/g) ?? []).sort()]);
      }
    }
  });
});

describe("the figures", () => {
  test("are whole won, kilometres and Korean time", () => {
    const at = Date.parse("2026-11-28T08:11:26.485Z");
    expect([won(1_500_000, "ko"), won(1_500_000, "en")]).toEqual(["1,500,000원", "₩1,500,000"]);
    expect([kilometers(3.5, "ko"), kilometers(10, "en")]).toEqual(["3.5km", "10 km"]);
    expect([moment(at, "ko", at), moment(at, "en", at)]).toEqual(["11월 28일 17:11", "28 Nov 17:11"]);
    expect(moment(at, "ko", at + 400 * 86_400_000)).toContain("2026");
  });

  test("tell spans by their two largest units", () => {
    const cases: [number, string, string][] = [
      [-5, "0초", "0 s"],
      [1_000, "1초", "1 s"],
      [90_000, "1분 30초", "1 min 30 s"],
      [3_600_000, "1시간", "1 h"],
      [90_061_000, "1일 1시간", "1 day 1 h"],
    ];
    for (const [ms, ko, en] of cases) expect([span(ms, "ko"), span(ms, "en")]).toEqual([ko, en]);
  });
});
