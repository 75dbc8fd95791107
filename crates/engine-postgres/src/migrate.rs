//! How a database gets from one version of its tables to the next, while programs of the older one go on running.
//!
//! A version only ever adds what the one before does not mind (*expand*). What nobody needs any more is dropped by a later
//! version (*contract*), which names the oldest one whose programs can still use the tables.

use crate::ddl;
use crate::failure::Answer;
use crate::session::Session;

/// One step. Each is run once for a database, in one transaction with the note that it was.
#[derive(Clone, Copy)]
pub(crate) struct Migration {
    pub(crate) version: u32,
    /// The oldest version whose programs can use the tables afterwards.
    pub(crate) oldest_reader: u32,
    pub(crate) common: &'static str,
    pub(crate) service: fn(&str) -> String,
    pub(crate) kind: fn(&str, &str) -> String,
}

/// All steps in their order; a new database takes all of them. A step that was released is never changed.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        oldest_reader: 1,
        common: ddl::COMMON,
        service: ddl::of_service,
        kind: ddl::of_kind,
    },
    Migration {
        version: 2,
        oldest_reader: 1,
        common: ddl::NUMBERED_REBUILDS,
        service: |_| String::new(),
        kind: |_, _| String::new(),
    },
    #[cfg(feature = "next")]
    Migration {
        version: 3,
        oldest_reader: 1,
        common: "",
        service: ddl::next::of_service,
        kind: ddl::next::of_kind,
    },
];

/// The version that a program knows which has these steps.
pub(crate) fn known(steps: &[Migration]) -> u32 {
    steps.last().map_or(0, |step| step.version)
}

/// Takes the tables of what is there already through the steps that they lack.
pub(crate) fn upgrade(
    session: &Session,
    (steps, from): (&[Migration], u32),
    services: &[(String, Vec<String>)],
) -> Answer<()> {
    for step in steps.iter().filter(|step| step.version > from) {
        session.run(step.common)?;
        for (service, kinds) in services {
            session.run(&(step.service)(service))?;
            for kind in kinds {
                session.run(&(step.kind)(service, kind))?;
            }
        }
        let Migration { version, oldest_reader, .. } = step;
        session.run(&format!(
            "DELETE FROM engine.schema_version; \
             INSERT INTO engine.schema_version (version, oldest_reader) VALUES ({version}, {oldest_reader})"
        ))?;
    }
    Ok(())
}

/// Makes the tables of a service that is new, as all steps together leave them.
pub(crate) fn add_service(session: &Session, steps: &[Migration], service: &str) -> Answer<()> {
    steps.iter().try_for_each(|step| session.run(&(step.service)(service)))
}

