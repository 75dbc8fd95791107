//! The replicas of one route: which of them to ask, how they are, and how many retries they are owed.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

use http::uri::Authority;

use crate::replica::{Lease, Place, Replica};
use crate::request_id::Ids;
use crate::settings::{HealthChecks, Retries, Settings};
use crate::stats::Stats;

/// Who is named for a route, and who that is now.
pub(crate) struct ReplicaSet {
    /// As it was said; another one each time that it is said anew.
    named: RwLock<Arc<[Authority]>>,
    found: RwLock<Replicas>,
    budget: RetryBudget,
    settings: Settings,
    stats: Arc<Stats>,
}

/// Why nobody can be asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Nobody {
    /// All have been.
    Left,
    /// The one chosen has its hands full.
    Free,
}

impl ReplicaSet {
    pub(crate) fn new(authorities: Vec<Authority>, settings: &Settings, stats: &Arc<Stats>) -> ReplicaSet {
        let set = ReplicaSet {
            named: RwLock::new(Arc::from(Vec::new())),
            found: RwLock::new(Replicas(Arc::from(Vec::new()))),
            budget: RetryBudget::new(&settings.retries),
            settings: settings.clone(),
            stats: Arc::clone(stats),
        };
        set.name(authorities);
        set
    }

    /// From now on these are asked. Whoever was asked before and is not among them keeps the requests that it has; who is new
    /// waits for the next round where somebody else is well.
    pub(crate) fn name(&self, authorities: Vec<Authority>) {
        let mut named = write(&self.named);
        if **named == *authorities {
            return;
        }
        let before = self.replicas();
        let places = |authority: &Authority| {
            let known = before.of(authority);
            if known.is_empty() { vec![Place::of(authority)] } else { known }
        };
        let places = authorities.iter().flat_map(places).collect();
        let now = self.at(places, &before);
        let is_new = |replica: &&Arc<Replica>| before.0.iter().all(|known| known.place != replica.place);
        let is_known_well = |replica: &Arc<Replica>| !is_new(&replica) && replica.health().is_good();
        if self.settings.health.is_some() && now.0.iter().any(is_known_well) {
            for replica in now.0.iter().filter(is_new) {
                replica.health().say_ready(false);
            }
        }
        self.publish(now, &before);
        *named = Arc::from(authorities);
    }

