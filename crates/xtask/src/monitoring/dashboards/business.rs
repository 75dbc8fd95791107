//! The business: calls, what becomes of them, how long riders wait, and the money.

use super::{Curve, Dashboard, Kind, PANEL, Panel, Row};

pub(super) const DASHBOARD: Dashboard = Dashboard {
    name: "business",
    title: "taxisvc / Business",
    about: "Calls and what becomes of them, refusals and refunds, the time until a taxi is on its way, and the money.",
    rows: &[
        Row { title: "Now", panels: NOW },
        Row { title: "Calls", panels: CALLS },
        Row { title: "Compensations", panels: COMPENSATIONS },
        Row { title: "Money", panels: MONEY },
    ],
};

const NOW: &[Panel] = &[
    Panel {
        title: "Calls a minute",
        about: "Calls that riders make.",
        kind: Kind::Number,
        unit: "cpm",
        width: 6,
        curves: &[Curve(
            "60 * sum(rate(taxisvc_events_total{@, type=\"CallRequested\"}[$__rate_interval]))",
            "calls",
        )],
        ..PANEL
    },
    Panel {
        title: "Rides under way",
        about: "Taxis that are on their way or carry somebody.",
        kind: Kind::Number,
        width: 6,
        curves: &[Curve("max(taxisvc_drives{@, status=\"start\"})", "rides")],
        ..PANEL
    },
    Panel {
        title: "Time to drive",
        about: "From the call until a taxi is on its way, for nine riders of ten.",
        kind: Kind::Number,
        unit: "s",
        width: 6,
        curves: &[Curve(
            "histogram_quantile(0.9, sum by (le) (rate(taxisvc_time_to_drive_seconds_bucket{@}[$__rate_interval])))",
            "90 %",
        )],
        limits: Some((2.0, 10.0)),
        ..PANEL
    },
    Panel {
        title: "Payments that do not agree",
        about: "Payments that contradict themselves or the provider's book, and those that cannot be read: must be 0.",
        kind: Kind::Number,
        width: 6,
        curves: &[
            Curve("max(taxisvc_ledger_payments_wrong{@})", "wrong"),
            Curve("max(taxisvc_ledger_payments_unreadable{@})", "cannot be read"),
        ],
        limits: Some((1.0, 1.0)),
        ..PANEL
    },
];

const CALLS: &[Panel] = &[
    Panel {
        title: "What happens, a minute",
        about: "Calls, fares taken, rides begun and ended.",
        unit: "cpm",
        curves: &[Curve(
            "60 * sum by (type) (rate(taxisvc_events_total{@, type=~\"CallRequested|FarePaid|DriveStarted|DriveEnded\"}[$__rate_interval]))",
            "{{type}}",
        )],
        ..PANEL
    },
    Panel {
        title: "Open calls by status",
        about: "Calls that somebody waits for. They should not grow without end.",
        curves: &[Curve(
            "max by (status) (taxisvc_calls{@, status=~\"payRequest|driveRequest|driveStart\"})",
            "{{status}}",
        )],
        ..PANEL
    },
    Panel {
        title: "Closed calls by status",
        about: "Calls that are over, since the beginning; of requestCancel also those whose cancellation is not concluded yet.",
        curves: &[Curve(
            "max by (status) (taxisvc_calls{@, status=~\"payFail|requestCancel|driveComplete\"})",
            "{{status}}",
        )],
        ..PANEL
    },
    Panel {
        title: "Time to drive",
        about: "From the call until call heard that a taxi is on its way: half of the riders, nine of ten, all but one of a hundred.",
        unit: "s",
        curves: &[
            Curve(
                "histogram_quantile(0.5, sum by (le) (rate(taxisvc_time_to_drive_seconds_bucket{@}[$__rate_interval])))",
                "half",
            ),
            Curve(
                "histogram_quantile(0.9, sum by (le) (rate(taxisvc_time_to_drive_seconds_bucket{@}[$__rate_interval])))",
                "90 %",
            ),
            Curve(
                "histogram_quantile(0.99, sum by (le) (rate(taxisvc_time_to_drive_seconds_bucket{@}[$__rate_interval])))",
                "99 %",
            ),
        ],
        limits: Some((2.0, 10.0)),
        ..PANEL
    },
    Panel {
        title: "Oldest open call",
        about: "How long ago the oldest call was made that still stands there, and the oldest cancellation asked for that is not concluded. Deadlines are a minute for payRequest, ten for driveRequest.",
        unit: "s",
        curves: &[
            Curve(
                "max by (status) (taxisvc_call_oldest_age_seconds{@, status=~\"payRequest|driveRequest\"})",
                "{{status}}",
            ),
            Curve(
                "max by (asked_by) (taxisvc_call_cancelling_age_seconds{@})",
                "cancelled by a {{asked_by}}",
            ),
        ],
        limits: Some((30.0, 480.0)),
        ..PANEL
    },
    Panel {
        title: "Drives by status",
        about: "Rides under way, ended, refused for want of a taxi, and cancelled.",
        curves: &[Curve("max by (status) (taxisvc_drives{@})", "{{status}}")],
        ..PANEL
    },
];

