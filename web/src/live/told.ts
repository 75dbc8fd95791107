// What happened to calls, looked up from the server: one question at a time for each call, and again if more came meanwhile.
import { ask } from "../api/http";
import type { CallEvent, Told } from "../api/shapes";

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
    while (running.again) {
      running.again = false;
      try {
        const { events } = await ask<Told>(`/events/calls/${callId}`);
        this.told(callId, events);
      } catch (error) {
        this.failed(callId, error);
      }
    }
    this.underWay.delete(callId);
  }
}
