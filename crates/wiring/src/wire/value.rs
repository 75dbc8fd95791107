//! The value of a message, read into an event: strictly what a service acts on, leniently what is only shown.

use crate::fare;
use engine::clock::Timestamp;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::OnceLock;
use taxi::distance::{DistanceError, Meters};
use taxi::event::{
    CallBody, CallEvent, CallRequested, CancelReason, CancelRequested, DriveBody, DriveEvent, Event,
    FailReason, PaymentBody, PaymentEvent, PaymentFailed,
};
use taxi::id::{CallId, DriveId, PaymentId};
use taxi::money::Won;
use taxi::rider::{Personal, Rider, TEXT_CHARS_MAX};
use taxi::sample;
use taxi::status::{CallStatus, DriveStatus, PayStatus};

/// What was read, or what is wrong and where.
pub(super) type Understood<T> = Result<T, String>;

/// Whole thousands of years on either side of this are no time at which anything happened.
const TIMES: std::ops::Range<i64> = 0..253_402_300_800_000;

/// The published event of that name, of the imagined call: it says which fields there are, and whose event it is.
pub(crate) fn known(type_name: &str) -> Option<&'static Event> {
    static KNOWN: OnceLock<BTreeMap<&'static str, Event>> = OnceLock::new();
    let known = KNOWN.get_or_init(|| {
        let published = sample::every_event().into_iter().filter(Event::is_published);
        published.map(|event| (event.type_name(), event)).collect()
    });
    known.get(type_name)
}

/// The fields of a value, each in the very text in which it stands there.
pub(super) struct Fields<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Fields<'a> {
    pub(super) fn of(payload: Option<&'a [u8]>) -> Understood<Self> {
        let payload = payload.filter(|payload| !payload.is_empty()).ok_or("there is no value")?;
        let text = std::str::from_utf8(payload).map_err(|_| "the value is no UTF-8 text")?;
        let fields = serde_json::from_str(text).map(Self);
        fields.map_err(|error| {
            // Not its own words, which may tell what stands there.
            let (line, column) = (error.line(), error.column());
            format!("the value is no JSON object, as line {line}, column {column} shows")
        })
    }

    /// A text, or a number as it is written; nothing where it is missing or `null`.
    pub(super) fn word(&self, field: &str) -> Understood<Option<String>> {
        let Some(written) = self.0.get(field).map(|value| value.get()) else { return Ok(None) };
        match written.as_bytes().first() {
            Some(b'"') => serde_json::from_str(written).map(Some).map_err(|_| fault(field, "it is no text")),
            Some(b'-' | b'0'..=b'9') => Ok(Some(written.to_owned())),
            Some(b'n') => Ok(None),
            Some(_) | None => Err(fault(field, "it is neither a text nor a number")),
        }
    }

    pub(super) fn timestamp(&self) -> Option<Timestamp> {
        let at = self.word("timestamp").ok()??.parse().ok()?;
        TIMES.contains(&at).then_some(Timestamp(at))
    }

    pub(super) fn call_id(&self) -> Understood<CallId> {
        self.id("callId")?.ok_or_else(|| fault("callId", "it is missing"))
    }

    fn id(&self, field: &str) -> Understood<Option<CallId>> {
        let word = self.word(field)?;
        word.map(|word| word.parse().map_err(|error| fault(field, error))).transpose()
    }

    /// Whole won; what a fraction of a kilometre came to by the original's floating point is rounded half up.
    fn fare(&self) -> Understood<Won> {
        let word = self.word("fare")?.ok_or_else(|| fault("fare", "it is missing"))?;
        fare::rounded(&word).map_err(|error| fault("fare", error))
    }

    /// What is shown and nothing hangs on: what is no text is an empty one, and what is too long is cut.
    fn label(&self, field: &str) -> String {
        let word = self.word(field).ok().flatten().unwrap_or_default();
        let shown =
            word.chars().map(|char| if char.is_control() { char::REPLACEMENT_CHARACTER } else { char });
        shown.take(TEXT_CHARS_MAX).collect()
    }

    fn rider(&self) -> Rider {
        Rider {
            user_id: Personal::Plain(self.label("userId")),
            user_name: Personal::Plain(self.label("userName")),
        }
    }

    /// Shown and nothing more, since everybody goes by the fare: what is no distance becomes the nearest that is one.
    fn meters(&self) -> Meters {
        let word = self.word("distance").ok().flatten().unwrap_or_default();
        let nearest = |error| match error {
            DistanceError::NotANumber if word == "Infinity" => Meters::MAX,
            DistanceError::TooLong => Meters::MAX,
            DistanceError::NotANumber | DistanceError::NotPositive => {
                Meters::new(1).expect("a metre is a distance")
            }
        };
        Meters::parse(&word).unwrap_or_else(nearest)
    }
}

fn fault(field: &str, what: impl std::fmt::Display) -> String {
    format!("{field}: {what}")
}

/// The event that a value tells, of the same type as a published one.
pub(super) fn event(known: &Event, fields: &Fields<'_>) -> Understood<Event> {
    match known {
        Event::Call(known) => call(known, fields).map(Event::Call),
        Event::Payment(known) => payment(known, fields).map(Event::Payment),
        Event::Drive(known) => drive(known, fields).map(Event::Drive),
    }
}

