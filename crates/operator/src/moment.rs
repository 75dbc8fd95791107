//! One look at all services' databases, each at its own moment.

use engine::log::{ShardName, shard_of};
use engine::store::{Reader, Snapshot, Stored};
use std::sync::Arc;
use wiring::{Readers, call, drive, payment, provider, view};

/// A database, and the moment of it that was taken.
type Taken<'a> = (&'a Arc<dyn Reader>, Box<dyn Snapshot + 'a>);

/// Where services share a database, they share the moment.
pub(crate) struct Moment<'a> {
    readers: &'a Readers,
    taken: Vec<Taken<'a>>,
}

impl<'a> Moment<'a> {
    /// The view's moment comes first, so that the logs hold all that it has read.
    pub(crate) fn take(readers: &'a Readers) -> Stored<Self> {
        Self::of_databases(readers, &[&readers.view, &readers.drive, &readers.payment, &readers.call])
    }

    /// Of those alone who say something.
    pub(crate) fn take_of_logs(readers: &'a Readers) -> Stored<Self> {
        Self::of_databases(readers, &[&readers.drive, &readers.payment, &readers.call])
    }

    fn of_databases(readers: &'a Readers, wanted: &[&'a Arc<dyn Reader>]) -> Stored<Self> {
        let mut taken: Vec<Taken<'a>> = Vec::new();
        for &reader in wanted {
            if !taken.iter().any(|(known, _)| Arc::ptr_eq(known, reader)) {
                taken.push((reader, reader.snapshot()?));
            }
        }
        Ok(Self { readers, taken })
    }

    pub(crate) fn of(&self, service: &str) -> &dyn Snapshot {
        let reader = reader(self.readers, service);
        let found = self.taken.iter().find(|(known, _)| Arc::ptr_eq(known, reader));
        &*found.expect("a snapshot was taken from every reader").1
    }

    pub(crate) fn shards(&self, service: &str) -> u16 {
        let schemas = self.of(service).schemas();
        schemas.iter().find(|schema| schema.service == service).map_or(1, |schema| schema.shards)
    }

    pub(crate) fn shard_of(&self, service: &'static str, id: u64) -> ShardName {
        ShardName { service, index: shard_of(id, self.shards(service)) }
    }
}

/// Who reads the database in which a service lies.
pub(crate) fn reader<'a>(readers: &'a Readers, service: &str) -> &'a Arc<dyn Reader> {
    match service {
        call::NAME => &readers.call,
        payment::NAME | provider::NAME => &readers.payment,
        drive::NAME => &readers.drive,
        view::NAME => &readers.view,
        unknown => unreachable!("{unknown:?} is none of the services"),
    }
}