    /// Those who can be asked now.
    pub(crate) fn replicas(&self) -> Replicas {
        self.found.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn budget(&self) -> &RetryBudget {
        &self.budget
    }

    /// Looks every name up, and asks everyone behind it once how they are. Who is new is asked for something else only
    /// after that; who is gone from behind a name is not asked any more.
    pub(crate) async fn check_health(&self, checks: &HealthChecks) {
        let named = Arc::clone(&self.named.read().unwrap_or_else(PoisonError::into_inner));
        let before = self.replicas();
        let looking = named.iter().map(|authority| look_up(authority, &before, checks));
        let places = futures_util::future::join_all(looking).await.concat();
        let now = self.at(places, &before);
        futures_util::future::join_all(now.0.iter().map(|replica| check_one(replica, checks))).await;
        // Others may have been named meanwhile: then the next round is about them.
        let is_named = write(&self.named);
        if Arc::ptr_eq(&is_named, &named) {
            self.publish(now, &before);
        }
    }

    /// The replicas at these places: those that are known already, with all that is known of them.
    fn at(&self, places: Vec<Place>, known: &Replicas) -> Replicas {
        let replica = |place: Place| {
            let known = known.0.iter().find(|replica| replica.place == place);
            known
                .cloned()
                .unwrap_or_else(|| Arc::new(Replica::new(place, &self.settings, self.stats.clone())))
        };
        Replicas(places.into_iter().map(replica).collect())
    }

    fn publish(&self, now: Replicas, before: &Replicas) {
        for (some, others, what) in
            [(&now, before, "there is a replica"), (before, &now, "a replica is gone")]
        {
            let is_among_them = |replica: &Replica| others.0.iter().any(|other| other.place == replica.place);
            for replica in some.0.iter().filter(|replica| !is_among_them(replica)) {
                tracing::info!(replica = %replica.place, "{what}");
            }
        }
        *write(&self.found) = now;
    }
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// Where a name leads to now; while nobody says, where it led to before.
async fn look_up(authority: &Authority, before: &Replicas, checks: &HealthChecks) -> Vec<Place> {
    let place = Place::of(authority);
    if place.address.is_some() {
        return vec![place];
    }
    let found = Place::look_up(authority, checks.timeout).await;
    found.unwrap_or_else(|| {
        let known = before.of(authority);
        if known.is_empty() { vec![place] } else { known }
    })
}

/// The replicas of a route at one moment.
#[derive(Clone)]
pub(crate) struct Replicas(Arc<[Arc<Replica>]>);

impl Replicas {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn has_good_one(&self) -> bool {
        self.0.iter().any(|replica| replica.health().is_good())
    }

    fn of(&self, authority: &Authority) -> Vec<Place> {
        let places = self.0.iter().map(|replica| &replica.place);
        places.filter(|place| place.authority == *authority).cloned().collect()
    }

    /// Takes a replica for a request; which one was asked already is told by its index in `asked`.
    ///
    /// One whose time out is over is tried, if the request may be repeated. Else it is the less busy of two good
    /// ones; when there is no good one, of any: a wrong guess about their health must not be worse than asking.
    pub(crate) fn choose(&self, ids: &Ids, asked: &mut Vec<usize>, may_try: bool) -> Result<Lease, Nobody> {
        let is_new = |index: &usize| !asked.contains(index);
        let claimed = |index: &usize| is_new(index) && self.0[*index].health().claims_trial();
        let trial = if may_try { (0..self.0.len()).find(claimed) } else { None };
        let is_good = |index: &usize| is_new(index) && self.0[*index].health().is_good();
        let chosen = trial.or_else(|| self.less_busy_of_two(ids, is_good));
        let chosen = chosen.or_else(|| self.less_busy_of_two(ids, is_new)).ok_or(Nobody::Left)?;
        asked.push(chosen);
        self.0[chosen].lease(trial.is_some()).ok_or(Nobody::Free)
    }

    fn less_busy_of_two(&self, ids: &Ids, fits: impl Fn(&usize) -> bool) -> Option<usize> {
        let indices = 0..self.0.len();
        let count = indices.clone().filter(&fits).count();
        let nth = |n: usize| indices.clone().filter(&fits).nth(n);
        if count < 2 {
            return nth(0);
        }
        let number = usize::try_from(ids.number() >> 33).unwrap_or(0);
        let first = number % count;
        let second = (first + 1 + (number / count) % (count - 1)) % count;
        let (first, second) = (nth(first)?, nth(second)?);
        let busier = self.0[first].in_flight() > self.0[second].in_flight();
        Some(if busier { second } else { first })
    }
}

async fn check_one(replica: &Arc<Replica>, checks: &HealthChecks) {
    replica.close_old_connections();
    let is_trial = replica.health().claims_trial();
    let asking = tokio::time::timeout(checks.timeout, replica.says_it_is_well(checks.path));
    let is_well = asking.await.unwrap_or(false);
    if is_trial && is_well {
        replica.succeeded();
    } else if is_trial {
        replica.failed(is_trial);
    }
    if replica.health().say_ready(is_well) {
        tracing::info!(replica = %replica.place, is_well, "the readiness of a replica changed");
    }
}

/// How many retries may be made: each request pays a part of one, so that retries never multiply an overload.
pub(crate) struct RetryBudget {
    hundredths: AtomicI64,
    income: i64,
    hundredths_max: i64,
}

/// The price of one retry.
const RETRY: i64 = 100;

impl RetryBudget {
    pub(crate) fn new(retries: &Retries) -> RetryBudget {
        let hundredths_max = i64::from(retries.saved_max) * RETRY;
        RetryBudget {
            hundredths: AtomicI64::new(hundredths_max),
            income: i64::from(retries.per_hundred_requests),
            hundredths_max,
        }
    }

    pub(crate) fn pay_in(&self) {
        if self.hundredths.load(Ordering::Relaxed) < self.hundredths_max {
            self.hundredths.fetch_add(self.income, Ordering::Relaxed);
        }
    }

    pub(crate) fn take_retry(&self) -> bool {
        let take = |saved: i64| (saved >= RETRY).then_some(saved - RETRY);
        self.hundredths.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::task::{Context, Waker};

    fn set(count: u16) -> ReplicaSet {
        let settings = Settings::default();
        let stats = Arc::new(Stats::new(["call"].into_iter()));
        let authorities = (1..=count).map(|port| format!("127.0.0.1:{port}").parse().unwrap()).collect();
        ReplicaSet::new(authorities, &settings, &stats)
    }

    fn places(set: &ReplicaSet) -> Vec<String> {
        set.replicas().0.iter().map(|replica| replica.place.to_string()).collect()
    }

    fn checks() -> HealthChecks {
        Settings::default().health.expect("replicas are asked how they are")
    }

    #[tokio::test]
    async fn a_name_becomes_the_addresses_behind_it() {
        let set = set(1);
        set.name(vec!["localhost:1".parse().unwrap()]);
        assert_eq!(places(&set), ["localhost:1"], "nobody has looked yet");
        set.check_health(&checks()).await;
        assert!(places(&set).contains(&"localhost:1 at 127.0.0.1:1".to_owned()), "{:?}", places(&set));
    }

    #[tokio::test]
    async fn a_name_that_nobody_knows_keeps_what_was_behind_it() {
        let set = set(1);
        let name: Authority = "nobody.invalid:1".parse().unwrap();
        let found = Place { authority: name.clone(), address: Some(([127, 0, 0, 1], 1).into()) };
        set.name(vec![name]);
        set.publish(set.at(vec![found], &set.replicas()), &set.replicas());
        set.check_health(&checks()).await;
        assert_eq!(places(&set), ["nobody.invalid:1 at 127.0.0.1:1"]);
    }

    #[tokio::test]
    async fn who_is_named_again_is_the_one_that_was_known() {
        let set = set(2);
        let before = set.replicas();
        before.0[1].failed(false);
        set.name(vec!["127.0.0.1:2".parse().unwrap(), "127.0.0.1:3".parse().unwrap()]);
        let now = set.replicas();
        assert_eq!(places(&set), ["127.0.0.1:2", "127.0.0.1:3"]);
        assert!(Arc::ptr_eq(&before.0[1], &now.0[0]));
    }

    #[tokio::test]
    async fn who_is_new_beside_others_waits_for_the_next_round() {
        let set = set(1);
        let named =
            |ports: &[u16]| ports.iter().map(|port| format!("127.0.0.1:{port}").parse().unwrap()).collect();
        let are_good =
            || set.replicas().0.iter().map(|replica| replica.health().is_good()).collect::<Vec<_>>();
        set.name(named(&[1, 2]));
        assert_eq!(are_good(), [true, false]);
        let ids = Ids::new(1);
        let chosen = |asked: &mut Vec<usize>| set.replicas().choose(&ids, asked, false).map(drop);
        let mut asked = Vec::new();
        assert_eq!(chosen(&mut asked), Ok(()));
        assert_eq!(asked, [0]);
        set.name(named(&[3, 4]));
        assert_eq!(are_good(), [true, true], "there is nobody else, so they are taken at their word");
    }

    /// A round that began before others were named must not bring the former ones back.
    #[tokio::test]
    async fn a_round_that_is_late_changes_nothing() {
        let set = set(1);
        set.name(vec!["localhost:1".parse().unwrap()]);
        let checks = checks();
        let mut round = std::pin::pin!(set.check_health(&checks));
        let mut context = Context::from_waker(Waker::noop());
        assert!(round.as_mut().poll(&mut context).is_pending(), "it looks the name up");
        set.name(vec!["127.0.0.1:2".parse().unwrap()]);
        round.await;
        assert_eq!(places(&set), ["127.0.0.1:2"]);
    }

    #[tokio::test]
    async fn each_replica_is_asked_once_and_the_less_busy_first() {
        let set = set(2).replicas();
        let ids = Ids::new(1);
        let held = set.choose(&ids, &mut vec![0], false).unwrap_or_else(|_| panic!("the second is there"));
        for _ in 0..100 {
            let mut asked = Vec::new();
            let _first = set.choose(&ids, &mut asked, false);
            assert_eq!(asked, [0], "the other one is busy");
            let _second = set.choose(&ids, &mut asked, false);
            assert_eq!(asked, [0, 1]);
            assert_eq!(set.choose(&ids, &mut asked, false).err(), Some(Nobody::Left));
        }
        drop(held);
    }

    #[test]
    fn retries_are_paid_for_by_requests() {
        let budget =
            RetryBudget::new(&Retries { per_request_max: 2, per_hundred_requests: 20, saved_max: 1 });
        assert!(budget.take_retry());
        assert!(!budget.take_retry());
        for _ in 0..4 {
            budget.pay_in();
        }
        assert!(!budget.take_retry());
        budget.pay_in();
        assert!(budget.take_retry());
    }
}
