// The language of this reader: chosen by hand, else by the browser; kept for all pages of this browser.
import { en } from "./en";
import { ko } from "./ko";
import type { Words } from "./en";

export type Tag = "ko" | "en";
const KEPT = "taxisvc.language";

function wanted(): Tag {
  const asked = new URLSearchParams(location.search).get("lang") ?? read();
  if (asked === "ko" || asked === "en") return asked;
  const first = navigator.languages.find((tag) => /^(ko|en)\b/i.test(tag));
  return first?.toLowerCase().startsWith("en") ? "en" : "ko";
}

function read(): string | null {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

class Language {
  tag = $state<Tag>("ko");

  constructor() {
    if (typeof location !== "undefined") this.set(wanted());
  }

  get words(): Words {
    return this.tag === "ko" ? ko : en;
  }

  choose(tag: Tag): void {
    this.set(tag);
    // A link that asked for another language has been followed.
    const here = new URL(location.href);
    if (here.searchParams.has("lang")) {
      here.searchParams.delete("lang");
      history.replaceState(history.state, "", here);
    }
    try {
      localStorage.setItem(KEPT, tag);
    } catch {
      // It holds for this page alone then.
    }
  }

  /** What the server says in every language. */
  of(words: { en: string; ko: string }): string {
    return words[this.tag];
  }

  private set(tag: Tag): void {
    this.tag = tag;
    if (typeof document !== "undefined") document.documentElement.lang = tag;
  }
}

export const language = new Language();
