//! What one rider and one client may have: calls a minute, and event streams at once.

use governor::clock::{Clock, DefaultClock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::ShrinkableKeyedStateStore;
use governor::{Quota, RateLimiter};
use http::HeaderMap;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::detail::Detail;
use crate::problem::{Kind, Problem};

/// Where our gateway tells whom a request is to be counted for; it takes the header away from whoever else sends it.
const CLIENT: &str = "taxisvc-internal-client";

/// So often the riders that have been quiet are forgotten.
const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// So many riders are told apart; beyond it the unknown ones are counted in groups.
const RIDERS_MAX: usize = 100_000;
const GROUPS: u64 = 1_024;
/// So many keys of calls that were counted are remembered, at least.
const KEYS_REMEMBERED: usize = 50_000;

/// How often one rider may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RiderRate {
    pub calls_per_minute: NonZeroU32,
    /// What may come at once.
    pub burst: NonZeroU32,
}

/// Counts the calls of riders, by a hash of who they are.
///
/// Who a rider is, is a text of the client's own making until there are logins, so that one client can be as many riders
/// as it likes: that limit is the gateway's, by address.
pub(crate) struct RiderRates<C: Clock = DefaultClock> {
    limiter: RateLimiter<u64, Riders, C, NoOpMiddleware<C::Instant>>,
    hasher: RandomState,
    counted: Mutex<Counted>,
    swept: Mutex<C::Instant>,
}

/// How far each rider has used up what it may, as the limiter counts it. Whoever is known keeps an own count.
struct Riders {
    known_max: usize,
    used: Mutex<Used>,
}

#[derive(Default)]
struct Used {
    known: HashMap<u64, Nanos>,
    groups: HashMap<u64, Nanos>,
}

/// Keys of calls that were counted, of the last while.
#[derive(Default)]
struct Counted {
    recent: HashSet<u64>,
    before: HashSet<u64>,
}

impl RiderRates {
    pub(crate) fn new(rate: RiderRate) -> Self {
        Self::with(rate, RIDERS_MAX, DefaultClock::default())
    }
}

impl<C: Clock> RiderRates<C> {
    fn with(rate: RiderRate, known_max: usize, clock: C) -> Self {
        let quota = Quota::per_minute(rate.calls_per_minute).allow_burst(rate.burst);
        let swept = Mutex::new(clock.now());
        let riders = Riders { known_max, used: Mutex::default() };
        Self {
            limiter: RateLimiter::new(quota, riders, clock),
            hasher: RandomState::new(),
            counted: Mutex::default(),
            swept,
        }
    }

    /// Lets a call pass, or says how long its rider has to wait. What repeats a call under its key is not counted again.
    pub(crate) fn admit(&self, user_id: &str, key: Option<&str>) -> Result<(), Problem> {
        let key = key.map(|key| self.hasher.hash_one((user_id, key)));
        if key.is_some_and(|key| self.is_counted(key)) {
            return Ok(());
        }
        self.sweep();
        self.limiter.check_key(&self.hasher.hash_one(user_id)).map_err(|refused| {
            let wait = refused.wait_time_from(self.limiter.clock().now());
            Problem::new(Kind::RateLimited, Detail::RiderCallsTooOften).retry_after_s(seconds_up(wait))
        })?;
        self.remember(key);
        Ok(())
    }

    fn is_counted(&self, key: u64) -> bool {
        let counted = lock(&self.counted);
        counted.recent.contains(&key) || counted.before.contains(&key)
    }

    fn remember(&self, key: Option<u64>) {
        let mut counted = lock(&self.counted);
        if counted.recent.len() >= KEYS_REMEMBERED {
            counted.before = std::mem::take(&mut counted.recent);
        }
        counted.recent.extend(key);
    }

    /// By the clock, so that a table that is full empties also while everybody is refused.
    fn sweep(&self) {
        let now = self.limiter.clock().now();
        let is_due = {
            let mut swept = lock(&self.swept);
            let is_due = now.duration_since(*swept) >= Nanos::from(SWEEP_EVERY);
            if is_due {
                *swept = now;
            }
            is_due
        };
        if is_due {
            self.limiter.retain_recent();
        }
    }
}

impl StateStore for Riders {
    type Key = u64;

