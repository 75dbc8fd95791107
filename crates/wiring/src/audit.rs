//! Everything that must hold over a moment of the databases, running or not: each service by itself, then all together.

mod case;
mod checks;
mod cuts;
mod demands;
mod report;
mod told;

use crate::business::Business;
use crate::call::{self, CallService};
use crate::drive::{self, DriveService};
use crate::payment::{self, PaymentService};
use crate::provider::{self, ProviderService};
use crate::view::{self, ViewService};
use crate::{Readers, TELLING};
use case::Stories;
use checks::Checks;
use cuts::Cuts;
use engine::audit::{Audited, LogEnd, Recording, Subject};
use engine::clock::Timestamp;
use engine::log::{ShardName, Source};
use engine::store::{Reader, Snapshot, Stored};
use std::borrow::Cow;
use std::sync::Arc;
use taxi::rules::Rules;

pub use report::{Money, Report};
pub use told::Transit;

/// Past this, whatever is on its way is late: longer than any retry waits.
pub const LATE_AFTER_MS: i64 = 10 * 60 * 1_000;

/// What is looked at. Moments of different databases are not the same moment; the view's should be the oldest, so
/// that the logs hold all that it has read.
pub struct Moment<'a> {
    pub call: &'a dyn Snapshot,
    pub payment: &'a dyn Snapshot,
    /// The provider's book.
    pub provider: &'a dyn Snapshot,
    pub drive: &'a dyn Snapshot,
    pub view: &'a dyn Snapshot,
    /// The ends of the logs, read after the last of the snapshots; empty where they are one, or at rest.
    pub ends: Vec<(ShardName, u64)>,
}

#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub late_after_ms: i64,
    pub rules: Rules,
    /// How many partitions the topic has over which the services hear each other; nothing where they are one process.
    pub partitions: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self { late_after_ms: LATE_AFTER_MS, rules: Rules::default(), partitions: None }
    }
}

impl<'a> Moment<'a> {
    /// All services in one database.
    pub fn of_one(snapshot: &'a dyn Snapshot) -> Self {
        Self {
            call: snapshot,
            payment: snapshot,
            provider: snapshot,
            drive: snapshot,
            view: snapshot,
            ends: Vec::new(),
        }
    }

    fn of(&self, service: &str) -> &'a dyn Snapshot {
        match service {
            call::NAME => self.call,
            payment::NAME => self.payment,
            provider::NAME => self.provider,
            drive::NAME => self.drive,
            view::NAME => self.view,
            unknown => unreachable!("{unknown:?} is none of the services"),
        }
    }

    fn shards(&self, service: &str) -> impl Iterator<Item = ShardName> + use<> {
        let schemas = self.of(service).schemas();
        let schema = schemas.iter().find(|schema| schema.service == service);
        let schema = schema.copied();
        schema.into_iter().flat_map(|schema| {
            (0..schema.shards).map(move |index| ShardName { service: schema.service, index })
        })
    }

    /// The logs that others read, as long as anybody may have seen them.
    fn logs(&self) -> Stored<Vec<LogEnd>> {
        let mut logs = Vec::new();
        for service in TELLING {
            let snapshot = self.of(service);
            for shard in self.shards(service) {
                let later = self.ends.iter().find(|(known, _)| *known == shard);
                let later = later.map_or(0, |(_, position)| *position);
                logs.push(LogEnd {
                    source: Source {
                        log: snapshot.log(),
                        service: Cow::Borrowed(service),
                        shard: shard.index,
                    },
                    last_position: snapshot.last_position(shard)?.max(later),
                });
            }
        }
        Ok(logs)
    }
}

/// A database, and the moment of it that was taken.
type Taken<'a> = (&'a Arc<dyn Reader>, Box<dyn Snapshot + 'a>);

