//! Which topic it is: asked again and again, made where there is none, looked over where there is one.

use crate::admin;
use crate::context::{Ears, Throttle, lock};
use crate::refusal::{Heard, explain};
use crate::shared::{
    GENERATIONS_MAX, Known, MESSAGE_BYTES_DEFAULT, Rows, Shared, Span, count, generation, last_generation,
};
use engine::clock::Stopwatch;
use engine::log::LogId;
use engine::topic::{Identity, read_key, topics_of};
use kafka_topic_id::{Description, describe};
use rdkafka::producer::{BaseProducer, Producer};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often it is asked where the partitions end, which shows that a broker answers.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// How often it is asked which topic it is.
const DESCRIBE_EVERY: Duration = Duration::from_secs(3);
/// How often it is asked what the topic is set to.
const CONFIGURATION_EVERY: Duration = Duration::from_secs(15);
/// How often the rows of the inbox are looked at.
const ROWS_EVERY: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(3);
/// How long brokers may be away before they are looked for again at the addresses of the settings.
const AWAY_MAX: Duration = Duration::from_secs(30);
/// How often in a row a partition must end before what was read of it, until that is believed.
const SHORT_MAX: u32 = 3;

/// Why nothing was learnt.
#[derive(Debug, thiserror::Error)]
enum Ignorance {
    #[error("the brokers cannot be asked: {0}")]
    Brokers(String),
    #[error("there is no topic {0:?} yet: it is being made")]
    NoTopic(String),
    #[error("the topic {0:?} cannot be made: {1}")]
    NotMade(String, String),
    #[error("{0}")]
    Store(String),
}

pub(crate) struct Inquiry {
    shared: Arc<Shared>,
    client: BaseProducer<Ears>,
    /// Since when no broker has answered, or since they were looked for anew.
    away: Option<Stopwatch>,
    /// How often they were looked for anew and found.
    found: u64,
    is_looking: bool,
    described: Option<(Stopwatch, Description)>,
    configured: Option<(Stopwatch, admin::Configuration)>,
    /// How often in a row a partition was found too short.
    short: u32,
    /// The most partitions that the topic was ever seen with: one that is made anew has as many.
    partitions_most: u32,
    complaints: Throttle,
    is_complaining: bool,
    rows_read: Option<Stopwatch>,
    said: Option<(Description, admin::Configuration)>,
}

impl Inquiry {
    pub(crate) fn new(shared: Arc<Shared>, client: BaseProducer<Ears>) -> Self {
        Self {
            shared,
            client,
            away: None,
            found: 0,
            is_looking: false,
            described: None,
            configured: None,
            short: 0,
            partitions_most: 0,
            complaints: Throttle::default(),
            is_complaining: false,
            rows_read: None,
            said: None,
        }
    }

    pub(crate) fn run(mut self) {
        while !self.shared.is_stopping() {
            let asked = self.ask();
            self.shared.meters.connected.store(asked.is_ok(), Ordering::Relaxed);
            match asked {
                Ok(()) if self.is_complaining => {
                    tracing::info!(topic = self.shared.settings.topic, "Kafka answers again");
                    self.is_complaining = false;
                }
                Ok(()) => {}
                // It is asked again at once, and is no trouble.
                Err(Ignorance::NoTopic(topic)) => {
                    tracing::debug!(topic, "there is no topic yet: it is being made")
                }
                Err(why) => {
                    let why = self.explained(why);
                    if matches!(why, Ignorance::Brokers(_)) {
                        self.look_for_brokers();
                    }
                    if !self.is_complaining || self.complaints.lets_pass("inquiry") {
                        tracing::warn!("{why}");
                    }
                    self.is_complaining = true;
                }
            }
            self.client.poll(Duration::ZERO);
            self.shared.bells.inquiry.wait(ASK_EVERY);
        }
    }

