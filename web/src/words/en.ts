// Everything that the pages say, in English; `ko.ts` has the same in Korean.
import type { LineKind, Phase, Reason } from "../business/ride";
import type { CallStatus } from "../api/shapes";

export interface Words {
  brand: string;
  language: string;
  skip: string;
  close: string;
  back: string;
  again: string;
  goesOn: string;
  koreanTime: string;
  nothing: string;
  live: { on: string; connecting: string; off: (span: string) => string; offHint: string };
  problem: { unreachable: string; unreadable: string; requestId: string; again: string; notSure: string };
  rider: {
    title: string;
    ask: string;
    name: string;
    nameHint: string;
    distance: string;
    distanceHint: string;
    method: string;
    methodHint: string;
    more: string;
    fare: string;
    fareAfterDistance: string;
    fareRule: string;
    tooFar: string;
    call: string;
    callFor: (fare: string) => string;
    callAnyway: string;
    calling: string;
    resumed: string;
    unanswered: string;
    unansweredSays: string;
    unansweredTooOld: string;
    unansweredAsk: string;
    lost: string;
    fareFirst: string;
    another: string;
    now: string;
    history: string;
    historyHint: string;
    noHistory: string;
    story: string;
    storyOf: (number: number) => string;
    number: string;
    taxi: string;
    driver: string;
    cancel: string;
    cancelTitle: string;
    cancelFree: string;
    cancelReturns: (fare: string) => string;
    cancelUntaken: string;
    cancelYes: string;
    cancelNo: string;
    cancelling: string;
    forget: string;
    cost: { held: (fare: string) => string; paid: (fare: string) => string; returned: (fare: string) => string; none: string; returning: (fare: string) => string; ofNothing: string };
  };
  phase: Record<Phase, string>;
  phaseSays: Record<Phase, string>;
  why: Record<Exclude<Reason, null>, string>;
  steps: { paying: string; finding: string; underWay: string; arrived: string };
  line: Record<LineKind, (at: { fare: string; distance: string; taxi: string; driver: string; by: string }) => string>;
  by: Record<"rider" | "driver" | "operator" | "provider" | "system", string>;
  driver: {
    title: string;
    ask: string;
    number: string;
    numberHint: string;
    take: string;
    unknown: (number: number) => string;
    passenger: string;
    distance: string;
    fare: string;
    since: string;
    end: string;
    endTitle: string;
    endSays: (fare: string) => string;
    endYes: string;
    endNo: string;
    ending: string;
    done: (fare: string) => string;
    none: Record<Phase, string>;
    other: string;
    recent: string;
  };
  console: {
    title: string;
    signIn: string;
    token: string;
    tokenHint: string;
    enter: string;
    leave: string;
    tabs: { calls: string; now: string; letters: string; health: string };
    search: string;
    searchHint: string;
    all: string;
    status: Record<CallStatus, string>;
    oldest: (span: string) => string;
    columns: { number: string; state: string; rider: string; taxi: string; distance: string; fare: string; money: string; age: string; at: string };
    money: Record<"asked" | "paid" | "failed" | "refunding" | "refunded" | "voided", string>;
    shown: (shown: string, total: string) => string;
    older: string;
    loading: string;
    empty: string;
    open: (number: number) => string;
    keys: string;
    keysOn: string;
    keyHelp: [string, string][];
    story: string;
    stepsTitle: string;
    notesToo: string;
    moneyTitle: string;
    taken: string;
    held: string;
    earned: string;
    returned: string;
    waits: string;
    waitsNothing: string;
    cancel: string;
    cancelTitle: (number: number) => string;
    cancelSays: string;
    end: string;
    endTitle: (number: number) => string;
    endSays: string;
    yesCancel: string;
    yesEnd: string;
    no: string;
    done: string;
    notFound: (number: number) => string;
    perMinute: string;
    waiting: string;
    events: string;
    eventsHint: string;
    eventsNone: string;
    pause: string;
    goOn: string;
    plots: { rate: string; rateTable: string; wait: string; waitTable: string; requested: string; started: string; ended: string; cancelled: string; median: string; slow: string; seconds: string; perMinute: string; at: string };
    tiles: { underWay: string; waiting: string; lastHour: string; cancelledShare: string; untilTaxi: string; letters: string };
    letters: {
      none: string;
      waits: string;
      skipped: string;
      retry: string;
      skip: string;
      skipTitle: string;
      reason: string;
      content: string;
      behind: (count: number) => string;
      waitsBehind: (number: number) => string;
      ofCall: (number: number) => string;
    };
    health: {
      well: string;
      unknown: string;
      notWell: (count: number) => string;
      check: string;
      says: string;
      state: string;
      states: { ok: string; warn: string; fail: string };
      audit: string;
      auditRun: string;
      auditHint: string;
      auditRunning: string;
      auditClean: (checks: number) => string;
      auditFails: (checks: number) => string;
      provider: string;
      view: string;
      viewWhole: string;
      viewRebuilding: (read: string, all: string) => string;
      rebuild: string;
      rebuildTitle: string;
      rebuildSays: string;
      look: string;
    };
  };
}

