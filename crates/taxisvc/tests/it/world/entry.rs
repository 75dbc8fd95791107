//! A gateway, as riders, drivers and whoever looks meet it: one process behind it, or many.

use super::http::{Answer, Ask};
use super::{Standing, WAIT_MAX, number, pause, word};
use engine::clock::Stopwatch;
use serde_json::{Value, json};
use std::net::SocketAddr;

/// Where everybody comes in.
pub(crate) struct Entry {
    pub(crate) gateway: SocketAddr,
}

impl Entry {
    /// Asks the gateway.
    #[track_caller]
    pub(crate) fn ask(&self, ask: &Ask) -> Answer {
        ask.of(self.gateway).unwrap_or_else(|error| panic!("{error}: {ask:?}"))
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask(&Ask::get(path))
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask(&Ask::post(path, &body.to_string()))
    }

    /// A rider calls.
    #[track_caller]
    pub(crate) fn place(&self, kilometers: f64) -> Answer {
        self.post("/calls", &json!({"userId": "1", "userName": "eojin", "distance": kilometers}))
    }

    /// A rider calls and is taken on; the number of the call.
    #[track_caller]
    pub(crate) fn call(&self, kilometers: f64) -> u64 {
        number(&self.place(kilometers).with(201))
    }

    /// A rider calls and asks the provider for a vice.
    #[track_caller]
    pub(crate) fn place_paid_by(&self, kilometers: f64, method: &str) -> Answer {
        let call = json!({"userId": 1, "userName": "eojin", "distance": kilometers, "paymentMethod": method});
        self.post("/calls", &call)
    }

    #[track_caller]
    pub(crate) fn cancel(&self, call: u64) -> Answer {
        self.post("/calls/cancel", &json!({"callId": call}))
    }

    #[track_caller]
    pub(crate) fn end(&self, call: u64) -> Answer {
        self.post("/drives/end", &json!({"driveId": call}))
    }

    /// How the services say that a call stands.
    pub(crate) fn standing(&self, call: u64) -> Standing {
        let of = |path: &str, field: &str| {
            let answer = self.get(&format!("/{path}/{call}"));
            if answer.status == 404 { "-".to_owned() } else { word(&answer.with(200).json()[field]) }
        };
        [of("calls", "callStatus"), of("payments", "payStatus"), of("drives", "driveStatus")]
    }

    /// How the view says that a call stands.
    pub(crate) fn view(&self, call: u64) -> Standing {
        let answer = self.get(&format!("/callViews/{call}"));
        let view = if answer.status == 404 { Value::Null } else { answer.with(200).json() };
        ["callStatus", "payStatus", "driveStatus"].map(|field| word(&view[field]))
    }

    /// Waits until the services and the view agree that a call stands so.
    #[track_caller]
    pub(crate) fn comes_to(&self, call: u64, standing: [&str; 3]) {
        let stopwatch = Stopwatch::start();
        loop {
            let (services, view) = (self.standing(call), self.view(call));
            if services == standing && view == standing {
                return;
            }
            let stands = format!("call {call} stands {services:?}, its view {view:?}");
            assert!(stopwatch.elapsed() < WAIT_MAX, "{stands}; waited in vain for {standing:?}");
            pause();
        }
    }

    /// How many there are in a collection.
    #[track_caller]
    pub(crate) fn count(&self, collection: &str) -> u64 {
        let page = self.get(&format!("/{collection}?size=1")).with(200).json();
        page["page"]["totalElements"].as_u64().expect("a page tells how many there are")
    }
}
