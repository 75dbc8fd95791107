//! What must hold of every service at every moment of its database, looked at in passes that hold one entity at a time.

mod history;
mod logs;
mod rows;

use crate::Service;
use crate::clock::Timestamp;
use crate::effect::Effect;
use crate::log::{EntityKey, LogId, ShardName, Source};
use crate::store::{Schema, Snapshot, StoreError, Stored};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// Findings that one check lists; the rest is counted.
pub const FINDINGS_LISTED_MAX: usize = 20;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Sort {
    /// Something does not hold that must hold at every moment.
    Broken,
    /// A message was put aside and waits for an operator.
    DeadLetter,
    /// Something is on its way for longer than it should be.
    Late,
}

/// What is wrong, and with which row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub sort: Sort,
    pub service: &'static str,
    pub check: &'static str,
    /// The row: an entity, or a place in a log.
    pub what: String,
    pub detail: String,
}

/// One thing that was looked at, how often, and how often it did not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    pub service: &'static str,
    pub name: &'static str,
    /// How many rows were looked at.
    pub seen: u64,
    pub failed: u64,
    /// What is on its way and not late yet.
    pub in_flight: u64,
    /// What is missing because an operator passed a dead letter over.
    pub skipped: u64,
    pub note: String,
    /// How many of those that failed are broken, and neither put aside nor late.
    #[serde(skip)]
    pub broken: u64,
    #[serde(skip)]
    findings: Vec<Finding>,
}

impl Check {
    pub fn new(service: &'static str, name: &'static str) -> Self {
        Self {
            service,
            name,
            seen: 0,
            failed: 0,
            in_flight: 0,
            skipped: 0,
            note: String::new(),
            broken: 0,
            findings: Vec::new(),
        }
    }

    pub fn find(&mut self, sort: Sort, what: impl fmt::Display, detail: impl fmt::Display) {
        self.failed += 1;
        self.broken += u64::from(sort == Sort::Broken);
        if self.findings.len() < FINDINGS_LISTED_MAX {
            self.findings.push(Finding {
                sort,
                service: self.service,
                check: self.name,
                what: what.to_string(),
                detail: detail.to_string(),
            });
        }
    }

    pub fn broken(&mut self, what: impl fmt::Display, detail: impl fmt::Display) {
        self.find(Sort::Broken, what, detail);
    }

    /// Counts a row, and finds it broken unless it holds.
    pub fn expect(&mut self, holds: bool, what: impl fmt::Display, detail: impl FnOnce() -> String) {
        self.seen += 1;
        if !holds {
            self.broken(what, detail());
        }
    }

    /// Something is on its way for that long: counted, and late past the options' age.
    pub fn waits(
        &mut self,
        age_ms: i64,
        options: &Options,
        what: impl fmt::Display,
        detail: impl fmt::Display,
    ) {
        if age_ms > options.late_after_ms {
            self.find(Sort::Late, what, format!("{detail} for {} s", age_ms.div_euclid(1_000)));
        } else {
            self.in_flight += 1;
        }
    }

    /// The findings that are listed, taken out of the check.
    pub fn take_findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.findings)
    }
}

/// From when on and past which age something is late.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub now: Timestamp,
    pub late_after_ms: i64,
}

impl Options {
    pub fn age_ms(&self, since: Timestamp) -> i64 {
        self.now.0.saturating_sub(since.0)
    }
}

/// How a service keeps what it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recording {
    /// Every change is an event of its own log, so its states are its events, folded.
    Events,
    /// Its states alone: its log is empty.
    States,
}

/// The end of a log that others read.
#[derive(Debug, Clone)]
pub struct LogEnd {
    pub source: Source,
    pub last_position: u64,
}

/// A service, and the moment of its database that is looked at.
pub struct Subject<'a, S: Service> {
    pub service: &'a S,
    pub snapshot: &'a dyn Snapshot,
    pub recording: Recording,
    /// The logs in view. They may be newer than the snapshot, never older.
    pub logs: &'a [LogEnd],
}

/// How much there is of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counted {
    pub service: &'static str,
    pub shards: u16,
    pub events: u64,
    pub entities: u64,
    /// Entities that the log tells of.
    pub entities_told: u64,
    pub effects: u64,
    /// Dead letters that wait.
    pub dead_letters: u64,
    /// Dead letters that were passed over and are on record still.
    pub skipped: u64,
}

