// Requests to the server, and what it refuses in its own words.
//
// Whatever changes something carries an Idempotency-Key, so that it may be sent again until it is answered: pressed twice,
// sent twice or answered to nobody, it is done once.
import { language } from "../words/language.svelte";
import { noteDate } from "./time";

/** How long a request may take before it counts as unanswered; the gateway gives up earlier. */
const ANSWER_WAIT_MS_MAX = 15_000;
/** How often a change is sent by itself while nobody answers. */
const ATTEMPTS_MAX = 4;
const PAUSE_MS_FIRST = 500;

/** What went wrong, in the words of the server, or in ours where there was none. */
export class Problem extends Error {
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly requestId: string | null;
  readonly type: string;
  readonly field: string | null;
  readonly retryAfterMs: number | null;

  constructor(told: Partial<Problem> & { status: number; title: string }) {
    super(told.title);
    this.status = told.status;
    this.title = told.title;
    this.detail = told.detail ?? "";
    this.requestId = told.requestId ?? null;
    this.type = told.type ?? "";
    this.field = told.field ?? null;
    this.retryAfterMs = told.retryAfterMs ?? null;
  }

  /** Whether our server has said so; what stands in front of it refuses in its own way, and has decided nothing. */
  get isOurs(): boolean {
    return this.type.startsWith("/problems/");
  }

  /** Whether it may have been done all the same, or can be had a little later: the same may be asked again. */
  get passes(): boolean {
    return !this.isOurs || this.status === 429 || this.status >= 500;
  }

  get isUnreachable(): boolean {
    return this.status === 0;
  }
}

export interface Wish {
  method?: "GET" | "POST";
  body?: unknown;
  key?: string;
  token?: string | null;
  signal?: AbortSignal;
  /** How long an answer may take, where that is another time than usual. */
  waitMs?: number;
}

/** Asks once. */
export async function ask<Answer>(path: string, wish: Wish = {}): Promise<Answer> {
  const headers: Record<string, string> = { accept: "application/json", "accept-language": language.tag };
  if (wish.body !== undefined) headers["content-type"] = "application/json";
  if (wish.key) headers["idempotency-key"] = wish.key;
  if (wish.token) headers["authorization"] = `Bearer ${wish.token}`;
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), wish.waitMs ?? ANSWER_WAIT_MS_MAX);
  const give = () => stop.abort();
  wish.signal?.addEventListener("abort", give);
  const request: RequestInit = { method: wish.method ?? "GET", headers, cache: "no-store", credentials: "same-origin", signal: stop.signal };
  if (wish.body !== undefined) request.body = JSON.stringify(wish.body);
  try {
    const response = await fetch(path, request);
    noteDate(response.headers.get("date"));
    if (!response.ok) throw await refused(response);
    return (await response.json()) as Answer;
  } catch (error) {
    if (error instanceof Problem || wish.signal?.aborted) throw error;
    // Nobody answered, or the answer broke off in the middle, which is as good as none.
    throw new Problem({ status: 0, title: language.words.problem.unreachable });
  } finally {
    clearTimeout(timer);
    wish.signal?.removeEventListener("abort", give);
  }
}

/** Changes something: sent again under its key until somebody answers, or until that has been tried long enough. */
export async function change<Answer>(path: string, wish: Wish & { key: string }): Promise<Answer> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ask<Answer>(path, { method: "POST", ...wish });
    } catch (error) {
      if (!(error instanceof Problem) || !error.passes || attempt === ATTEMPTS_MAX) throw error;
      await pause(error.retryAfterMs ?? PAUSE_MS_FIRST * 2 ** (attempt - 1));
    }
  }
}

/** A key that nobody has used. */
export function newKey(): string {
  // `crypto.randomUUID` is there on https and on this machine alone.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}

async function refused(response: Response): Promise<Problem> {
  const requestId = response.headers.get("x-request-id");
  const retryAfter = Number(response.headers.get("retry-after"));
  const retryAfterMs = retryAfter > 0 ? Math.min(retryAfter, 10) * 1_000 : null;
  try {
    const told = (await response.json()) as Record<string, unknown>;
    const text = (name: string) => (typeof told[name] === "string" ? (told[name] as string) : null);
    return new Problem({
      status: response.status,
      title: text("title") ?? language.words.problem.unreadable,
      detail: text("detail") ?? "",
      requestId: text("requestId") ?? requestId,
      type: text("type") ?? "",
      field: text("field"),
      retryAfterMs,
    });
  } catch {
    // Whatever stands in front of us answers in its own way.
    return new Problem({ status: response.status, title: language.words.problem.unreadable, requestId, retryAfterMs });
  }
}
