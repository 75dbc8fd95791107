//! The call service over HTTP: a rider calls, looks, and cancels.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use engine::store::EntityRow;
use http::header::HeaderName;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use taxi::actor::Actor;
use taxi::call::{Call, Command, Refusal, Request};
use taxi::distance::{DistanceError, Meters};
use taxi::id::CallId;
use taxi::money::Won;
use taxi::rider::{Rider, RiderError, TextFault, check_text};
use taxi::status::CallStatus;
use tokio::time::Instant;
use wiring::call::{CallService, NAME};
use wiring::provider::is_test_method;

use crate::asked::{Answered, Asked};
use crate::detail::Detail;
use crate::hal::{Base, Form, SelfLinks, respond, to_json};
use crate::problem::{Kind, Problem};
use crate::read::{Collection, key};
use crate::time::Rfc3339;
use crate::wait::{Done, Order, Watching, give, watch};
use crate::{Api, body, position};

pub(crate) const CALLS: Collection = Collection {
    service: NAME,
    path: "/calls",
    embedded: "calls",
    ids: &["callId"],
    fields: &[
        "callId",
        "userId",
        "userName",
        "callStatus",
        "distance",
        "fare",
        "paymentMethod",
        "requestedAt",
        "updatedAt",
    ],
    status: "callStatus",
    statuses: || CallStatus::ALL.map(CallStatus::as_str).to_vec(),
    reader: |readers| &readers.call,
    when_read: |handles, position, tell| handles.call.when_read(position, tell),
    render: |row, base| {
        let call = state(row)?;
        Ok(to_json(&Resource {
            updated_at: Some(Rfc3339(call.updated_at)),
            ..Resource::of(&call, call.call_status, base)
        }))
    },
};

const PLACE: &str = "POST /calls";
const CANCEL: &str = "POST /calls/cancel";
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// What asks the simulated provider for a vice.
const TEST_METHOD: &str = "test:";

/// A call, as the contract names its fields.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Resource<'a> {
    call_id: CallId,
    user_id: &'a str,
    user_name: &'a str,
    call_status: CallStatus,
    distance: f64,
    fare: Won,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_method: Option<&'a str>,
    requested_at: Rfc3339,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<Rfc3339>,
    #[serde(rename = "_links")]
    links: SelfLinks<'a>,
}

impl<'a> Resource<'a> {
    fn of(call: &'a Call, call_status: CallStatus, base: &'a Base) -> Self {
        Self {
            call_id: call.call_id,
            user_id: call.rider.user_id.as_str(),
            user_name: call.rider.user_name.as_str(),
            call_status,
            distance: call.meters.kilometers(),
            fare: call.fare,
            payment_method: call.payment_method.as_deref(),
            requested_at: Rfc3339(call.requested_at),
            updated_at: None,
            links: SelfLinks { base, path: CALLS.path, name: NAME, id: call.call_id.get() },
        }
    }
}

/// `POST /calls`.
pub(crate) async fn place(asked: Asked, body: Body) -> Answered {
    let (form, base) = (asked.form()?, asked.base()?);
    let body = asked.read(body).await?;
    // The rider waits for all of it, so a slow commit leaves less for payment's word.
    let patience = Instant::now() + asked.api.settings().answer_wait;
    let is_async = asked.prefers_async();
    let idempotency = asked.idempotency(PLACE, &body)?;
    let handle = &asked.api.handles.call;
    let said_under = idempotency.as_ref().map(|idempotency| idempotency.request.key.as_str());
    let request = read_request(&body, &asked.api, said_under)?;
    let order: Order<CallService> =
        Order { origin: asked.origin(Actor::Rider), idempotency, command: Command::Request(request) };
    let own_key = key(&CALLS, order.command.call_id());
    let watching = if is_async { None } else { Some(watch(handle, own_key, is_settled)?) };
    let mut done = give(handle, order, asked.api.settings().reply_wait_max, refused).await?;
    asked.note_call(done.state.call_id);
    let watching = match watching {
        Some(_) if done.is_repeated => watch_again(&asked.api, &mut done).await,
        watching => watching,
    };
    if let Some(watching) = watching {
        settle(&asked.api, &mut done, watching, patience).await;
    }
    let settled = done.state.settled.filter(|_| !is_async);
    let (status, call_status) = match settled {
        Some(settled) => (StatusCode::CREATED, settled),
        None => (StatusCode::ACCEPTED, CallStatus::PayRequest),
    };
    let mut response = answer(status, form, &Resource::of(&done.state, call_status, &base));
    if is_async {
        let applied = HeaderValue::from_static("respond-async");
        response.headers_mut().insert(PREFERENCE_APPLIED, applied);
    }
    Ok(done.mark(response))
}

/// `POST /calls/cancel`.
pub(crate) async fn cancel(asked: Asked, body: Body) -> Answered {
    cancel_by(asked, body, (Actor::Rider, CANCEL)).await
}

