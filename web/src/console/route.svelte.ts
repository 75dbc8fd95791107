// Where in the console one is: `#/calls`, `#/calls/7`, `#/now`, `#/letters`, `#/health`.
export const TABS = ["calls", "now", "letters", "health"] as const;
export type Tab = (typeof TABS)[number];

class Route {
  tab = $state<Tab>("calls");
  callId = $state<number | null>(null);
  /** Whether the list is being gone through with a call open beside it. */
  isFollowing = false;

  constructor() {
    this.read();
    addEventListener("hashchange", () => this.read());
  }

  go(tab: Tab, callId: number | null = null): void {
    this.isFollowing = false;
    location.hash = hashOf(tab, callId);
  }

  /** The same without a step back for each. */
  follow(callId: number): void {
    this.isFollowing = true;
    location.replace(`#${hashOf("calls", callId)}`);
  }

  private read(): void {
    const [, tab, number] = location.hash.split("/");
    this.tab = TABS.find((known) => known === tab) ?? "calls";
    const callId = Number(number);
    this.callId = Number.isSafeInteger(callId) && callId > 0 ? callId : null;
  }
}

function hashOf(tab: Tab, callId: number | null): string {
  return `/${tab}${callId === null ? "" : `/${callId}`}`;
}

export const route = new Route();
