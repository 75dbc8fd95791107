//! Riders and drivers who ask everything once: what is not answered as it should be has failed. Every other one has no key for
//! what is asked, as the original's clients, and nobody may ask twice for them.

use crate::world::http::Ask;
use crate::world::{pause, until};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// Many riders at once, each on one ride after the other, and people who look on.
pub(crate) struct Strict {
    shared: Arc<Shared>,
    riders: Vec<JoinHandle<Vec<u64>>>,
}

struct Shared {
    gateway: SocketAddr,
    is_over: AtomicBool,
    rides: AtomicU64,
    requests: AtomicU64,
    failed: Mutex<Vec<String>>,
}

/// What they came to.
pub(crate) struct Asked {
    pub(crate) calls: Vec<u64>,
    pub(crate) requests: u64,
    pub(crate) failed: Vec<String>,
}

impl Strict {
    pub(crate) fn start(gateway: SocketAddr, riders: usize) -> Self {
        let shared = Arc::new(Shared {
            gateway,
            is_over: AtomicBool::new(false),
            rides: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            failed: Mutex::default(),
        });
        let riders = (0..riders)
            .map(|rider| {
                let shared = shared.clone();
                std::thread::spawn(move || shared.ride_on(rider))
            })
            .collect();
        Self { shared, riders }
    }

    /// Waits until so many more rides have ended than have by now.
    #[track_caller]
    pub(crate) fn goes_on_for(&self, rides: u64) {
        let wanted = self.shared.rides.load(Ordering::Relaxed) + rides;
        until("rides to end", || (self.shared.rides.load(Ordering::Relaxed) >= wanted).then_some(()));
    }

    /// Lets everybody end the ride that they are on.
    pub(crate) fn end(mut self) -> Asked {
        self.shared.is_over.store(true, Ordering::Relaxed);
        let riders = std::mem::take(&mut self.riders);
        let calls = riders.into_iter().flat_map(|rider| rider.join().expect("nobody gives up")).collect();
        let failed = std::mem::take(&mut *self.shared.failed.lock().unwrap());
        Asked { calls, requests: self.shared.requests.load(Ordering::Relaxed), failed }
    }
}

impl Drop for Strict {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn ride_on(&self, rider: usize) -> Vec<u64> {
        let mut calls = Vec::new();
        for ride in 0.. {
            if self.is_over.load(Ordering::Relaxed) {
                break;
            }
            let body = json!({"userId": rider.to_string(), "userName": "eojin", "distance": 5}).to_string();
            let keyed = |ask: Ask, key: &str| {
                let key = format!("\"{rider}-{ride}-{key}\"");
                if rider.is_multiple_of(2) { ask.header("idempotency-key", &key) } else { ask }
            };
            let Some(call) = self.ask(&keyed(Ask::post("/calls", &body), "call"), &[201, 202]) else {
                continue;
            };
            let call = call["callId"].as_u64().expect("a call has an id");
            calls.push(call);
            until("a taxi", || {
                let seen = self.ask(&Ask::get(&format!("/calls/{call}")), &[200]);
                let has_begun = seen.is_some_and(|seen| seen["callStatus"] == "driveStart");
                if !has_begun {
                    pause();
                }
                has_begun.then_some(())
            });
            for look in ["/callViews?size=1", "/payments?size=1", "/drives?size=1"] {
                self.ask(&Ask::get(look), &[200]);
            }
            // A ride whose end has failed is not over, and is asked for until it is: each time that fails is counted.
            let mut attempt = 0;
            until("the ride to end", || {
                attempt += 1;
                let end = Ask::post("/drives/end", &json!({"driveId": call}).to_string());
                self.ask(&keyed(end, &format!("end-{attempt}")), &[200, 202])
            });
            self.rides.fetch_add(1, Ordering::Relaxed);
        }
        calls
    }

    fn ask(&self, ask: &Ask, right: &[u16]) -> Option<serde_json::Value> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        match ask.of(self.gateway) {
            Ok(answer) if right.contains(&answer.status) => return Some(answer.json()),
            Ok(answer) => self.failed.lock().unwrap().push(format!("{ask:?}: {answer:?}")),
            Err(error) => self.failed.lock().unwrap().push(format!("{ask:?}: {error}")),
        }
        None
    }
}