    /// That no broker answers may be because of a setting that they do not agree with.
    fn explained(&self, why: Ignorance) -> Ignorance {
        match why {
            Ignorance::Brokers(why) => {
                let why = explain(&self.shared.settings, &self.client, why);
                let is_refused = matches!(self.client.client().context().heard(), Heard::Refused(_));
                *lock(&self.shared.meters.not_let_in) = is_refused.then(|| why.clone());
                Ignorance::Brokers(why)
            }
            Ignorance::NoTopic(_) | Ignorance::NotMade(_, _) | Ignorance::Store(_) => why,
        }
    }

    /// A client knows the brokers that it has met, and no others. Where they all have gone somewhere else, one that begins at
    /// the addresses of the settings finds them; all others are begun anew then too. (The client would do so by itself, and
    /// without any pause as long as no broker is there: `metadata.recovery.strategy`.)
    fn look_for_brokers(&mut self) {
        let since = self.away.get_or_insert_with(Stopwatch::start);
        if since.elapsed() < AWAY_MAX {
            return;
        }
        self.away = Some(Stopwatch::start());
        match self.shared.settings.asking_client("inquiry").create_with_context(Ears::of("inquiry")) {
            Ok(client) => (self.client, self.is_looking) = (client, true),
            Err(error) => tracing::warn!(%error, "a client cannot be begun"),
        }
    }

    fn ask(&mut self) -> Result<(), Ignorance> {
        // What there must be is looked at before where the partitions end, or it would run ahead of that.
        let least = self.shared.least();
        let description = self.describe()?;
        let configuration = self.configuration(description)?;
        let topic = topic_id(description);
        let spans = self.spans(description.partitions)?;
        let known = self.shared.known().filter(|known| known.topic == topic);
        let id = match &known {
            Some(known)
                if self.is_too_short(&least, &spans) || self.shared.take_truncated(known.identity.id) =>
            {
                self.next_generation(topic, known.identity.id)
            }
            Some(known) => known.identity.id,
            None => topic,
        };
        let rows = self.rows(known.is_none())?;
        let id = newer(topic, id, rows.as_deref());
        // Before this process began, the rows alone know which one it was.
        let is_another = match self.shared.known() {
            Some(_) => known.is_none(),
            None => rows.as_deref().is_some_and(|rows| is_another(topic, rows)),
        };
        if is_another {
            self.alarm_of_another();
        }
        let identity = Identity { id, partitions: description.partitions };
        let message_bytes_max = configuration.message_bytes_max.unwrap_or(MESSAGE_BYTES_DEFAULT);
        let bounds: Vec<_> =
            spans.iter().map(|(partition, span)| (*partition, span.low..span.high)).collect();
        self.away = None;
        self.found += u64::from(std::mem::take(&mut self.is_looking));
        self.shared.learn(Known { topic, identity, message_bytes_max, brokers_found: self.found }, spans);
        for (partition, bounds) in bounds {
            self.shared.topic.note_span(partition, bounds);
        }
        for (key, next) in rows.iter().flatten().flatten() {
            if *key == read_key(id, key.partition) {
                self.shared.note_least(id, key.partition, *next);
            }
        }
        self.say(description, &configuration);
        Ok(())
    }

    /// What the rows say, now and then: other replicas read other partitions, and may have found out what we have not.
    fn rows(&mut self, is_first_sight: bool) -> Result<Option<Vec<Rows>>, Ignorance> {
        if !is_first_sight && self.rows_read.is_some_and(|since| since.elapsed() < ROWS_EVERY) {
            return Ok(None);
        }
        match self.shared.rows() {
            Ok(rows) => {
                self.rows_read = Some(Stopwatch::start());
                Ok(Some(rows))
            }
            // Without them it is not known where reading and telling begin.
            Err(error) if is_first_sight => Err(Ignorance::Store(error.to_string())),
            Err(_) => Ok(None),
        }
    }

