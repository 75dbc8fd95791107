// Where in the console one is: `#/calls`, `#/calls/7`, `#/now`, `#/letters`, `#/health`.
export const TABS = ["calls", "now", "letters", "health"] as const;
export type Tab = (typeof TABS)[number];

class Route {
  tab = $state<Tab>("calls");
  callId = $state<number | null>(null);

  constructor() {
    this.read();
    addEventListener("hashchange", () => this.read());
  }

  go(tab: Tab, callId: number | null = null): void {
    location.hash = `/${tab}${callId === null ? "" : `/${callId}`}`;
  }

  private read(): void {
    const [, tab, number] = location.hash.split("/");
    this.tab = TABS.find((known) => known === tab) ?? "calls";
    const callId = Number(number);
    this.callId = Number.isSafeInteger(callId) && callId > 0 ? callId : null;
  }
}

export const route = new Route();
