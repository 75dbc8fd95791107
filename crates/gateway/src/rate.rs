//! How much one client may ask.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::settings::RateLimit;

/// After so many requests the clients that have been quiet are forgotten.
const REQUESTS_BETWEEN_SWEEPS: usize = 4096;

pub(crate) struct ClientRates {
    limiter: DefaultKeyedRateLimiter<IpAddr>,
    clock: DefaultClock,
    clients_max: usize,
    requests: AtomicUsize,
}

impl ClientRates {
    pub(crate) fn new(limit: &RateLimit) -> ClientRates {
        let quota = Quota::per_second(limit.per_second).allow_burst(limit.burst);
        ClientRates {
            limiter: RateLimiter::keyed(quota),
            clock: DefaultClock::default(),
            clients_max: limit.clients_max,
            requests: AtomicUsize::new(0),
        }
    }

    /// Lets a request through, or says how long its client has to wait.
    pub(crate) fn admit(&self, client: IpAddr) -> Result<(), Duration> {
        if self.requests.fetch_add(1, Ordering::Relaxed).is_multiple_of(REQUESTS_BETWEEN_SWEEPS) {
            self.limiter.retain_recent();
        }
        let crowded = self.limiter.len() >= self.clients_max;
        let key = if crowded { network_of(client) } else { household_of(client) };
        self.limiter.check_key(&key).map_err(|refused| refused.wait_time_from(self.clock.now()))
    }
}

/// One IPv6 client has a whole /64 to itself.
fn household_of(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(address) => masked(address, 64),
    }
}

/// Few enough to be counted even when someone asks from all addresses there are.
fn network_of(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            IpAddr::V4(Ipv4Addr::new(first, second, 0, 0))
        }
        IpAddr::V6(address) => masked(address, 16),
    }
}

fn masked(address: Ipv6Addr, prefix_bits: u32) -> IpAddr {
    let kept = u128::MAX << (128 - prefix_bits);
    IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & kept))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn rates(burst: u32, clients_max: usize) -> ClientRates {
        let per_second = NonZeroU32::new(1).unwrap();
        ClientRates::new(&RateLimit { per_second, burst: NonZeroU32::new(burst).unwrap(), clients_max })
    }

    #[test]
    fn clients_are_counted_apart_until_there_are_too_many() {
        let rates = rates(1, 2);
        let admitted = |client: &str| rates.admit(client.parse().unwrap()).is_ok();
        assert!(admitted("10.1.0.1"));
        assert!(!admitted("10.1.0.1"));
        assert!(admitted("10.1.0.2"));
        assert!(admitted("10.1.0.3"), "the first of its network");
        assert!(!admitted("10.1.0.4"), "counted with its network");
        assert!(admitted("10.2.0.1"));
    }

    #[test]
    fn an_ipv6_client_cannot_dodge_within_its_own_network() {
        let rates = rates(1, 1000);
        assert!(rates.admit("2001:db8::1".parse().unwrap()).is_ok());
        let wait = rates.admit("2001:db8::2".parse().unwrap()).unwrap_err();
        assert!(wait <= Duration::from_secs(1));
        assert!(rates.admit("2001:db8:0:1::1".parse().unwrap()).is_ok());
    }
}
