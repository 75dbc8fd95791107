//! `GET /events`: everything that happened and happens, as server-sent events, live.

pub(crate) mod of_call;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use engine::bus::{Bus, Tail};
use engine::dead_letter::outline;
use engine::log::Recorded;
use futures_util::stream::unfold;
use http::{HeaderValue, header};
use operator::events::{BeginError, CursorError, Envelope, Filter, From, Log, Merge, known_types};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt::Write;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use taxi::id::CallId;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep};

use crate::asked::{Answered, Asked, one_header};
use crate::detail::Detail;
use crate::hal::{liking, not_acceptable};
use crate::late::starting;
use crate::limits::{Place, Places};
use crate::observe::OpenStream;
use crate::poll::{Listening, Poller};
use crate::problem::{Kind, Problem};
use crate::query::QueryText;
use crate::read::blocking;
use crate::settings::Settings;

const MEDIA_TYPE: &str = "text/event-stream";
const LAST_EVENT_ID: &str = "last-event-id";
const BEGINNING: &str = "0";
/// How long a client waits before it comes back after a stream broke off.
const RETRY_MS: u32 = 2_000;
/// Of so many calls a stream may be, where it is not of all.
const CALLS_MAX: usize = 100;

/// What all event streams share.
pub(crate) struct Streams {
    /// Moves whenever something is appended to any log.
    woken: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
    places: Arc<Places>,
    operators_places: Arc<Places>,
    /// Where others write to the logs too.
    poller: Option<Arc<Poller>>,
}

impl Streams {
    pub(crate) fn new(bus: &Arc<Bus>, settings: &Settings, stopping: watch::Receiver<bool>) -> Self {
        let places = Places::new(settings.streams_max, settings.streams_per_client_max);
        let operators_max = settings.operator_streams_max;
        let operators_places = Arc::new(Places::new(operators_max, operators_max));
        Self {
            woken: woken_by(bus),
            stopping,
            places: Arc::new(places),
            operators_places,
            poller: poller_of(bus, settings),
        }
    }

    /// How many may be open from now on.
    pub(crate) fn set_max(&self, settings: &Settings) {
        self.places.set_max(settings.streams_max, settings.streams_per_client_max);
    }

    /// The same of other logs.
    pub(crate) fn over(&self, bus: &Arc<Bus>, settings: &Settings) -> Self {
        Self {
            woken: woken_by(bus),
            stopping: self.stopping.clone(),
            places: self.places.clone(),
            operators_places: self.operators_places.clone(),
            poller: poller_of(bus, settings),
        }
    }
}

fn woken_by(bus: &Bus) -> watch::Receiver<u64> {
    let (wake, woken) = watch::channel(0);
    bus.listen(move || wake.send_modify(|count: &mut u64| *count = count.wrapping_add(1)));
    woken
}

fn poller_of(bus: &Arc<Bus>, settings: &Settings) -> Option<Arc<Poller>> {
    settings.events_poll.map(|every| Poller::new(bus.clone(), every))
}

/// One open stream.
struct Stream {
    /// Nothing once the store failed.
    merge: Option<Merge>,
    filter: Arc<Filter>,
    tell: Tell,
    woken: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
    keep_alive: Duration,
    silence: Pin<Box<Sleep>>,
    _place: Place,
    _open: OpenStream,
    _listening: Option<Listening>,
}

/// How an event is told.
type Tell = fn(&Recorded, &str, &mut String);

/// `GET /events`: what the services tell each other.
pub(crate) async fn stream(asked: Asked) -> Answered {
    let place = |streams: &Streams, client| streams.places.take(client);
    open(asked, place, (false, tell)).await
}

/// `GET /operator/events`: private notes too, each with who, why and where.
pub(crate) async fn stream_all(asked: Asked) -> Answered {
    let place = |streams: &Streams, client| streams.operators_places.take(client);
    open(asked, place, (true, tell_in_full)).await
}

