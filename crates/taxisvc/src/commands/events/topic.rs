//! `taxisvc events --topic`: what lies on the topic of Kafka, read by somebody who takes part in nothing.

use super::Options;
use crate::commands::print::Out;
use crate::config::Config;
use crate::edge::runtime;
use crate::kafka;
use anyhow::{Context, bail};
use engine::clock::Timestamp;
use engine::log::Recorded;
use engine::store::Visit;
use engine::wire::Place;
use engine_kafka::scan::{ScanFrom, Sight, scan};
use operator::events::{Envelope, Filter};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{SignalKind, signal};

/// What the group that is never joined is named after.
const READER: &str = "events";
/// So many times as far is gone back where too few were found.
const FURTHER_BACK: u64 = 8;

/// An event, and where on the topic it lies.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    partition: u32,
    offset: u64,
    /// The log of the service whose event it is; the topic's own, where the message names none.
    log: String,
    #[serde(flatten)]
    envelope: Envelope,
}

/// `3/41  00000000deadbeef  2026-11-23T22:21:06.964Z  payment/2/17  FarePaid  …`
impl fmt::Display for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, offset, log, envelope } = self;
        write!(formatter, "{partition}/{offset}  {log}  {envelope}")
    }
}

pub(super) fn run(config: &Config, options: &Options) -> anyhow::Result<ExitCode> {
    let topic = Topic { config, is_over: signalled()? };
    let begin = match &options.from {
        Some(text) => {
            let (partition, offset) = named(text)?;
            let Some(at) = topic.time_of(partition, offset)? else {
                bail!("there is no message {text}: its partition ends before it")
            };
            Begin::From { partition, offset, at }
        }
        None if options.from_beginning => Begin::Beginning,
        None => Begin::Last(options.last()),
    };
    let from = match &begin {
        Begin::Last(0) => ScanFrom::End,
        Begin::Last(wanted) => topic.near_the_ends(*wanted, &options.filter())?,
        Begin::Beginning => ScanFrom::Beginning,
        Begin::From { partition, offset, .. } => ScanFrom::Offsets(BTreeMap::from([(*partition, *offset)])),
    };
    let mut telling = Telling {
        options,
        filter: options.filter(),
        out: Out::lines(),
        begin,
        kept: BTreeMap::new(),
        is_caught_up: false,
    };
    let mut failure = None;
    topic.scan(&from, &mut |sight| {
        let visit = telling.see(&sight);
        visit.unwrap_or_else(|error| {
            failure = Some(error);
            Visit::Enough
        })
    })?;
    failure.map_or(Ok(ExitCode::SUCCESS), Err)
}

/// The partition and the offset of `3/41`.
fn named(text: &str) -> anyhow::Result<(u32, u64)> {
    let unknown = || format!("{text:?} names no message: 3/41 is the one at offset 41 of partition 3");
    let (partition, offset) = text.split_once('/').with_context(unknown)?;
    Ok((partition.parse().with_context(unknown)?, offset.parse().with_context(unknown)?))
}

/// Becomes true when the process is told to end.
fn signalled() -> anyhow::Result<Arc<AtomicBool>> {
    let is_over = Arc::new(AtomicBool::new(false));
    let ending = is_over.clone();
    let runtime = runtime()?;
    let (mut interrupt, mut terminate) = runtime.block_on(async {
        let listen = |kind| signal(kind).context("cannot listen to the signals that stop a process");
        Ok::<_, anyhow::Error>((listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?))
    })?;
    let wait = move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        ending.store(true, Ordering::SeqCst);
    };
    // It ends with the process.
    std::thread::Builder::new().name("signals".to_owned()).spawn(wait).context("cannot start a thread")?;
    Ok(is_over)
}

/// What was read of a partition up to its end.
struct Tail {
    first: u64,
    /// How many of them are to be shown.
    wanted: usize,
}

struct Topic<'a> {
    config: &'a Config,
    is_over: Arc<AtomicBool>,
}

