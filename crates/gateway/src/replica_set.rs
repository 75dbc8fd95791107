//! The replicas of one route: which of them to ask, how they are, and how many retries they are owed.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use http::uri::Authority;

use crate::replica::{Lease, Replica};
use crate::request_id::Ids;
use crate::settings::{HealthChecks, Retries, Settings};
use crate::stats::Stats;

pub(crate) struct ReplicaSet {
    replicas: Vec<Arc<Replica>>,
    budget: RetryBudget,
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
        let replica = |authority| Arc::new(Replica::new(authority, settings, Arc::clone(stats)));
        ReplicaSet {
            replicas: authorities.into_iter().map(replica).collect(),
            budget: RetryBudget::new(&settings.retries),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.replicas.len()
    }

    pub(crate) fn budget(&self) -> &RetryBudget {
        &self.budget
    }

    pub(crate) fn has_good_one(&self) -> bool {
        self.replicas.iter().any(|replica| replica.health().is_good())
    }

    /// Takes a replica for a request; which one was asked already is told by its index in `asked`.
    ///
    /// One whose time out is over is tried, if the request may be repeated. Else it is the less busy of two good
    /// ones; when there is no good one, of any: a wrong guess about their health must not be worse than asking.
    pub(crate) fn choose(&self, ids: &Ids, asked: &mut Vec<usize>, may_try: bool) -> Result<Lease, Nobody> {
        let is_new = |index: &usize| !asked.contains(index);
        let claimed = |index: &usize| is_new(index) && self.replicas[*index].health().claims_trial();
        let trial = if may_try { (0..self.replicas.len()).find(claimed) } else { None };
        let is_good = |index: &usize| is_new(index) && self.replicas[*index].health().is_good();
        let chosen = trial.or_else(|| self.less_busy_of_two(ids, is_good));
        let chosen = chosen.or_else(|| self.less_busy_of_two(ids, is_new)).ok_or(Nobody::Left)?;
        asked.push(chosen);
        self.replicas[chosen].lease(trial.is_some()).ok_or(Nobody::Free)
    }

    fn less_busy_of_two(&self, ids: &Ids, fits: impl Fn(&usize) -> bool) -> Option<usize> {
        let indices = 0..self.replicas.len();
        let count = indices.clone().filter(&fits).count();
        let nth = |n: usize| indices.clone().filter(&fits).nth(n);
        if count < 2 {
            return nth(0);
        }
        let number = usize::try_from(ids.number() >> 33).unwrap_or(0);
        let first = number % count;
        let second = (first + 1 + (number / count) % (count - 1)) % count;
        let (first, second) = (nth(first)?, nth(second)?);
        let busier = self.replicas[first].in_flight() > self.replicas[second].in_flight();
        Some(if busier { second } else { first })
    }

    /// Asks every replica once how it is.
    pub(crate) async fn check_health(&self, checks: &HealthChecks) {
        let asking = self.replicas.iter().map(|replica| check_one(replica, checks));
        futures_util::future::join_all(asking).await;
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
        tracing::info!(replica = %replica.authority, is_well, "the readiness of a replica changed");
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

    fn set(count: u16) -> ReplicaSet {
        let settings = Settings::default();
        let stats = Arc::new(Stats::new(["call"].into_iter()));
        let authorities = (1..=count).map(|port| format!("127.0.0.1:{port}").parse().unwrap()).collect();
        ReplicaSet::new(authorities, &settings, &stats)
    }

    #[tokio::test]
    async fn each_replica_is_asked_once_and_the_less_busy_first() {
        let set = set(2);
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
