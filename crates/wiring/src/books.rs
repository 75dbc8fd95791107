//! The payments and the provider's book, compared a few at a time and round after round, while the system runs.

use crate::{payment, provider};
use ::provider::book::{Account, balance};
use engine::clock::Stopwatch;
use engine::log::EntityKey;
use engine::store::{EntityRow, Order, Query, Reader, Start, Stored};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use taxi::payment::{Errand, Payment, Stage, check};

/// Payments that are looked at together.
const SLICE: u32 = 250;
/// The newest are looked at each time, since most of what can go wrong goes wrong with them.
const NEWEST: u32 = 100;
/// Payments that are kept in mind because they are wrong; further ones are found again when these are mended.
const WRONG_MAX: usize = 1_000;

/// A round over all of them is to take no longer than this, so that a process that is started anew each day ends some.
const ROUND_WITHIN: Duration = Duration::from_secs(6 * 3_600);
/// How long they are compared each time at least, which is whole rounds of a small firm.
const PATIENCE_MIN: Duration = Duration::from_millis(50);
/// And at most: the other figures wait for it, and who asks for them waits no longer than twice that.
const PATIENCE_MAX: Duration = Duration::from_millis(250);
/// Of a core, one part of so many.
const PART_OF_CORE: u32 = 10;

/// Sums over all payments that can be read, in won.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    pub held: i64,
    pub earned: i64,
    pub returned: i64,
    /// What the provider's book says that riders are out of pocket.
    pub at_provider: i64,
    /// By how much the book and the payments differ while an answer is out.
    pub in_flight: i64,
    /// Payments that this program cannot read, or whose accounts it cannot: they are in none of the sums.
    pub unreadable: u64,
}

/// What is known of the money.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen {
    /// Of the last round that came to its end.
    pub sums: Option<Sums>,
    /// How long ago that was, or since when nobody has come to an end.
    pub round_age: Duration,
    /// Rounds that came to their end since the start.
    pub rounds: u64,
    /// Payments that contradict themselves or the provider's book.
    pub wrong: u64,
}

/// Whoever goes through them.
pub struct Books {
    reader: Arc<dyn Reader>,
    /// The last payment that this round has come to.
    last: Option<u64>,
    sums: Sums,
    round: Option<Sums>,
    rounds: u64,
    since: Stopwatch,
    /// When it was looked last.
    looked: Stopwatch,
    /// How long a payment took to compare, then.
    cost: Duration,
    /// Those that did not agree when they were looked at, as they were then.
    amiss: BTreeMap<u64, Amiss>,
}

/// A payment and its account are read one after the other, and one may have moved between: they are wrong when they are the
/// same two when they are read again.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Amiss {
    payment: EntityRow,
    account: Option<EntityRow>,
    is_wrong: bool,
}

/// What a payment and its account come to.
enum Verdict {
    Agree,
    Amiss,
    /// Mostly written by a newer program: that is no money lost. Dead letters and the audit tell of it.
    Unreadable,
}

impl Books {
    pub fn new(reader: Arc<dyn Reader>) -> Self {
        Self {
            reader,
            last: None,
            sums: Sums::default(),
            round: None,
            rounds: 0,
            since: Stopwatch::start(),
            looked: Stopwatch::start(),
            cost: Duration::ZERO,
            amiss: BTreeMap::new(),
        }
    }

    /// Goes on for as long as it takes to come round all of so many payments in time, if that is not too long.
    pub fn look_in_time(&mut self, payments: u64) -> Stored<Seen> {
        let gap = std::mem::replace(&mut self.looked, Stopwatch::start()).elapsed();
        self.look(patience(gap, payments, self.cost))
    }

    /// Goes on for about as long as it may, and at most to the end of this round.
    pub fn look(&mut self, patience: Duration) -> Stored<Seen> {
        let stopwatch = Stopwatch::start();
        let in_mind =
            self.amiss.keys().map(|id| EntityKey { kind: payment::NAME, id: *id }).collect::<Vec<_>>();
        let again = self.reader.rows(payment::NAME, &in_mind)?;
        self.compare(again.into_iter().flatten().collect())?;
        let newest = self.list(Start::First { skip: 0 }, true, NEWEST)?;
        self.compare(newest)?;
        while stopwatch.elapsed() < patience && !self.go_on()? {}
        let wrong = self.amiss.values().filter(|amiss| amiss.is_wrong).count();
        let (sums, rounds, round_age) = (self.round, self.rounds, self.since.elapsed());
        Ok(Seen { sums, round_age, rounds, wrong: wrong as u64 })
    }

    /// Whether the round has come to its end.
    fn go_on(&mut self) -> Stored<bool> {
        let start = match self.last {
            Some(id) => Start::After { tag: String::new(), id },
            None => Start::First { skip: 0 },
        };
        let stopwatch = Stopwatch::start();
        let rows = self.list(start, false, SLICE)?;
        let is_over = rows.len() < SLICE as usize;
        let last = rows.last().map(|row| row.key.id).or(self.last);
        let sums = self.compare(rows)?;
        self.sums.add(sums);
        self.last = last;
        if is_over {
            self.rounds += 1;
            self.round = Some(std::mem::take(&mut self.sums));
            self.since = Stopwatch::start();
            self.last = None;
        } else {
            self.cost = stopwatch.elapsed() / SLICE;
        }
        Ok(is_over)
    }

