// How amounts, distances, times and spans are written: whole won, kilometres, Korean time.
import type { Tag } from "./language.svelte";

const ZONE = "Asia/Seoul";
const LOCALES: Record<Tag, string> = { ko: "ko-KR", en: "en-GB" };

export function won(amount: number, tag: Tag): string {
  const text = amount.toLocaleString(LOCALES[tag]);
  return tag === "ko" ? `${text}원` : `₩${text}`;
}

export function kilometers(distance: number, tag: Tag): string {
  const text = distance.toLocaleString(LOCALES[tag], { maximumFractionDigits: 3 });
  return tag === "ko" ? `${text}km` : `${text} km`;
}

/** `17:11:26`, in Korea. */
export function clock(at: number, tag: Tag): string {
  return format(at, tag, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
}

/** `11월 28일 17:11`, in Korea; with the year once it is another. */
export function moment(at: number, tag: Tag, now = Date.now()): string {
  const year = (time: number) => format(time, tag, { year: "numeric" });
  const date: Intl.DateTimeFormatOptions = { month: tag === "ko" ? "long" : "short", day: "numeric" };
  if (year(at) !== year(now)) date.year = "numeric";
  const time = format(at, tag, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  return `${format(at, tag, date)} ${time}`;
}

const UNITS: readonly [number, Record<Tag, [string, string]>][] = [
  [86_400, { ko: ["일", "일"], en: [" day", " days"] }],
  [3_600, { ko: ["시간", "시간"], en: [" h", " h"] }],
  [60, { ko: ["분", "분"], en: [" min", " min"] }],
  [1, { ko: ["초", "초"], en: [" s", " s"] }],
];

/** `1분 30초`: the two largest units of a span. */
export function span(ms: number, tag: Tag): string {
  let seconds = Math.max(0, Math.floor(ms / 1_000));
  const parts: string[] = [];
  for (const [size, names] of UNITS) {
    const count = Math.floor(seconds / size);
    seconds %= size;
    if (count > 0) parts.push(`${count}${names[tag][count === 1 ? 0 : 1]}`);
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts.join(" ") || `0${UNITS[3]?.[1][tag][0] ?? ""}`;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function format(at: number, tag: Tag, options: Intl.DateTimeFormatOptions): string {
  const name = tag + JSON.stringify(options);
  let found = formats.get(name);
  if (!found) {
    found = new Intl.DateTimeFormat(LOCALES[tag], { ...options, timeZone: ZONE });
    formats.set(name, found);
  }
  return found.format(at);
}
