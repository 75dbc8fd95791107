//! `POST /callpay`: how the original's call service asks payment directly, and waits no longer than its patience.

use axum::body::Body;
use taxi::actor::Actor;
use taxi::event::FailReason;
use taxi::money::{FareError, Won};
use taxi::payment::{Command, Payment, Refusal};
use taxi::status::PayStatus;
use tokio::time::Instant;

use crate::asked::{Answered, Asked};
use crate::body;
use crate::detail::Detail;
use crate::hal::{Base, Form};
use crate::payment::{PAYMENTS, answer};
use crate::problem::{Kind, Problem};
use crate::read::key;
use crate::wait::{Done, Order, give, watch};

const ROUTE: &str = "POST /callpay";

/// Pays a call once, however often it is asked.
pub(crate) async fn pay(asked: Asked, body: Body) -> Answered {
    let (form, base) = (asked.form()?, asked.base()?);
    let body = asked.read(body).await?;
    let fields = body::fields(&body)?;
    let call_id = body::call_id(&fields, "callId")?;
    asked.note_call(call_id);
    let fare = fare(body::required(&fields, "fare")?)?;
    let origin = asked.origin(Actor::System);
    let order = Order {
        command: Command::PayNow { call_id, fare },
        origin: origin.clone(),
        idempotency: asked.idempotency(ROUTE, &body)?,
    };
    let (handle, settings) = (&asked.api.handles.payment, asked.api.settings());
    // Whoever asks has so much patience, and a slow commit takes of it.
    let patience = Instant::now() + settings.callpay_wait;
    let watching = watch(handle, key(&PAYMENTS, call_id), is_decided)?;
    let mut done = give(handle, order, settings.reply_wait_max, refused).await?;
    if !is_decided(&done.state) {
        match watching.until(patience).await {
            Some(payment) => done.state = payment,
            None => {
                let order = Order { command: Command::GiveUp(call_id), origin, idempotency: None };
                let given_up = give(handle, order, settings.reply_wait_max, refused).await;
                // The payment itself was asked for, so that what became of it is not known now.
                let given_up = given_up.map_err(|_| unknown())?;
                done.state = given_up.state;
            }
        }
    }
    conclude(form, &done, &base)
}

fn conclude(form: Form, done: &Done<Payment>, base: &Base) -> Answered {
    let payment = &done.state;
    let problem = match payment.pay_status {
        PayStatus::Paid => return Ok(done.mark(answer(form, payment, base))),
        PayStatus::Failed => match payment.reason {
            Some(FailReason::Refused) => Problem::new(Kind::PaymentRefused, Detail::PaymentRefused),
            Some(FailReason::ProviderSilent | FailReason::GivenUp) | None => {
                Problem::new(Kind::PaymentGivenUp, Detail::PaymentGivenUp)
            }
        },
        PayStatus::Refunding | PayStatus::Refunded | PayStatus::Voided => {
            Problem::new(Kind::NotAllowedNow, Detail::CallIsOff)
        }
        PayStatus::Asked => unknown(),
    };
    let problem = problem.in_state(PAYMENTS.status, payment.pay_status.as_str());
    Err(problem.replayed(done.is_repeated))
}

fn unknown() -> Problem {
    Problem::outcome_unknown(Detail::PaymentUnanswered)
}

fn is_decided(payment: &Payment) -> bool {
    payment.pay_status != PayStatus::Asked
}

/// The original's call service reckons in floating point.
fn fare(text: &str) -> Result<Won, Problem> {
    wiring::fare::nearly_whole(text).map_err(|error| {
        let kind = match error {
            FareError::NotANumber => Kind::Malformed,
            FareError::NotWhole | FareError::Negative | FareError::TooMuch => Kind::Impossible,
        };
        Problem::new(kind, error).of_field("fare")
    })
}

fn refused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Unknown => Problem::new(Kind::NotFound, refusal).of_field("callId"),
        Refusal::OtherFare { fare } => Problem::new(Kind::OtherFare, refusal).in_state("fare", fare.0),
    }
}
