//! Services that hear each other over a topic: no false alarm, also after its partition count was raised, and nothing that
//! is lost on the way goes unseen.

use crate::copy::Copy;
use crate::system::{CANCELLED, COMPLETED, START, System, UNDER_WAY, UNHEARD, busy};
use engine::clock::Timestamp;
use engine::log::{LogId, ShardName, Source};
use engine::store::InboxKey;
use engine::topic::{count_key, heard_key, is_told_key, partition_of, read_key, told_key};
use std::collections::BTreeMap;
use wiring::TELLING;
use wiring::audit::{Moment, Options, Report, audit};

const NOW: Timestamp = Timestamp(START.0 + 20_000);
const LATER: Timestamp = Timestamp(START.0 + 3_600_000);
const KAFKA: LogId = LogId(0xcafe);
const PARTITIONS: u32 = 12;

fn look_at(copy: &Copy, now: Timestamp) -> Report {
    let options = Options { partitions: Some(PARTITIONS), ..Options::default() };
    audit(&Moment::of_one(copy), now, &options).expect("a copy can be read")
}

fn findings(report: &Report) -> Vec<String> {
    let findings = report.findings.iter();
    findings
        .map(|found| format!("{:?} {}: {}: {}", found.sort, found.service, found.check, found.what))
        .collect()
}

/// The same as if what was heard had come over a topic, under the count that was in force at each position.
fn over_a_topic(copy: &mut Copy, count_at: impl Fn(u64) -> u32) {
    let events = copy.events.clone();
    for (shard, rows) in &mut copy.inbox {
        let mut spread: BTreeMap<InboxKey, u64> = BTreeMap::new();
        for (InboxKey { source, .. }, read) in rows.drain(..) {
            let log =
                events.iter().find(|(log, _)| log.service == source.service && log.index == source.shard);
            for event in log.into_iter().flat_map(|(_, events)| events) {
                if event.published && event.position <= read {
                    let count = count_at(event.position);
                    let partition = partition_of(event.entity_id, count);
                    spread.insert(heard_key(KAFKA, count, partition, &source), event.position);
                    let next = spread.entry(read_key(KAFKA, partition)).or_default();
                    *next += 1;
                }
            }
        }
        if TELLING.contains(&shard.service) {
            for position in 1..=copy.last[shard] {
                let count = count_at(position);
                spread.insert(told_key(KAFKA, count), position);
                spread.entry(count_key(KAFKA, count)).or_insert(position);
            }
        }
        rows.extend(spread);
    }
}

fn healthy() -> Copy {
    let mut copy = Copy::of(&**busy(|_| ()).reader());
    over_a_topic(&mut copy, |_| PARTITIONS);
    copy
}

/// Up to where a log was told, in each of the rows that say so.
fn tell(copy: &mut Copy, log: ShardName, position: u64) {
    for (key, told) in copy.inbox.get_mut(&log).expect("the log is there") {
        if is_told_key(key) {
            *told = position;
        }
    }
}

#[track_caller]
fn check(plant: impl FnOnce(&mut Copy), expected: &[&str]) {
    let mut copy = healthy();
    plant(&mut copy);
    let report = look_at(&copy, NOW);
    assert_eq!(findings(&report), expected, "{report}");
}

fn moments() -> Vec<Copy> {
    let mut moments = Vec::new();
    busy(|system: &System| moments.push(Copy::of(&**system.reader())));
    moments
}

#[test]
fn a_healthy_fleet_is_clean_at_every_moment() {
    let mut checks = 0;
    for (turn, mut copy) in moments().into_iter().enumerate() {
        let alone = audit(&Moment::of_one(&copy), NOW, &Options::default()).unwrap();
        over_a_topic(&mut copy, |_| PARTITIONS);
        let report = look_at(&copy, NOW);
        assert!(report.is_clean(), "after turn {turn}:\n{report}");
        assert_eq!(report.in_flight(), alone.in_flight(), "after turn {turn}:\n{alone}\n{report}");
        assert_eq!(report.transit, alone.transit, "after turn {turn}");
        checks = report.checks.len() - alone.checks.len();
    }
    assert_eq!(checks, 6, "told within the log, and told to the topic, of three services each");
}

