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

/// Sums over all payments, in won.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    pub held: i64,
    pub earned: i64,
    pub returned: i64,
    /// What the provider's book says that riders are out of pocket.
    pub at_provider: i64,
    /// By how much the book and the payments differ while an answer is out.
    pub in_flight: i64,
}

/// What is known of the money.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen {
    /// Of the last round that came to its end.
    pub sums: Option<Sums>,
    /// How long ago that was, or since when nobody has come to an end.
    pub round_age: Duration,
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
    since: Stopwatch,
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
    Broken,
}

impl Books {
    pub fn new(reader: Arc<dyn Reader>) -> Self {
        Self {
            reader,
            last: None,
            sums: Sums::default(),
            round: None,
            since: Stopwatch::start(),
            amiss: BTreeMap::new(),
        }
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
        Ok(Seen { sums: self.round, round_age: self.since.elapsed(), wrong: wrong as u64 })
    }

    /// Whether the round has come to its end.
    fn go_on(&mut self) -> Stored<bool> {
        let start = match self.last {
            Some(id) => Start::After { tag: String::new(), id },
            None => Start::First { skip: 0 },
        };
        let rows = self.list(start, false, SLICE)?;
        let is_over = rows.len() < SLICE as usize;
        self.last = rows.last().map(|row| row.key.id).or(self.last);
        let sums = self.compare(rows)?;
        self.sums.add(sums);
        if is_over {
            self.round = Some(std::mem::take(&mut self.sums));
            self.since = Stopwatch::start();
            self.last = None;
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
            Verdict::Agree => {
                self.amiss.remove(&id);
                return;
            }
            Verdict::Broken => true,
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
    }
}

/// By the same rules as an audit, of what stands in the rows alone.
fn judge(row: &EntityRow, account: Option<&EntityRow>, sums: &mut Sums) -> Verdict {
    let Ok(payment) = serde_json::from_str::<Payment>(&row.state) else { return Verdict::Broken };
    let account = match account.map(|row| serde_json::from_str::<Account>(&row.state)) {
        None => None,
        Some(Ok(account)) => Some(account),
        Some(Err(_)) => return Verdict::Broken,
    };
    let at_provider = account.as_ref().map_or(0, balance);
    let owed = (payment.accounts.held + payment.accounts.earned).0;
    let is_open = !row.effects_open.is_empty();
    sums.held += payment.accounts.held.0;
    sums.earned += payment.accounts.earned.0;
    sums.returned += if payment.stage == Stage::Refunded { payment.fare.0 } else { 0 };
    sums.at_provider += at_provider;
    sums.in_flight += if is_open { (at_provider - owed).abs() } else { 0 };
    if check(&payment).is_err() {
        return Verdict::Broken;
    }
    let agrees = if is_open {
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
