//! The engine's suite for stores: one file for several services, and a file for each.

use engine::conformance::{Fixture, LOG, ORDER, STOCK};
use engine::store::Schema;
use engine_sqlite::Database;
use std::path::PathBuf;
use std::rc::Rc;
use tempfile::TempDir;

const PROGRAM: u32 = 1;

fn open(schemas: &'static [Schema], directory: Rc<TempDir>) -> Fixture {
    let path: PathBuf = directory.path().join("store.db");
    let database = Database::create_or_open(&path, schemas, LOG, PROGRAM).expect("it can be opened");
    Fixture {
        schemas,
        writer: database.store().expect("nobody else has it"),
        other: None,
        reader: database.reader(),
        reopen: Some(Box::new(move || open(schemas, directory))),
    }
}

fn new(schemas: &'static [Schema]) -> Fixture {
    let directory = tempfile::tempdir().expect("there is room");
    open(schemas, Rc::new(directory))
}

fn one_file() -> Fixture {
    new(&[ORDER, STOCK])
}

fn a_file_of_several_shards() -> Fixture {
    new(&[ORDER])
}

fn a_file_of_one_shard() -> Fixture {
    new(&[STOCK])
}

engine::conformance!(one_file);
engine::conformance!(a_file_of_several_shards);
engine::conformance!(a_file_of_one_shard);
