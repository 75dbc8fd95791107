// How the system is: what the doctor finds and what was put aside, looked at now and then.
import { Problem } from "../api/http";
import type { Doctor, Letter, Letters } from "../api/shapes";
import { desk } from "./desk.svelte";

const LOOK_EVERY_MS = 15_000;

class Condition {
  doctor = $state.raw<(Doctor & { trouble: number }) | null>(null);
  letters = $state.raw<{ total: number; waiting: number; all: Letter[] } | null>(null);
  problem = $state<Problem | null>(null);

  begin(): () => void {
    void this.look();
    const timer = setInterval(() => document.visibilityState === "visible" && void this.look(), LOOK_EVERY_MS);
    return () => clearInterval(timer);
  }

  async look(): Promise<void> {
    try {
      const [doctor, letters] = await Promise.all([
        desk.ask<Doctor>("/operator/doctor"),
        desk.ask<Letters>("/operator/dead-letters"),
      ]);
      this.doctor = { ...doctor, trouble: doctor.findings.filter((finding) => finding.state !== "ok").length };
      const waiting = letters.deadLetters.filter((letter) => !letter.skipped).length;
      this.letters = { total: letters.total, waiting, all: letters.deadLetters };
      this.problem = null;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.problem = error;
    }
  }
}

export const condition = new Condition();