impl Topic<'_> {
    fn scan(&self, from: &ScanFrom, visit: &mut dyn FnMut(Sight<'_>) -> Visit) -> anyhow::Result<()> {
        let (settings, wire) = (kafka::settings(self.config, READER), kafka::wire(self.config));
        let scanned = scan(&settings, &wire, from, &mut |sight| {
            if self.is_over.load(Ordering::SeqCst) { Visit::Enough } else { visit(sight) }
        });
        let kafka = &self.config.kafka;
        scanned.with_context(|| format!("cannot read the topic {:?} at {}", kafka.topic, kafka.brokers))
    }

    /// Where so many of the latest are to be read from, of each partition: further and further back, until it has them or
    /// there are no more.
    fn near_the_ends(&self, wanted: usize, filter: &Filter) -> anyhow::Result<ScanFrom> {
        let mut back = u64::try_from(wanted).unwrap_or(u64::MAX);
        let mut before: BTreeMap<u32, Tail> = BTreeMap::new();
        loop {
            let mut tails: BTreeMap<u32, Tail> = BTreeMap::new();
            self.scan(&ScanFrom::BeforeEnds(back), &mut |sight| match sight {
                Sight::Message { place, event, .. } => {
                    let tail =
                        tails.entry(place.partition).or_insert(Tail { first: place.offset, wanted: 0 });
                    tail.wanted += usize::from(event.is_some_and(|event| filter.takes(event)));
                    Visit::On
                }
                Sight::Nothing => Visit::On,
                Sight::CaughtUp => Visit::Enough,
            })?;
            let is_whole = |partition: &u32, tail: &Tail| {
                before.get(partition).is_some_and(|before| before.first == tail.first)
            };
            let mut of_each = tails.iter();
            if of_each.all(|(partition, tail)| tail.wanted >= wanted || is_whole(partition, tail)) {
                let firsts = tails.into_iter().map(|(partition, tail)| (partition, tail.first));
                return Ok(ScanFrom::Offsets(firsts.collect()));
            }
            before = tails;
            back = back.saturating_mul(FURTHER_BACK);
        }
    }

    /// When the first message of a partition from an offset on happened; nothing where there is none.
    fn time_of(&self, partition: u32, offset: u64) -> anyhow::Result<Option<Timestamp>> {
        let mut found = None;
        let from = ScanFrom::Offsets(BTreeMap::from([(partition, offset)]));
        self.scan(&from, &mut |sight| match sight {
            Sight::Message { place, packet, event } if place.partition == partition => {
                let at = event.map(|event| event.at).or(packet.at);
                found = at.filter(|_| place.offset >= offset);
                if found.is_some() { Visit::Enough } else { Visit::On }
            }
            Sight::Message { .. } | Sight::Nothing => Visit::On,
            Sight::CaughtUp => Visit::Enough,
        })?;
        Ok(found)
    }
}

/// What is shown of that which is there already.
enum Begin {
    Beginning,
    /// With this message, and in the other partitions with what happened at its time or later.
    From {
        partition: u32,
        offset: u64,
        at: Timestamp,
    },
    /// So many of the latest.
    Last(usize),
}

struct Telling<'a> {
    options: &'a Options,
    filter: Filter,
    out: Out,
    begin: Begin,
    /// The last ones of each partition, until all that is there was read.
    kept: BTreeMap<u32, VecDeque<Line>>,
    is_caught_up: bool,
}

impl Telling<'_> {
    fn see(&mut self, sight: &Sight<'_>) -> anyhow::Result<Visit> {
        match sight {
            Sight::Message { place, event, .. } => match event.filter(|event| self.is_wanted(place, event)) {
                Some(event) => self.take(place, event),
                None => Ok(Visit::On),
            },
            Sight::CaughtUp => {
                self.is_caught_up = true;
                self.tell_kept()?;
                let is_read = self.out.flush()?.is_continue();
                Ok(if is_read && self.options.follow { Visit::On } else { Visit::Enough })
            }
            Sight::Nothing => {
                let is_read = self.out.flush()?.is_continue() && !self.out.is_closed();
                Ok(if is_read { Visit::On } else { Visit::Enough })
            }
        }
    }

    fn is_wanted(&self, place: &Place, event: &Recorded) -> bool {
        let is_late_enough = match &self.begin {
            Begin::Beginning | Begin::Last(_) => true,
            Begin::From { partition, at, .. } => place.partition == *partition || event.at >= *at,
        };
        is_late_enough && self.filter.takes(event)
    }

    fn take(&mut self, place: &Place, event: &Recorded) -> anyhow::Result<Visit> {
        let line = Line {
            partition: place.partition,
            offset: place.offset,
            log: event.source.log.to_string(),
            envelope: Envelope::of(event),
        };
        match self.begin {
            Begin::Last(wanted) if !self.is_caught_up => {
                let kept = self.kept.entry(line.partition).or_default();
                kept.push_back(line);
                if kept.len() > wanted {
                    kept.pop_front();
                }
                Ok(Visit::On)
            }
            Begin::Beginning | Begin::From { .. } | Begin::Last(_) => self.tell(&line),
        }
    }

    /// The latest of all partitions, by their time; those of a partition in its order.
    fn tell_kept(&mut self) -> anyhow::Result<()> {
        let Begin::Last(wanted) = self.begin else { return Ok(()) };
        let mut kept = std::mem::take(&mut self.kept);
        let mut latest = Vec::new();
        while latest.len() < wanted {
            let last_at = |lines: &VecDeque<Line>| lines.back().map(|line| line.envelope.at);
            let Some(lines) = kept.values_mut().max_by_key(|lines| last_at(lines)) else { break };
            let Some(line) = lines.pop_back() else { break };
            latest.push(line);
        }
        for line in latest.iter().rev() {
            if self.tell(line)? == Visit::Enough {
                break;
            }
        }
        Ok(())
    }

    fn tell(&mut self, line: &Line) -> anyhow::Result<Visit> {
        let text = if self.options.json { serde_json::to_string(line)? } else { line.to_string() };
        Ok(if self.out.line(&text)?.is_continue() { Visit::On } else { Visit::Enough })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_named_by_partition_and_offset() {
        assert_eq!(named("3/41").unwrap(), (3, 41));
        for wrong in ["", "3", "3/", "/41", "payment/0/17", "3/-1", "x/1"] {
            let error = named(wrong).unwrap_err().to_string();
            assert!(error.contains("names no message"), "{error}");
        }
    }
}
