//! The topic between services that run by themselves: who is behind, what is not told, and what went wrong.

use super::{Curve, Dashboard, PANEL, Panel, Row, Whose};

pub(super) const DASHBOARD: Dashboard = Dashboard {
    name: "kafka",
    title: "taxisvc / Kafka",
    about: "Reading and telling the topic: lag, age of what is not told, partitions, deliveries. Of services that run by themselves.",
    rows: &[
        Row { title: "Reading", panels: READING },
        Row { title: "Telling", panels: TELLING },
        Row { title: "Amiss", panels: AMISS },
    ],
};

/// One process has no topic.
const OF_FLEET: Panel = Panel { whose: Whose::Fleet, ..PANEL };

const READING: &[Panel] = &[
    Panel {
        title: "Lag by service",
        about: "Messages of the topic that a service has not read yet. Lag is never loss.",
        curves: &[Curve("sum by (job) (taxisvc_kafka_partition_lag{@})", "{{job}}")],
        limits: Some((200.0, 1_000.0)),
        ..OF_FLEET
    },
    Panel {
        title: "Lag by partition",
        about: "The ten partitions that are read latest.",
        curves: &[Curve(
            "topk(10, sum by (job, partition) (taxisvc_kafka_partition_lag{@}))",
            "{{job}} {{partition}}",
        )],
        ..OF_FLEET
    },
    Panel {
        title: "Messages read",
        about: "A second, also those that say nothing to the service.",
        unit: "ops",
        curves: &[Curve(
            "sum by (job) (rate(taxisvc_kafka_messages_read_total{@}[$__rate_interval]))",
            "{{job}}",
        )],
        ..OF_FLEET
    },
    Panel {
        title: "Partitions read",
        about: "By service, all processes together: as many as there are, of each.",
        curves: &[Curve("sum by (job) (taxisvc_kafka_partitions_read{@})", "{{job}}")],
        ..OF_FLEET
    },
    Panel {
        title: "Partitions by process",
        about: "How the partitions are shared out.",
        curves: &[Curve("taxisvc_kafka_partitions_read{@}", "{{job}} {{instance}}")],
        ..OF_FLEET
    },
    Panel {
        title: "Reading waits",
        about: "Processes that wait for their database before they read on.",
        curves: &[Curve("sum by (job) (taxisvc_kafka_reading_paused{@})", "{{job}}")],
        ..OF_FLEET
    },
];

const TELLING: &[Panel] = &[
    Panel {
        title: "Age of what is not told",
        about: "Of the oldest event of a service that the topic was not told.",
        unit: "s",
        curves: &[Curve("max by (job, shard) (taxisvc_relay_age_seconds{@})", "{{job}} {{shard}}")],
        limits: Some((5.0, 10.0)),
        ..OF_FLEET
    },
    Panel {
        title: "Events told and taken",
        about: "A second: given to the topic, also again, and taken by it.",
        unit: "ops",
        curves: &[
            Curve(
                "sum by (job) (rate(taxisvc_kafka_events_told_total{@}[$__rate_interval]))",
                "told {{job}}",
            ),
            Curve(
                "sum by (job) (rate(taxisvc_kafka_events_acknowledged_total{@}[$__rate_interval]))",
                "taken {{job}}",
            ),
        ],
        ..OF_FLEET
    },
    Panel {
        title: "Who tells",
        about: "One process of each service has the turn of a shard; a sum of 0 means nobody.",
        curves: &[Curve("sum by (job, shard) (taxisvc_relay_holds{@})", "{{job}} {{shard}}")],
        ..OF_FLEET
    },
];

const AMISS: &[Panel] = &[
    Panel {
        title: "Connected",
        about: "1 while a broker answers, by process.",
        curves: &[Curve("min by (job) (taxisvc_kafka_connected{@})", "{{job}}")],
        ..OF_FLEET
    },
    Panel {
        title: "Deliveries that failed",
        about: "A second, and producers begun anew: it rises while brokers are away. Nothing is lost.",
        unit: "ops",
        curves: &[
            Curve(
                "sum by (job) (rate(taxisvc_kafka_delivery_failures_total{@}[$__rate_interval]))",
                "failed {{job}}",
            ),
            Curve(
                "sum by (job) (rate(taxisvc_kafka_producers_total{@}[$__rate_interval]))",
                "producers {{job}}",
            ),
        ],
        ..OF_FLEET
    },
    Panel {
        title: "Held up and refused",
        about: "Events that cannot be told and hold up those behind them; events that a broker refused within an hour. Must be 0.",
        curves: &[
            Curve("sum by (job) (taxisvc_relay_held_up{@})", "held up {{job}}"),
            Curve("sum by (job) (increase(taxisvc_kafka_events_refused_total{@}[1h]))", "refused {{job}}"),
        ],
        limits: Some((1.0, 1.0)),
        ..OF_FLEET
    },
    Panel {
        title: "Rebalances and rewinds",
        about: "Within ten minutes: partitions given or taken, and reading set back to what is stored.",
        curves: &[
            Curve("sum by (job) (increase(taxisvc_kafka_rebalances_total{@}[10m]))", "rebalances {{job}}"),
            Curve("sum by (job) (increase(taxisvc_kafka_rewinds_total{@}[10m]))", "rewinds {{job}}"),
        ],
        ..OF_FLEET
    },
    Panel {
        title: "The topic made anew, or forgetful",
        about: "Within a day: times that it was another one, and messages that it dropped before they were read. Must be 0.",
        curves: &[
            Curve("sum by (job) (increase(taxisvc_kafka_topic_resets_total{@}[1d]))", "another {{job}}"),
            Curve("sum by (job) (increase(taxisvc_kafka_messages_lost_total{@}[1d]))", "lost {{job}}"),
        ],
        limits: Some((1.0, 1.0)),
        ..OF_FLEET
    },
];