    fn measure_and_replace<T, F, E>(&self, rider: &u64, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut used = lock(&self.used);
        let is_told_apart = used.known.contains_key(rider) || used.known.len() < self.known_max;
        let (place, key) =
            if is_told_apart { (&mut used.known, *rider) } else { (&mut used.groups, rider % GROUPS) };
        let (answer, new) = measure(place.get(&key).copied())?;
        place.insert(key, new);
        Ok(answer)
    }
}

impl ShrinkableKeyedStateStore<u64> for Riders {
    fn retain_recent(&self, drop_below: Nanos) {
        let mut used = lock(&self.used);
        used.known.retain(|_, used| *used > drop_below);
        used.groups.retain(|_, used| *used > drop_below);
    }

    fn len(&self) -> usize {
        lock(&self.used).known.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Whole seconds, at least one: who is told to wait none is back at once.
fn seconds_up(wait: Duration) -> u16 {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    u16::try_from(seconds.max(1)).unwrap_or(u16::MAX)
}

/// The places for event streams: so many in all, and so many for one client.
pub(crate) struct Places {
    taken: Mutex<Taken>,
}

struct Taken {
    in_all_max: usize,
    per_client_max: usize,
    in_all: usize,
    by_client: HashMap<IpAddr, usize>,
}

/// A place that is taken; given back when it is dropped.
pub(crate) struct Place {
    places: Arc<Places>,
    client: IpAddr,
}

impl Places {
    pub(crate) fn new(in_all_max: usize, per_client_max: usize) -> Self {
        let by_client = HashMap::new();
        Self { taken: Mutex::new(Taken { in_all_max, per_client_max, in_all: 0, by_client }) }
    }

    /// From now on. Whoever has a place keeps it, also where there are more than may be.
    pub(crate) fn set_max(&self, in_all_max: usize, per_client_max: usize) {
        let mut taken = lock(&self.taken);
        taken.in_all_max = in_all_max;
        taken.per_client_max = per_client_max;
    }

    pub(crate) fn take(self: &Arc<Self>, client: IpAddr) -> Result<Place, Problem> {
        let client = household_of(client);
        let mut taken = lock(&self.taken);
        if taken.in_all >= taken.in_all_max {
            return Err(Problem::too_busy(Detail::StreamsOpen));
        }
        let of_client = taken.by_client.get(&client).copied().unwrap_or(0);
        if of_client >= taken.per_client_max {
            let problem = Problem::new(Kind::RateLimited, Detail::ClientStreamsOpen(taken.per_client_max));
            return Err(problem.retry_after());
        }
        taken.by_client.insert(client, of_client + 1);
        taken.in_all += 1;
        Ok(Place { places: self.clone(), client })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.places.taken);
        taken.in_all -= 1;
        if let Some(of_client) = taken.by_client.get_mut(&self.client) {
            *of_client -= 1;
            if *of_client == 0 {
                taken.by_client.remove(&self.client);
            }
        }
    }
}

/// Whom a request is counted for: whom the gateway names, where it is believed, else who is at the other end.
pub(crate) fn client(peer: Option<IpAddr>, headers: &HeaderMap, trusts_gateway: bool) -> IpAddr {
    let told = headers.get(CLIENT).filter(|_| trusts_gateway);
    let told = told.and_then(|value| value.to_str().ok()?.parse().ok());
    told.or(peer).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)).to_canonical()
}

