//! Riders of every sort at once, so that each figure has something to tell.

use crate::world::http::Ask;
use crate::world::pause;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

pub(super) struct Riders {
    is_over: Arc<AtomicBool>,
    rides: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl Riders {
    /// So many, each on one call after the other, who take whatever comes.
    pub(super) fn start(gateway: SocketAddr, count: usize) -> Self {
        let (is_over, rides) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let threads = (0..count).map(|rider| {
            let (is_over, rides) = (is_over.clone(), rides.clone());
            std::thread::spawn(move || {
                for ride in rider.. {
                    if is_over.load(Ordering::Relaxed) {
                        return;
                    }
                    call(gateway, ride);
                    rides.fetch_add(1, Ordering::Relaxed);
                    pause();
                }
            })
        });
        let threads = threads.collect();
        Self { is_over, rides, threads }
    }

    pub(super) fn rides(&self) -> u64 {
        self.rides.load(Ordering::Relaxed)
    }

    pub(super) fn end(self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|rider| rider.join().expect("nobody gives up"));
    }
}

/// Driven and ended, too far, refused, cancelled, asked for wrongly: one after the other. One of twelve is refused, and
/// nobody has to be told of so few.
fn call(gateway: SocketAddr, ride: usize) {
    let (kilometers, method) = match ride % 12 {
        1 | 7 => (150, "card"),
        2 => (7, "test:refused"),
        _ => (7, "card"),
    };
    let body = json!({"userId": ride.to_string(), "userName": "eojin", "distance": kilometers, "paymentMethod": method});
    let Ok(answer) = Ask::post("/calls", &body.to_string()).of(gateway) else { return };
    let told: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let call = &told["callId"];
    let (path, body) = match ride % 6 {
        0 | 5 => ("/drives/end", json!({"driveId": call})),
        3 => ("/calls/cancel", json!({"callId": call})),
        4 => ("/drives/end", json!({"driveId": 0})),
        _ => return,
    };
    // What comes of it is in the figures.
    let _ = Ask::post(path, &body.to_string()).of(gateway);
    let _ = Ask::get("/callViews?size=5").of(gateway);
}
