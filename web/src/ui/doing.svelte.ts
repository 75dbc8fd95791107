// Something that a button does: once at a time, under one key until it is answered.
import { Problem, change, newKey } from "../api/http";
import type { Wish } from "../api/http";

export class Doing {
  isUnderWay = $state(false);
  problem = $state<Problem | null>(null);

  private key: { for: string; key: string } | null = null;

  /** Asks for a change; nothing where one is under way already, or where it was refused, which `problem` tells then. */
  async change<Answer>(path: string, wish: Omit<Wish, "key">): Promise<Answer | null> {
    if (this.isUnderWay) return null;
    const about = path + JSON.stringify(wish.body ?? null);
    // The same wish goes out under the same key until it has been answered.
    if (this.key?.for !== about) this.key = { for: about, key: newKey() };
    this.isUnderWay = true;
    this.problem = null;
    try {
      const answer = await change<Answer>(path, { ...wish, key: this.key.key });
      this.key = null;
      return answer;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.problem = error;
      if (!error.passes) this.key = null;
      return null;
    } finally {
      this.isUnderWay = false;
    }
  }

  forget(): void {
    this.problem = null;
  }
}