#[test]
fn a_raised_count_accuses_nobody() {
    for raised_at in 0..20 {
        let all = moments();
        let end = all.len() - 1;
        for (turn, mut copy) in all.into_iter().enumerate() {
            over_a_topic(&mut copy, |position| if position <= raised_at { 4 } else { PARTITIONS });
            let report = look_at(&copy, NOW);
            assert!(report.is_clean(), "raised after {raised_at}:\n{report}");
            if turn == end {
                // An hour later only what nobody has heard is late.
                let checks = ["heard and done", "events heard", "view = rebuild", "told to the topic"];
                let late = look_at(&copy, LATER).findings;
                let late = late.iter().filter(|finding| checks.contains(&finding.check));
                let late: Vec<_> = late.map(|finding| &*finding.what).collect();
                assert_eq!(late, ["payment/9", "view/9"], "raised after {raised_at}");
            }
        }
    }
}

#[test]
fn a_message_that_is_counted_as_read_and_was_not_is_found() {
    // Payment's row says that it has heard the last call, of which it knows nothing.
    let unheard = ["Broken payment: heard and done: payment/9", "Broken view: view = rebuild: view/9"];
    let pass = |copy: &mut Copy| {
        let request = copy.event("call", UNHEARD, "CallRequested").clone();
        let partition = partition_of(UNHEARD, PARTITIONS);
        for (shard, rows) in &mut copy.inbox {
            if shard.service == "payment" || shard.service == "view" {
                let key = heard_key(KAFKA, PARTITIONS, partition, &request.source);
                rows.retain(|(known, _)| *known != key);
                rows.push((key, request.position));
            }
        }
    };
    check(pass, &unheard);
    // The consequences of something that was heard are gone.
    check(
        |copy| {
            let position = copy.event("drive", UNDER_WAY, "DriveStarted").position;
            let shard = copy.event("drive", UNDER_WAY, "DriveStarted").source.shard;
            let heard = copy.inbox.iter().find(|(shard, _)| shard.service == "call").unwrap().1;
            assert!(heard.iter().any(|(key, _)| key.source.service == "drive"), "{shard} {position}");
            copy.event("call", UNDER_WAY, "CallUnderWay").event_type = "CallOverdue".into();
        },
        &["Broken call: state = its events: call/6", "Broken call: heard and done: call/6"],
    );
}

#[test]
fn nobody_has_told_more_than_there_is() {
    check(
        |copy| {
            let log = ShardName { service: "drive", index: 1 };
            let last = copy.last[&log];
            tell(copy, log, last + 3);
        },
        &["Broken drive: told within the log: drive/1 has told topic 000000000000cafe to 5"],
    );
}

#[test]
fn what_the_topic_was_not_told_is_on_its_way_and_late_in_the_end() {
    let mut copy = healthy();
    let log = ShardName { service: "call", index: 1 };
    let told = copy.event("call", UNHEARD, "CallRequested").position - 1;
    tell(&mut copy, log, told);
    let report = look_at(&copy, NOW);
    assert!(report.is_clean(), "{report}");
    let way = &report.transit;
    assert_eq!((way[0].from, way[0].to, way[0].events, way[0].untold), ("call", "payment", 1, 1));
    assert_eq!((way[1].from, way[1].to, way[1].events, way[1].untold), ("call", "view", 1, 1));
    let line = "way     call to payment: 1, the oldest for 9.0 s; the topic has not been told 1 of them";
    assert!(report.to_string().contains(line), "{report}");
    // It is said of whoever should have told it, and of no one who could not hear it.
    let late = look_at(&copy, LATER);
    let way = ["told to the topic", "heard and done", "events heard"];
    let found = late.findings.iter().filter(|finding| way.contains(&finding.check));
    let found: Vec<_> = found.map(|finding| (finding.service, finding.check, &*finding.what)).collect();
    assert_eq!(found, [("call", "told to the topic", "call/9")]);
}

