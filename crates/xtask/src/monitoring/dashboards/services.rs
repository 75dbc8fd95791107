//! The services as those meet them who ask: how often, how many fail, how long it takes; and the processes they are.

use super::{Curve, Dashboard, Kind, PANEL, Panel, Row, Whose};

pub(super) const DASHBOARD: Dashboard = Dashboard {
    name: "services",
    title: "taxisvc / Services",
    about: "Rate, errors and duration of requests, by service and route, and the processes behind them.",
    rows: &[
        Row { title: "Now", panels: NOW },
        Row { title: "Rate", panels: RATE },
        Row { title: "Errors", panels: ERRORS },
        Row { title: "Duration", panels: DURATION },
        Row { title: "Processes", panels: PROCESSES },
    ],
};

const NOW: &[Panel] = &[
    Panel {
        title: "Load",
        about: "Requests a second that each service answers now.",
        kind: Kind::Gauge,
        unit: "reqps",
        curves: &[Curve("sum by (job) (rate(taxisvc_http_requests_total{@}[$__rate_interval]))", "{{job}}")],
        limits: Some((500.0, 2_000.0)),
        ..PANEL
    },
    Panel {
        title: "Availability",
        about: "Requests of the last hour that were not answered with a 5xx; 99.9 % is the objective.",
        kind: Kind::Number,
        unit: "percentunit",
        width: 4,
        curves: &[Curve(
            "1 - sum(increase(taxisvc_gateway_answers_total{@, class=\"5xx\"}[1h])) / sum(increase(taxisvc_gateway_answers_total{@}[1h]))",
            "available",
        )],
        ..PANEL
    },
    Panel {
        title: "Failing now",
        about: "Share of requests that are answered with a 5xx, as riders meet it at the gateway.",
        kind: Kind::Number,
        unit: "percentunit",
        width: 4,
        curves: &[Curve(
            "sum(rate(taxisvc_gateway_answers_total{@, class=\"5xx\"}[$__rate_interval])) / sum(rate(taxisvc_gateway_answers_total{@}[$__rate_interval]))",
            "failing",
        )],
        limits: Some((0.001, 0.01)),
        ..PANEL
    },
    Panel {
        title: "Processes that run",
        about: "Processes of each service that Prometheus reaches.",
        kind: Kind::Number,
        curves: &[Curve(
            "count by (job) (up{@} == 1 and on (job, instance) taxisvc_build_info{@})",
            "{{job}}",
        )],
        ..PANEL
    },
];

const RATE: &[Panel] = &[
    Panel {
        title: "Requests by service",
        about: "Requests a second that each service answers, whichever way they came.",
        unit: "reqps",
        curves: &[Curve("sum by (job) (rate(taxisvc_http_requests_total{@}[$__rate_interval]))", "{{job}}")],
        ..PANEL
    },
    Panel {
        title: "Requests by route",
        about: "Requests a second, by method and route of the service.",
        unit: "reqps",
        curves: &[Curve(
            "sum by (method, route) (rate(taxisvc_http_requests_total{@}[$__rate_interval]))",
            "{{method}} {{route}}",
        )],
        ..PANEL
    },
    Panel {
        title: "Answers of the gateway",
        about: "Answers a second that the gateway gives, by its own routes.",
        unit: "reqps",
        curves: &[Curve(
            "sum by (route) (rate(taxisvc_gateway_answers_total{@}[$__rate_interval]))",
            "{{route}}",
        )],
        ..PANEL
    },
];

const ERRORS: &[Panel] = &[
    Panel {
        title: "Failures by service",
        about: "Share of each service's answers that are a 5xx.",
        unit: "percentunit",
        curves: &[Curve(
            "sum by (job) (rate(taxisvc_http_requests_total{@, class=\"5xx\"}[$__rate_interval])) / sum by (job) (rate(taxisvc_http_requests_total{@}[$__rate_interval])) or sum by (job) (rate(taxisvc_http_requests_total{@}[$__rate_interval])) * 0",
            "{{job}}",
        )],
        limits: Some((0.001, 0.01)),
        ..PANEL
    },
    Panel {
        title: "Answers by class",
        about: "Answers of the gateway a second, by class of status.",
        unit: "reqps",
        curves: &[Curve(
            "sum by (class) (rate(taxisvc_gateway_answers_total{@}[$__rate_interval]))",
            "{{class}}",
        )],
        ..PANEL
    },
    Panel {
        title: "Refused requests by route",
        about: "Answers of services that are a 4xx, a second: a client does something wrong, or the business says no.",
        unit: "reqps",
        curves: &[Curve(
            "sum by (method, route) (rate(taxisvc_http_requests_total{@, class=\"4xx\"}[$__rate_interval]))",
            "{{method}} {{route}}",
        )],
        ..PANEL
    },
    Panel {
        title: "Retries, ejections, limits",
        about: "What the gateway does about replicas that fail and clients that ask too much, a second.",
        unit: "ops",
        curves: &[
            Curve("sum(rate(taxisvc_gateway_retries_total{@}[$__rate_interval]))", "sent again"),
            Curve("sum(rate(taxisvc_gateway_ejections_total{@}[$__rate_interval]))", "replicas left out"),
            Curve("sum(rate(taxisvc_gateway_rate_limited_total{@}[$__rate_interval]))", "over their limit"),
        ],
        ..PANEL
    },
    Panel {
        title: "Error budget of 30 days spent at this pace",
        about: "How many times faster than allowed failures spend the month's share of 0.1 %, over five minutes and an hour; above 14.4 somebody is woken.",
        curves: &[
            Curve(
                "taxisvc:requests_failed:ratio_rate5m{namespace=~\"$namespace\", job=~\"$job\"} / 0.001",
                "5 min {{job}}",
            ),
            Curve(
                "taxisvc:requests_failed:ratio_rate1h{namespace=~\"$namespace\", job=~\"$job\"} / 0.001",
                "1 h {{job}}",
            ),
        ],
        limits: Some((1.0, 14.4)),
        ..PANEL
    },
];

