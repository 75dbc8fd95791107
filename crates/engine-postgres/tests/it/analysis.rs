//! The views for analysts: every column of every view, read after real events.

use crate::database::OwnDatabase;
use crate::view::{Column, ColumnKind, Rows, View};
use crate::{Database, Options};
use engine::clock::Timestamp;
use engine::log::{EntityKey, LogId, ShardName};
use engine::store::{Commit, EntityRow, EntityWrite, NewEvent, Store, WriteSet};
use engine::timer::Timer;
use postgres::types::Type;
use serde_json::to_string;
use std::borrow::Cow;
use std::time::{Duration, SystemTime};
use taxi::event::Event;
use taxi::sample;
use wiring::analysis::{self, VIEWS};

const DOCUMENT: &str = include_str!("../../../../docs/sql.md");
const SERVICES: [&str; 4] =
    [wiring::call::NAME, wiring::payment::NAME, wiring::drive::NAME, wiring::view::NAME];

fn views() -> Vec<View> {
    let column = |column: &analysis::Column| Column {
        name: column.name,
        path: column.path.to_vec(),
        kind: match column.kind {
            analysis::ColumnKind::Text => ColumnKind::Text,
            analysis::ColumnKind::Integer => ColumnKind::Integer,
            analysis::ColumnKind::Boolean => ColumnKind::Boolean,
            analysis::ColumnKind::Time => ColumnKind::Time,
        },
    };
    let view = |view: &analysis::View| View {
        name: view.name,
        service: view.service,
        rows: match view.rows {
            analysis::Rows::Entities { kind, id } => Rows::Entities { kind, id },
            analysis::Rows::Events { id } => Rows::Events { id },
        },
        columns: view.columns.iter().map(column).collect(),
    };
    VIEWS.iter().map(view).collect()
}

/// The states that an entity goes through, each kept as another entity, with the events that led to it.
fn states<S: Clone>(evolve: impl Fn(Option<S>, &Event) -> Option<S>, own: impl Fn(&Event) -> bool) -> Vec<S> {
    let mut state = None;
    let mut states = Vec::new();
    for event in sample::every_event().iter().filter(|event| own(event)) {
        state = evolve(state, event);
        states.extend(state.clone());
    }
    states
}

fn write(writer: &mut dyn Store, service: &'static str, states: Vec<String>, own: impl Fn(&Event) -> bool) {
    let mut set = WriteSet::new(ShardName { service, index: 0 }, 1);
    for (id, state) in (1..).zip(states) {
        let key = EntityKey { kind: service, id };
        let timer = Some(Timer { name: Cow::Borrowed("overdue"), due: Timestamp(sample::AT.0 + 500) });
        let row =
            EntityRow { key, version: 1, tag: Cow::Borrowed("x"), timer, effects_open: Vec::new(), state };
        set.entities.push(EntityWrite { row, replaces: 0 });
    }
    for (version, event) in (1..).zip(sample::every_event().into_iter().filter(own)) {
        let (event_type, schema, body) = event.to_stored();
        set.events.push(NewEvent {
            key: EntityKey { kind: service, id: 1 },
            version,
            event_type,
            schema,
            published: event.is_published(),
            at: Timestamp(sample::AT.0),
            actor: Cow::Borrowed("rider"),
            cause: "request 1".into(),
            trace: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
            // Nobody's name should hold it, and a view that somebody's does must not fail for all.
            body: body.replace("eojin", "eo\\u0000jin"),
        });
    }
    let answer = writer.commit(&[set]);
    assert!(matches!(answer, Commit::Done(_)), "{answer:?}");
}

fn fill(writer: &mut dyn Store) {
    let calls = states(|state, event| taxi::call::evolve(state, event, sample::AT), |_| true);
    let payments = states(|state, event| taxi::payment::evolve(state, event, sample::AT), |_| true);
    let drives = states(|state, event| taxi::drive::evolve(state, event, sample::AT), |_| true);
    let views = states(|state, event| taxi::view::project(state, event, sample::AT), |_| true);
    let text = |state: Result<String, serde_json::Error>| state.expect("a state can be written");
    let calls = calls.iter().map(|state| text(to_string(state))).collect();
    let payments = payments.iter().map(|state| text(to_string(state))).collect();
    let drives = drives.iter().map(|state| text(to_string(state))).collect();
    let views = views.iter().map(|state| text(to_string(state))).collect();
    write(writer, wiring::call::NAME, calls, |event| matches!(event, Event::Call(_)));
    write(writer, wiring::payment::NAME, payments, |event| matches!(event, Event::Payment(_)));
    write(writer, wiring::drive::NAME, drives, |event| matches!(event, Event::Drive(_)));
    write(writer, wiring::view::NAME, views, |_| false);
}

fn open(own: &OwnDatabase, views: Vec<View>) -> Database {
    let schemas: Vec<_> = SERVICES.iter().map(|service| wiring::schema(service, 1)).collect();
    let options = Options { views, ..own.options(&schemas) };
    Database::create_or_open(&options, LogId(1)).expect("it can be opened")
}

