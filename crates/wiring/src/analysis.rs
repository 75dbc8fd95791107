//! What analysts read by SQL: for each view its columns, where in a document each stands, and what it means.
//!
//! Pure data: which store makes views of it, and how, is not known here. docs/sql.md says the same to people, and is held
//! to it by a test. Who rides is personal data; it stands in the view `riders` and in no other.

use crate::{call, drive, payment, view};

/// One view of one service.
#[derive(Debug, Clone, Copy)]
pub struct View {
    pub name: &'static str,
    pub service: &'static str,
    pub rows: Rows,
    pub columns: &'static [Column],
}

/// What a view has a row for; what is fixed about it is named by the store.
#[derive(Debug, Clone, Copy)]
pub enum Rows {
    /// Every entity of a kind, with its number under this name.
    Entities { kind: &'static str, id: &'static str },
    /// Every event of the service, with the number of what it is about under this name.
    Events { id: &'static str },
}

/// A column: where it stands in the state of an entity or in the body of an event.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub name: &'static str,
    pub path: &'static [&'static str],
    pub kind: ColumnKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    Text,
    Integer,
    Boolean,
    /// Milliseconds since 1970 in the document, a time of its own in the column.
    Time,
}

const fn text(name: &'static str, path: &'static [&'static str]) -> Column {
    Column { name, path, kind: ColumnKind::Text }
}

const fn integer(name: &'static str, path: &'static [&'static str]) -> Column {
    Column { name, path, kind: ColumnKind::Integer }
}

const fn boolean(name: &'static str, path: &'static [&'static str]) -> Column {
    Column { name, path, kind: ColumnKind::Boolean }
}

const fn time(name: &'static str, path: &'static [&'static str]) -> Column {
    Column { name, path, kind: ColumnKind::Time }
}

const CALL_ID: &str = "call_id";

/// All views, each in the database of its service.
pub const VIEWS: [View; 8] = [
    View {
        name: "calls",
        service: call::NAME,
        rows: Rows::Entities { kind: call::NAME, id: CALL_ID },
        columns: &[
            integer("distance_m", &["meters"]),
            integer("fare_won", &["fare"]),
            text("payment_method", &["paymentMethod"]),
            boolean("is_placed", &["placed"]),
            boolean("is_cancelled", &["cancelled"]),
            text("settled_status", &["settled"]),
            time("requested_at", &["requestedAt"]),
            time("updated_at", &["updatedAt"]),
        ],
    },
    View {
        name: "riders",
        service: call::NAME,
        rows: Rows::Entities { kind: call::NAME, id: CALL_ID },
        columns: &[text("user_id", &["userId", "plain"]), text("user_name", &["userName", "plain"])],
    },
    View {
        name: "call_events",
        service: call::NAME,
        rows: Rows::Events { id: CALL_ID },
        columns: &[
            text("call_status", &["callStatus"]),
            integer("distance_m", &["meters"]),
            integer("fare_won", &["fare"]),
            text("payment_method", &["paymentMethod"]),
        ],
    },
    View {
        name: "payments",
        service: payment::NAME,
        rows: Rows::Entities { kind: payment::NAME, id: CALL_ID },
        columns: &[
            integer("pay_id", &["payId"]),
            integer("fare_won", &["fare"]),
            text("stage", &["stage"]),
            text("fail_reason", &["reason"]),
            text("payment_method", &["paymentMethod"]),
            text("take", &["take"]),
            text("back", &["back"]),
            integer("rider_won", &["accounts", "rider"]),
            integer("held_won", &["accounts", "held"]),
            integer("earned_won", &["accounts", "earned"]),
            time("asked_at", &["askedAt"]),
            time("updated_at", &["updatedAt"]),
        ],
    },
    View {
        name: "payment_events",
        service: payment::NAME,
        rows: Rows::Events { id: CALL_ID },
        columns: &[
            integer("fare_won", &["fare"]),
            text("pay_status", &["payStatus"]),
            text("fail_reason", &["reason"]),
            text("payment_method", &["paymentMethod"]),
        ],
    },
    View {
        name: "drives",
        service: drive::NAME,
        rows: Rows::Entities { kind: drive::NAME, id: CALL_ID },
        columns: &[
            integer("drive_id", &["driveId"]),
            text("driver_name", &["driverName"]),
            text("taxi_number", &["taxiNum"]),
            integer("fare_won", &["fare"]),
            time("opened_at", &["openedAt"]),
            time("updated_at", &["updatedAt"]),
        ],
    },
    View {
        name: "drive_events",
        service: drive::NAME,
        rows: Rows::Events { id: CALL_ID },
        columns: &[
            text("drive_status", &["driveStatus"]),
            text("driver_name", &["driverName"]),
            text("taxi_number", &["taxiNum"]),
            integer("fare_won", &["fare"]),
        ],
    },
    View {
        name: "call_views",
        service: view::NAME,
        rows: Rows::Entities { kind: view::NAME, id: CALL_ID },
        columns: &[
            integer("drive_id", &["driveId"]),
            integer("distance_m", &["meters"]),
            integer("fare_won", &["fare"]),
            text("pay_status", &["payStatus"]),
            text("fail_reason", &["payReason"]),
            text("driver_name", &["driverName"]),
            text("taxi_number", &["taxiNum"]),
            text("drive_status", &["driveStatus"]),
            time("requested_at", &["requestedAt"]),
            time("paid_at", &["paidAt"]),
            time("started_at", &["startedAt"]),
            time("ended_at", &["endedAt"]),
            time("cancelled_at", &["cancelledAt"]),
            time("refunded_at", &["refundedAt"]),
            time("updated_at", &["updatedAt"]),
        ],
    },
];
