//! `taxisvc events`: what happened and happens, one line each, read from where they are stored.

mod begin;
mod topic;

use super::explain::call_id;
use super::look::look;
use super::print::Out;
use crate::config::Config;
use crate::edge::runtime;
use anyhow::{Context, anyhow, bail};
use engine::log::Recorded;
use engine::store::Stored;
use operator::events::{BeginError, CursorError, Envelope, Filter, Log, Merge, known_types, logs};
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use taxi::id::CallId;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

/// How often the logs are looked at for more.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Events that are shown of the past when nobody says from where, and nobody follows.
const LAST: usize = 10;

const HELP: &str = "\
Examples:
  taxisvc events                                    the last ten
  taxisvc events --follow                           what happens from now on
  taxisvc events --from-beginning --type FarePaid,FareRefunded --json
  taxisvc events --from payment/0/17 --follow       from that one on; of the other logs, from its time on
  taxisvc events --from-beginning --call 7 --private
  taxisvc events --topic --from 3/41                the message at offset 41 of partition 3, and what comes after it

Read from the data directory, or the services' databases, whether or not anybody writes them. Each service keeps its events in order; those of several \
services are put in order by time, and none before the one that led to it. Private events are what a service notes for \
itself and tells nobody. With --json, each line is one object. Ctrl-C ends it.

With --topic, what the services tell each other on the topic of Kafka is read instead, each partition's in order, with \
partition and offset and the log in front. Nobody else's reading is touched.

Exit codes: 0, also when it is ended or nobody reads on; 1 when the data or the topic cannot be read, or there is no such event.";

#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = HELP)]
pub(crate) struct Options {
    /// Begin with the first event of all
    #[arg(long, conflicts_with_all = ["from", "last"])]
    from_beginning: bool,
    /// Begin with this event, payment/0/17 or a Taxisvc-Position; or after an id of GET /events. With --topic, with a
    /// message: 3/41
    #[arg(long, value_name = "POSITION", conflicts_with = "last")]
    from: Option<String>,
    /// Begin with the last so many [default: 10, or with --follow none]
    #[arg(long, value_name = "N")]
    last: Option<usize>,
    /// Go on with what happens
    #[arg(long)]
    follow: bool,
    /// Only these types
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',')]
    types: Vec<String>,
    /// Only those of this call
    #[arg(long, value_name = "CALL_ID", value_parser = call_id)]
    call: Option<CallId>,
    /// Also those that a service notes for itself
    #[arg(long, conflicts_with = "topic")]
    private: bool,
    /// Read the topic of Kafka
    #[arg(long)]
    topic: bool,
    /// An object a line
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(config: &Config, options: &Options) -> anyhow::Result<ExitCode> {
    options.check_types()?;
    if options.topic {
        return topic::run(config, options);
    }
    let logs = logs(&look(config)?.readers)?;
    let from = begin::begin(&logs, options)?;
    // Without --follow, it ends with what is there when it begins.
    let ends = Ends::of(&logs, options.follow)?;
    let mut merge = Merge::begin(logs, &from).map_err(begin_error)?;
    let mut telling = Telling { options, filter: options.filter(), out: Out::lines(), ends };
    if telling.tell_all(&mut merge)?.is_continue() && options.follow {
        follow(&mut merge, &mut telling)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn begin_error(error: BeginError) -> anyhow::Error {
    match error {
        BeginError::Cursor(CursorError::Malformed) => {
            anyhow!("--from names no event: say payment/0/17, or an id that GET /events gave")
        }
        BeginError::Cursor(CursorError::OtherLog) => {
            anyhow!("--from belongs to another log: the data was restored, or is another's")
        }
        BeginError::Store(error) => error.into(),
    }
}

/// Where each log ended at the beginning; nothing when that is no end.
struct Ends(Vec<(String, u16, u64)>);

impl Ends {
    fn of(logs: &[Arc<dyn Log>], follow: bool) -> Stored<Self> {
        let end = |log: &Arc<dyn Log>| {
            let source = log.source();
            Ok((source.service.to_string(), source.shard, log.last()?))
        };
        let wanted = if follow { &[] } else { logs };
        wanted.iter().map(end).collect::<Stored<_>>().map(Self)
    }

    fn is_beyond(&self, event: &Recorded) -> bool {
        let source = &event.source;
        let is_past = |(service, shard, end): &(String, u16, u64)| {
            *service == source.service && *shard == source.shard && event.position > *end
        };
        self.0.iter().any(is_past)
    }
}

impl Options {
    /// One that is misspelt would never come.
    fn check_types(&self) -> anyhow::Result<()> {
        let (all, published) = (known_types(true), known_types(false));
        for wanted in self.types.iter().map(String::as_str) {
            if !all.contains(&wanted) {
                let known = if self.private { all } else { published };
                bail!("{wanted:?} is no type of event; they are {}", known.join(", "));
            }
            if !self.private && !published.contains(&wanted) {
                bail!("{wanted} is what a service notes for itself: add --private");
            }
        }
        Ok(())
    }

    fn filter(&self) -> Filter {
        Filter {
            types: Some(self.types.clone()).filter(|types| !types.is_empty()),
            services: None,
            call_ids: self.call.map(|call_id| [call_id.get()].into()),
            with_private: self.private,
        }
    }

    fn last(&self) -> usize {
        self.last.unwrap_or(if self.follow { 0 } else { LAST })
    }
}

struct Telling<'a> {
    options: &'a Options,
    filter: Filter,
    out: Out,
    ends: Ends,
}

impl Telling<'_> {
    /// Tells all that there is, up to the end; breaks off when nobody reads on.
    fn tell_all(&mut self, merge: &mut Merge) -> anyhow::Result<ControlFlow<()>> {
        loop {
            let mut lines = Vec::new();
            let mut is_over = false;
            let is_at_end = merge.chunk(&self.filter, &mut |event, _| {
                is_over |= self.ends.is_beyond(event);
                if !self.ends.is_beyond(event) {
                    lines.push(Envelope::of(event));
                }
            })?;
            for envelope in &lines {
                if self.tell(envelope)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            if is_at_end || is_over {
                return self.out.flush();
            }
        }
    }

    fn tell(&mut self, envelope: &Envelope) -> anyhow::Result<ControlFlow<()>> {
        let line = if self.options.json { serde_json::to_string(envelope)? } else { envelope.to_string() };
        self.out.line(&line)
    }
}

/// Looks for more until it is told to end, or nobody reads on.
fn follow(merge: &mut Merge, telling: &mut Telling<'_>) -> anyhow::Result<()> {
    runtime()?.block_on(async {
        let listen = |kind| signal(kind).context("cannot listen to the signals that stop a process");
        let (mut interrupt, mut terminate) =
            (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = interrupt.recv() => return Ok(()),
                _ = terminate.recv() => return Ok(()),
                _ = ticks.tick() => {}
            }
            if telling.out.is_closed() || telling.tell_all(merge)?.is_break() {
                return Ok(());
            }
        }
    })
}
