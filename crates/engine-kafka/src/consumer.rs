//! Reads what the topic says and hands it to the shards; where reading begins is what they have stored.

use crate::context::{Throttle, lock};
use crate::desk::{Desk, Place};
use crate::inquiry::topic_id;
use crate::marks::Marks;
use crate::message;
use crate::own::Own;
use crate::reads;
use crate::shared::{Known, Shared, count};
use engine::clock::Stopwatch;
use engine::topic::{MESSAGES_WAITING_MAX, Message};
use engine::wire;
use kafka_topic_id::describe;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Messages that are handed over at once.
const BATCH_MAX: usize = 512;
/// How long the first message of a batch is waited for.
const WAIT: Duration = Duration::from_millis(20);
/// How long the shards may be behind before reading is paused: a pause drops what was fetched ahead.
const PAUSE_AFTER: Duration = Duration::from_millis(200);
const ROOM_LOOK_EVERY: Duration = Duration::from_millis(2);
/// Room at which a paused partition is read on.
const ROOM_RESUME: usize = MESSAGES_WAITING_MAX / 2;
const DESCRIBE_PATIENCE: Duration = Duration::from_secs(3);
const SEEK_PATIENCE: Duration = Duration::from_secs(1);
/// How often in a row a client may fail to go where it is sent before another one is begun.
const SEEKS_FAILED_MAX: u32 = 16;
const PLACE_EVERY: Duration = Duration::from_millis(250);
/// How often it is noted at the brokers how far the shards are, for tools that show it.
const COMMIT_EVERY: Duration = Duration::from_secs(5);
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// What a client says when there is nothing where it was to read.
const NOWHERE: [RDKafkaErrorCode; 3] =
    [RDKafkaErrorCode::AutoOffsetReset, RDKafkaErrorCode::OffsetOutOfRange, RDKafkaErrorCode::LogTruncation];

/// Why a client ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Stopped,
    AnotherTopic,
    Failed(String),
}

/// The thread that reads, from one client to the next.
pub(crate) fn run(shared: &Arc<Shared>) {
    let mut backoff = BACKOFF_FIRST;
    while !shared.is_stopping() {
        let Some(known) = shared.known() else {
            shared.bells.consumer.wait(WAIT);
            continue;
        };
        let since = Stopwatch::start();
        let ended = match Session::begin(shared, known) {
            Ok(session) => session.finish(),
            Err(error) => Ended::Failed(error.to_string()),
        };
        match ended {
            Ended::Stopped | Ended::AnotherTopic => backoff = BACKOFF_FIRST,
            Ended::Failed(why) => {
                tracing::warn!("reading the topic begins again: {why}");
                shared.bells.inquiry.ring();
                if since.elapsed() > BACKOFF_MAX {
                    backoff = BACKOFF_FIRST;
                }
                let rest = Stopwatch::start();
                while rest.elapsed() < backoff && !shared.is_stopping() {
                    shared.bells.consumer.wait(backoff);
                }
                backoff = (backoff * 2).min(BACKOFF_MAX);
            }
        }
    }
}

/// One client, for one topic.
struct Session {
    shared: Arc<Shared>,
    known: Known,
    client: BaseConsumer<Desk>,
    batch: Vec<Message>,
    /// Partitions that the shards want read again, until the client has gone there.
    rewinds: BTreeMap<u32, u64>,
    is_paused: bool,
    /// In a row.
    seeks_failed: u32,
    placed: Stopwatch,
    committed: Stopwatch,
    own: Own,
    marks: Marks,
    complaints: Throttle,
}

