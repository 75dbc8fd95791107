// The server's time: ages are told by it, for the clocks of phones are often minutes off.

/** Answers tell whole seconds, and take a while: what is nearer than this is no difference. */
const DIFFERENCE_MS_MIN = 3_000;
let offsetMs = 0;

export function now(): number {
  return Date.now() + offsetMs;
}

/** What an answer says of the time. */
export function noteDate(date: string | null): void {
  const told = date === null ? Number.NaN : Date.parse(date);
  if (Number.isNaN(told)) return;
  const difference = told - Date.now();
  offsetMs = Math.abs(difference) < DIFFERENCE_MS_MIN ? 0 : difference;
}
