//! What stands in a partition and is no message: marks of transactions, what they have aborted, what was compacted away.
//!
//! None of it is handed out, so that the rows would stay before it for ever where a partition ends in it, and whoever reads up
//! to the end, as a projection does that is made anew, would never be there.

use crate::desk::{Desk, Place};
use crate::shared::Shared;
use engine::clock::Stopwatch;
use engine::topic::{Message, Spread};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use std::time::Duration;

/// How often it is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(250);

pub(crate) struct Marks {
    looked: Stopwatch,
}

impl Marks {
    pub(crate) fn new() -> Self {
        Self { looked: Stopwatch::start() }
    }

    /// What the client has passed over behind the last messages that it handed out. It is right where it has nothing more to
    /// hand out: then all of them were taken in, and it has gone on from the last of them alone.
    pub(crate) fn passed(&mut self, shared: &Shared, client: &BaseConsumer<Desk>) -> Vec<Message> {
        if self.looked.elapsed() < LOOK_EVERY {
            return Vec::new();
        }
        self.looked = Stopwatch::start();
        let desk = client.context();
        let (places, spans) = (desk.places(), shared.spans());
        let is_before_end = |(partition, place): (&u32, &Place)| match place {
            Place::Unknown => false,
            Place::Next(next) => spans.get(partition).is_some_and(|span| *next < span.high),
        };
        if !places.iter().any(is_before_end) {
            return Vec::new();
        }
        let Ok(positions) = client.position() else { return Vec::new() };
        let mut passed = Vec::new();
        for (partition, place) in places {
            let (Place::Next(after), Some(next)) = (place, offset_of(&positions, shared, partition)) else {
                continue;
            };
            if next > after {
                desk.set(partition, Place::Next(next));
                passed.push(Message { partition, after, next, event: None, spread: Spread::default() });
            }
        }
        passed
    }
}

/// Nothing where nothing was handed out, or passed over, since the client was sent to where it reads.
pub(crate) fn offset_of(positions: &TopicPartitionList, shared: &Shared, partition: u32) -> Option<u64> {
    let number = i32::try_from(partition).ok()?;
    let position = positions.find_partition(&shared.settings.topic, number)?;
    position.offset().to_raw().and_then(|raw| u64::try_from(raw).ok())
}