fn call(known: &CallEvent, fields: &Fields<'_>) -> Understood<CallEvent> {
    match known {
        CallEvent::CallRequested(_) => Ok(CallEvent::CallRequested(CallRequested {
            call_id: fields.call_id()?,
            rider: fields.rider(),
            call_status: CallStatus::PayRequest,
            meters: fields.meters(),
            fare: fields.fare()?,
            payment_method: fields.word("paymentMethod")?.map(|_| fields.label("paymentMethod")),
        })),
        CallEvent::CallPlaced(_) => Ok(CallEvent::CallPlaced(call_body(fields, CallStatus::DriveRequest)?)),
        CallEvent::CancelRequested(_) => {
            let call = call_body(fields, CallStatus::RequestCancel)?;
            Ok(CallEvent::CancelRequested(CancelRequested::of(call, cancel_reason(fields)?)))
        }
        CallEvent::CallCancelled(_) => {
            Ok(CallEvent::CallCancelled(call_body(fields, CallStatus::RequestCancel)?))
        }
        CallEvent::CallUnderWay(_)
        | CallEvent::CallUnpaid(_)
        | CallEvent::CallCompleted(_)
        | CallEvent::CallOverdue(_) => Err(not_told()),
    }
}

fn call_body(fields: &Fields<'_>, call_status: CallStatus) -> Understood<CallBody> {
    Ok(CallBody { call_id: fields.call_id()?, rider: fields.rider(), call_status, meters: fields.meters() })
}

fn payment(known: &PaymentEvent, fields: &Fields<'_>) -> Understood<PaymentEvent> {
    match known {
        PaymentEvent::FarePaid(_) => Ok(PaymentEvent::FarePaid(payment_body(fields, PayStatus::Paid)?)),
        PaymentEvent::FareRefunded(_) => {
            Ok(PaymentEvent::FareRefunded(payment_body(fields, PayStatus::Refunded)?))
        }
        PaymentEvent::PaymentFailed(_) => {
            let PaymentBody { pay_id, call_id, fare, pay_status } = payment_body(fields, PayStatus::Failed)?;
            let reason = reason(fields)?;
            Ok(PaymentEvent::PaymentFailed(PaymentFailed { pay_id, call_id, fare, pay_status, reason }))
        }
        PaymentEvent::FareAsked(_)
        | PaymentEvent::FareUnwanted(_)
        | PaymentEvent::FareSurfaced(_)
        | PaymentEvent::FareReturning(_)
        | PaymentEvent::FareVoided(_)
        | PaymentEvent::TakeClosed(_)
        | PaymentEvent::FarePlaced(_)
        | PaymentEvent::FareDue(_)
        | PaymentEvent::FareEarned(_)
        | PaymentEvent::PaymentOverdue(_) => Err(not_told()),
    }
}

fn payment_body(fields: &Fields<'_>, pay_status: PayStatus) -> Understood<PaymentBody> {
    let call_id = fields.call_id()?;
    let pay_id = PaymentId::of(fields.id("payId")?.unwrap_or(call_id));
    Ok(PaymentBody { pay_id, call_id, fare: fields.fare()?, pay_status })
}

fn cancel_reason(fields: &Fields<'_>) -> Understood<Option<CancelReason>> {
    let Some(word) = fields.word("reason")? else { return Ok(None) };
    let known = CancelReason::ALL.into_iter().find(|reason| reason.as_str() == word);
    known.map(Some).ok_or_else(|| fault("reason", "it is none that is known here"))
}

fn reason(fields: &Fields<'_>) -> Understood<FailReason> {
    let word = fields.word("reason")?.ok_or_else(|| fault("reason", "it is missing"))?;
    let known = [FailReason::Refused, FailReason::ProviderSilent, FailReason::GivenUp];
    let known = known.into_iter().find(|reason| reason.as_str() == word);
    known.ok_or_else(|| fault("reason", "it is none that is known here"))
}

fn drive(known: &DriveEvent, fields: &Fields<'_>) -> Understood<DriveEvent> {
    match known {
        DriveEvent::DriveStarted(_) => Ok(DriveEvent::DriveStarted(drive_body(fields, DriveStatus::Start)?)),
        DriveEvent::DriveNotAvailable(_) => {
            Ok(DriveEvent::DriveNotAvailable(drive_body(fields, DriveStatus::RequestCancel)?))
        }
        DriveEvent::DriveEnded(_) => Ok(DriveEvent::DriveEnded(drive_body(fields, DriveStatus::End)?)),
        DriveEvent::DriveCancelled(_) => {
            Ok(DriveEvent::DriveCancelled(drive_body(fields, DriveStatus::Cancel)?))
        }
        DriveEvent::DriveOverdue(_) => Err(not_told()),
    }
}

/// The original's drive service says nothing of the fare, and gives a drive a number of its own.
fn drive_body(fields: &Fields<'_>, drive_status: DriveStatus) -> Understood<DriveBody> {
    let call_id = fields.call_id()?;
    Ok(DriveBody {
        drive_id: DriveId::of(fields.id("driveId")?.unwrap_or(call_id)),
        driver_name: fields.label("driverName"),
        call_id,
        drive_status,
        taxi_num: fields.label("taxiNum"),
        fare: fields.fare().unwrap_or(Won::ZERO),
    })
}

fn not_told() -> String {
    "it is a service's own note, which is not told".to_owned()
}