async fn open(
    asked: Asked,
    place: impl FnOnce(&Streams, IpAddr) -> Result<Place, Problem>,
    (with_private, tell): (bool, Tell),
) -> Answered {
    if liking(&asked.head.headers, MEDIA_TYPE).is_none() {
        return Err(not_acceptable(&[MEDIA_TYPE]));
    }
    let query = asked.query()?;
    let from = match one_header(&asked.head.headers, LAST_EVENT_ID)? {
        Some(id) if !id.is_empty() => after(id),
        Some(_) | None => query.get("from")?.map_or(From::Now, after),
    };
    let filter = Arc::new(filter(&query, with_private)?);
    let streams = &asked.api.streams;
    let place = place(streams, asked.client())?;
    let tails = asked.api.bus.tails().to_vec();
    if tails.is_empty() {
        // The logs are elsewhere, and where is not known yet.
        return Err(starting());
    }
    // What is appended after this look wakes the stream.
    let woken = streams.woken.clone();
    let merge = blocking(move || begin(tails, &from)).await?;
    let hello = Bytes::from(format!("retry: {RETRY_MS}\nid: {}\n\n", merge.cursor()));
    let keep_alive = asked.api.settings().keep_alive;
    let stream = Stream {
        merge: Some(merge),
        filter,
        tell,
        woken,
        stopping: streams.stopping.clone(),
        keep_alive,
        silence: Box::pin(sleep(keep_alive)),
        _place: place,
        _open: OpenStream::of(&asked.api.requests),
        _listening: streams.poller.as_ref().map(Poller::listen),
    };
    let chunks = unfold((Some(hello), stream), |(hello, mut stream)| async move {
        let chunk = match hello {
            Some(hello) => hello,
            None => stream.next().await?,
        };
        Some((Ok::<_, Infallible>(chunk), (None, stream)))
    });
    let mut response = Response::new(Body::from_stream(chunks));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

fn after(text: &str) -> From {
    if text == BEGINNING { From::Beginning } else { From::After(text.to_owned()) }
}

impl Stream {
    /// The next events, or a sign of life; nothing when the stream is over.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if *self.stopping.borrow() {
                return None;
            }
            self.woken.borrow_and_update();
            let (mut merge, filter, tell) = (self.merge.take()?, self.filter.clone(), self.tell);
            let read = blocking(move || {
                let mut text = String::new();
                let is_at_end = merge.chunk(&filter, &mut |event, cursor| tell(event, &cursor, &mut text));
                let is_at_end = is_at_end.map_err(|error| Problem::unreadable(&error))?;
                Ok((merge, text, is_at_end))
            });
            // A client whose stream breaks off comes back with the last id that it has seen.
            let (merge, text, is_at_end) = read.await.ok()?;
            self.merge = Some(merge);
            if !text.is_empty() {
                self.silence = Box::pin(sleep(self.keep_alive));
                return Some(text.into());
            }
            if self.silence.deadline() <= Instant::now() {
                // It passes over what is not wanted; whoever comes back after this need not do so again.
                return Some(self.sign_of_life());
            }
            if is_at_end {
                let is_silent = tokio::select! {
                    woken = self.woken.changed() => woken.map(|()| false).ok()?,
                    _ = self.stopping.wait_for(|is_stopping| *is_stopping) => return None,
                    () = &mut self.silence => true,
                };
                if is_silent {
                    return Some(self.sign_of_life());
                }
            }
        }
    }

    /// A comment, with how far the stream has come although it had nothing to tell.
    fn sign_of_life(&mut self) -> Bytes {
        self.silence = Box::pin(sleep(self.keep_alive));
        let cursor = self.merge.as_ref().map(Merge::cursor).unwrap_or_default();
        format!(": still here\nid: {cursor}\n\n").into()
    }
}

fn tell(event: &Recorded, cursor: &str, text: &mut String) {
    if let Some(data) = on_the_wire(event) {
        let name = &event.event_type;
        write!(text, "id: {cursor}\nevent: {name}\ndata: {data}\n\n")
            .expect("writing to a string cannot fail");
    }
}

/// As everybody is told it; nothing for a private one, and for one that cannot be read, which is logged.
fn on_the_wire(event: &Recorded) -> Option<String> {
    match wiring::decode(event) {
        Ok(decoded) => decoded.to_wire(taxi::time::Timestamp(event.at.0)),
        Err(error) => {
            let error = error.to_string();
            tracing::error!(error = outline(&error), position = event.position, "an event cannot be told");
            None
        }
    }
}

fn tell_in_full(event: &Recorded, cursor: &str, text: &mut String) {
    let data = serde_json::to_string(&Envelope::of(event)).expect("an envelope is plain data");
    let name = &event.event_type;
    write!(text, "id: {cursor}\nevent: {name}\ndata: {data}\n\n").expect("writing to a string cannot fail");
}

fn begin(tails: Vec<Arc<Tail>>, from: &From) -> Result<Merge, Problem> {
    let logs = tails.into_iter().map(|tail| tail as Arc<dyn Log>).collect();
    Merge::begin(logs, from).map_err(|error| match error {
        BeginError::Store(error) => Problem::unreadable(&error),
        BeginError::Cursor(error) => cursor_problem(error),
    })
}

fn cursor_problem(error: CursorError) -> Problem {
    let problem = match error {
        CursorError::Malformed => Problem::malformed(Detail::NoBeginning),
        CursorError::OtherLog => Problem::new(Kind::OtherLog, Detail::IdOfOtherLog),
    };
    problem.of_field("from")
}

fn filter(query: &QueryText<'_>, with_private: bool) -> Result<Filter, Problem> {
    let types = query.get("type")?.map(|text| types(text, with_private)).transpose()?;
    let call_ids = query.get("callId")?.map(call_ids).transpose()?;
    Ok(Filter { types, call_ids, with_private, ..Filter::default() })
}

fn types(text: &str, with_private: bool) -> Result<Vec<String>, Problem> {
    let known = known_types(with_private);
    let wanted = text.split(',').map(str::trim).map(|name| {
        let found = known.iter().find(|known| **known == name).copied();
        let unknown = || Problem::malformed(Detail::NotOneOfTypes(known.join(","))).of_field("type");
        found.map(str::to_owned).ok_or_else(unknown)
    });
    wanted.collect()
}

fn call_ids(text: &str) -> Result<BTreeSet<u64>, Problem> {
    let refused = || Problem::malformed(Detail::NotCalls(CALLS_MAX)).of_field("callId");
    if text.split(',').count() > CALLS_MAX {
        return Err(refused());
    }
    let numbers = text.split(',').map(|number| number.trim().parse::<CallId>());
    numbers.map(|number| number.map(CallId::get).map_err(|_| refused())).collect()
}