    /// What the broker says of the topic; one that is not there is made.
    fn describe(&mut self) -> Result<Description, Ignorance> {
        if let Some((since, description)) = &self.described
            && since.elapsed() < DESCRIBE_EVERY
            && self.shared.known().is_some()
        {
            return Ok(*description);
        }
        let shared = self.shared.clone();
        let topic = &shared.settings.topic;
        let described = describe(self.client.client(), topic, PATIENCE);
        let described = described.map_err(|error| Ignorance::Brokers(error.to_string()))?;
        self.client.client().context().believe(Heard::LetIn);
        match described {
            Some(description) if description.partitions > 0 => {
                self.partitions_most = self.partitions_most.max(description.partitions);
                self.described = Some((Stopwatch::start(), description));
                Ok(description)
            }
            Some(_) | None => {
                self.described = None;
                self.configured = None;
                let partitions = self.partitions_most.max(self.shared.settings.partitions);
                let is_made = admin::create(&self.shared.settings, partitions)
                    .map_err(|error| Ignorance::NotMade(topic.clone(), error))?;
                if is_made {
                    tracing::info!(topic, partitions, "there was no such topic: it was made");
                }
                self.shared.bells.inquiry.ring();
                Err(Ignorance::NoTopic(topic.clone()))
            }
        }
    }

    /// What the topic is set to, as far as it is told: that is a right of its own at brokers, and can be denied. Before one has
    /// answered nothing is told, or what is too long would be found out only by a refusal, or not at all.
    fn configuration(&mut self, description: Description) -> Result<admin::Configuration, Ignorance> {
        if let Some((since, configuration)) = &self.configured
            && since.elapsed() < CONFIGURATION_EVERY
            && self.described.as_ref().is_some_and(|(_, before)| before.id == description.id)
            && !self.shared.wants_configuration()
        {
            return Ok(configuration.clone());
        }
        match admin::configuration(&self.shared.settings) {
            Ok(configuration) => {
                self.configured = Some((Stopwatch::start(), configuration.clone()));
                Ok(configuration)
            }
            Err(why) => {
                let before = self.configured.as_ref().map(|(_, before)| before.clone());
                before.ok_or(Ignorance::Brokers(why))
            }
        }
    }

    fn spans(&mut self, partitions: u32) -> Result<BTreeMap<u32, Span>, Ignorance> {
        let mut spans = BTreeMap::new();
        for partition in 0..partitions {
            let number = i32::try_from(partition).unwrap_or(i32::MAX);
            let asked = self.client.client().fetch_watermarks(&self.shared.settings.topic, number, PATIENCE);
            let (low, high) = asked.map_err(|error| {
                // The topic may be gone, so that what was told of it last is not believed.
                self.described = None;
                Ignorance::Brokers(format!("where partition {partition} ends is not told: {error}"))
            })?;
            let offset = |raw: i64| u64::try_from(raw).unwrap_or(0);
            spans.insert(partition, Span { low: offset(low), high: offset(high) });
        }
        Ok(spans)
    }

    /// Whether a partition ends before what was read of it or was acknowledged by it, and has for a while: a broker that has
    /// just taken over may not know the end for a moment. Meanwhile nothing is told, or the topic may grow past what it has lost.
    fn is_too_short(&mut self, least: &BTreeMap<u32, u64>, spans: &BTreeMap<u32, Span>) -> bool {
        let is_short =
            |(partition, least): (&u32, &u64)| spans.get(partition).is_some_and(|span| span.high < *least);
        let found = least.iter().find(|(partition, least)| is_short((partition, least)));
        let Some((partition, least)) = found else {
            self.short = 0;
            self.shared.is_short.store(false, Ordering::SeqCst);
            return false;
        };
        self.short += 1;
        self.shared.is_short.store(true, Ordering::SeqCst);
        let end = spans.get(partition).map(|span| span.high);
        tracing::warn!(partition, least, end, "a partition ends before what was read of it");
        if self.short < SHORT_MAX {
            return false;
        }
        self.short = 0;
        self.shared.is_short.store(false, Ordering::SeqCst);
        true
    }

    fn next_generation(&self, topic: LogId, before: LogId) -> LogId {
        count(&self.shared.meters.resets, 1);
        tracing::error!(
            topic = self.shared.settings.topic,
            "the topic is shorter than what was read of it: a broker was restored, or lost what it had acknowledged. It is \
             read again from its beginning, and everything of our own is told to it again"
        );
        generation(topic, times(topic, before) + 1)
    }

