//! A small fake of the contract: as much of it as riders and drivers see, with vices on order.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[derive(Clone)]
pub(crate) struct Vices {
    seed: Option<u64>,
    outage: Range<u64>,
    payment_refused_of_every: u64,
    no_drives: bool,
}

impl Vices {
    pub(crate) fn none() -> Self {
        Self { seed: None, outage: 0..0, payment_refused_of_every: u64::MAX, no_drives: false }
    }

    /// Every first attempts' answer may be lost, late, or a refusal to serve; drives and views lag.
    pub(crate) fn all(seed: u64) -> Self {
        Self { seed: Some(seed), ..Self::none() }
    }

    /// The requests with these numbers meet a server that is not there.
    pub(crate) fn outage(requests: Range<u64>) -> Self {
        Self { outage: requests, ..Self::none() }
    }

    pub(crate) fn payment_refused_of_every(calls: u64) -> Self {
        Self { payment_refused_of_every: calls, ..Self::none() }
    }

    pub(crate) fn no_drives() -> Self {
        Self { no_drives: true, ..Self::none() }
    }
}

/// What may happen to one attempt.
#[derive(Clone, Copy, PartialEq)]
enum Vice {
    None,
    LostBeforeActing,
    LostAfterActing,
    NotServed(u16),
    UnknownOutcome,
}

#[derive(Clone)]
pub(crate) struct FakeCall {
    pub(crate) user_id: String,
    pub(crate) distance: String,
    fare: u64,
    pay_failed: bool,
    drive_polls: u64,
    view_polls: u64,
    ended_times: u64,
    ended: bool,
}

#[derive(Default)]
struct State {
    requests: u64,
    calls: Vec<FakeCall>,
    answers: BTreeMap<String, (Bytes, u16, Value)>,
    attempts: BTreeMap<String, u64>,
    key_reused: bool,
}

pub(crate) struct Fake {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    vices: Mutex<Vices>,
}

impl Fake {
    pub(crate) async fn start(vices: Vices) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { state: Mutex::default(), vices: Mutex::new(vices) });
        tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self { address, shared }
    }

    pub(crate) fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn behave(&self) {
        *self.shared.vices.lock().unwrap() = Vices::none();
    }

    pub(crate) fn call(&self, id: usize) -> FakeCall {
        let state = self.shared.state.lock().unwrap();
        state.calls.iter().find(|call| call.user_id.ends_with(&format!("-{id}"))).unwrap().clone()
    }

    pub(crate) fn calls_count(&self) -> usize {
        self.shared.state.lock().unwrap().calls.len()
    }

    /// One call and at most one end per trip, and no order under any key but the trip's own.
    pub(crate) fn assert_nothing_happened_twice(&self, run: &str) {
        let state = self.shared.state.lock().unwrap();
        assert!(!state.key_reused, "a key came back with another body");
        let riders: BTreeSet<&str> = state.calls.iter().map(|call| call.user_id.as_str()).collect();
        assert_eq!(riders.len(), state.calls.len(), "a rider called twice");
        for call in &state.calls {
            let number = call.user_id.strip_prefix("nyc-").unwrap();
            let rides = u64::from(!call.is_too_far());
            assert_eq!(call.ended_times, rides, "trip {number}");
            assert!(state.answers.contains_key(&format!("\"{run}-{number}-call\"")));
        }
        let orders = state.answers.values().filter(|(_, status, _)| *status < 300).count();
        assert_eq!(orders, state.calls.iter().map(|call| 1 + call.ended_times as usize).sum::<usize>());
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        let service = service_fn(move |request| serve(request, Arc::clone(&shared)));
        // A service that fails drops its connection without an answer, as a killed server does.
        tokio::spawn(
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
        );
    }
}

async fn serve(request: Request<Incoming>, shared: Arc<Shared>) -> io::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let vices = shared.vices.lock().unwrap().clone();
    let mut state = shared.state.lock().unwrap();
    state.requests += 1;
    if vices.outage.contains(&state.requests) {
        return Err(io::ErrorKind::ConnectionReset.into());
    }
    let key = head.headers.get("idempotency-key").map(|key| key.to_str().unwrap().to_owned());
    let name = key.clone().unwrap_or_else(|| head.uri.path().to_owned());
    let vice = vice(&vices, &name, &mut state);
    match vice {
        Vice::LostBeforeActing => return Err(io::ErrorKind::ConnectionReset.into()),
        Vice::NotServed(status) => return Ok(answer(status, &json!({"type": "/problems/shedding"}))),
        Vice::None | Vice::LostAfterActing | Vice::UnknownOutcome => {}
    }
    let (status, value) = if head.method == Method::POST {
        state.order(&vices, head.uri.path(), &key.expect("every order has a key"), &body)
    } else {
        state.read(&vices, head.uri.path())
    };
    match vice {
        Vice::LostAfterActing => Err(io::ErrorKind::ConnectionReset.into()),
        Vice::UnknownOutcome => Ok(answer(504, &json!({"type": "/problems/unknown-outcome"}))),
        Vice::None | Vice::LostBeforeActing | Vice::NotServed(_) => Ok(answer(status, &value)),
    }
}

fn answer(status: u16, value: &Value) -> Response<Full<Bytes>> {
    Response::builder().status(status).header("retry-after", "0").body(Full::from(value.to_string())).unwrap()
}

