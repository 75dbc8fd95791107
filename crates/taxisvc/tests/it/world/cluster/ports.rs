//! Ports that a process can have again after it was killed.

use std::net::{Ipv4Addr, TcpListener};
use std::process::id;
use std::sync::atomic::{AtomicU32, Ordering};

/// Below those that the system lends to outgoing connections, one of which could have taken it meanwhile.
const FIRST: u32 = 20_000;
const COUNT: u32 = 12_000;
/// So far apart begin two test processes that run at once.
const STRIDE: u32 = 97;

static DRAWN: AtomicU32 = AtomicU32::new(0);

/// A port that is free and was given to nobody else of this process.
pub(crate) fn draw_port() -> u16 {
    for _ in 0..COUNT {
        let drawn = DRAWN.fetch_add(1, Ordering::Relaxed);
        let number = FIRST + (id() * STRIDE + drawn) % COUNT;
        let port = u16::try_from(number).expect("the last one is below 65,536");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no port from {FIRST} on is free");
}
