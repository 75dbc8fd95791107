//! All logs read as one: nothing left out, nothing before its cause, and on from where one was.

use crate::situations::ALL;
use crate::world::World;
use engine::log::{Recorded, Source};
use engine::store::Stored;
use operator::events::{BeginError, CursorError, Filter, From, Log, Merge, logs, of_call};
use std::collections::HashSet;
use std::sync::Arc;
use taxi::id::CallId;

const EVERYTHING: Filter = Filter { types: None, services: None, call_ids: None, with_private: true };

/// Some calls, one after the other.
fn busy() -> World {
    let mut world = World::new();
    for id in 1..=12 {
        world.call(id, if id % 3 == 0 { "150" } else { "10" }, None);
    }
    for id in 1..=6 {
        world.end(id, "driver");
    }
    world.cancel(7, "rider");
    world.pass_ms(1_000);
    world
}

fn read(merge: &mut Merge, filter: &Filter) -> Vec<(Recorded, String)> {
    let mut told = Vec::new();
    while !merge.chunk(filter, &mut |event, cursor| told.push((event.clone(), cursor))).unwrap() {}
    told
}

fn begin(world: &World, from: &From) -> Merge {
    Merge::begin(logs(world.readers()).unwrap(), from).unwrap()
}

fn place(event: &Recorded) -> (String, u16, u64) {
    (event.source.service.to_string(), event.source.shard, event.position)
}

#[test]
fn everything_is_told_once_and_nothing_before_its_cause() {
    let world = busy();
    let told = read(&mut begin(&world, &From::Beginning), &EVERYTHING);
    let kept: u64 = logs(world.readers()).unwrap().iter().map(|log| log.last().unwrap()).sum();
    let mut seen = HashSet::new();
    for (event, _) in &told {
        if let Some(cause) = event.cause.strip_prefix("event ") {
            let is_told =
                |known: &(String, u16, u64)| format!("{}/{}/{}", known.0, known.1, known.2) == cause;
            assert!(seen.iter().any(is_told), "{event:?}");
        }
        assert!(seen.insert(place(event)), "{event:?}");
    }
    assert_eq!(told.len() as u64, kept);
}

/// A log of which nothing is here: another's service stands in for ours, or its database was lost.
struct Gone(Arc<dyn Log>);

impl Log for Gone {
    fn source(&self) -> &Source {
        self.0.source()
    }

    fn last(&self) -> Stored<u64> {
        Ok(0)
    }

    fn read(&self, _: u64, _: usize) -> Stored<Vec<Arc<Recorded>>> {
        Ok(Vec::new())
    }
}

#[test]
fn a_cause_that_is_in_no_log_holds_up_nothing() {
    let world = busy();
    let all = logs(world.readers()).unwrap();
    let here = |log: Arc<dyn Log>| -> Arc<dyn Log> {
        if log.source().service == "payment" { Arc::new(Gone(log)) } else { log }
    };
    let kept: u64 =
        all.iter().filter(|log| log.source().service != "payment").map(|log| log.last().unwrap()).sum();
    let mut merge = Merge::begin(all.into_iter().map(here).collect(), &From::Beginning).unwrap();
    let (mut told, mut chunks) = (Vec::new(), 1);
    while !merge.chunk(&EVERYTHING, &mut |event, _| told.push(place(event))).unwrap() {
        chunks += 1;
    }
    assert_eq!(told.len() as u64, kept);
    assert_eq!(told.iter().collect::<HashSet<_>>().len(), told.len());
    assert!(chunks <= 5, "{chunks} looks at all logs for {kept} events");
    let at = |service: &str, nth: usize| {
        let of_service = told.iter().enumerate().filter(|(_, (known, ..))| known == service);
        of_service.map(|(place, _)| place).nth(nth).unwrap()
    };
    assert!(at("drive", 0) < at("call", 5), "what is here is in order of time still: {told:?}");
}