/// The first two attempts at anything may meet a vice, drawn from the seed and from what is asked.
fn vice(vices: &Vices, name: &str, state: &mut State) -> Vice {
    let attempt = state.attempts.entry(name.to_owned()).or_default();
    *attempt += 1;
    let Some(seed) = vices.seed.filter(|_| *attempt <= 2) else {
        return Vice::None;
    };
    let mixed = name
        .bytes()
        .fold(seed * 31 + *attempt, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    match (mixed >> 32) % 10 {
        0 | 1 => Vice::LostBeforeActing,
        2 | 3 => Vice::LostAfterActing,
        4 => Vice::NotServed(503),
        5 => Vice::NotServed(502),
        6 => Vice::NotServed(429),
        7 => Vice::UnknownOutcome,
        _ => Vice::None,
    }
}

impl State {
    fn order(&mut self, vices: &Vices, path: &str, key: &str, body: &Bytes) -> (u16, Value) {
        if let Some((first_body, status, value)) = self.answers.get(key) {
            if first_body != body {
                self.key_reused = true;
                return (422, json!({"type": "/problems/key-reused"}));
            }
            return (*status, value.clone());
        }
        let asked: Value = serde_json::from_slice(body).unwrap();
        let (status, value) = match path {
            "/calls" => self.place(vices, &asked),
            "/drives/end" => self.end(asked["driveId"].as_u64().unwrap()),
            _ => (404, json!({"type": "/problems/not-found"})),
        };
        self.answers.insert(key.to_owned(), (body.clone(), status, value.clone()));
        (status, value)
    }

    fn place(&mut self, vices: &Vices, asked: &Value) -> (u16, Value) {
        let distance = asked["distance"].as_str().unwrap().to_owned();
        let kilometres: f64 = distance.parse().unwrap();
        if kilometres <= 0.0 {
            return (422, json!({"type": "/problems/distance", "status": 422}));
        }
        let id = self.calls.len() as u64 + 1;
        let user_id = asked["userId"].as_str().unwrap().to_owned();
        let number: u64 = user_id.rsplit('-').next().unwrap().parse().unwrap();
        self.calls.push(FakeCall {
            user_id,
            distance,
            fare: (kilometres * 1000.0).round() as u64 * 10,
            pay_failed: number.is_multiple_of(vices.payment_refused_of_every),
            drive_polls: 0,
            view_polls: 0,
            ended_times: 0,
            ended: false,
        });
        // Some answers come before payment has decided.
        let undecided = vices.seed.is_some() && id.is_multiple_of(3);
        let (status, call_status) = if undecided { (202, "payRequest") } else { (201, self.call_status(id)) };
        (status, json!({"callId": id, "callStatus": call_status, "unknown": {"deep": []}}))
    }

    fn end(&mut self, id: u64) -> (u16, Value) {
        let call = &mut self.calls[id as usize - 1];
        if call.drive_polls < call.drive_lag() || call.is_too_far() || call.pay_failed {
            return (409, json!({"type": "/problems/not-started"}));
        }
        call.ended_times += u64::from(!call.ended);
        call.ended = true;
        (200, json!({"driveId": id, "driveStatus": "end"}))
    }

    fn call_status(&self, id: u64) -> &'static str {
        let call = &self.calls[id as usize - 1];
        if call.pay_failed { "payFail" } else { "driveRequest" }
    }

    fn read(&mut self, vices: &Vices, path: &str) -> (u16, Value) {
        let (collection, id) = path[1..].split_once('/').unwrap();
        let id: u64 = id.parse().unwrap();
        let call_status = self.call_status(id);
        let call = &mut self.calls[id as usize - 1];
        match collection {
            "calls" => (200, json!({"callId": id, "callStatus": call_status})),
            "drives" => {
                call.drive_polls += 1;
                if vices.no_drives || call.drive_polls < call.drive_lag() {
                    return (404, json!({"type": "/problems/not-found"}));
                }
                (200, json!({"driveId": id, "driveStatus": call.drive_status()}))
            }
            "callViews" => {
                call.view_polls += 1;
                call.view()
            }
            _ => (404, json!({"type": "/problems/not-found"})),
        }
    }
}

impl FakeCall {
    fn is_too_far(&self) -> bool {
        self.fare > 1_000_000
    }

    /// How many reads of the drive it takes until it is there.
    fn drive_lag(&self) -> u64 {
        self.fare / 10 % 4
    }

    fn drive_status(&self) -> &'static str {
        match (self.is_too_far(), self.ended) {
            (true, _) => "requestCancel",
            (false, true) => "end",
            (false, false) => "start",
        }
    }

    /// The view follows with a lag of two reads, and money last of all.
    fn view(&self) -> (u16, Value) {
        let fare = self.fare;
        match (self.view_polls, self.pay_failed, self.is_too_far()) {
            (1, _, _) => (404, json!({"type": "/problems/not-found"})),
            (2, false, true) => (
                200,
                json!({"callStatus": "requestCancel", "payStatus": "paid", "fare": fare, "driveStatus": "requestCancel"}),
            ),
            (2, _, _) => (
                200,
                json!({"callStatus": "driveStart", "payStatus": "paid", "fare": fare, "driveStatus": null}),
            ),
            (_, true, _) => (
                200,
                json!({"callStatus": "payFail", "payStatus": "failed", "fare": fare, "driveStatus": null}),
            ),
            (_, false, true) => (
                200,
                json!({"callStatus": "requestCancel", "payStatus": "refunded", "fare": fare, "driveStatus": "requestCancel"}),
            ),
            (_, false, false) => (
                200,
                json!({"callStatus": "driveComplete", "payStatus": "paid", "fare": fare, "driveStatus": "end"}),
            ),
        }
    }
}