#[test]
fn a_fare_that_is_taken_twice_is_found() {
    check(
        |copy| {
            let again = copy.event("payment", COMPLETED, "FarePaid").clone();
            let log = ShardName { service: "payment", index: again.source.shard };
            let events = copy.events.get_mut(&log).unwrap();
            let (position, version) = (events.len() as u64 + 1, 9);
            events.push(engine::log::Recorded { position, version, ..again });
            *copy.last.get_mut(&log).unwrap() = position;
        },
        &[
            "Broken payment: versions gapless: payment/1 version 9 (payment/1 position 4)",
            "Broken payment: version = number of events: payment/1",
            "Broken payment: state = its events: payment/1",
            "Broken payment: taken = held + earned + returned: payment/1",
            "Broken payment: said once: payment/1",
        ],
    );
}

#[test]
fn an_older_database_that_goes_on_under_its_old_name_is_found() {
    // Drive's database as it was before its last event, while call and payment have heard that one.
    check(
        |copy| {
            let last = copy.event("drive", COMPLETED, "DriveEnded").clone();
            let log = ShardName { service: "drive", index: last.source.shard };
            copy.events.get_mut(&log).unwrap().retain(|event| event.position < last.position);
            let end = last.position - 1;
            copy.last.insert(log, end);
            tell(copy, log, end);
            copy.row("drive", COMPLETED).version = 1;
            copy.edit(("drive", COMPLETED), "\"end\"", "\"start\"");
        },
        &[
            "Broken call: inbox within the logs: call/1 has read drive/1 to 2",
            "Broken payment: inbox within the logs: payment/1 has read drive/1 to 2",
            "Broken drive: tags = states: drive/1",
            "Broken drive: one timer per open entity: drive/1",
            "Broken view: inbox within the logs: view/0 has read drive/1 to 2",
            "Broken view: inbox within the logs: view/1 has read drive/1 to 2",
        ],
    );
}

#[test]
fn under_a_new_name_what_was_heard_under_the_old_one_is_not_late() {
    let mut copy = healthy();
    let former = LogId(3);
    for (shard, rows) in &mut copy.inbox {
        for (key, _) in rows.iter_mut() {
            if key.source.service == "drive" {
                let log = heard_key(KAFKA, 0, 0, &Source { log: former, ..key.source.clone() }).source.log;
                key.source.log = log;
            }
        }
        if shard.service == "drive" {
            rows.retain(|(key, _)| key.source.service != engine::topic::RELAY);
        }
    }
    let report = look_at(&copy, NOW);
    assert!(report.is_clean(), "{report}");
    let late = look_at(&copy, LATER);
    let told: Vec<_> = late.findings.iter().filter(|finding| finding.check == "told to the topic").collect();
    assert!(told.iter().all(|finding| finding.service == "drive") && !told.is_empty(), "{late}");
    let heard = ["heard and done", "events heard", "view = rebuild"];
    let found = late.findings.iter().filter(|finding| heard.contains(&finding.check));
    let found: Vec<_> = found.map(|finding| &*finding.what).collect();
    assert_eq!(found, ["payment/9", "view/9"]);

    // And what is missing all the same is late once it should have come.
    copy.event("call", CANCELLED, "CallCancelled").event_type = "CallOverdue".into();
    assert!(look_at(&copy, NOW).findings.iter().all(|finding| finding.check != "heard and done"));
    let late = look_at(&copy, LATER);
    let found =
        late.findings.iter().find(|finding| finding.check == "heard and done" && finding.service == "call");
    assert!(found.unwrap().detail.contains("whether DriveCancelled"), "{late}");
}
