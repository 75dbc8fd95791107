// One connection to a stream of server-sent events: until it is closed, refused, breaks off or falls silent.
import { createParser } from "eventsource-parser";

/** The server breaks a silence every 15 seconds; a connection that says nothing for longer is dead. */
const SILENCE_MS_MAX = 35_000;

export interface Beginning {
  path: string;
  token: string | null;
  /** The id after which it goes on; without one, from now on. */
  after: string | null;
}

export interface Outcome {
  /** It is open. */
  came(): void;
  /** Everything up to this id was told. */
  reached(id: string): void;
  happened(type: string, data: string): void;
  /** It is over: refused with this status, or broken off. Not told after `close`. */
  over(status: number | null): void;
}

export class Stream {
  private readonly stop = new AbortController();
  private silence: ReturnType<typeof setTimeout> | undefined;
  private isOver = false;

  constructor(
    beginning: Beginning,
    private readonly outcome: Outcome,
  ) {
    void this.read(beginning);
  }

  close(): void {
    this.isOver = true;
    clearTimeout(this.silence);
    this.stop.abort();
  }

  private async read(beginning: Beginning): Promise<void> {
    try {
      this.listen();
      const response = await fetch(beginning.path, { headers: headers(beginning), signal: this.stop.signal, cache: "no-store" });
      if (!response.ok) return this.end(response.status);
      // Whatever stands in front of the server may say 200 to anything.
      if (!response.body || !response.headers.get("content-type")?.startsWith("text/event-stream")) return this.end(null);
      const parser = createParser({
        onEvent: ({ event, data }) => {
          if (event !== undefined) this.outcome.happened(event, data);
        },
      });
      const ids = new Ids();
      const reader = response.body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
      this.outcome.came();
      for (;;) {
        const { done, value } = await reader.read();
        if (done || this.isOver) break;
        this.listen();
        parser.feed(value);
        const reached = ids.reached(value);
        if (reached !== null) this.outcome.reached(reached);
      }
      this.end(null);
    } catch {
      this.end(null);
    }
  }

  private listen(): void {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.end(null), SILENCE_MS_MAX);
  }

  private end(status: number | null): void {
    if (this.isOver) return;
    this.close();
    this.outcome.over(status);
  }
}

/** Where the stream is: ids come without an event too, at its beginning and in a silence, and the parser tells none of those. */
class Ids {
  private rest = "";
  private id: string | null = null;

  /** The last id whose block is complete. */
  reached(text: string): string | null {
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop() ?? "";
    let reached: string | null = null;
    for (const line of lines) {
      if (line.startsWith("id: ")) this.id = line.slice("id: ".length);
      else if (line === "") reached = this.id;
    }
    return reached;
  }
}

function headers({ token, after }: Beginning): Record<string, string> {
  const headers: Record<string, string> = { accept: "text/event-stream" };
  if (token) headers["authorization"] = `Bearer ${token}`;
  if (after) headers["last-event-id"] = after;
  return headers;
}