    fn list(&self, start: Start, descending: bool, limit: u32) -> Stored<Vec<EntityRow>> {
        self.reader.list(&Query {
            service: payment::NAME,
            kind: payment::NAME,
            order: Order::Id,
            descending,
            tag: None,
            start,
            limit,
        })
    }

    fn compare(&mut self, payments: Vec<EntityRow>) -> Stored<Sums> {
        let key = |row: &EntityRow| EntityKey { kind: provider::ACCOUNT, id: row.key.id };
        let keys: Vec<EntityKey> = payments.iter().map(key).collect();
        let accounts = self.reader.rows(provider::NAME, &keys)?;
        let mut sums = Sums::default();
        for (row, account) in payments.into_iter().zip(accounts) {
            let verdict = judge(&row, account.as_ref(), &mut sums);
            self.keep_in_mind(row, account, &verdict);
        }
        Ok(sums)
    }

    fn keep_in_mind(&mut self, payment: EntityRow, account: Option<EntityRow>, verdict: &Verdict) {
        let id = payment.key.id;
        let is_wrong = match verdict {
            Verdict::Agree | Verdict::Unreadable => {
                self.amiss.remove(&id);
                return;
            }
            Verdict::Amiss => {
                let known = self.amiss.get(&id);
                known.is_some_and(|known| known.payment == payment && known.account == account)
            }
        };
        if is_wrong && !self.amiss.get(&id).is_some_and(|known| known.is_wrong) {
            tracing::error!(key = %payment.key, "this payment contradicts itself or the provider's book");
        }
        if self.amiss.len() < WRONG_MAX || self.amiss.contains_key(&id) {
            self.amiss.insert(id, Amiss { payment, account, is_wrong });
        }
    }
}

impl Sums {
    fn add(&mut self, other: Self) {
        self.held += other.held;
        self.earned += other.earned;
        self.returned += other.returned;
        self.at_provider += other.at_provider;
        self.in_flight += other.in_flight;
        self.unreadable += other.unreadable;
    }
}

/// As long as it takes of a round, after such a gap; within bounds.
fn patience(gap: Duration, payments: u64, cost: Duration) -> Duration {
    let due = payments as f64 * gap.as_secs_f64() / ROUND_WITHIN.as_secs_f64();
    let needed = Duration::try_from_secs_f64(due * cost.as_secs_f64()).unwrap_or(PATIENCE_MAX);
    needed.min(gap / PART_OF_CORE).clamp(PATIENCE_MIN, PATIENCE_MAX)
}

/// By the same rules as an audit, of what stands in the rows alone.
fn judge(row: &EntityRow, account: Option<&EntityRow>, sums: &mut Sums) -> Verdict {
    let payment = serde_json::from_str::<Payment>(&row.state);
    let account = account.map(|row| serde_json::from_str::<Account>(&row.state)).transpose();
    let (Ok(payment), Ok(account)) = (payment, account) else {
        sums.unreadable += 1;
        return Verdict::Unreadable;
    };
    let at_provider = account.as_ref().map_or(0, balance);
    let owed = (payment.accounts.held + payment.accounts.earned).0;
    let is_open = !row.effects_open.is_empty();
    sums.held += payment.accounts.held.0;
    sums.earned += payment.accounts.earned.0;
    sums.returned += if payment.stage == Stage::Refunded { payment.fare.0 } else { 0 };
    sums.at_provider += at_provider;
    sums.in_flight += if is_open { (at_provider - owed).abs() } else { 0 };
    let agrees = if check(&payment).is_err() {
        false
    } else if is_open {
        at_provider == owed || at_provider == 0 || at_provider == payment.fare.0
    } else {
        at_provider == owed && is_in_the_book(account.as_ref(), &payment)
    };
    if agrees { Verdict::Agree } else { Verdict::Amiss }
}

/// What the provider answered stands in its book.
pub(crate) fn is_in_the_book(account: Option<&Account>, payment: &Payment) -> bool {
    let take = payment.take != Errand::Answered
        || account.is_some_and(|account| account.take.is_some() && account.fare == payment.fare.0);
    let back = payment.back != Errand::Answered || account.is_some_and(|account| account.back);
    take && back
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_ends_in_time_and_costs_little() {
        let gap = Duration::from_secs(15);
        let cost = Duration::from_micros(20);
        assert_eq!(patience(gap, 1_000, cost), PATIENCE_MIN);
        // Ten million in 1,440 readings are 6,944 each.
        let of_many = patience(gap, 10_000_000, cost);
        assert!(of_many > Duration::from_millis(138) && of_many < Duration::from_millis(140), "{of_many:?}");
        assert_eq!(patience(gap, u64::MAX, cost), PATIENCE_MAX);
        assert_eq!(patience(Duration::from_secs(1), u64::MAX, cost), Duration::from_millis(100));
        assert_eq!(patience(Duration::ZERO, 0, Duration::ZERO), PATIENCE_MIN);
    }
}
