//! What can be found broken, and how it is told so that it can be seen again.

use crate::setup::{Road, Setup};
use std::fmt;

/// What sort of promise was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A log has a gap, or an event is not where it should be.
    Position,
    /// An entity's versions do not follow each other.
    Version,
    /// A state is not what its events make of it.
    State,
    /// An open entity without a timer, or a closed one with one.
    Timer,
    /// The money of a payment does not add up.
    Ledger,
    /// A status fell.
    Status,
    /// What is said once was said again.
    SaidTwice,
    /// Two things were said that exclude each other.
    Contradiction,
    /// Something was said without what leads to it.
    Uncaused,
    /// The inbox let a message through that it had seen.
    DecidedTwice,
    /// Effects and the entities that wait for them disagree.
    Effects,
    /// The provider's book and a payment disagree.
    Book,
    /// A client was told what is not so.
    Reply,
    /// An idempotency key did not do its work.
    Key,
    /// A client was never answered.
    Unanswered,
    /// A message went to the dead letters.
    DeadLetter,
    /// An effect was stored without the position it came from.
    Inbox,
    /// The view is not what the logs make of it.
    View,
    /// A counter miscounts.
    Counts,
    /// The system does not come to rest.
    Stuck,
    /// A call ended in a way that its payment and its drive do not agree with.
    Outcome,
    /// The operator's audit is not clean.
    Audit,
    /// The store or a runner failed without being made to.
    Store,
    /// The code panicked.
    Panic,
}

/// One broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    pub kind: Kind,
    pub what: String,
}

/// A broken promise, with what it takes to see it again.
#[derive(Clone, Debug)]
pub struct Failure {
    pub setup: Setup,
    pub plan: String,
    pub step: usize,
    pub breach: Breach,
    /// The last steps, the latest at the end.
    pub last: Vec<String>,
}

/// Nothing, or the breach that it is.
pub(crate) fn must(holds: bool, kind: Kind, what: impl FnOnce() -> String) -> Result<(), Breach> {
    if holds { Ok(()) } else { Err(Breach { kind, what: what() }) }
}

/// What a store in memory answers when it is not made to fail.
pub(crate) fn readable<T>(read: engine::store::Stored<T>) -> Result<T, Breach> {
    read.map_err(|error| Breach { kind: Kind::Store, what: error.to_string() })
}

impl fmt::Display for Breach {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}: {}", self.kind, self.what)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seed = self.setup.seed;
        writeln!(formatter, "seed {seed} broke at step {}: {}", self.step, self.breach)?;
        writeln!(formatter, "{}", self.plan)?;
        for line in &self.last {
            writeln!(formatter, "  {line}")?;
        }
        let (test, topic) = match self.setup.road {
            Road::Logs => ("seeds", ""),
            Road::Topic(_) => ("topic", "--topic "),
        };
        write!(
            formatter,
            "see it again: SEED={seed} cargo test -p simulator --test {test}, or cargo run -p simulator --example simulate -- {topic}--seed {seed} --trace"
        )
    }
}
