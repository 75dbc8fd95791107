// A call as lists show it, kept up by the operators' events as the server's own read model is: each field only rises, so
// that events may come twice, in any order, or be in the list already.
import { CALL_STATUSES } from "../api/shapes";
import type { CallStatus, CallView, DriveStatus, Envelope } from "../api/shapes";

const DRIVE_STATUSES: readonly DriveStatus[] = ["start", "requestCancel", "cancel", "end"];

/** What a published event says of how a call, and its drive, stand. */
const SAYS: Record<string, [CallStatus | null, DriveStatus | null, ("requestedAt" | "paidAt" | "startedAt" | "endedAt" | "cancelledAt" | "refundedAt")?]> = {
  CallRequested: ["payRequest", null, "requestedAt"],
  CallPlaced: ["driveRequest", null],
  CancelRequested: ["requestCancel", null],
  CallCancelled: ["requestCancel", null, "cancelledAt"],
  FarePaid: ["driveRequest", null, "paidAt"],
  PaymentFailed: ["payFail", null],
  FareRefunded: [null, null, "refundedAt"],
  DriveStarted: ["driveStart", "start", "startedAt"],
  DriveNotAvailable: ["requestCancel", "requestCancel"],
  DriveEnded: ["driveComplete", "end", "endedAt"],
  DriveCancelled: ["requestCancel", "cancel"],
};

export function unheard(callId: number): CallView {
  return {
    callId,
    callStatus: null,
    userName: null,
    driverName: null,
    taxiNum: null,
    driveStatus: null,
    distance: null,
    fare: null,
    payStatus: null,
    requestedAt: null,
    paidAt: null,
    startedAt: null,
    endedAt: null,
    cancelledAt: null,
    refundedAt: null,
    updatedAt: "",
  };
}

/** The view with what an event tells; the same view where it tells nothing. */
export function heard(view: CallView, event: Envelope): CallView {
  const says = SAYS[event.type];
  if (!says || !event.published) return view;
  const [callStatus, driveStatus, field] = says;
  const { body } = event;
  const next: CallView = { ...view };
  next.callStatus = higher(CALL_STATUSES, view.callStatus, callStatus);
  next.driveStatus = higher(DRIVE_STATUSES, view.driveStatus, driveStatus);
  next.userName ??= personal(body["userName"]);
  next.driverName ??= text(body["driverName"]);
  next.taxiNum ??= text(body["taxiNum"]);
  const meters = body["meters"];
  if (typeof meters === "number") next.distance ??= meters / 1_000;
  const fare = body["fare"];
  if (typeof fare === "number" && fare > 0) next.fare ??= fare;
  if (field) next[field] ??= event.at;
  if (event.at > next.updatedAt) next.updatedAt = event.at;
  next.payStatus = payStatusOf(next, event.type === "PaymentFailed");
  return next;
}

/** The contract's rule: what was given back is; then what failed; then what was taken, by whether the call is off. */
function payStatusOf(view: CallView, failed: boolean): CallView["payStatus"] {
  if (view.refundedAt) return "refunded";
  if (failed || view.payStatus === "failed") return "failed";
  if (view.paidAt) return view.cancelledAt ? "refunding" : "paid";
  if (view.cancelledAt) return "voided";
  return view.requestedAt ? "asked" : view.payStatus;
}

function higher<Status>(order: readonly Status[], known: Status | null, told: Status | null): Status | null {
  if (told === null) return known;
  return known === null || order.indexOf(told) > order.indexOf(known) ? told : known;
}

function text(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

/** Personal data is stored apart from what it belongs to; what is not plain cannot be shown. */
function personal(value: unknown): string | null {
  return typeof value === "object" && value !== null && "plain" in value ? text(value.plain) : null;
}

/** Whether something is still to come of a call. */
export function isOpen(view: CallView): boolean {
  return view.callStatus === "payRequest" || view.callStatus === "driveRequest" || view.callStatus === "driveStart";
}
