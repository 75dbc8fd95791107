//! Riders and drivers who go on whatever happens: what was not answered is asked again under its own key.

use crate::world::http::{Answer, Ask};
use crate::world::{number, pause, until};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

/// Many riders at once, each on one ride after the other.
pub(crate) struct Load {
    shared: Arc<Shared>,
    riders: Vec<JoinHandle<Vec<u64>>>,
}

struct Shared {
    gateway: SocketAddr,
    is_over: AtomicBool,
    rides: AtomicU64,
}

impl Load {
    pub(crate) fn start(gateway: SocketAddr, riders: usize) -> Self {
        let shared = Arc::new(Shared { gateway, is_over: AtomicBool::new(false), rides: AtomicU64::new(0) });
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

    /// Lets everybody end the ride that they are on; the calls that there were.
    pub(crate) fn end(mut self) -> Vec<u64> {
        self.shared.is_over.store(true, Ordering::Relaxed);
        let riders = std::mem::take(&mut self.riders);
        riders.into_iter().flat_map(|rider| rider.join().expect("nobody gives up")).collect()
    }
}

impl Drop for Load {
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
            let body = json!({"userId": rider.to_string(), "userName": "eojin", "distance": 5});
            let call = number(&self.insist(&format!("{rider}-{ride}-call"), "/calls", &body.to_string()));
            calls.push(call);
            self.insist(&format!("{rider}-{ride}-end"), "/drives/end", &json!({"driveId": call}).to_string());
            self.rides.fetch_add(1, Ordering::Relaxed);
        }
        calls
    }

    /// Asks until it is done. A drive may be unknown for a moment, and then its end has to be asked for under another key:
    /// the refusal is what the first one got.
    fn insist(&self, key: &str, path: &str, body: &str) -> Answer {
        let mut attempt = 0;
        until(path, || {
            let key = format!("\"{key}-{attempt}\"");
            let answer = Ask::post(path, body).header("idempotency-key", &key).of(self.gateway).ok()?;
            match answer.status {
                200..=202 => return Some(answer),
                404 | 409 => attempt += 1,
                429 | 502 | 503 | 504 => {}
                status => panic!("{path} was answered {status}: {answer:?}"),
            }
            pause();
            None
        })
    }
}
