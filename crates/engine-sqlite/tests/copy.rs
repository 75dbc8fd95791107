//! Files that belong together are copied at one moment, and go on under other names.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

use engine::clock::Timestamp;
use engine::dead_letter::{DeadLetter, Parcel, Skip};
use engine::log::{EntityKey, LogId, Recorded, ShardName, Source};
use engine::store::{
    Commit, EntityRow, EntityWrite, InboxKey, InboxMove, LetterSkip, NewEvent, Schema, Store, WriteSet,
};
use engine_sqlite::Database;
use engine_sqlite::copy::{CopyError, Member, Moment, check, settle};
use engine_sqlite::renew::{Renewal, renew};
use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

const PROGRAM: u32 = 1;
const ORDER: Schema = Schema { service: "order", kinds: &["order"], shards: 1 };
const STOCK: Schema = Schema { service: "stock", kinds: &["item"], shards: 1 };
const LOGS: [LogId; 2] = [LogId(7), LogId(8)];
const COPIES: usize = 40;

const fn shard(schema: Schema) -> ShardName {
    ShardName { service: schema.service, index: 0 }
}

fn source() -> Source {
    Source { log: LOGS[0], service: "order".into(), shard: 0 }
}

fn said(batch: u64) -> WriteSet {
    let key = EntityKey { kind: "order", id: batch };
    let mut set = WriteSet::new(shard(ORDER), batch);
    set.events.push(NewEvent {
        key,
        version: 1,
        event_type: "Ordered",
        schema: 1,
        published: true,
        at: Timestamp(1),
        actor: Cow::Borrowed("system"),
        cause: "request 1".into(),
        trace: None,
        body: "{}".into(),
    });
    let state = "x".repeat(2_000);
    let tag = Cow::Borrowed("open");
    let row = EntityRow { key, version: 1, tag, timer: None, effects_open: Vec::new(), state };
    set.entities.push(EntityWrite { row, replaces: 0 });
    set
}

fn heard(batch: u64, to: u64) -> WriteSet {
    let mut set = WriteSet::new(shard(STOCK), batch);
    set.inbox.push(InboxMove { key: InboxKey { partition: 0, source: source() }, from: to - 1, to });
    set
}

struct Files {
    folder: TempDir,
    members: Vec<Member>,
    writers: Vec<Box<dyn Store>>,
}

fn files() -> Files {
    let folder = tempfile::tempdir().unwrap();
    let (mut members, mut writers) = (Vec::new(), Vec::new());
    for (schema, log) in [ORDER, STOCK].into_iter().zip(LOGS) {
        let path = folder.path().join(format!("{}.db", schema.service));
        let database = Database::create_or_open(&path, &[schema], log, PROGRAM).unwrap();
        writers.push(database.store().unwrap());
        members.push(Member { path, schemas: vec![schema] });
    }
    Files { folder, members, writers }
}

fn done(writer: &mut Box<dyn Store>, set: WriteSet) {
    assert!(matches!(writer.commit(&[set]), Commit::Done(_)));
}

/// Where the one that is heard ends, and how far the other has heard it.
fn ends(members: &[Member]) -> (u64, u64) {
    let open = |place: usize| {
        let Member { path, schemas } = &members[place];
        Database::open_read_only(path, schemas, PROGRAM).unwrap().reader()
    };
    let heard = open(1).inbox(shard(STOCK)).unwrap();
    (open(0).last_position(shard(ORDER)).unwrap(), heard.first().map_or(0, |(_, position)| *position))
}

fn copy(files: &Files, name: &str) -> Vec<Member> {
    let moment = Moment::find(&files.members, PROGRAM).unwrap();
    let folder = files.folder.path().join(name);
    std::fs::create_dir(&folder).unwrap();
    let copied = files.members.iter().enumerate().map(|(place, member)| {
        let path: PathBuf = folder.join(member.path.file_name().unwrap());
        moment.copy(place, &path).unwrap();
        Member { path, schemas: member.schemas.clone() }
    });
    let copied: Vec<Member> = copied.collect();
    // The moment is over, and what was copied is of it.
    drop(moment);
    for Member { path, .. } in &copied {
        assert_eq!(settle(path).unwrap(), std::fs::metadata(path).unwrap().len());
    }
    copied
}

#[test]
fn nobody_in_a_copy_has_heard_what_was_not_said() {
    let mut files = files();
    let mut writers = std::mem::take(&mut files.writers);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for batch in 1.. {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                done(&mut writers[0], said(batch));
                done(&mut writers[1], heard(batch, batch));
            }
        });
        let mut last = 0;
        for place in 0..COPIES {
            let copied = copy(&files, &place.to_string());
            let (end, heard) = ends(&copied);
            assert!(heard <= end && end <= heard + 1, "{heard} of {end} were heard");
            assert!(end >= last, "a later copy holds more");
            last = end;
        }
        is_over.store(true, Ordering::Relaxed);
        assert!(last > 0);
    });
}

