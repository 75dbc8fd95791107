// What the server answers, as docs/api.md names it; no more of it than the pages use.

export type CallStatus = "payRequest" | "driveRequest" | "driveStart" | "payFail" | "requestCancel" | "driveComplete";
export type DriveStatus = "start" | "requestCancel" | "cancel" | "end";
export type PayStatus = "asked" | "paid" | "failed" | "refunding" | "refunded" | "voided";
export type Actor = "rider" | "driver" | "operator" | "provider" | "system";

/** In rising order: a call shows the furthest that was heard of. */
export const CALL_STATUSES: readonly CallStatus[] = [
  "payRequest",
  "driveRequest",
  "driveStart",
  "payFail",
  "requestCancel",
  "driveComplete",
];

export interface Quote {
  distance: number;
  fare: number;
  tooFar: boolean;
}

export interface Call {
  callId: number;
  userId: string;
  userName: string;
  callStatus: CallStatus;
  distance: number;
  fare: number;
  requestedAt: string;
}

export interface CallView {
  callId: number;
  callStatus: CallStatus | null;
  userName: string | null;
  driverName: string | null;
  taxiNum: string | null;
  driveStatus: DriveStatus | null;
  distance: number | null;
  fare: number | null;
  payStatus: PayStatus | null;
  requestedAt: string | null;
  paidAt: string | null;
  startedAt: string | null;
  endedAt: string | null;
  cancelledAt: string | null;
  refundedAt: string | null;
  updatedAt: string;
}

export interface PageOf<Name extends string, Item> {
  _embedded: Record<Name, Item[]>;
  _links: { next?: { href: string } };
  page: { totalElements: number };
}

/** An event of one call, as `/events/calls/{id}` tells it. */
export interface CallEvent {
  eventType: string;
  /** Milliseconds since 1970. */
  timestamp: number;
  callId: number;
  actor: Actor;
  userId?: string;
  userName?: string;
  distance?: number;
  fare?: number;
  paymentMethod?: string;
  driverName?: string;
  taxiNum?: string;
  reason?: string;
}

export interface Told {
  callId: number;
  events: CallEvent[];
}

/** The same said in every language. */
export interface Words {
  en: string;
  ko: string;
}

/** An event of the operators' stream: private notes too, as they are stored. */
export interface Envelope {
  service: string;
  shard: number;
  position: number;
  type: string;
  published: boolean;
  at: string;
  actor: Actor;
  cause: string;
  callId: number;
  body: Record<string, unknown>;
}

export interface Step {
  number: number;
  at: string;
  service: string;
  event: string;
  published: boolean;
  actor: Actor;
  cause: { kind: string; id?: string; step?: number; name?: string };
  moved?: { won: number; from: string; to: string };
  words: Words;
}

/** A call's whole story, as `/operator/calls/{id}` tells it. */
export interface Explanation {
  callId: number;
  at: string;
  standing: string;
  story: Words;
  asked: { at: string; userId: string; userName: string; meters: number; fare: number; paymentMethod?: string } | null;
  statuses: { call: CallStatus | null; payment: PayStatus | null; drive: DriveStatus | null };
  steps: Step[];
  money: { fare: number | null; taken: number; held: number; earned: number; returned: number; words: Words };
  waitsFor: { words: Words }[];
  deadLetters: Letter[];
  view: { words: Words };
}

export interface Letter {
  service: string;
  number: number;
  callId: number;
  message: { kind: string; event?: string; name?: string; errand?: string };
  reason: string;
  at: string;
  behind: number[];
  waitsBehind: number | null;
  skipped?: { by: string; reason: string; at: string; words: Words };
  words: Words;
  retry: Words;
  skip: Words;
}

export interface Letters {
  total: number;
  deadLetters: Letter[];
}

/** What came of taking up or passing over. */
export interface CameOf {
  outcome: string;
  words: Words;
}

export interface Doctor {
  isWell: boolean;
  findings: { check: string; says: string; do?: string; state: "ok" | "warn" | "fail" }[];
}

export interface Audit {
  isClean: boolean;
  money: { taken: number; held: number; earned: number; returned: number; atProvider: number; inFlight: number };
  checks: { service: string; name: string; seen: number; failed: number; note: string }[];
}

export interface Rebuild {
  isWhole: boolean;
  read: number;
  toRead: number;
}