impl Session {
    fn begin(shared: &Arc<Shared>, known: Known) -> KafkaResult<Self> {
        let mut config = shared.settings.client("consumer");
        config
            .set("group.id", &shared.settings.group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            // An offset that is not there is for us to judge, not to be passed over.
            .set("auto.offset.reset", "error")
            // Partitions that stay are read on while others move.
            .set("partition.assignment.strategy", "cooperative-sticky")
            // The shortest that brokers allow by default: who has died is replaced soon, and who was only slow is harmless.
            .set("session.timeout.ms", "6000")
            .set("heartbeat.interval.ms", "1500")
            .set("fetch.error.backoff.ms", "100")
            // What is fetched ahead is bounded, and fetched on at once when it has gone: the default waits for a second.
            .set("queued.min.messages", "20000")
            .set("queued.max.messages.kbytes", "16384")
            .set("fetch.queue.backoff.ms", "10")
            .set("debug", reads::DEBUG)
            .set_log_level(RDKafkaLogLevel::Debug);
        shared.meters.paused.store(false, Ordering::Relaxed);
        let client: BaseConsumer<Desk> = config.create_with_context(Desk::new(shared.clone(), known))?;
        client.subscribe(&[&shared.settings.topic])?;
        Ok(Self {
            shared: shared.clone(),
            known,
            client,
            batch: Vec::with_capacity(BATCH_MAX),
            rewinds: BTreeMap::new(),
            is_paused: false,
            seeks_failed: 0,
            placed: Stopwatch::start(),
            committed: Stopwatch::start(),
            own: Own::default(),
            marks: Marks::new(),
            complaints: Throttle::default(),
        })
    }

    /// Reads until something ends it, and leaves the group: the partitions go to the other replicas at once.
    fn finish(mut self) -> Ended {
        let ended = self.run();
        let desk = self.desk();
        drop(self.client);
        for partition in desk.places().into_keys() {
            self.shared.topic.forget(partition);
        }
        lock(&self.shared.meters.next).clear();
        ended
    }

    fn desk(&self) -> Arc<Desk> {
        self.client.context().clone()
    }

    fn run(&mut self) -> Ended {
        loop {
            if self.shared.is_stopping() {
                return Ended::Stopped;
            }
            let (now, before) = (self.shared.known(), self.known);
            if now.is_none_or(|now| now.identity.id != before.identity.id) {
                return Ended::AnotherTopic;
            }
            if now.is_some_and(|now| now.brokers_found != before.brokers_found) {
                return Ended::Failed("the brokers are elsewhere".to_owned());
            }
            if let Some(why) = self.desk().failed() {
                return Ended::Failed(why);
            }
            let room = self.room();
            let gathered = self.gather(room.min(BATCH_MAX));
            if let Err(why) = gathered.and_then(|()| self.rewind()).and_then(|()| self.place()) {
                return Ended::Failed(why);
            }
            if let Err(why) = self.confirm() {
                return Ended::Failed(why);
            }
            self.hand_over();
            self.commit();
            if let Some(why) = self.own.restored(&self.shared) {
                self.shared.fail(why);
                return Ended::Stopped;
            }
        }
    }

    /// How many messages may be handed over. Where there is no room for a while, reading is paused; the client is asked
    /// all the same, so that the group does not take it for dead.
    fn room(&mut self) -> usize {
        let since = Stopwatch::start();
        loop {
            let room = self.shared.topic.room();
            let is_enough = if self.is_paused { room >= ROOM_RESUME } else { room > 0 };
            if is_enough && self.is_paused {
                self.pause(false);
            }
            if is_enough {
                return room;
            }
            if self.is_paused || self.shared.is_stopping() {
                return 0;
            }
            if since.elapsed() >= PAUSE_AFTER {
                self.pause(true);
                return 0;
            }
            self.shared.bells.consumer.wait(ROOM_LOOK_EVERY);
        }
    }

    /// Pauses or resumes what is read here; what waits for its place is paused anyway.
    fn pause(&mut self, pause: bool) {
        let list = self.list(|place| place != Place::Unknown);
        let done = if pause { self.client.pause(&list) } else { self.client.resume(&list) };
        match done {
            Ok(()) => {
                self.is_paused = pause;
                self.shared.meters.paused.store(pause, Ordering::Relaxed);
                tracing::info!(pause, "the shards are behind: reading is paused, or goes on");
            }
            Err(error) => tracing::warn!(%error, pause, "reading could not be paused or resumed"),
        }
    }

    fn list(&self, wanted: impl Fn(Place) -> bool) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for (partition, place) in self.desk().places() {
            if wanted(place) {
                list.add_partition(&self.shared.settings.topic, i32::try_from(partition).unwrap_or(i32::MAX));
            }
        }
        list
    }