#[test]
fn files_of_no_one_moment_are_not_copied() {
    let mut files = files();
    done(&mut files.writers[0], said(1));
    done(&mut files.writers[1], heard(1, 1));
    done(&mut files.writers[1], heard(2, 2));
    let refused = Moment::find(&files.members, PROGRAM).err().expect("nobody may be ahead");
    assert!(matches!(&refused, CopyError::NoMoment(_)), "{refused}");
    assert!(refused.to_string().contains("stock/0 has heard order/0 up to 2, which ends at 1"), "{refused}");
}

#[test]
fn a_damaged_copy_is_seen() {
    let mut files = files();
    (1..=50).for_each(|batch| done(&mut files.writers[0], said(batch)));
    let copied = copy(&files, "copy");
    check(&copied[0].path).unwrap();
    let mut bytes = std::fs::read(&copied[0].path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 9_000].fill(0xab);
    std::fs::write(&copied[0].path, bytes).unwrap();
    assert!(matches!(check(&copied[0].path), Err(CopyError::NotWhole { .. })));
}

fn recorded() -> Recorded {
    Recorded {
        source: source(),
        position: 1,
        entity_kind: "order".into(),
        entity_id: 1,
        version: 1,
        event_type: "Ordered".into(),
        schema: 1,
        published: true,
        at: Timestamp(1),
        actor: "system".into(),
        cause: "request 1".into(),
        trace: None,
        body: format!("{{\"log\":\"{}\"}}", LOGS[0]),
    }
}

#[test]
fn a_renewed_log_is_renewed_wherever_it_is_spoken_of() {
    let mut files = files();
    done(&mut files.writers[0], said(1));
    let mut set = heard(1, 1);
    let letter = |number| DeadLetter {
        number,
        entity_id: 1,
        parcel: Parcel::Event(recorded()),
        reason: "it is unreadable".into(),
        at: Timestamp(2),
        skipped: None,
    };
    set.dead_letters = vec![letter(0), letter(0)];
    done(&mut files.writers[1], set);
    let mut set = WriteSet::new(shard(STOCK), 2);
    let skip = Skip { by: "operator".into(), reason: "poison".into(), at: Timestamp(3) };
    set.dead_letters_skipped = vec![LetterSkip { number: 1, skip, passed_over: Some((source(), 1)) }];
    done(&mut files.writers[1], set);
    files.writers.clear();

    let logs = [(LOGS[0], LogId(17)), (LOGS[1], LogId(18))];
    let renewal = Renewal { logs: &logs, numbers: Some(("order", 5_000)) };
    // Cut off after the first file, it is carried out again.
    for Member { path, schemas } in files.members.iter().take(1).chain(&files.members) {
        renew(path, (schemas, PROGRAM), &renewal).unwrap();
    }
    let open = |place: usize, log| {
        let Member { path, schemas } = &files.members[place];
        let database = Database::create_or_open(path, schemas, LogId(1), PROGRAM).unwrap();
        assert_eq!(database.log(), log);
        database
    };
    let order = open(0, LogId(17));
    assert_eq!(order.next_number("order").unwrap(), 5_000);
    assert_eq!(order.store().unwrap().reserve("order", 1, 1).unwrap(), 5_000);
    drop(order);
    // A later renewal does not give again what an earlier one has left out.
    let again = Renewal { logs: &[(LogId(17), LogId(27))], numbers: Some(("order", 3)) };
    renew(&files.members[0].path, (&[ORDER], PROGRAM), &again).unwrap();
    assert_eq!(open(0, LogId(27)).next_number("order").unwrap(), 5_000);
    let stock = open(1, LogId(18));
    let mut writer = stock.store().unwrap();
    let renewed = Source { log: LogId(17), ..source() };
    assert_eq!(writer.inbox(shard(STOCK)).unwrap()[0].0.source, renewed);
    let reader = stock.reader();
    let snapshot = reader.snapshot().unwrap();
    assert_eq!(snapshot.passed_over(shard(STOCK)).unwrap(), [(renewed.clone(), 1)]);
    let letters = snapshot.dead_letters(shard(STOCK)).unwrap();
    assert_eq!(letters.len(), 2);
    for letter in letters {
        let Parcel::Event(event) = letter.parcel else { panic!("it is an event") };
        assert_eq!(event, Recorded { source: renewed.clone(), ..recorded() });
    }
    // Of another file nothing is renewed.
    drop((writer, snapshot));
    let other = Renewal { logs: &[(LogId(3), LogId(4))], numbers: None };
    assert!(renew(&files.members[1].path, (&[STOCK], PROGRAM), &other).is_err());
}
