//! The engine's suite for stores: one database for several services, and a database for each.

use crate::database::OwnDatabase;
use engine::conformance::{Fixture, LOG, ORDER, STOCK};
use engine::store::Schema;
use std::rc::Rc;

fn open(schemas: &'static [Schema], own: Rc<OwnDatabase>) -> Fixture {
    let database = own.open(schemas, LOG);
    Fixture {
        schemas,
        writer: database.store(),
        other: Some(database.store()),
        reader: database.reader(),
        reopen: Some(Box::new(move || open(schemas, own))),
    }
}

fn one_database() -> Fixture {
    open(&[ORDER, STOCK], OwnDatabase::new())
}

fn a_database_of_several_shards() -> Fixture {
    open(&[ORDER], OwnDatabase::new())
}

fn a_database_of_one_shard() -> Fixture {
    open(&[STOCK], OwnDatabase::new())
}

engine::conformance!(
    #[ignore = "wants PostgreSQL: cargo xtask services up"]
    one_database
);
engine::conformance!(
    #[ignore = "wants PostgreSQL: cargo xtask services up"]
    a_database_of_several_shards
);
engine::conformance!(
    #[ignore = "wants PostgreSQL: cargo xtask services up"]
    a_database_of_one_shard
);
