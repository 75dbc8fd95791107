//! Tells the topic what own shards have recorded: in order, from an acknowledged position, and by one replica if possible.

use crate::context::{Throttle, lock};
use crate::flow::{Flow, Progress, Turn};
use crate::own::look_ahead;
use crate::producer::{Delivery, Teller, is_refusal, measure};
use crate::run::UNDER_WAY_MAX;
use crate::shared::{Known, Shared};
use engine::clock::Stopwatch;
use engine::lease::Lease;
use engine::log::{LogId, ShardName};
use engine::store::Reader;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// For how long a turn is taken. One that is not kept passes to another replica after so long.
const TURN_MS: u32 = 3_000;
const TURN_KEEP_EVERY: Duration = Duration::from_millis(750);
const TURN_ASK_EVERY: Duration = Duration::from_millis(500);
/// How long the loop sleeps when nobody wakes it.
const LOOK_EVERY: Duration = Duration::from_millis(25);
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// How long a stop waits for what is on its way.
const FLUSH: Duration = Duration::from_secs(2);
const FIGURES_EVERY: Duration = Duration::from_millis(200);

/// Why a producer ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Stopped,
    /// The topic takes other messages now, or has other partitions or brokers, which a producer is told at its beginning.
    Changed,
    AnotherTopic,
    Failed(String),
}

/// The turn of one shard.
#[derive(Default)]
struct Hold {
    asked: Option<Stopwatch>,
    kept: Option<Stopwatch>,
}

pub(crate) struct Relay {
    shared: Arc<Shared>,
    reader: Arc<dyn Reader>,
    lease: Box<dyn Lease>,
    flows: Vec<Flow>,
    holds: Vec<Hold>,
    has_news: Arc<AtomicBool>,
    /// The topic that is told.
    known: Option<LogId>,
    /// The topic in which it was looked for what a log that was restored has lost.
    looked_ahead: Option<LogId>,
    /// What failed with the producer that has just ended.
    failures: Vec<Delivery>,
    backoff: Duration,
    complaints: Throttle,
    figures: Option<Stopwatch>,
}

impl Relay {
    pub(crate) fn new(
        shared: Arc<Shared>,
        lease: Box<dyn Lease>,
        shards: &[ShardName],
        has_news: Arc<AtomicBool>,
    ) -> Self {
        Self {
            reader: shared.reader.apart(),
            shared,
            lease,
            flows: shards.iter().copied().map(Flow::of).collect(),
            holds: shards.iter().map(|_| Hold::default()).collect(),
            has_news,
            known: None,
            looked_ahead: None,
            failures: Vec::new(),
            backoff: BACKOFF_FIRST,
            complaints: Throttle::default(),
            figures: None,
        }
    }

    pub(crate) fn run(mut self) {
        while !self.shared.is_stopping() {
            let Some(known) = self.topic() else {
                self.shared.bells.relay.wait(LOOK_EVERY);
                continue;
            };
            match self.look_ahead(known).unwrap_or_else(|| self.tell(&known)) {
                Ended::Stopped | Ended::Changed | Ended::AnotherTopic => self.backoff = BACKOFF_FIRST,
                Ended::Failed(why) => {
                    tracing::warn!(wait = ?self.backoff, "the topic was not told everything, and is told again: {why}");
                    self.rest();
                }
            }
        }
        self.give_back();
    }

    /// Before a topic is told for the first time: whether this log is the one that it was told of before.
    fn look_ahead(&mut self, known: Known) -> Option<Ended> {
        if self.looked_ahead == Some(known.identity.id) {
            return None;
        }
        match look_ahead(&self.shared, known) {
            Ok(None) => {
                self.looked_ahead = Some(known.identity.id);
                self.shared.meters.has_looked.store(true, Ordering::SeqCst);
                None
            }
            Ok(Some(restored)) => {
                self.shared.fail(restored);
                Some(Ended::Stopped)
            }
            Err(error) => Some(Ended::Failed(error.to_string())),
        }
    }

    /// The topic to be told.
    fn topic(&mut self) -> Option<Known> {
        let known = self.shared.known()?;
        if self.known != Some(known.identity.id) {
            self.flows.iter_mut().for_each(Flow::end);
            self.known = Some(known.identity.id);
        }
        Some(known)
    }