    fn alarm_of_another(&self) {
        count(&self.shared.meters.resets, 1);
        tracing::error!(
            topic = self.shared.settings.topic,
            "this is another topic than before: it was deleted and made anew, if the settings do not name another one. It is \
             read from its beginning, and everything of our own is told to it again. What others than taxisvc had said in \
             the one before, and nobody here had read, is lost"
        );
    }

    /// What whoever runs it should know of the topic, once for each that is seen.
    fn say(&mut self, description: Description, configuration: &admin::Configuration) {
        let seen = (description, configuration.clone());
        if self.said.as_ref() == Some(&seen) {
            return;
        }
        lock(&self.shared.meters.forgets).clone_from(&configuration.forgets);
        let settings = &self.shared.settings;
        let (topic, partitions) = (&settings.topic, description.partitions);
        let id = topic_id(description);
        tracing::info!(topic, %id, partitions, replicas = description.replicas, "this is the topic");
        if partitions != settings.partitions {
            tracing::warn!(
                topic,
                partitions,
                configured = settings.partitions,
                "the topic has another count of partitions than is configured: its own is what counts"
            );
        }
        if description.replicas < u32::from(settings.replication) {
            tracing::warn!(
                topic,
                replicas = description.replicas,
                configured = settings.replication,
                "the topic has fewer copies than are configured"
            );
        }
        if let Some(forgets) = &configuration.forgets {
            tracing::warn!(
                topic,
                "the topic does not keep everything ({forgets}): it cannot be promised that the view can be made anew from it"
            );
        }
        self.said = Some(seen);
    }
}

/// The half of its id by which a topic is known.
pub(crate) fn topic_id(description: Description) -> LogId {
    LogId(u64::try_from(description.id >> 64).expect("half of 128 bits are 64"))
}

/// Whether the rows speak of topics, and this one is none of them.
fn is_another(topic: LogId, rows: &[Rows]) -> bool {
    let of_shards = rows.iter().map(|rows| topics_of(rows));
    let known: BTreeSet<LogId> = of_shards.flatten().collect();
    let is_known = |times: u64| known.contains(&generation(topic, times));
    !known.is_empty() && !(0..GENERATIONS_MAX).any(is_known)
}

/// Which generation of the topic an id is.
fn times(topic: LogId, id: LogId) -> u64 {
    (0..GENERATIONS_MAX).find(|times| generation(topic, *times) == id).unwrap_or(0)
}

/// The id that the rows know, where they are further than we are.
fn newer(topic: LogId, id: LogId, rows: Option<&[Rows]>) -> LogId {
    let Some(rows) = rows else { return id };
    generation(topic, last_generation(topic, rows).max(times(topic, id)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::topic::{heard_key, told_key};

    #[test]
    fn a_topic_is_another_one_where_the_rows_speak_of_others_alone() {
        let (topic, other) = (LogId(7), LogId(8));
        assert!(!is_another(topic, &[]), "nothing was ever read or told");
        assert!(!is_another(topic, &[Vec::new()]), "nothing was ever read or told");
        let of_other = vec![(read_key(other, 0), 5)];
        assert!(is_another(topic, std::slice::from_ref(&of_other)));
        assert!(is_another(topic, &[vec![(told_key(other, 12), 5)]]));
        let heard = heard_key(topic, 12, 3, &read_key(other, 0).source);
        assert!(is_another(topic, &[of_other.clone(), vec![(heard, 5)]]));
        for known in [topic, generation(topic, 2)] {
            // As another replica has found out already.
            assert!(!is_another(topic, &[of_other.clone(), vec![(read_key(known, 3), 1)]]));
        }
    }

    #[test]
    fn the_rows_of_other_replicas_lead_on_and_never_back() {
        let topic = LogId(7);
        let rows = [vec![(read_key(generation(topic, 1), 0), 5)]];
        assert_eq!(newer(topic, topic, None), topic);
        assert_eq!(newer(topic, topic, Some(&rows)), generation(topic, 1));
        let second = generation(topic, 2);
        assert_eq!(newer(topic, second, Some(&rows)), second);
    }
}