/// What came of looking at a service.
#[derive(Debug, Clone)]
pub struct Audited {
    pub counted: Counted,
    pub checks: Vec<Check>,
}

/// Looks at all of a service. Within a visit of the snapshot, other rows of it are looked up.
pub fn audit<S: Service>(subject: &Subject<'_, S>, options: &Options) -> Stored<Audited> {
    let look = Look::new(subject, options)?;
    let mut checks = logs::positions(&look)?;
    let effects = look.snapshot.effects(look.name)?;
    let mut effects = Effects::new(effects);
    let history = history::fold(&look, &mut effects)?;
    let rows = rows::rows(&look, &mut effects)?;
    let counted = Counted {
        service: look.name,
        shards: look.schema.shards,
        events: checks.iter().filter(|check| check.name == logs::POSITIONS).map(|check| check.seen).sum(),
        entities: rows.entities,
        entities_told: history.entities,
        effects: effects.count(),
        dead_letters: 0,
        skipped: 0,
    };
    checks.extend(history.checks);
    if look.recording == Recording::Events && counted.entities > history.rows_found {
        checks.push(history::untold(&look)?);
    }
    checks.extend(rows.checks);
    checks.push(rows::counters(&look, &rows.recount)?);
    checks.extend(rows::effects(&look, &effects));
    checks.push(logs::inbox(&look)?);
    let letters = logs::dead_letters(&look)?;
    let counted = Counted { dead_letters: letters.failed, skipped: letters.skipped, ..counted };
    checks.push(letters);
    Ok(Audited { counted, checks })
}

/// The fields in which two states, as JSON, differ. Only their names: what they say may be personal.
pub fn differences(left: &str, right: &str) -> String {
    let fields = |text: &str| serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text);
    let (Ok(left), Ok(right)) = (fields(left), fields(right)) else {
        return "the whole".to_owned();
    };
    let mut names: Vec<&str> = left
        .keys()
        .chain(right.keys())
        .filter(|name| left.get(*name) != right.get(*name))
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return "nothing but their spelling".to_owned();
    }
    names.join(", ")
}

/// What every pass needs.
struct Look<'a, S: Service> {
    service: &'a S,
    snapshot: &'a dyn Snapshot,
    recording: Recording,
    logs: &'a [LogEnd],
    options: &'a Options,
    name: &'static str,
    schema: Schema,
    log: LogId,
}

impl<'a, S: Service> Look<'a, S> {
    fn new(subject: &Subject<'a, S>, options: &'a Options) -> Stored<Self> {
        let name = subject.service.name();
        let schema = subject.snapshot.schemas().iter().find(|schema| schema.service == name);
        let schema = schema.ok_or_else(|| StoreError::Fatal(format!("the store does not hold {name:?}")))?;
        Ok(Self {
            service: subject.service,
            snapshot: subject.snapshot,
            recording: subject.recording,
            logs: subject.logs,
            options,
            name,
            schema: *schema,
            log: subject.snapshot.log(),
        })
    }

    fn shards(&self) -> impl Iterator<Item = ShardName> + use<S> {
        let service = self.name;
        (0..self.schema.shards).map(move |index| ShardName { service, index })
    }

    fn check(&self, name: &'static str) -> Check {
        Check::new(self.name, name)
    }
}

/// An effect that is not answered, and when it was wanted, once the event that wanted it was seen.
struct OpenEffect {
    effect: Effect,
    wanted_at: Option<Timestamp>,
}

/// The effects of a service that are not answered: what is on its way, and therefore few.
struct Effects {
    of: BTreeMap<EntityKey, Vec<OpenEffect>>,
}

impl Effects {
    fn new(effects: Vec<Effect>) -> Self {
        let mut of: BTreeMap<EntityKey, Vec<OpenEffect>> = BTreeMap::new();
        for effect in effects {
            of.entry(effect.key).or_default().push(OpenEffect { effect, wanted_at: None });
        }
        Self { of }
    }

    fn count(&self) -> u64 {
        self.of.values().map(|effects| effects.len() as u64).sum()
    }
}
