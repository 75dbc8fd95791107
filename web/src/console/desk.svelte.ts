// The operator at this desk: the token, asked for once and kept until signing out.
import { Problem, ask } from "../api/http";

const KEPT = "taxisvc.operator";

class Desk {
  token = $state<string | null>(read());
  problem = $state<Problem | null>(null);
  isEntering = $state(false);

  constructor() {
    // Signing out in one tab is meant for all of them, and so is signing in.
    addEventListener("storage", (event) => {
      if (event.key === KEPT || event.key === null) this.token = read();
    });
  }

  async enter(token: string): Promise<void> {
    this.isEntering = true;
    this.problem = null;
    try {
      // A question that only operators are answered. What no header can carry is no token, and is shown as one that is not.
      await ask("/operator/log", { token: encodeURI(token) });
      this.token = token;
      write(token);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.problem = error;
    } finally {
      this.isEntering = false;
    }
  }

  leave(problem: Problem | null = null): void {
    this.token = null;
    this.problem = problem;
    write(null);
  }

  /** Asks as the operator; one who is not let in any more is asked for the token again. */
  async ask<Answer>(path: string, signal?: AbortSignal): Promise<Answer> {
    try {
      return await ask<Answer>(path, { token: this.token, ...(signal ? { signal } : {}) });
    } catch (error) {
      if (error instanceof Problem && error.status === 401) this.leave(error);
      throw error;
    }
  }
}

function read(): string | null {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

function write(token: string | null): void {
  try {
    if (token === null) localStorage.removeItem(KEPT);
    else localStorage.setItem(KEPT, token);
  } catch {
    // Then it holds for this page alone.
  }
}

export const desk = new Desk();
