//! The engine: batches, commits, timers, effects, what waits and what was put aside.

use super::{Curve, Dashboard, PANEL, Panel, Row, Whose};

pub(super) const DASHBOARD: Dashboard = Dashboard {
    name: "engine",
    title: "taxisvc / Engine",
    about: "Batches and commits, timers and effects, what waits to be decided, dead letters, and the databases.",
    rows: &[
        Row { title: "Commits", panels: COMMITS },
        Row { title: "Waiting", panels: WAITING },
        Row { title: "Amiss", panels: AMISS },
        Row { title: "Databases", panels: DATABASES },
    ],
};

const COMMITS: &[Panel] = &[
    Panel {
        title: "Commits",
        about: "Commits a second, by database.",
        unit: "ops",
        curves: &[Curve(
            "sum by (database) (rate(taxisvc_commits_total{@}[$__rate_interval]))",
            "{{database}}",
        )],
        ..PANEL
    },
    Panel {
        title: "Commit time",
        about: "How long a commit took, fsync included: half of them, and all but one of a hundred.",
        unit: "s",
        curves: &[
            Curve(
                "histogram_quantile(0.5, sum by (database, le) (rate(taxisvc_commit_duration_seconds_bucket{@}[$__rate_interval])))",
                "half {{database}}",
            ),
            Curve(
                "histogram_quantile(0.99, sum by (database, le) (rate(taxisvc_commit_duration_seconds_bucket{@}[$__rate_interval])))",
                "99 % {{database}}",
            ),
        ],
        limits: Some((0.05, 0.1)),
        ..PANEL
    },
    Panel {
        title: "Batch",
        about: "Messages that a commit carried: half of them, and all but one of a hundred. 512 of each sort at most.",
        curves: &[
            Curve(
                "histogram_quantile(0.5, sum by (database, le) (rate(taxisvc_commit_inputs_bucket{@}[$__rate_interval])))",
                "half {{database}}",
            ),
            Curve(
                "histogram_quantile(0.99, sum by (database, le) (rate(taxisvc_commit_inputs_bucket{@}[$__rate_interval])))",
                "99 % {{database}}",
            ),
        ],
        ..PANEL
    },
    Panel {
        title: "Events by type",
        about: "Events recorded a second, private ones too.",
        unit: "ops",
        width: 12,
        curves: &[Curve("sum by (type) (rate(taxisvc_events_total{@}[$__rate_interval]))", "{{type}}")],
        ..PANEL
    },
    Panel {
        title: "Batches decided again",
        about: "A second. Of several replicas, since another one was quicker; else it should hardly rise.",
        unit: "ops",
        width: 12,
        curves: &[Curve(
            "sum by (database) (rate(taxisvc_batches_redone_total{@}[$__rate_interval]))",
            "{{database}}",
        )],
        ..PANEL
    },
];

const WAITING: &[Panel] = &[
    Panel {
        title: "Commands that wait",
        about: "To be decided; 20,000 of a shard may, more are sent away with 503.",
        curves: &[Curve("sum by (service) (taxisvc_commands_waiting{@})", "{{service}}")],
        limits: Some((5_000.0, 15_000.0)),
        ..PANEL
    },
    Panel {
        title: "Events that are not read",
        about: "Of others, by the service that has not read them yet.",
        curves: &[Curve("sum by (service) (taxisvc_events_unread{@})", "{{service}}")],
        ..PANEL
    },
    Panel {
        title: "How far services are behind",
        about: "Age of the oldest event that a service has not read; view is how far the pages are behind.",
        unit: "s",
        curves: &[Curve("max by (service) (taxisvc_events_unread_age_seconds{@})", "{{service}}")],
        limits: Some((5.0, 10.0)),
        ..PANEL
    },
    Panel {
        title: "Effects that are open",
        about: "What services want done outside and nobody has answered, and answers that wait to be decided.",
        curves: &[
            Curve("max by (service) (taxisvc_effects_open{@})", "open {{service}}"),
            Curve("sum by (service) (taxisvc_answers_waiting{@})", "answers {{service}}"),
        ],
        ..PANEL
    },
    Panel {
        title: "Oldest effect",
        about: "How long ago it was wanted.",
        unit: "s",
        curves: &[Curve("max by (service) (taxisvc_effect_oldest_age_seconds{@})", "{{service}}")],
        limits: Some((10.0, 60.0)),
        ..PANEL
    },
    Panel {
        title: "Timers overdue",
        about: "Timers that ran out more than 10 s ago: should be 0.",
        curves: &[Curve("max by (service) (taxisvc_timers_overdue{@})", "{{service}}")],
        limits: Some((1.0, 1.0)),
        ..PANEL
    },
];

