//! Which world to run: its seed, and what is planted in it.

use engine::store::Store;
use std::fmt;
use wiring::business::Business;

/// Which of the two defences against doubled messages stands alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defence {
    /// The inbox: messages come in each producer's order, doubled and late.
    Inbox,
    /// The rules of the business: the inbox lets everything through, and messages come in any order at all.
    Business,
}

/// By which road the services hear each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Road {
    /// Each reads the logs of the others.
    Logs,
    /// Over a topic, each service in processes of its own; of the rows that say how far it was read, these drop what
    /// was heard.
    Topic(Rows),
}

/// Which rows of the inbox drop what comes again over a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    Both,
    /// Of the logs alone: what is read again from a partition passes by the rows of offsets.
    Positions,
    /// Of the partitions alone: whatever is told twice would be heard twice, so nothing is.
    Offsets,
    /// None: the rules of the business stand alone.
    Neither,
}

/// A bug in how the topic is told or read, which must be caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// What was not acknowledged counts as told.
    TellPastUnacknowledged,
    /// After a failure, later events of a partition are told before those that failed.
    TellOutOfOrder,
    /// What is told does not wait for its row: a new count of partitions is used at once.
    ChangeCountAtOnce,
    /// What is heard by a partition is not kept apart by how many there were when it was told.
    HearByPartitionAlone,
    /// A partition is read from where the consumer that had it stopped, decided or not.
    BeginWhereOthersStopped,
    /// The same, and it says of every message that it follows on whatever was read.
    HideGaps,
    /// A consumer does not go back when it is asked to.
    NeverRewind,
    /// A partition is read from the row of the shard that has come furthest.
    BeginAtHighest,
    /// Nobody looks out for what other replicas commit.
    NoLookout,
}

/// A store with something broken in it, around one that is sound.
pub type Tamper = fn(Box<dyn Store>) -> Box<dyn Store>;

/// One world.
#[derive(Clone)]
pub struct Setup {
    pub seed: u64,
    pub defence: Defence,
    pub road: Road,
    /// The real rules, or ones with a planted bug.
    pub business: Business,
    /// A planted bug of the store.
    pub tamper: Option<Tamper>,
    /// A planted bug of the road.
    pub plant: Option<Plant>,
    /// Print every step as it happens.
    pub is_traced: bool,
}

impl Setup {
    /// The world of a seed: the inbox alone under even seeds, the business alone under odd ones.
    pub fn of(seed: u64) -> Self {
        Self {
            seed,
            defence: if seed.is_multiple_of(2) { Defence::Inbox } else { Defence::Business },
            road: Road::Logs,
            business: Business::default(),
            tamper: None,
            plant: None,
            is_traced: false,
        }
    }

    /// The world of a seed over a topic: with both sorts of rows, with each alone, and with neither, by turns.
    pub fn over_a_topic(seed: u64) -> Self {
        let rows = match seed % 4 {
            0 => Rows::Both,
            1 => Rows::Positions,
            2 => Rows::Offsets,
            _ => Rows::Neither,
        };
        let defence = if rows == Rows::Neither { Defence::Business } else { Defence::Inbox };
        Self { defence, road: Road::Topic(rows), ..Self::of(seed) }
    }
}

impl fmt::Debug for Setup {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.road {
            Road::Logs => write!(formatter, "seed {} with {:?} alone", self.seed, self.defence),
            Road::Topic(rows) => write!(formatter, "seed {} over a topic, by {rows:?}", self.seed),
        }
    }
}