/// The same for whoever wants it.
pub(crate) async fn cancel_by(asked: Asked, body: Body, (actor, route): (Actor, &'static str)) -> Answered {
    let (form, base) = (asked.form()?, asked.base()?);
    let body = asked.read(body).await?;
    let call_id = body::call_id(&body::fields(&body)?, "callId")?;
    asked.note_call(call_id);
    let order = Order {
        command: Command::Cancel(call_id),
        origin: asked.origin(actor),
        idempotency: asked.idempotency(route, &body)?,
    };
    let handle = &asked.api.handles.call;
    let patience = Instant::now() + asked.api.settings().answer_wait;
    let watching = watch(handle, key(&CALLS, call_id), is_cancelled_or_over)?;
    let mut done = give(handle, order, asked.api.settings().reply_wait_max, refused).await?;
    if !is_cancelled_or_over(&done.state)
        && let Some(call) = watching.until(patience).await
    {
        done.state = call;
        done.position = position::latest(&asked.api, NAME, done.key, &done.position).await;
    }
    if is_over(&done.state) {
        return Err(over(done.state.call_status).replayed(done.is_repeated));
    }
    let status = if done.state.cancelled { StatusCode::OK } else { StatusCode::ACCEPTED };
    let resource = Resource::of(&done.state, CallStatus::RequestCancel, &base);
    Ok(done.mark(answer(status, form, &resource)))
}

/// Waits for payment's word, which the rider is told.
async fn settle(api: &Api, done: &mut Done<Call>, watching: Watching<CallService>, patience: Instant) {
    if is_settled(&done.state) {
        return;
    }
    if let Some(call) = watching.until(patience).await {
        done.state = call;
        done.position = position::latest(api, NAME, done.key, &done.position).await;
    }
}

/// A repeat waits for the first one's call, whose number it learns only now; what happened meanwhile is read. Where either
/// fails, the call is stored all the same, and is told as far as it is known.
async fn watch_again(api: &Api, done: &mut Done<Call>) -> Option<Watching<CallService>> {
    let watching = watch(&api.handles.call, done.key, is_settled).ok();
    if !is_settled(&done.state) {
        let row = api.desk.row(&api.readers.call, NAME, done.key).await;
        if let Ok(Some(row)) = row
            && let Ok(call) = state(&row)
        {
            done.state = call;
        }
    }
    watching
}

/// Reads a call, and counts it for its rider unless its key says that it was counted before.
fn read_request(bytes: &Bytes, api: &Api, key: Option<&str>) -> Result<Request, Problem> {
    let fields = body::fields(bytes)?;
    let user_id = body::required(&fields, "userId")?;
    let user_name = body::required(&fields, "userName")?;
    let rider = Rider::new(user_id, user_name).map_err(|error| rider_problem(&error))?;
    let meters = meters(body::required(&fields, "distance")?)?;
    let payment_method = payment_method(body::text(&fields, "paymentMethod")?, api)?;
    if let Some(rates) = api.rider_rates() {
        rates.admit(rider.user_id.as_str(), key)?;
    }
    let handle = &api.handles.call;
    let call_id = handle
        .draw_number()
        .and_then(|number| CallId::new(number).ok())
        .ok_or_else(|| Problem::not_stored(Detail::NoNumbers))?;
    Ok(Request { call_id, rider, meters, fare: handle.service().rules.tariff.fare(meters), payment_method })
}

/// A distance in kilometres. `NaN` and the like are numbers to some, and no distance to anyone.
pub(crate) fn meters(text: &str) -> Result<Meters, Problem> {
    Meters::parse(text).map_err(|error| {
        let unsigned = text.trim_start_matches(['+', '-']);
        let is_no_finite_number =
            ["nan", "inf", "infinity"].iter().any(|word| unsigned.eq_ignore_ascii_case(word));
        let kind = match error {
            DistanceError::NotANumber if !is_no_finite_number => Kind::Malformed,
            DistanceError::NotANumber | DistanceError::NotPositive | DistanceError::TooLong => {
                Kind::Impossible
            }
        };
        Problem::new(kind, error).of_field("distance")
    })
}

fn payment_method(text: Option<&str>, api: &Api) -> Result<Option<String>, Problem> {
    const FIELD: &str = "paymentMethod";
    let Some(text) = text else { return Ok(None) };
    check_text(text).map_err(|fault| text_problem(FIELD, fault))?;
    if text.starts_with(TEST_METHOD) && !api.settings().allow_test_payment_methods {
        return Err(Problem::new(Kind::Impossible, Detail::NoTestMethods).of_field(FIELD));
    }
    if text.starts_with(TEST_METHOD) && !is_test_method(text) {
        return Err(Problem::new(Kind::Impossible, Detail::NoSuchTestMethod).of_field(FIELD));
    }
    Ok(Some(text.to_owned()))
}

fn rider_problem(error: &RiderError) -> Problem {
    text_problem(error.field, error.fault)
}

fn text_problem(field: &'static str, fault: TextFault) -> Problem {
    let kind = match fault {
        TextFault::ControlCharacter => Kind::Malformed,
        TextFault::Empty | TextFault::TooLong => Kind::Impossible,
    };
    Problem::new(kind, Detail::of_text(field, fault)).of_field(field)
}

fn refused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Unknown => Problem::new(Kind::NotFound, refusal).of_field("callId"),
        Refusal::Over { status } => over(status),
    }
}

fn over(status: CallStatus) -> Problem {
    Problem::new(Kind::NotAllowedNow, Refusal::Over { status }).in_state(CALLS.status, status.as_str())
}

fn is_settled(call: &Call) -> bool {
    call.settled.is_some()
}

fn is_over(call: &Call) -> bool {
    matches!(call.call_status, CallStatus::PayFail | CallStatus::DriveComplete)
}

fn is_cancelled_or_over(call: &Call) -> bool {
    call.cancelled || is_over(call)
}

fn state(row: &EntityRow) -> Result<Call, serde_json::Error> {
    serde_json::from_str(&row.state)
}

fn answer(status: StatusCode, form: Form, resource: &Resource<'_>) -> Response {
    let location = HeaderValue::try_from(resource.links.href());
    let mut response = respond(status, form, to_json(resource));
    if let Ok(location) = location {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}