/// One IPv6 client has a whole /64 to itself.
fn household_of(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use governor::clock::FakeRelativeClock;
    use http::HeaderValue;

    /// Two calls each, and no more than two riders that are told apart.
    fn few(clock: &FakeRelativeClock) -> RiderRates<FakeRelativeClock> {
        let rate = RiderRate { calls_per_minute: NonZeroU32::MIN, burst: NonZeroU32::new(2).unwrap() };
        RiderRates::with(rate, 2, clock.clone())
    }

    fn rates(burst: u32) -> RiderRates {
        // So slow that nothing is earned back while the test runs.
        RiderRates::new(RiderRate {
            calls_per_minute: NonZeroU32::MIN,
            burst: NonZeroU32::new(burst).unwrap(),
        })
    }

    #[test]
    fn riders_are_counted_apart() {
        let rates = rates(2);
        assert!(rates.admit("1", None).is_ok() && rates.admit("1", None).is_ok());
        assert!(rates.admit("1", None).is_err());
        assert!(rates.admit("2", None).is_ok());
    }

    /// Somebody who makes up riders fills the table; those who are in it have their own count all the same.
    #[test]
    fn who_is_known_is_not_counted_with_those_who_are_made_up() {
        let clock = FakeRelativeClock::default();
        let rates = few(&clock);
        assert!(rates.admit("known", None).is_ok());
        for made_up in 0..100 * GROUPS {
            let _ = rates.admit(&format!("made up {made_up}"), None);
        }
        assert!(rates.admit("known", None).is_ok());
        assert!(rates.admit("known", None).is_err(), "its own share is used up");
        assert!(rates.admit("new", None).is_err(), "its group is");
    }

    #[test]
    fn a_full_table_empties_by_time_whether_anybody_is_admitted_or_not() {
        let clock = FakeRelativeClock::default();
        let rates = few(&clock);
        for made_up in 0..100 * GROUPS {
            let _ = rates.admit(&format!("made up {made_up}"), None);
        }
        assert_eq!(rates.limiter.len(), 2);
        clock.advance(Duration::from_secs(121));
        assert!(rates.admit("new", None).is_ok());
        assert_eq!(rates.limiter.len(), 1, "only who came last is known");
    }

    #[test]
    fn what_repeats_a_call_is_neither_refused_nor_counted() {
        let rates = rates(2);
        assert!(rates.admit("1", Some("a")).is_ok());
        for _ in 0..10 {
            assert!(rates.admit("1", Some("a")).is_ok());
        }
        assert!(rates.admit("1", Some("b")).is_ok());
        assert!(rates.admit("1", Some("c")).is_err());
        assert!(rates.admit("1", Some("a")).is_ok());
        assert!(rates.admit("1", Some("c")).is_err(), "what was refused is not remembered");
    }

    #[test]
    fn keys_are_remembered_for_a_while_and_no_longer() {
        let mut counted = Counted::default();
        counted.recent.insert(7);
        let rates = RiderRates { counted: Mutex::new(counted), ..rates(1) };
        for key in 100..100 + 2 * KEYS_REMEMBERED as u64 {
            rates.remember(Some(key));
        }
        let counted = lock(&rates.counted);
        assert!(counted.recent.len() + counted.before.len() <= 2 * KEYS_REMEMBERED + 1);
        assert!(!counted.before.contains(&7));
    }

    #[test]
    fn a_place_is_given_back() {
        let places = Arc::new(Places::new(3, 2));
        let (one, other) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let first = places.take(one).unwrap();
        let _second = places.take(one).unwrap();
        assert!(places.take(one).is_err(), "as many as one client has");
        let third = places.take(other).unwrap();
        assert!(places.take(other).is_err(), "as many as there are");
        drop((first, third));
        assert!(places.take(one).is_ok());
        assert_eq!(lock(&places.taken).by_client.len(), 1, "who has none is forgotten");
    }

    #[test]
    fn fewer_places_are_fewer_for_those_who_come() {
        let places = Arc::new(Places::new(2, 2));
        let one: IpAddr = "10.0.0.1".parse().unwrap();
        let taken = [places.take(one).unwrap(), places.take(one).unwrap()];
        places.set_max(2, 1);
        drop(taken);
        let _place = places.take(one).unwrap();
        assert!(places.take(one).is_err(), "one is all that one client may have");
        places.set_max(3, 3);
        assert!(places.take(one).is_ok());
    }

    #[test]
    fn an_ipv6_client_cannot_dodge_within_its_own_network() {
        let places = Arc::new(Places::new(10, 1));
        let _place = places.take("2001:db8::1".parse().unwrap()).unwrap();
        assert!(places.take("2001:db8::2".parse().unwrap()).is_err());
        assert!(places.take("2001:db8:0:1::1".parse().unwrap()).is_ok());
    }

    #[test]
    fn only_a_gateway_that_is_trusted_tells_who_it_is() {
        let peer: IpAddr = "10.0.0.7".parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(CLIENT, HeaderValue::from_static("203.0.113.9"));
        headers.insert("x-forwarded-for", HeaderValue::from_static("198.51.100.1"));
        assert_eq!(client(Some(peer), &headers, true).to_string(), "203.0.113.9");
        assert_eq!(client(Some(peer), &headers, false), peer);
        headers.insert(CLIENT, HeaderValue::from_static("nobody"));
        assert_eq!(client(Some(peer), &headers, true), peer);
    }
}