    /// One producer, from its beginning to its end.
    fn tell(&mut self, known: &Known) -> Ended {
        self.flows.iter_mut().for_each(Flow::restart);
        let queue = (UNDER_WAY_MAX * 2).saturating_mul(self.flows.len().max(1));
        let mut teller = match Teller::new(&self.shared, known, queue) {
            Ok(teller) => teller,
            Err(error) => return Ended::Failed(error.to_string()),
        };
        let ended = loop {
            if let Some(ended) = self.round(&mut teller, known) {
                break ended;
            }
        };
        if matches!(ended, Ended::Stopped | Ended::Changed) {
            self.flush(&mut teller, known);
        }
        let rest = teller.end();
        self.settle(rest, known);
        self.judge(known);
        self.show(true);
        ended
    }

    fn round(&mut self, teller: &mut Teller, known: &Known) -> Option<Ended> {
        let deliveries = teller.deliveries();
        self.settle(deliveries, known);
        if let Some(failure) = self.failures.first() {
            let code = failure.outcome.as_ref().err()?;
            return Some(Ended::Failed(code.to_string()));
        }
        if let Some(why) = teller.fatal() {
            return Some(Ended::Failed(why));
        }
        if self.shared.is_stopping() {
            return Some(Ended::Stopped);
        }
        let now = self.shared.known()?;
        if now.identity.id != known.identity.id {
            return Some(Ended::AnotherTopic);
        }
        if now != *known {
            return Some(Ended::Changed);
        }
        self.keep_turns(known);
        if self.shared.is_short.load(Ordering::SeqCst) {
            self.shared.bells.relay.wait(LOOK_EVERY);
            return None;
        }
        let progress = self.feed(teller, known);
        // Private events alone move the cursor as well.
        self.note(known);
        self.show(false);
        match progress {
            Progress::More => None,
            Progress::Failed(code) => Some(Ended::Failed(code.to_string())),
            Progress::Waits => {
                self.shared.bells.relay.wait(LOOK_EVERY);
                None
            }
        }
    }

    /// Gives what each shard has.
    fn feed(&mut self, teller: &mut Teller, known: &Known) -> Progress {
        let has_news = self.has_news.swap(false, Ordering::SeqCst);
        let mut result = Progress::Waits;
        for index in 0..self.flows.len() {
            let is_careful = self.flows.iter().any(Flow::is_careful);
            let under_way: usize = self.flows.iter().map(Flow::under_way).sum();
            let flow = &mut self.flows[index];
            let others_under_way = under_way - flow.under_way();
            let reader = self.reader.as_ref();
            let turn = Turn { reader, known, has_news, is_careful, others_under_way };
            match flow.feed(&self.shared, teller, turn) {
                Ok(Progress::Waits) => {}
                Ok(Progress::More) => result = Progress::More,
                Ok(Progress::Failed(code)) => return Progress::Failed(code),
                Err(error) => {
                    if self.complaints.lets_pass("relay") {
                        tracing::warn!(%error, "the log cannot be read to be told");
                    }
                }
            }
        }
        result
    }

    /// What has become of messages.
    fn settle(&mut self, deliveries: Vec<Delivery>, known: &Known) {
        if deliveries.is_empty() {
            return;
        }
        measure(&self.shared, &deliveries);
        for delivery in deliveries {
            let told = delivery.told;
            let Some(flow) = self.flows.iter_mut().find(|flow| flow.shard.index == told.shard) else {
                continue;
            };
            match &delivery.outcome {
                Ok(offset) => {
                    if let Some(offset) = offset {
                        self.shared.note_least(known.identity.id, told.partition, offset + 1);
                    }
                    flow.acknowledge(told);
                    self.backoff = BACKOFF_FIRST;
                }
                Err(_) => self.failures.push(delivery),
            }
        }
        self.note(known);
    }

    /// Notes for the shards how far they have told, for them to store.
    fn note(&mut self, known: &Known) {
        for flow in &mut self.flows {
            if let Some(told) = flow.moved() {
                self.shared.topic.note_told(known.identity.id, flow.shard.index, told);
            }
        }
    }