const AMISS: &[Panel] = &[
    Panel {
        title: "Dead letters",
        about: "Messages that were put aside and wait, those that an operator skipped, and entities that wait behind one.",
        curves: &[
            Curve("max by (service) (taxisvc_dead_letters_waiting{@})", "waiting {{service}}"),
            Curve("max by (service) (taxisvc_dead_letters_skipped{@})", "skipped {{service}}"),
            Curve("max by (database) (taxisvc_entities_parked{@})", "parked {{database}}"),
        ],
        limits: Some((1.0, 1.0)),
        ..PANEL
    },
    Panel {
        title: "Put aside, within an hour",
        about: "Messages that could not be read or made the code fail.",
        curves: &[Curve("sum by (database) (increase(taxisvc_dead_letters_total{@}[1h]))", "{{database}}")],
        limits: Some((1.0, 1.0)),
        ..PANEL
    },
    Panel {
        title: "Overdue, within a day",
        about: "Notes that something should have ended and no clock may end it, such as a ride.",
        curves: &[Curve("sum by (database) (increase(taxisvc_overdue_total{@}[1d]))", "{{database}}")],
        ..PANEL
    },
    Panel {
        title: "Engine silent",
        about: "How long ago the engine last turned; above 10 s it is stuck.",
        unit: "s",
        curves: &[Curve("max by (database) (taxisvc_engine_silent_seconds{@})", "{{database}}")],
        limits: Some((5.0, 10.0)),
        ..PANEL
    },
    Panel {
        title: "Figures without an answer",
        about: "How long it has been tried to read what has to be read from the store; above 10 s it cannot be read.",
        unit: "s",
        curves: &[Curve("max by (job) (taxisvc_figures_unanswered_seconds{@})", "{{job}}")],
        limits: Some((5.0, 10.0)),
        ..PANEL
    },
    Panel {
        title: "Clock",
        about: "How far the machine's clock is from the one that a process goes by.",
        unit: "s",
        curves: &[Curve("abs(taxisvc_clock_offset_seconds{@})", "{{job}} {{instance}}")],
        limits: Some((0.5, 1.0)),
        ..PANEL
    },
];

const DATABASES: &[Panel] = &[
    Panel {
        title: "Databases that can be written",
        about: "1 while it can, by process.",
        curves: &[Curve("min by (database) (taxisvc_database_available{@})", "{{database}}")],
        ..PANEL
    },
    Panel {
        title: "Size of files",
        about: "Of the database and its write-ahead log.",
        unit: "bytes",
        curves: &[Curve("max by (database, file) (taxisvc_database_file_bytes{@})", "{{database}} {{file}}")],
        whose: Whose::OneProcess,
        ..PANEL
    },
    Panel {
        title: "Connections to PostgreSQL",
        about: "Those that are open, by database.",
        curves: &[Curve("sum by (database) (taxisvc_database_connections{@})", "{{database}}")],
        whose: Whose::Fleet,
        ..PANEL
    },
    Panel {
        title: "Connections opened and failed",
        about: "A second: it rises while the server is away or lets nobody in.",
        unit: "ops",
        curves: &[
            Curve(
                "sum by (database) (rate(taxisvc_database_connections_opened_total{@}[$__rate_interval]))",
                "opened {{database}}",
            ),
            Curve(
                "sum by (database) (rate(taxisvc_database_connections_failed_total{@}[$__rate_interval]))",
                "failed {{database}}",
            ),
        ],
        whose: Whose::Fleet,
        ..PANEL
    },
];