    /// Takes messages from the client: waits for the first, and then takes what is there.
    fn gather(&mut self, limit: usize) -> Result<(), String> {
        let mut wait = WAIT;
        loop {
            let client = &self.client;
            let polled = client.poll(wait);
            let is_none = polled.is_none();
            let message = polled.transpose();
            // Partitions may have gone with this very question.
            let desk = client.context();
            let gone = desk.take_gone();
            if !gone.is_empty() {
                self.batch.retain(|message| !gone.contains(&message.partition));
            }
            match message {
                Ok(Some(message)) => {
                    let message = read(&self.shared, self.known, desk, &message, &mut self.own);
                    self.batch.extend(message);
                }
                Ok(None) => {}
                Err(error) => self.judge(&error)?,
            }
            if is_none {
                self.batch.extend(self.marks.passed(&self.shared, &self.client));
            }
            if is_none || self.batch.len() >= limit {
                return Ok(());
            }
            wait = Duration::ZERO;
        }
    }

    /// What an error means: most pass by themselves.
    fn judge(&self, error: &KafkaError) -> Result<(), String> {
        if let KafkaError::MessageConsumptionFatal(code) = error {
            return Err(format!("the client can go no further: {code}"));
        }
        let is_nowhere = error.rdkafka_error_code().is_some_and(|code| NOWHERE.contains(&code));
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::LogTruncation) {
            self.shared.note_truncated(self.known.identity.id);
        }
        if is_nowhere {
            return Err(format!("the topic has no message where it was to be read on: {error}"));
        }
        if self.complaints.lets_pass("consumer") {
            tracing::warn!(%error, "reading the topic");
        }
        self.shared.bells.inquiry.ring();
        Ok(())
    }

    /// Goes to where the shards want to read again.
    fn rewind(&mut self) -> Result<(), String> {
        self.rewinds.extend(self.shared.topic.take_rewinds());
        let desk = self.desk();
        let wanted = std::mem::take(&mut self.rewinds);
        for (partition, next) in wanted {
            // One that is not read here, or not yet, begins at its rows.
            let Some(Place::Next(_)) = desk.place(partition) else { continue };
            self.batch.retain(|message| message.partition != partition);
            count(&self.shared.meters.rewinds, 1);
            tracing::info!(partition, next, "a partition is read again from what its shards have stored");
            self.go(partition, next)?;
        }
        Ok(())
    }

    /// Goes on from there. Right after partitions have moved, a client may not be able yet to go where it is sent: nothing of the
    /// partition is read then, and it is tried again from its rows.
    fn go(&mut self, partition: u32, next: u64) -> Result<(), String> {
        let desk = self.desk();
        let Err(why) = self.seek(partition, next) else {
            desk.gone_to(partition, next);
            self.seeks_failed = 0;
            return Ok(());
        };
        self.seeks_failed += 1;
        if self.seeks_failed > SEEKS_FAILED_MAX || self.shared.is_stopping() {
            // The next client begins at the rows.
            return Err(why);
        }
        tracing::debug!(why, "it is tried again");
        desk.set(partition, Place::Unknown);
        let list = self.list(|place| place == Place::Unknown);
        self.client.pause(&list).map_err(|error| error.to_string())
    }

    fn seek(&self, partition: u32, next: u64) -> Result<(), String> {
        let number = i32::try_from(partition).unwrap_or(i32::MAX);
        let offset = self.desk().offset(partition, next);
        let sought = self.client.seek(&self.shared.settings.topic, number, offset, SEEK_PATIENCE);
        sought.map_err(|error| format!("partition {partition} could not be read again from {next}: {error}"))
    }

    /// Asks the database again from where to read, for partitions that came while it was away.
    fn place(&mut self) -> Result<(), String> {
        if self.placed.elapsed() < PLACE_EVERY {
            return Ok(());
        }
        self.placed = Stopwatch::start();
        let desk = self.desk();
        let places = desk.places();
        self.show(&places);
        let unknown: Vec<u32> = places
            .into_iter()
            .filter_map(|(partition, place)| (place == Place::Unknown).then_some(partition))
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let beginnings = match desk.beginnings(&unknown) {
            Ok(beginnings) => beginnings,
            Err(error) => {
                desk.complain(&error);
                return Ok(());
            }
        };
        for (partition, next) in beginnings {
            self.go(partition, next)?;
        }
        let places = desk.places();
        self.show(&places);
        if self.is_paused {
            return Ok(());
        }
        let is_placed = |partition: &u32| places.get(partition).is_some_and(|place| *place != Place::Unknown);
        let mut list = TopicPartitionList::new();
        for partition in unknown.iter().filter(|partition| is_placed(partition)) {
            list.add_partition(&self.shared.settings.topic, i32::try_from(*partition).unwrap_or(i32::MAX));
        }
        self.client.resume(&list).map_err(|error| error.to_string())
    }

    fn show(&self, places: &BTreeMap<u32, Place>) {
        let next = |place: &Place| match place {
            Place::Unknown => None,
            Place::Next(next) => Some(*next),
        };
        *lock(&self.shared.meters.next) =
            places.iter().map(|(partition, place)| (*partition, next(place))).collect();
    }

    /// Whether what was read is of the topic that it is taken for: see [`reads`].
    fn confirm(&self) -> Result<(), String> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let other = || Err("the client has gone over to another topic of this name".to_owned());
        match self.desk().reads() {
            Some(topic) if topic == self.known.topic => Ok(()),
            Some(_) => other(),
            // Asked after it came, a broker would tell of another topic if it came of another.
            None => match describe(self.client.client(), &self.shared.settings.topic, DESCRIBE_PATIENCE) {
                Ok(Some(description)) if topic_id(description) == self.known.topic => Ok(()),
                Ok(_) => other(),
                Err(error) => Err(error.to_string()),
            },
        }
    }

    fn hand_over(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        count(&self.shared.meters.read, self.batch.len() as u64);
        let id = self.known.identity.id;
        self.shared.topic.push(id, &self.batch);
        let mut ends: BTreeMap<u32, u64> = BTreeMap::new();
        for message in self.batch.drain(..) {
            ends.insert(message.partition, message.next);
        }
        for (partition, next) in ends {
            self.shared.note_least(id, partition, next);
        }
    }

    /// Notes at the brokers how far the shards are. Nothing begins there; tools show it.
    fn commit(&mut self) {
        if self.committed.elapsed() < COMMIT_EVERY {
            return;
        }
        self.committed = Stopwatch::start();
        let desk = self.desk();
        let partitions: Vec<u32> = desk.places().into_keys().collect();
        let Ok(stored) = desk.beginnings(&partitions) else { return };
        let mut list = TopicPartitionList::new();
        for (partition, next) in stored.into_iter().filter(|(_, next)| *next > 0) {
            let offset = Offset::Offset(i64::try_from(next).unwrap_or(i64::MAX));
            let number = i32::try_from(partition).unwrap_or(i32::MAX);
            if let Err(error) = list.add_partition_offset(&self.shared.settings.topic, number, offset) {
                tracing::debug!(%error, "an offset is not noted");
            }
        }
        if list.count() > 0
            && let Err(error) = self.client.commit(&list, CommitMode::Async)
        {
            tracing::debug!(%error, "how far the shards are is not noted at the brokers");
        }
    }
}