#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn every_column_of_every_view_is_read() {
    let own = OwnDatabase::new();
    let database = open(&own, views());
    fill(&mut *database.store());
    let mut client = own.client();
    for view in views() {
        let rows = client.query(&format!("SELECT * FROM analysis.{}", view.name), &[]).expect(view.name);
        let columns = rows.first().expect("it has rows").columns();
        for (place, column) in columns.iter().enumerate() {
            let is_some = rows.iter().any(|row| match *column.type_() {
                Type::TEXT => row.get::<_, Option<String>>(place).is_some(),
                Type::INT8 => row.get::<_, Option<i64>>(place).is_some(),
                Type::INT4 => row.get::<_, Option<i32>>(place).is_some(),
                Type::BOOL => row.get::<_, Option<bool>>(place).is_some(),
                Type::TIMESTAMPTZ => row.get::<_, Option<SystemTime>>(place).is_some(),
                ref other => panic!("{} of {} is {other}", column.name(), view.name),
            });
            assert!(is_some, "nothing is ever in {} of {}", column.name(), view.name);
            let is_typed = |kind: &ColumnKind| match kind {
                ColumnKind::Text => *column.type_() == Type::TEXT,
                ColumnKind::Integer => *column.type_() == Type::INT8,
                ColumnKind::Boolean => *column.type_() == Type::BOOL,
                ColumnKind::Time => *column.type_() == Type::TIMESTAMPTZ,
            };
            let named = view.columns.iter().find(|known| known.name == column.name());
            assert!(named.is_none_or(|known| is_typed(&known.kind)), "{}", column.name());
        }
    }
    let row = client.query_one("SELECT * FROM analysis.calls WHERE call_id = 1", &[]).expect("it is there");
    let at = SystemTime::UNIX_EPOCH + Duration::from_millis(sample::AT.0.unsigned_abs());
    assert_eq!(row.get::<_, i64>("fare_won"), 100_000);
    assert_eq!(row.get::<_, i64>("distance_m"), 10_000);
    assert_eq!(row.get::<_, SystemTime>("requested_at"), at);
    let row = client.query_one("SELECT * FROM analysis.riders WHERE call_id = 1", &[]).expect("it is there");
    assert_eq!(row.get::<_, String>("user_name"), "eojin");
}

#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn who_rides_can_be_kept_from_those_who_count_rides() {
    let own = OwnDatabase::new();
    fill(&mut *open(&own, views()).store());
    let (url, drop_role) = own.plain_user();
    let role = &own.name;
    let mut owner = own.client();
    owner
        .batch_execute(&format!(
            "REVOKE ALL ON ALL TABLES IN SCHEMA engine FROM {role}; REVOKE ALL ON SCHEMA engine FROM {role}; \
             GRANT USAGE ON SCHEMA analysis TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA analysis TO {role}; \
             REVOKE SELECT ON analysis.riders FROM {role}"
        ))
        .expect("a superuser may");
    let mut analyst = postgres::Client::connect(&url, postgres::NoTls).expect("the server is up");
    for view in views().iter().filter(|view| view.name != "riders") {
        let rows = analyst.query(&format!("SELECT * FROM analysis.{}", view.name), &[]).expect(view.name);
        let told =
            rows.iter().flat_map(|row| (0..row.len()).map(move |place| row.try_get::<_, String>(place)));
        assert!(!told.flatten().any(|text| text.contains("eo")), "{} names a rider", view.name);
    }
    for kept in ["analysis.riders", "engine.call_entity_call"] {
        assert!(analyst.query(&format!("SELECT * FROM {kept}"), &[]).is_err(), "{kept}");
    }
    drop(analyst);
    drop_role();
}

#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn a_view_grows_and_an_older_program_leaves_it_alone() {
    let own = OwnDatabase::new();
    let names = |own: &OwnDatabase| -> Vec<String> {
        let sql = "SELECT a.attname::text FROM pg_attribute AS a WHERE a.attrelid = 'analysis.calls'::regclass \
                   AND a.attnum > 0 ORDER BY a.attnum";
        own.client().query(sql, &[]).expect("read").iter().map(|row| row.get(0)).collect()
    };
    let short = |columns: usize| {
        let mut views = views();
        views.truncate(1);
        views[0].columns.truncate(columns);
        views
    };
    drop(open(&own, short(2)));
    assert_eq!(names(&own).len(), 7);
    drop(open(&own, short(4)));
    assert_eq!(names(&own).len(), 9);
    drop(open(&own, short(1)));
    assert_eq!(names(&own).len(), 9, "the newer program's");
    let mut other = short(4);
    other[0].columns.swap(0, 3);
    other[0].columns.push(Column { name: "more", path: vec!["more"], kind: ColumnKind::Text });
    drop(open(&own, other));
    assert_eq!(names(&own).last().map(String::as_str), Some("more"));
}

#[test]
fn the_document_tells_every_column() {
    for view in VIEWS {
        let heading = format!("## `{}`", view.name);
        let (_, section) = DOCUMENT.split_once(&heading).expect(view.name);
        let section = section.split("\n## ").next().unwrap_or_default();
        for column in view.columns {
            assert!(section.contains(&format!("| `{}` |", column.name)), "{} of {}", column.name, view.name);
        }
        let told = section.lines().filter(|line| line.starts_with("| `")).count();
        assert_eq!(told, view.columns.len(), "{heading} tells of what there is not");
    }
}
