//! The suite for stores over the store in memory, which has several writers.

use engine::conformance::{Fixture, LOG, ORDER, STOCK};
use engine::memory::MemoryStore;
use engine::store::Schema;

fn open(store: MemoryStore, schemas: &'static [Schema]) -> Fixture {
    Fixture {
        schemas,
        writer: store.writer(),
        other: Some(store.writer()),
        reader: store.reader(),
        reopen: Some(Box::new(move || open(store, schemas))),
    }
}

fn new(schemas: &'static [Schema]) -> Fixture {
    open(MemoryStore::new(schemas, LOG), schemas)
}

fn several_services() -> Fixture {
    new(&[ORDER, STOCK])
}

fn several_shards() -> Fixture {
    new(&[ORDER])
}

fn one_shard() -> Fixture {
    new(&[STOCK])
}

engine::conformance!(several_services);
engine::conformance!(several_shards);
engine::conformance!(one_shard);