/// A message as the shards are told it; `None` where it is not for them: its partition has gone, or it came twice.
fn read(
    shared: &Shared,
    known: Known,
    desk: &Desk,
    message: &BorrowedMessage<'_>,
    own: &mut Own,
) -> Option<Message> {
    let partition = u32::try_from(message.partition()).ok()?;
    let offset = u64::try_from(message.offset()).ok()?;
    let Some(Place::Next(after)) = desk.place(partition) else { return None };
    if offset < after {
        return None;
    }
    let next = offset + 1;
    desk.set(partition, Place::Next(next));
    let packet = message::packet(message);
    let spread = message::spread(&packet).unwrap_or_default();
    let place = wire::Place { topic: known.identity.id, partition, offset };
    let event = if message::meant_for(&packet).is_some_and(|topic| topic != known.topic) {
        // It was on its way to a topic of this name that is no more. It is told again, or we are the ones who do not know
        // yet that there is another.
        shared.bells.inquiry.ring();
        None
    } else {
        shared.wire.read(&packet, &place)
    };
    let event = event.filter(|event| {
        let is_own = event.source.service == shared.topic.service();
        if is_own {
            own.note(event, shared);
        }
        !is_own
    });
    Some(Message { partition, after, next, event: event.map(Arc::new), spread })
}