    /// Finds the event that was refused. Among several that went together it is not known which: then they go one by one.
    fn judge(&mut self, known: &Known) {
        let refused: Vec<Delivery> = std::mem::take(&mut self.failures)
            .into_iter()
            .filter(|failure| failure.outcome.as_ref().is_err_and(|code| is_refusal(*code)))
            .collect();
        if refused.is_empty() {
            return;
        }
        self.shared.want_configuration();
        let went_alone = refused.len() == 1 && self.flows.iter().any(Flow::is_careful);
        for failure in refused {
            let told = failure.told;
            let Some(flow) = self.flows.iter_mut().find(|flow| flow.shard.index == told.shard) else {
                continue;
            };
            match failure.outcome {
                Err(code) if went_alone => {
                    let why = format!(
                        "the brokers refuse it: {code}. If it is too long, raise max.message.bytes of the topic {:?}",
                        self.shared.settings.topic
                    );
                    flow.hold(&self.shared, told.position, why, known);
                }
                Ok(_) | Err(_) => flow.be_careful(told.position),
            }
        }
    }

    /// Takes turns and keeps them; who has none has nothing on its way.
    fn keep_turns(&mut self, known: &Known) {
        for (flow, hold) in self.flows.iter_mut().zip(&mut self.holds) {
            let every = if hold.kept.is_some() { TURN_KEEP_EVERY } else { TURN_ASK_EVERY };
            let is_due = hold.asked.is_none_or(|since| since.elapsed() >= every);
            if is_due {
                hold.asked = Some(Stopwatch::start());
                let asked = Stopwatch::start();
                match self.lease.hold(&turn_name(flow.shard, &self.shared), TURN_MS) {
                    Ok(true) => hold.kept = Some(asked),
                    Ok(false) => hold.kept = None,
                    Err(error) => {
                        if self.complaints.lets_pass("relay") {
                            tracing::warn!(%error, "the turn to tell the topic cannot be asked for");
                        }
                    }
                }
            }
            let limit = Duration::from_millis(u64::from(TURN_MS));
            if hold.kept.is_some_and(|since| since.elapsed() >= limit) {
                hold.kept = None;
            }
            if hold.kept.is_none() && flow.is_running() {
                tracing::info!(shard = %flow.shard, "another replica tells the topic now, or the database is away");
                flow.end();
            }
            if hold.kept.is_none() || flow.is_running() {
                continue;
            }
            if let Err(error) = flow.begin(&self.shared, self.reader.as_ref(), known)
                && self.complaints.lets_pass("relay")
            {
                tracing::warn!(%error, "it cannot be read how far the topic was told");
            }
        }
    }

    /// For a limited time, shorter than a turn, what is on its way may still arrive.
    fn flush(&mut self, teller: &mut Teller, known: &Known) {
        let since = Stopwatch::start();
        while since.elapsed() < FLUSH && self.failures.is_empty() {
            let deliveries = teller.deliveries();
            self.settle(deliveries, known);
            if self.flows.iter().all(|flow| flow.under_way() == 0) {
                return;
            }
            self.shared.bells.relay.wait(LOOK_EVERY);
        }
    }

    fn give_back(&mut self) {
        for (flow, hold) in self.flows.iter_mut().zip(&mut self.holds) {
            if hold.kept.take().is_some()
                && let Err(error) = self.lease.let_go(&turn_name(flow.shard, &self.shared))
            {
                tracing::debug!(%error, "the turn to tell the topic passes by itself");
            }
            flow.end();
        }
        self.show(true);
    }

    fn rest(&mut self) {
        let since = Stopwatch::start();
        while since.elapsed() < self.backoff && !self.shared.is_stopping() {
            self.shared.bells.relay.wait(self.backoff.saturating_sub(since.elapsed()));
        }
        self.backoff = (self.backoff * 2).min(BACKOFF_MAX);
    }

    fn show(&mut self, at_once: bool) {
        if !at_once && self.figures.is_some_and(|since| since.elapsed() < FIGURES_EVERY) {
            return;
        }
        self.figures = Some(Stopwatch::start());
        let now = self.shared.clock.now();
        *lock(&self.shared.meters.shards) = self.flows.iter().map(|flow| flow.stats(now)).collect();
    }
}

fn turn_name(shard: ShardName, shared: &Shared) -> String {
    format!("relay {shard} {}", shared.settings.topic)
}