export const en: Words = {
  brand: "taxisvc",
  language: "한국어",
  skip: "Skip to the content",
  close: "Close",
  back: "Back",
  again: "Try again",
  goesOn: "Close (continues in the background)",
  koreanTime: "Korean time",
  nothing: "–",
  live: {
    on: "Live",
    connecting: "Connecting",
    off: (span) => `Connection lost ${span} ago`,
    offHint: "Reconnecting by itself. What is shown may be older.",
  },
  problem: {
    unreachable: "The server cannot be reached",
    unreadable: "The server's answer cannot be understood",
    requestId: "Request",
    again: "Try again",
    notSure: "Your request may have gone through. It is safe to try again.",
  },
  rider: {
    title: "Call a taxi",
    ask: "How far are you going?",
    name: "Your name",
    nameHint: "So that the driver knows whom to pick up",
    distance: "Distance",
    distanceHint: "km, such as 10 or 3.5",
    method: "Payment method",
    methodHint: "For instance “company card”. Leave it empty for your usual one.",
    more: "Payment method (optional)",
    fare: "Fare",
    fareAfterDistance: "Shown as soon as you say how far",
    fareRule: "Paid when you call. If no taxi comes or you cancel, you get a full refund.",
    tooFar: "No taxi goes this far. If you call anyway, the fare is taken and given back.",
    call: "Call a taxi",
    callFor: (fare) => `Call a taxi for ${fare}`,
    callAnyway: "Call anyway",
    calling: "Calling…",
    resumed: "Asking again…",
    unanswered: "This call was not answered",
    unansweredSays:
      "We do not know yet whether your call got through. For a minute this page asks again by itself. Asking again does not call a second taxi; if you cancel, whatever was paid is refunded.",
    unansweredTooOld: "It was so long ago that it cannot be asked about any more. If you were charged, please ask the taxi firm.",
    unansweredAsk: "Ask for it again",
    lost: "The server does not know this call just now. If this stays so, please ask the taxi firm.",
    fareFirst: "Please look at the fare, then press again.",
    another: "Call another taxi",
    now: "Your ride",
    history: "Your rides",
    historyHint: "Kept in this browser",
    noHistory: "No rides yet.",
    story: "Ride story",
    storyOf: (number) => `Call ${number}`,
    number: "Call number",
    taxi: "Taxi",
    driver: "Driver",
    cancel: "Cancel the call",
    cancelTitle: "Cancel this call?",
    cancelFree: "Cancelling costs nothing.",
    cancelReturns: (fare) => `${fare} is refunded in full.`,
    cancelUntaken: "Nothing has been taken yet. Should the payment still go through, it is refunded in full.",
    cancelYes: "Cancel the call",
    cancelNo: "Keep the call",
    cancelling: "Cancelling…",
    forget: "Remove from this list",
    cost: {
      held: (fare) => `${fare} paid`,
      paid: (fare) => `Fare ${fare}`,
      returned: (fare) => `${fare} refunded`,
      returning: (fare) => `Refund of ${fare} in progress`,
      none: "No charge",
      ofNothing: "Nothing taken yet",
    },
  },
  phase: {
    paying: "Paying",
    finding: "Looking for a taxi",
    underWay: "Your ride is under way",
    arrived: "You have arrived",
    cancelling: "Cancelling",
    returning: "Cancelled, refund in progress",
    returned: "Cancelled, refunded",
    off: "Cancelled",
    refused: "Payment failed",
  },
  phaseSays: {
    paying: "The payment is being asked for. This takes a moment.",
    finding: "It is paid. The taxi's number appears here as soon as it is sent.",
    underWay: "Look out for this number. The page follows your ride by itself.",
    arrived: "Thank you for riding with us.",
    cancelling: "The taxi is being cancelled. You will see the outcome here.",
    returning: "There is nothing you need to do. You will see here when the refund is complete.",
    returned: "You have been refunded in full.",
    off: "Nothing was taken.",
    refused: "No taxi was called, and nothing is charged.",
  },
  why: {
    rider: "You cancelled it.",
    operator: "The taxi firm cancelled it.",
    unpaid: "No word came of the payment in time.",
    undriven: "No taxi was found in time.",
    noTaxi: "No taxi takes a ride this far.",
    refused: "The payment was refused. Try another payment method.",
    silent: "The payment service did not answer in time.",
  },
  steps: { paying: "Payment", finding: "Taxi", underWay: "Riding", arrived: "Arrived" },
  line: {
    requested: ({ distance, fare }) => `You called a taxi for ${distance}. The fare is ${fare}.`,
    paid: ({ fare }) => `${fare} was paid.`,
    refused: () => "The payment was refused. No taxi was called.",
    silent: () => "The payment service did not answer in time. The call was given up.",
    started: ({ taxi, driver }) => `Taxi ${taxi} with ${driver} set off.`,
    ended: ({ fare, by }) => `The ride ended (${by}). The fare is ${fare}.`,
    noTaxi: () => "No taxi takes a ride this far.",
    cancelWished: ({ by }) => `Cancellation was requested (${by}).`,
    cancelUnpaid: () => "No word came of the payment in time, so the call was to be cancelled.",
    cancelUndriven: () => "No taxi was found in time, so the call was to be cancelled.",
    driveOff: () => "The taxi was cancelled.",
    cancelled: () => "The call was cancelled.",
    refunded: ({ fare }) => `${fare} was refunded.`,
  },
  by: { rider: "rider", driver: "driver", operator: "taxi firm", provider: "payment service", system: "automatic" },
  driver: {
    title: "Driver",
    ask: "Enter the number of your ride",
    number: "Call number",
    numberHint: "As on the passenger's screen",
    take: "Show the ride",
    unknown: (number) => `Ride ${number} was not found.`,
    passenger: "Passenger",
    distance: "Distance",
    fare: "Fare",
    since: "Since",
    end: "End the ride",
    endTitle: "End this ride?",
    endSays: (fare) => `The passenger has paid ${fare}. After this the ride can no longer be cancelled.`,
    endYes: "End the ride",
    endNo: "Not yet",
    ending: "Ending…",
    done: (fare) => `The ride is over. ${fare} is earned.`,
    none: {
      paying: "The passenger is still paying.",
      finding: "Paid; the ride begins in a moment.",
      underWay: "The ride is under way.",
      arrived: "The ride is over.",
      cancelling: "This call is being cancelled. Please wait.",
      returning: "There is no ride: the call is off.",
      returned: "There is no ride: the call is off.",
      off: "There is no ride: the call is off.",
      refused: "There is no ride: the payment failed.",
    },
    other: "Another ride",
    recent: "Recent",
  },
  console: {
    title: "Console",
    signIn: "Operators only",
    token: "Operator's token",
    tokenHint: "“taxisvc token” on the server's machine prints it; if that is not yours, ask whoever runs it. Kept in this browser until you sign out.",
    enter: "Sign in",
    leave: "Sign out",
    tabs: { calls: "Calls", now: "Now", letters: "Dead letters", health: "Health" },
    search: "Search",
    searchHint: "Number, rider, driver or taxi",
    all: "All",
    status: {
      payRequest: "Awaiting payment",
      driveRequest: "Awaiting taxi",
      driveStart: "Under way",
      payFail: "Payment failed",
      requestCancel: "Cancelled",
      driveComplete: "Completed",
    },
    oldest: (span) => `oldest ${span}`,
    columns: {
      number: "Call",
      state: "State",
      rider: "Rider",
      taxi: "Taxi",
      distance: "Distance",
      fare: "Fare",
      money: "Money",
      age: "Age",
      at: "Called",
    },
    money: {
      asked: "asked",
      paid: "paid",
      failed: "failed",
      refunding: "going back",
      refunded: "given back",
      voided: "never taken",
    },
    shown: (shown, total) => `${shown} shown of ${total}`,
    older: "Load older calls",
    loading: "Loading…",
    empty: "No call matches.",
    open: (number) => `Call ${number}`,
    keys: "Keys",
    keysOn: "Use these keys",
    keyHelp: [
      ["↑ ↓", "next or previous call"],
      ["Enter", "open it"],
      ["Esc", "close it"],
      ["/", "search"],
      ["1 – 4", "the tabs"],
      ["c", "cancel the open call"],
      ["e", "end its ride"],
      ["?", "this help"],
    ],
    story: "To be read to the rider",
    stepsTitle: "What happened",
    notesToo: "internal notes too",
    moneyTitle: "Money",
    taken: "taken",
    held: "held",
    earned: "earned",
    returned: "given back",
    waits: "What it waits for",
    waitsNothing: "Nothing. It is all over.",
    cancel: "Cancel on the rider's behalf",
    cancelTitle: (number) => `Cancel call ${number}?`,
    cancelSays: "Whatever was taken goes back to the rider in full. It is recorded as the operator's.",
    end: "End the ride on the driver's behalf",
    endTitle: (number) => `End the ride of call ${number}?`,
    endSays: "The fare is earned, and the ride can no longer be cancelled. It is recorded as the operator's.",
    yesCancel: "Cancel the call",
    yesEnd: "End the ride",
    no: "No",
    done: "Done.",
    notFound: (number) => `There is no call ${number}.`,
    perMinute: "a minute",
    waiting: "waiting",
    events: "Events as they happen",
    eventsHint: "The newest first",
    eventsNone: "Nothing has happened since this page was opened.",
    pause: "Pause",
    goOn: "Go on",
    plots: {
      rate: "Calls a minute",
      rateTable: "Calls a minute, as a table",
      wait: "From the call to a taxi",
      waitTable: "From the call to a taxi, as a table",
      requested: "called",
      started: "under way",
      ended: "completed",
      cancelled: "cancelled",
      median: "median",
      slow: "95th percentile",
      seconds: "s",
      perMinute: "/min",
      at: "Time",
    },
    tiles: {
      underWay: "Rides under way",
      waiting: "Waiting for payment or taxi",
      lastHour: "Calls in the last hour",
      cancelledShare: "Ended without a ride",
      untilTaxi: "Until a taxi (median)",
      letters: "Dead letters waiting",
    },
    letters: {
      none: "No message was put aside. Everything was understood.",
      waits: "waits",
      skipped: "skipped",
      retry: "Retry",
      skip: "Skip…",
      skipTitle: "Skip this message for good?",
      reason: "Why",
      content: "The message",
      behind: (count) => `${count} more wait behind it`,
      waitsBehind: (number) => `waits behind number ${number}`,
      ofCall: (number) => `Call ${number}`,
    },
    health: {
      well: "All is well",
      unknown: "Cannot be checked now",
      notWell: (count) => (count === 1 ? "1 thing to see to" : `${count} things to see to`),
      check: "Check",
      says: "Finding",
      state: "State",
      states: { ok: "OK", warn: "check", fail: "failed" },
      audit: "Does everything add up?",
      auditRun: "Run the audit",
      auditHint: "For very large data use the command “taxisvc audit” instead.",
      auditRunning: "Counting…",
      auditClean: (checks) => `Clean: ${checks} checks, every won accounted for.`,
      auditFails: (checks) => `${checks} checks fail.`,
      provider: "at the payment service",
      view: "Read model",
      viewWhole: "It is complete.",
      viewRebuilding: (read, all) => `It is being rebuilt: ${read} of ${all}.`,
      rebuild: "Rebuild…",
      rebuildTitle: "Rebuild the read model?",
      rebuildSays: "Meanwhile lists of calls cannot be shown. Calls, payments and rides go on.",
      look: "Look again",
    },
  },
};