#[test]
fn reading_goes_on_behind_every_event() {
    let world = busy();
    let all = read(&mut begin(&world, &From::Beginning), &EVERYTHING);
    for (index, (_, cursor)) in all.iter().enumerate() {
        let rest = read(&mut begin(&world, &From::After(cursor.clone())), &EVERYTHING);
        let places =
            |told: &[(Recorded, String)]| told.iter().map(|(event, _)| place(event)).collect::<Vec<_>>();
        assert_eq!(places(&rest), places(&all[index + 1..]));
    }
}

#[test]
fn only_what_is_wanted_is_told() {
    let world = busy();
    let filter = Filter { call_ids: Some([3].into()), ..Filter::default() };
    let told = read(&mut begin(&world, &From::Beginning), &filter);
    let types: Vec<&str> = told.iter().map(|(event, _)| &*event.event_type).collect();
    let expected =
        ["CallRequested", "FarePaid", "DriveNotAvailable", "CallPlaced", "CallCancelled", "FareRefunded"];
    assert_eq!(types, expected);
    let filter = Filter {
        types: Some(vec!["FareAsked".into(), "DriveEnded".into()]),
        services: Some(vec!["drive".into()]),
        ..EVERYTHING
    };
    let told = read(&mut begin(&world, &From::Beginning), &filter);
    assert!(!told.is_empty() && told.iter().all(|(event, _)| event.event_type == "DriveEnded"));
}

#[test]
fn a_calls_events_are_the_published_ones_with_causes_before_what_they_led_to() {
    let world = busy();
    for id in 1..=12 {
        let filter = Filter { call_ids: Some([id].into()), ..Filter::default() };
        let streamed = read(&mut begin(&world, &From::Beginning), &filter);
        let told = of_call(world.readers(), CallId::new(id).unwrap()).unwrap().unwrap();
        let (mut expected, mut places): (Vec<_>, Vec<_>) =
            (streamed.iter().map(|(event, _)| place(event)).collect(), told.iter().map(place).collect());
        let causes = told.iter().enumerate().filter_map(|(number, event)| {
            let cause = event.cause.strip_prefix("event ")?;
            let is_cause = |(service, shard, position): &(String, u16, u64)| {
                format!("{service}/{shard}/{position}") == cause
            };
            Some((number, places.iter().position(is_cause)?))
        });
        let causes: Vec<(usize, usize)> = causes.collect();
        assert!(!causes.is_empty() && causes.iter().all(|(effect, cause)| cause < effect), "{told:?}");
        expected.sort();
        places.sort();
        assert_eq!(places, expected);
    }
    assert!(of_call(world.readers(), CallId::new(13).unwrap()).unwrap().is_none());
}

#[test]
fn from_now_on_only_what_happens_later_is_told() {
    let mut world = busy();
    let mut merge = begin(&world, &From::Now);
    assert!(read(&mut merge, &EVERYTHING).is_empty());
    world.call(13, "10", None);
    assert!(read(&mut merge, &EVERYTHING).iter().all(|(event, _)| event.entity_id == 13));
}

#[test]
fn a_cursor_of_another_log_is_refused() {
    let world = World::new();
    let cursor = begin(&busy(), &From::Now).cursor();
    let check = |text: &str, expected: CursorError| {
        let begun = Merge::begin(logs(world.readers()).unwrap(), &From::After(text.to_owned()));
        assert_eq!(begun.err(), Some(BeginError::Cursor(expected)), "{text}");
    };
    check(&cursor, CursorError::OtherLog);
    check("nonsense", CursorError::Malformed);
}

#[test]
fn every_situation_is_told_in_the_order_of_its_story() {
    for (name, situation) in ALL {
        let world = situation();
        let story = world.explain(crate::situations::CALL);
        let steps: Vec<_> =
            story.steps.iter().map(|step| (step.service.clone(), step.shard, step.position)).collect();
        let told = read(&mut begin(&world, &From::Beginning), &EVERYTHING);
        assert_eq!(told.iter().map(|(event, _)| place(event)).collect::<Vec<_>>(), steps, "{name}");
    }
}