const DURATION: &[Panel] = &[
    Panel {
        title: "Duration by service",
        about: "Until the answer began: half of them are quicker, and all but one of a hundred.",
        unit: "s",
        curves: &[
            Curve(
                "histogram_quantile(0.5, sum by (job, le) (rate(taxisvc_http_request_duration_seconds_bucket{@}[$__rate_interval])))",
                "half {{job}}",
            ),
            Curve(
                "histogram_quantile(0.99, sum by (job, le) (rate(taxisvc_http_request_duration_seconds_bucket{@}[$__rate_interval])))",
                "99 % {{job}}",
            ),
        ],
        limits: Some((0.5, 1.0)),
        ..PANEL
    },
    Panel {
        title: "Duration by route",
        about: "Until the answer began, all but one of a hundred. POST /calls waits for payment.",
        unit: "s",
        curves: &[Curve(
            "histogram_quantile(0.99, sum by (method, route, le) (rate(taxisvc_http_request_duration_seconds_bucket{@}[$__rate_interval])))",
            "{{method}} {{route}}",
        )],
        ..PANEL
    },
    Panel {
        title: "Duration at the gateway",
        about: "As riders meet it: until the answer began, all but one of a hundred, by route of the gateway.",
        unit: "s",
        curves: &[Curve(
            "histogram_quantile(0.99, sum by (route, le) (rate(taxisvc_gateway_answer_duration_seconds_bucket{@}[$__rate_interval])))",
            "{{route}}",
        )],
        ..PANEL
    },
    Panel {
        title: "Under way",
        about: "Requests that wait for the beginning of their answer, and event streams that are open.",
        curves: &[
            Curve("sum by (job) (taxisvc_http_requests_in_flight{@})", "in services {{job}}"),
            Curve("sum(taxisvc_gateway_in_flight{@})", "in the gateway"),
            Curve("sum by (job) (taxisvc_event_streams_open{@})", "streams {{job}}"),
        ],
        ..PANEL
    },
];

const PROCESSES: &[Panel] = &[
    Panel {
        title: "Processors",
        about: "Processors that each process keeps busy.",
        curves: &[Curve(
            "rate(process_cpu_seconds_total{@}[$__rate_interval]) and on (job, instance) taxisvc_build_info{@}",
            "{{job}} {{instance}}",
        )],
        ..PANEL
    },
    Panel {
        title: "Memory",
        about: "Memory that each process has in use.",
        unit: "bytes",
        curves: &[Curve(
            "process_resident_memory_bytes{@} and on (job, instance) taxisvc_build_info{@}",
            "{{job}} {{instance}}",
        )],
        ..PANEL
    },
    Panel {
        title: "Open files",
        about: "Share of the files and connections that a process may have open.",
        unit: "percentunit",
        curves: &[Curve(
            "process_open_fds{@} / process_max_fds{@} and on (job, instance) taxisvc_build_info{@}",
            "{{job}} {{instance}}",
        )],
        limits: Some((0.7, 0.9)),
        ..PANEL
    },
    Panel {
        title: "Running for",
        about: "Since when each process runs; a fall is a restart.",
        unit: "s",
        curves: &[Curve(
            "time() - process_start_time_seconds{@} and on (job, instance) taxisvc_build_info{@}",
            "{{job}} {{instance}}",
        )],
        ..PANEL
    },
    Panel {
        title: "Settings",
        about: "Settings files that are refused, and settings that wait for a restart.",
        curves: &[
            Curve("sum by (job) (taxisvc_config_refused{@})", "refused {{job}}"),
            Curve("sum by (job) (taxisvc_config_restart_needed{@})", "wait for a restart {{job}}"),
        ],
        limits: Some((1.0, 1.0)),
        ..PANEL
    },
    Panel {
        title: "Spans",
        about: "A second: told, taken by the collector, and lost; there where traces are sent.",
        unit: "ops",
        curves: &[
            Curve("sum by (job) (rate(taxisvc_spans_told_total{@}[$__rate_interval]))", "told {{job}}"),
            Curve("sum by (job) (rate(taxisvc_spans_sent_total{@}[$__rate_interval]))", "sent {{job}}"),
            Curve("sum by (job) (rate(taxisvc_spans_lost_total{@}[$__rate_interval]))", "lost {{job}}"),
        ],
        ..PANEL
    },
    Panel {
        title: "Room on the disk",
        about: "What is left on the disk of the data directory, and its size.",
        unit: "bytes",
        curves: &[
            Curve("taxisvc_disk_free_bytes{@}", "free {{instance}}"),
            Curve("taxisvc_disk_size_bytes{@}", "size {{instance}}"),
        ],
        whose: Whose::OneProcess,
        ..PANEL
    },
];
