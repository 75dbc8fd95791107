// What happened to calls, looked up from the server: one question at a time for each call, and again if more came meanwhile.
import { Problem, ask, pause } from "../api/http";
import type { CallEvent, Told } from "../api/shapes";

const RETRY_MS_FIRST = 500;
const RETRY_MS_MAX = 15_000;

export class Lookups {
  private readonly underWay = new Map<number, { again: boolean }>();

  constructor(
    private readonly told: (callId: number, events: CallEvent[]) => void,
    private readonly failed: (callId: number, error: unknown) => void,
  ) {}

  lookUp(callId: number): void {
    const running = this.underWay.get(callId);
    if (running) {
      running.again = true;
      return;
    }
    void this.run(callId);
  }

  private async run(callId: number): Promise<void> {
    const running = { again: true };
    this.underWay.set(callId, running);
    for (let failures = 0; running.again; ) {
      running.again = false;
      try {
        const { events } = await ask<Told>(`/events/calls/${callId}`);
        failures = 0;
        this.told(callId, events);
      } catch (error) {
        this.failed(callId, error);
        if (!(error instanceof Problem) || !error.passes) continue;
        // The stream has told that something happened, and will not tell it twice.
        running.again = true;
        await pause(Math.min(RETRY_MS_FIRST * 2 ** failures, RETRY_MS_MAX));
        failures += 1;
      }
    }
    this.underWay.delete(callId);
  }
}