pub(crate) fn add_kind(session: &Session, steps: &[Migration], (service, kind): (&str, &str)) -> Answer<()> {
    steps.iter().try_for_each(|step| session.run(&(step.kind)(service, kind)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::OwnDatabase;
    use crate::layout::Layout;
    use crate::server::Server;
    use crate::session::Purpose;
    use crate::{Database, OpenError, Options};
    use engine::clock::Timestamp;
    use engine::log::{EntityKey, LogId, ShardName, Source};
    use engine::store::{Commit, InboxKey, InboxMove, Rebuild, Schema, Store, StoreError, WriteSet};
    use std::borrow::Cow;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// Tables of version 1 with something in all of them, as they were left by a program that knew nothing else.
    const VERSION_1: &str = include_str!("../tests/it/version-1.sql");
    const ORDER: Schema = Schema { service: "order", kinds: &["order", "basket"], shards: 2 };
    const SHARD: ShardName = ShardName { service: "order", index: 1 };
    const LOG: LogId = LogId(0x00c0_ffee_0000_0001);

    fn more(s: &str) -> String {
        format!("ALTER TABLE engine.\"{s}_event\" ADD COLUMN region text")
    }

    fn more_of_kind(s: &str, kind: &str) -> String {
        format!(
            "ALTER TABLE engine.\"{s}_entity_{kind}\" ADD COLUMN note text; \
             CREATE INDEX \"{s}_{kind}_by_note\" ON engine.\"{s}_entity_{kind}\" (note)"
        )
    }

    fn nothing(_: &str) -> String {
        String::new()
    }

    fn nothing_of_kind(_: &str, _: &str) -> String {
        String::new()
    }

    const FIRST: Migration = MIGRATIONS[0];
    const SECOND: Migration = MIGRATIONS[1];

    /// It adds.
    const THIRD: Migration =
        Migration { version: 3, oldest_reader: 1, common: "", service: more, kind: more_of_kind };
    const EXPANDED: &[Migration] = &[FIRST, SECOND, THIRD];

    /// It takes away what a program of version 2 needs.
    const CONTRACTED: &[Migration] = &[
        FIRST,
        SECOND,
        THIRD,
        Migration {
            version: 4,
            oldest_reader: 3,
            common: "ALTER TABLE engine.lease RENAME COLUMN until TO ends",
            service: nothing,
            kind: nothing_of_kind,
        },
    ];

    /// It fails in the middle.
    const BROKEN: &[Migration] = &[
        FIRST,
        SECOND,
        Migration {
            version: 3,
            oldest_reader: 1,
            common: "CREATE TABLE engine.half (number int)",
            service: |_| "SELECT 1 / 0".to_owned(),
            kind: nothing_of_kind,
        },
    ];

    fn open_with(options: &Options, steps: &[Migration]) -> Result<Layout, OpenError> {
        let server = Server::of(options)?;
        let (session, _) = Session::connect(&server, Purpose::Opening, "")?;
        Layout::prepare(&session, (options, LogId(9)), steps)
    }

    fn version(own: &OwnDatabase) -> (i32, i32) {
        let row = own.client().query_one("SELECT version, oldest_reader FROM engine.schema_version", &[]);
        let row = row.expect("there is one row");
        (row.get(0), row.get(1))
    }

    fn key(id: u64) -> EntityKey {
        EntityKey { kind: "order", id }
    }

    fn move_on(writer: &mut dyn Store, batch: u64, from: u64) -> Commit {
        let source = Source { log: LogId(3), service: Cow::Borrowed("far"), shard: 0 };
        let mut set = WriteSet::new(SHARD, batch);
        set.inbox.push(InboxMove { key: InboxKey { partition: 9, source }, from, to: from + 1 });
        writer.commit(&[set])
    }

    fn of_version_1() -> (std::rc::Rc<OwnDatabase>, Options) {
        let own = OwnDatabase::new();
        own.client().batch_execute(VERSION_1).expect("it is what a program has left");
        let options = own.options(&[ORDER]);
        (own, options)
    }

    /// What stands in the tables of version 1 is still read.
    fn check_contents(database: &Database) {
        let (mut writer, reader) = (database.store(), database.reader());
        assert_eq!(database.log(), LOG);
        let rows = writer.load("order", &[key(1), key(2)]).expect("read");
        let versions: Vec<_> = rows.iter().map(|row| row.as_ref().map(|row| row.version)).collect();
        assert_eq!(versions, [Some(2), None]);
        assert_eq!(
            rows[0].as_ref().map(|row| (&*row.tag, row.effects_open.clone())),
            Some(("open", vec![256]))
        );
        let moment = reader.snapshot().expect("read");
        assert_eq!(moment.story("order", 1).expect("read").len(), 2);
        assert_eq!(moment.effects("order").expect("read").len(), 1);
        assert_eq!(moment.dead_letters(SHARD).expect("read").len(), 2);
        assert_eq!(moment.passed_over(SHARD).expect("read").len(), 1);
        assert_eq!(moment.counts("order", "order"), Ok(vec![("open".into(), 1)]));
        assert_eq!(writer.answered_last(), Ok(Some(Timestamp(77))));
        assert_eq!(writer.reserve("order", 1, 1), Ok(41));
    }

    #[test]
    #[ignore = "wants PostgreSQL: cargo xtask services up"]
    fn an_older_program_goes_on_while_a_newer_one_expands_the_tables() {
        let (own, options) = of_version_1();
        let old = Database::create_or_open(&options, LogId(9)).expect("it opens");
        check_contents(&old);
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let writing = scope.spawn(|| {
                let mut writer = old.store();
                let mut from = 0;
                while !is_over.load(Ordering::SeqCst) {
                    let answer = move_on(&mut *writer, from + 1, from);
                    let is_done = matches!(answer, Commit::Done(_));
                    // It waits for the change of the tables at most as long as for another writer.
                    let is_late = matches!(&answer, Commit::Unavailable(why) if why.contains("55P03"));
                    assert!(is_done || is_late, "{answer:?}");
                    from += u64::from(is_done);
                }
                from
            });
            assert!(open_with(&options, EXPANDED).is_ok());
            assert_eq!(version(&own), (3, 1));
            assert!(open_with(&options, EXPANDED).is_ok(), "each step is run once");
            is_over.store(true, Ordering::SeqCst);
            let from = writing.join().expect("it went on");
            assert_eq!(move_on(&mut *old.store(), from + 1, from), Commit::Done(vec![2]));
        });
        // Also one that is started only now, beside the newer one.
        drop(Database::create_or_open(&options, LogId(9)).expect("it opens"));
        assert_eq!(version(&own), (3, 1));
    }

    #[test]
    #[ignore = "wants PostgreSQL: cargo xtask services up"]
    fn an_older_program_is_refused_once_what_it_needs_is_gone() {
        let (own, options) = of_version_1();
        let old = Database::create_or_open(&options, LogId(9)).expect("it opens");
        let mut writer = old.store();
        assert_eq!(move_on(&mut *writer, 1, 0), Commit::Done(vec![2]));
        assert!(open_with(&options, CONTRACTED).is_ok());
        let refused = Database::create_or_open(&options, LogId(9)).err().expect("it is refused");
        assert!(matches!(refused, OpenError::Newer { found: 4, oldest_reader: 3, known: 2 }), "{refused}");
        assert!(open_with(&options, EXPANDED).is_ok(), "the version between goes on");
        let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
        own.client().query(end, &[]).expect("a superuser may");
        assert!(matches!(writer.last_position(SHARD), Err(StoreError::Fatal(_))));
    }

    #[test]
    #[ignore = "wants PostgreSQL: cargo xtask services up"]
    fn a_step_that_fails_leaves_nothing_behind() {
        let (own, options) = of_version_1();
        assert!(matches!(open_with(&options, BROKEN), Err(OpenError::Refused(_))));
        assert_eq!(version(&own), (1, 1));
        let half = "SELECT to_regclass('engine.half') IS NULL";
        assert!(own.client().query_one(half, &[]).expect("read").get::<_, bool>(0));
        check_contents(&Database::create_or_open(&options, LogId(9)).expect("it opens"));
    }

    #[test]
    #[ignore = "wants PostgreSQL: cargo xtask services up"]
    fn a_new_database_has_all_steps() {
        let own = OwnDatabase::new();
        assert!(open_with(&own.options(&[ORDER]), CONTRACTED).is_ok());
        assert_eq!(version(&own), (4, 3));
        let column = "SELECT count(region) FROM engine.order_event";
        assert_eq!(own.client().query_one(column, &[]).expect("it is there").get::<_, i64>(0), 0);
    }

    #[test]
    fn steps_only_go_up_and_never_shut_out_themselves() {
        for steps in [MIGRATIONS, EXPANDED, CONTRACTED] {
            assert!(steps.iter().zip(1..).all(|(step, number)| step.version == number));
            assert!(steps.is_sorted_by_key(|step| step.oldest_reader));
            // What needs a version is still running when that version comes: it goes one later at the earliest.
            assert!(steps.iter().all(|step| step.oldest_reader < step.version || step.version == 1));
        }
    }

    /// Every column and index of the tables.
    fn catalog(own: &OwnDatabase) -> Vec<String> {
        let sql = "SELECT concat_ws(' ', table_name, ordinal_position, column_name, data_type, collation_name, \
                     is_nullable, column_default, is_identity) FROM information_schema.columns \
                     WHERE table_schema = 'engine' \
                   UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'engine' \
                   UNION ALL SELECT concat_ws(' ', relname, reloptions) FROM pg_class \
                     WHERE relnamespace = 'engine'::regnamespace AND reloptions IS NOT NULL ORDER BY 1";
        own.client().query(sql, &[]).expect("read").iter().map(|row| row.get(0)).collect()
    }

    /// `version-1.sql` is `pg_dump --schema=engine --inserts --no-owner` of what is filled here.
    #[test]
    #[ignore = "wants PostgreSQL: cargo xtask services up"]
    fn what_the_first_step_makes_is_never_changed() {
        let own = OwnDatabase::new();
        assert!(open_with(&own.options(&[ORDER]), &[FIRST]).is_ok());
        let (kept, _) = of_version_1();
        assert_eq!(catalog(&own), catalog(&kept));
        assert!(catalog(&own).len() > 80);
        let database = own.open(&[ORDER], LOG);
        crate::planted::fill(&mut *database.store(), SHARD);
    }

    /// What programs of version 1 say goes on, and what they begin has a number as well.
    #[test]
    #[ignore = "wants PostgreSQL: cargo xtask services up"]
    fn rebuilds_of_a_program_of_version_1_are_numbered() {
        let (own, options) = of_version_1();
        let database = Database::create_or_open(&options, LogId(9)).expect("it opens");
        let mut writer = database.store();
        let old = "INSERT INTO engine.rebuild (service, stage) VALUES (1, 'dropping') \
            ON CONFLICT (service) DO UPDATE SET stage = excluded.stage";
        own.client().batch_execute(old).expect("it may");
        let Ok(Some((theirs, Rebuild::Dropping))) = writer.rebuild("order") else { panic!("it has begun") };
        let ours = writer.begin_rebuild("order").expect("it begins");
        assert!(ours > theirs, "{ours} after {theirs}");
        let old = "DELETE FROM engine.rebuild WHERE service = 1 AND stage = 'dropping'";
        own.client().batch_execute(old).expect("it may");
        assert_eq!(writer.rebuild("order"), Ok(None));
    }
}