/// Takes the moment from the databases and looks at it. `now` is the clock's where the system runs; at rest nothing
/// becomes late any more, so without it the time of the last event stands.
pub fn audit_readers(readers: &Readers, now: Option<Timestamp>, options: &Options) -> Stored<Report> {
    let wanted = [&readers.view, &readers.call, &readers.payment, &readers.drive];
    let mut taken: Vec<Taken<'_>> = Vec::new();
    for reader in wanted {
        if !taken.iter().any(|(known, _)| Arc::ptr_eq(known, reader)) {
            taken.push((reader, reader.snapshot()?));
        }
    }
    let of = |reader: &Arc<dyn Reader>| -> &dyn Snapshot {
        let found = taken.iter().find(|(known, _)| Arc::ptr_eq(known, reader));
        &*found.expect("a snapshot was taken from every reader").1
    };
    let mut moment = Moment {
        call: of(&readers.call),
        payment: of(&readers.payment),
        provider: of(&readers.payment),
        drive: of(&readers.drive),
        view: of(&readers.view),
        ends: Vec::new(),
    };
    let mut last_event_at = Timestamp(0);
    for (service, reader) in TELLING.into_iter().zip([&readers.call, &readers.payment, &readers.drive]) {
        for shard in moment.shards(service) {
            let end = reader.last_position(shard)?;
            moment.ends.push((shard, end));
            let last = reader.events_after(shard, end.saturating_sub(1), 1)?;
            last_event_at = last.iter().fold(last_event_at, |latest, event| latest.max(event.at));
        }
    }
    audit(&moment, now.unwrap_or(last_event_at), options)
}

/// Looks at a moment. Rows come one by one, in order, and the others of the same call are looked up beside them.
pub fn audit(moment: &Moment<'_>, now: Timestamp, options: &Options) -> Stored<Report> {
    let ages = engine::audit::Options { now, late_after_ms: options.late_after_ms };
    let logs = moment.logs()?;
    let mut report = Report::default();
    for audited in each_service(moment, &logs, (&ages, options))? {
        report.add(audited);
    }
    let cuts = Cuts::read(moment, options.partitions)?;
    if cuts.is_over_a_topic() {
        told::within_the_logs(moment)?.into_iter().for_each(|check| report.add_check(check));
    }
    let mut checks = Checks::new(&cuts, &ages, options, moment.provider_is_with_payment());
    let stories = Stories::new(moment);
    let mut examined = case::Seen::default();
    stories.each_call(&mut |case| {
        examined.note(case);
        checks.examine(case);
    })?;
    for service in [payment::NAME, drive::NAME, view::NAME, provider::NAME] {
        if report.owned(service) > examined.of(service) {
            stories.each_stray(service, &mut |case| checks.examine(case))?;
        }
    }
    report.conclude(checks);
    Ok(report)
}

impl Moment<'_> {
    fn provider_is_with_payment(&self) -> bool {
        std::ptr::addr_eq(self.provider, self.payment)
    }
}

/// Each service by itself, with its own decisions left out: nothing is decided here.
fn each_service(
    moment: &Moment<'_>,
    logs: &[LogEnd],
    (ages, options): (&engine::audit::Options, &Options),
) -> Stored<Vec<Audited>> {
    let (rules, business) = (options.rules, Business::default());
    let (call, payment, drive) = (business.call, business.payment, business.drive);
    let call = CallService { rules, decide: call };
    let payment = PaymentService { rules, decide: payment };
    let drive = DriveService { rules, decide: drive };
    let provider = ProviderService { settings: ::provider::settings::Settings::default() };
    let told = Recording::Events;
    Ok(vec![
        engine::audit::audit(&subject(&call, moment.call, told, logs), ages)?,
        engine::audit::audit(&subject(&payment, moment.payment, told, logs), ages)?,
        engine::audit::audit(&subject(&provider, moment.provider, Recording::States, logs), ages)?,
        engine::audit::audit(&subject(&drive, moment.drive, told, logs), ages)?,
        engine::audit::audit(&subject(&ViewService, moment.view, Recording::States, logs), ages)?,
    ])
}

fn subject<'a, S: engine::Service>(
    service: &'a S,
    snapshot: &'a dyn Snapshot,
    recording: Recording,
    logs: &'a [LogEnd],
) -> Subject<'a, S> {
    Subject { service, snapshot, recording, logs }
}