const COMPENSATIONS: &[Panel] = &[
    Panel {
        title: "Refusals, a minute",
        about: "Riders who do not get what they want: not paid, no taxi takes the call, cancelled by themselves or by a deadline.",
        unit: "cpm",
        curves: &[
            Curve(
                "60 * sum by (type) (rate(taxisvc_events_total{@, type=~\"PaymentFailed|DriveNotAvailable|CancelRequested\"}[$__rate_interval]))",
                "{{type}}",
            ),
            Curve(
                "60 * sum by (timer) (rate(taxisvc_deadlines_passed_total{@}[$__rate_interval]))",
                "of these by the deadline {{timer}}",
            ),
        ],
        ..PANEL
    },
    Panel {
        title: "Share of calls that fail",
        about: "Of the calls made: not paid, or off again.",
        unit: "percentunit",
        curves: &[
            Curve(
                "sum(rate(taxisvc_events_total{@, type=\"PaymentFailed\"}[$__rate_interval])) / sum(rate(taxisvc_events_total{@, type=\"CallRequested\"}[$__rate_interval]))",
                "not paid",
            ),
            Curve(
                "sum(rate(taxisvc_events_total{@, type=\"CallCancelled\"}[$__rate_interval])) / sum(rate(taxisvc_events_total{@, type=\"CallRequested\"}[$__rate_interval]))",
                "off",
            ),
        ],
        ..PANEL
    },
    Panel {
        title: "Refunds, a minute",
        about: "Fares that are ordered back, and those that are back with their riders. Surfaced: taken after nobody wanted it.",
        unit: "cpm",
        curves: &[Curve(
            "60 * sum by (type) (rate(taxisvc_events_total{@, type=~\"FareReturning|FareSurfaced|FareRefunded|FareVoided\"}[$__rate_interval]))",
            "{{type}}",
        )],
        ..PANEL
    },
];

const MONEY: &[Panel] = &[
    Panel {
        title: "Payments by status",
        about: "asked and refunding wait for the provider.",
        curves: &[Curve("max by (status) (taxisvc_payments{@})", "{{status}}")],
        ..PANEL
    },
    Panel {
        title: "Ledger",
        about: "Money of all payments, as of the last round over them: what was taken is held, earned or returned.",
        unit: "currencyKRW",
        curves: &[Curve(
            "max by (account) (taxisvc_ledger_won{@, account=~\"taken|held|earned|returned\"})",
            "{{account}}",
        )],
        ..PANEL
    },
    Panel {
        title: "Held and earned beside the provider's book",
        about: "What the provider's book says that riders are out of pocket, what payments say, and by how much they differ while answers are out.",
        unit: "currencyKRW",
        curves: &[
            Curve("max(taxisvc_ledger_won{@, account=\"provider\"})", "provider's book"),
            Curve(
                "max(taxisvc_ledger_won{@, account=\"held\"}) + max(taxisvc_ledger_won{@, account=\"earned\"})",
                "held and earned",
            ),
            Curve("max(taxisvc_ledger_won{@, account=\"in_flight\"})", "answers that are out"),
        ],
        ..PANEL
    },
    Panel {
        title: "Waiting for the provider",
        about: "Errands that the provider has not answered, and how old the oldest is.",
        curves: &[Curve("max by (service) (taxisvc_effects_open{@, service=\"payment\"})", "open")],
        ..PANEL
    },
    Panel {
        title: "Oldest errand",
        about: "How long ago the oldest errand was wanted that the provider has not answered.",
        unit: "s",
        curves: &[Curve(
            "max by (service) (taxisvc_effect_oldest_age_seconds{@, service=\"payment\"})",
            "oldest",
        )],
        limits: Some((10.0, 60.0)),
        ..PANEL
    },
    Panel {
        title: "Last round over all payments",
        about: "How long ago all payments had been compared with the provider's book.",
        unit: "s",
        curves: &[Curve("min by (job) (taxisvc_ledger_round_age_seconds{@})", "{{job}}")],
        limits: Some((3_600.0, 86_400.0)),
        ..PANEL
    },
];
