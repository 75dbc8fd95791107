//! The payment service over HTTP: fares that were asked, paid, given back.

use axum::response::Response;
use engine::store::EntityRow;
use http::StatusCode;
use serde::Serialize;
use taxi::event::FailReason;
use taxi::id::{CallId, PaymentId};
use taxi::money::Won;
use taxi::payment::Payment;
use taxi::status::PayStatus;
use wiring::payment::NAME;

use crate::hal::{Base, Form, SelfLinks, respond, to_json};
use crate::read::Collection;
use crate::time::Rfc3339;

pub(crate) const PAYMENTS: Collection = Collection {
    service: NAME,
    path: "/payments",
    embedded: "payments",
    ids: &["payId", "callId"],
    fields: &["payId", "callId", "fare", "payStatus", "payReason", "askedAt", "updatedAt"],
    status: "payStatus",
    statuses: || PayStatus::ALL.map(PayStatus::as_str).to_vec(),
    reader: |readers| &readers.payment,
    when_read: |handles, position, tell| handles.payment.when_read(position, tell),
    render: |row, base| Ok(to_json(&Resource::of(&state(row)?, base))),
};

/// A payment, as the contract names its fields.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Resource<'a> {
    pay_id: PaymentId,
    call_id: CallId,
    fare: Won,
    pay_status: PayStatus,
    pay_reason: Option<FailReason>,
    asked_at: Rfc3339,
    updated_at: Rfc3339,
    #[serde(rename = "_links")]
    links: SelfLinks<'a>,
}

impl<'a> Resource<'a> {
    fn of(payment: &Payment, base: &'a Base) -> Self {
        Self {
            pay_id: payment.pay_id,
            call_id: payment.call_id,
            fare: payment.fare,
            pay_status: payment.pay_status,
            pay_reason: payment.reason,
            asked_at: Rfc3339(payment.asked_at),
            updated_at: Rfc3339(payment.updated_at),
            links: SelfLinks { base, path: PAYMENTS.path, name: NAME, id: payment.call_id.get() },
        }
    }
}

pub(crate) fn answer(form: Form, payment: &Payment, base: &Base) -> Response {
    respond(StatusCode::OK, form, to_json(&Resource::of(payment, base)))
}

fn state(row: &EntityRow) -> Result<Payment, serde_json::Error> {
    serde_json::from_str(&row.state)
}
