//! One corruption after the other, each with exactly the findings that name it.

use crate::copy::Copy;
use crate::system::{ASKED, CANCELLED, COMPLETED, FAILED, REFUSED, START, TOO_FAR, UNDER_WAY, UNHEARD, busy};
use engine::audit::{FINDINGS_LISTED_MAX, Sort};
use engine::clock::Timestamp;
use engine::dead_letter::{DeadLetter, Parcel, Skip};
use engine::log::{EntityKey, LogId, ShardName};
use engine::store::Rebuild;
use wiring::audit::{Moment, Options, Report, audit};

const NOW: Timestamp = Timestamp(START.0 + 20_000);

fn look_at(copy: &Copy, now: Timestamp) -> Report {
    audit(&Moment::of_one(copy), now, &Options::default()).expect("a copy can be read")
}

fn findings(report: &Report) -> Vec<String> {
    let findings = report.findings.iter().map(|finding| {
        assert!(!finding.detail.is_empty());
        format!("{:?} {}: {}: {}", finding.sort, finding.service, finding.check, finding.what)
    });
    findings.collect()
}

/// Plants one corruption in a busy, healthy system and expects exactly these findings.
fn check(plant: impl FnOnce(&mut Copy), expected: &[&str]) {
    let mut copy = Copy::of(&**busy(|_| ()).reader());
    plant(&mut copy);
    let report = look_at(&copy, NOW);
    assert_eq!(findings(&report), expected, "{report}");
}

fn shard_of(copy: &Copy, service: &'static str, id: u64) -> ShardName {
    let found = copy
        .events
        .iter()
        .find(|(shard, events)| shard.service == service && events.iter().any(|event| event.entity_id == id));
    *found.expect("the entity has events").0
}

/// An event that was another one all along.
fn rename(service: &'static str, id: u64, from: &'static str, to: &'static str) -> impl FnOnce(&mut Copy) {
    move |copy| copy.event(service, id, from).event_type = to.into()
}

#[test]
fn logs_have_no_gap_and_hold_only_their_own() {
    check(
        |copy| {
            let shard = shard_of(copy, "call", UNHEARD);
            copy.events.get_mut(&shard).unwrap().last_mut().unwrap().position += 1;
            *copy.last.get_mut(&shard).unwrap() += 1;
        },
        &["Broken call: positions gapless: call/1 position 6"],
    );
    check(
        |copy| *copy.last.get_mut(&ShardName { service: "call", index: 0 }).unwrap() += 3,
        &["Broken call: positions gapless: call/0"],
    );
    check(
        |copy| copy.event("drive", COMPLETED, "DriveEnded").source.log = LogId(8),
        &["Broken drive: events in their shard: drive/1 position 2"],
    );
    check(
        |copy| copy.event("drive", COMPLETED, "DriveEnded").source.shard = 0,
        &["Broken drive: events in their shard: drive/1 position 2"],
    );
    check(
        |copy| copy.event("drive", COMPLETED, "DriveEnded").source.service = "call".into(),
        &["Broken drive: events in their shard: drive/1 position 2"],
    );
    check(
        |copy| {
            let shard = shard_of(copy, "payment", COMPLETED);
            copy.events.get_mut(&shard).unwrap().retain(|event| event.event_type != "FareEarned");
        },
        &[
            "Broken payment: positions gapless: payment/1",
            "Broken payment: version = number of events: payment/1",
            "Broken payment: state = its events: payment/1",
            "Broken payment: heard and done: payment/1",
        ],
    );
    check(
        |copy| copy.event("call", COMPLETED, "CallCompleted").version = 7,
        &["Broken call: versions gapless: call/1 version 7 (call/1 position 4)"],
    );
    check(
        |copy| copy.event("call", COMPLETED, "CallPlaced").body = "{}".to_owned(),
        &["Broken call: events readable: call/1 version 2 (call/1 position 2)"],
    );
    check(
        |copy| copy.event("call", COMPLETED, "CallCompleted").schema = 99,
        &["Broken call: events readable: call/1 version 4 (call/1 position 4)"],
    );
}

#[test]
fn every_entity_is_its_events() {
    let forget = |service: &'static str, id: u64| {
        move |copy: &mut Copy| copy.entities.get_mut(service).unwrap().retain(|row| row.key.id != id)
    };
    check(
        forget("call", COMPLETED),
        &[
            "Broken call: entity of every event: call/1",
            "Broken call: counters = recount: call tagged \"driveComplete\"",
        ],
    );
    check(
        forget("payment", ASKED),
        &[
            "Broken payment: entity of every event: payment/5",
            "Broken payment: effects of every entity: payment/5",
            "Broken payment: counters = recount: payment tagged \"asked\"",
        ],
    );
    check(
        forget("view", COMPLETED),
        &[
            "Broken view: counters = recount: view tagged \"driveComplete\"",
            "Broken view: view = rebuild: view/1",
        ],
    );
    check(
        forget("provider", COMPLETED),
        &[
            "Broken provider: counters = recount: account tagged \"taken\"",
            "Broken provider: book = payments: account/1",
        ],
    );
}

#[test]
fn every_row_was_told_of() {
    let double = |service: &'static str, id: u64, by: u64| {
        move |copy: &mut Copy| {
            let mut row = copy.row(service, id).clone();
            row.key.id = by;
            copy.entities.get_mut(service).unwrap().push(row);
        }
    };
    check(
        double("drive", COMPLETED, 99),
        &[
            "Broken drive: events of every entity: drive/99",
            "Broken drive: counters = recount: drive tagged \"end\"",
        ],
    );
    check(
        double("view", COMPLETED, 99),
        &[
            "Broken view: counters = recount: view tagged \"driveComplete\"",
            "Broken view: view = rebuild: view/99",
        ],
    );
    check(
        double("provider", COMPLETED, 99),
        &[
            "Broken provider: counters = recount: account tagged \"taken\"",
            "Broken provider: book = payments: account/99",
        ],
    );
}

#[test]
fn every_row_says_what_its_events_say() {
    check(
        |copy| copy.row("call", COMPLETED).version += 1,
        &["Broken call: version = number of events: call/1"],
    );
    check(|copy| copy.row("view", COMPLETED).version = 0, &["Broken view: states readable: view/1"]);
    check(
        |copy| copy.edit(("call", COMPLETED), "\"placed\":true", "\"placed\":false"),
        &["Broken call: state = its events: call/1"],
    );
    check(
        |copy| copy.edit(("call", COMPLETED), "\"placed\":true", "\"placed\": true"),
        &["Broken call: state = its events: call/1"],
    );
    check(
        |copy| copy.row("drive", UNDER_WAY).state.truncate(20),
        &["Broken drive: state = its events: drive/6", "Broken drive: states readable: drive/6"],
    );
    check(
        |copy| copy.row("drive", COMPLETED).tag = "start".into(),
        &[
            "Broken drive: tags = states: drive/1",
            "Broken drive: counters = recount: drive tagged \"end\"",
            "Broken drive: counters = recount: drive tagged \"start\"",
        ],
    );
}

#[test]
fn an_open_entity_has_its_timer_and_its_effects() {
    check(
        |copy| copy.row("call", UNDER_WAY).timer = None,
        &["Broken call: one timer per open entity: call/6"],
    );
    check(
        |copy| {
            let timer = copy.row("call", UNDER_WAY).timer.clone();
            copy.row("drive", CANCELLED).timer = timer;
        },
        &["Broken drive: one timer per open entity: drive/3"],
    );
    check(
        |copy| copy.row("call", UNDER_WAY).timer.as_mut().unwrap().due = Timestamp(START.0 - 600_000),
        &["Late call: timers fire: call/6"],
    );
    check(
        |copy| copy.effects.get_mut("payment").unwrap().retain(|effect| effect.key.id != ASKED),
        &["Broken payment: effects of every entity: payment/5"],
    );
    check(
        |copy| {
            copy.effects.get_mut("payment").unwrap().retain(|effect| effect.key.id != ASKED);
            copy.row("payment", ASKED).effects_open.clear();
        },
        &["Broken payment: errands = open effects: payment/5"],
    );
    check(
        |copy| {
            let key = EntityKey { kind: "payment", id: 99 };
            copy.effects.get_mut("payment").unwrap()[0].key = key;
        },
        &[
            "Broken payment: effects of every entity: payment/5",
            "Broken payment: effects of every entity: payment/99",
        ],
    );
    check(
        |copy| {
            let effects = copy.effects.get_mut("payment").unwrap();
            let asked = effects.iter_mut().find(|effect| effect.key.id == ASKED).unwrap();
            asked.attempts = 0;
        },
        &["Broken payment: effects of every entity: payment/5 effect take 256"],
    );
    check(
        |copy| {
            let effects = copy.effects.get_mut("payment").unwrap();
            let asked = effects.iter_mut().find(|effect| effect.key.id == ASKED).unwrap();
            asked.claimed_until = Timestamp(NOW.0 + 3_600_000);
        },
        &["Late payment: effects answered: payment/5 effect take 256"],
    );
    check(
        |copy| {
            let effects = copy.effects.get_mut("payment").unwrap();
            let place = effects.iter().position(|effect| effect.key.id == ASKED).unwrap();
            let mut second = effects[place].clone();
            second.sequence += 256 * 5;
            effects.insert(place + 1, second.clone());
            copy.row("payment", ASKED).effects_open.push(second.sequence);
        },
        &[
            "Broken payment: effects of every entity: payment/5 effect take 1536",
            "Broken payment: effects of every entity: payment/5 effect take 1536",
        ],
    );
}

#[test]
fn counters_and_inboxes_and_dead_letters_are_looked_at() {
    check(
        |copy| copy.counts.get_mut(&("drive", "drive")).unwrap()[0].1 += 1,
        &["Broken drive: counters = recount: drive tagged \"cancel\""],
    );
    check(
        |copy| copy.counts.get_mut(&("provider", "account")).unwrap().clear(),
        &[
            "Broken provider: counters = recount: account tagged \"back\"",
            "Broken provider: counters = recount: account tagged \"refused\"",
            "Broken provider: counters = recount: account tagged \"taken\"",
        ],
    );
    check(
        |copy| {
            let rows = copy.inbox.get_mut(&ShardName { service: "drive", index: 0 }).unwrap();
            rows[0].1 += 1_000;
        },
        &["Broken drive: inbox within the logs: drive/0 has read call/0 to 1017"],
    );
    check(
        |copy| {
            let rows = copy.inbox.get_mut(&ShardName { service: "drive", index: 0 }).unwrap();
            rows[0].0.source.shard = 9;
        },
        &["Broken drive: inbox within the logs: drive/0 has read call/9 to 17"],
    );
    check(
        |copy| {
            let event = copy.event("call", UNHEARD, "CallRequested").clone();
            let shard = ShardName { service: "payment", index: event.source.shard };
            copy.pretend_heard("payment");
            copy.letters.get_mut(&shard).unwrap().push(DeadLetter {
                number: 1,
                entity_id: UNHEARD,
                parcel: Parcel::Event(event),
                reason: "planted".to_owned(),
                at: NOW,
                skipped: None,
            });
        },
        &["DeadLetter payment: no dead letters: letter 1 of payment/1, about 9"],
    );
}

/// Payment has heard of a call, and an operator has passed that over: nothing is asked.
fn pass_over(copy: &mut Copy) {
    let event = copy.event("call", UNHEARD, "CallRequested").clone();
    let shard = ShardName { service: "payment", index: event.source.shard };
    copy.pretend_heard("payment");
    copy.passed_over
        .get_mut(&shard)
        .expect("every shard is copied")
        .push((event.source.clone(), event.position));
    let skipped = Skip { by: "operator".to_owned(), reason: "planted".to_owned(), at: NOW };
    copy.letters.get_mut(&shard).expect("every shard is copied").push(DeadLetter {
        number: 1,
        entity_id: UNHEARD,
        parcel: Parcel::Event(event),
        reason: "planted".to_owned(),
        at: NOW,
        skipped: Some(skipped),
    });
}

#[test]
fn what_was_passed_over_is_shown_and_is_not_broken() {
    check(pass_over, &[]);
    let mut copy = Copy::of(&**busy(|_| ()).reader());
    pass_over(&mut copy);
    let report = look_at(&copy, NOW);
    assert!(report.is_clean());
    let skipped = |service: &str, name: &str| {
        let found = report.checks.iter().find(|check| (check.service, check.name) == (service, name));
        found.map(|check| check.skipped)
    };
    assert_eq!(skipped("payment", "no dead letters"), Some(1));
    assert_eq!(skipped("payment", "heard and done"), Some(1));
    assert_eq!(skipped("drive", "heard and done"), Some(0));
    let text = report.to_string();
    assert!(text.contains("0 dead letters, 1 skipped") && text.contains("  1 skipped"), "{text}");
    // Once the letter is forgotten, what it was about is still known; and without that, it would be broken.
    check(
        |copy| {
            pass_over(copy);
            copy.letters.values_mut().for_each(Vec::clear);
        },
        &[],
    );
    check(
        |copy| {
            pass_over(copy);
            copy.passed_over.values_mut().for_each(Vec::clear);
        },
        &["Broken payment: heard and done: payment/9"],
    );
}

#[test]
fn a_view_that_has_passed_an_event_over_is_as_if_it_had_not_been() {
    let plant = |copy: &mut Copy| {
        let event = copy.event("drive", COMPLETED, "DriveEnded").clone();
        let shard = ShardName { service: "view", index: event.source.shard };
        copy.passed_over.get_mut(&shard).unwrap().push((event.source.clone(), event.position));
    };
    check(plant, &["Broken view: view = rebuild: view/1"]);
}

#[test]
fn what_was_passed_over_was_heard() {
    check(
        |copy| {
            let source = copy.event("call", COMPLETED, "CallRequested").source.clone();
            let shard = ShardName { service: "drive", index: 1 };
            copy.passed_over.get_mut(&shard).unwrap().push((source, 1_000));
        },
        &["Broken drive: inbox within the logs: drive/1 has passed over call/1/1000"],
    );
}

#[test]
fn a_view_that_is_being_dropped_is_not_looked_at_and_one_that_reads_is() {
    let drop_one = |stage: Option<Rebuild>| {
        move |copy: &mut Copy| {
            copy.rebuild.insert("view", stage);
            copy.entities.get_mut("view").unwrap().retain(|row| row.key.id != COMPLETED);
        }
    };
    check(drop_one(Some(Rebuild::Dropping)), &[]);
    let findings = [
        "Broken view: counters = recount: view tagged \"driveComplete\"",
        "Broken view: view = rebuild: view/1",
    ];
    check(drop_one(Some(Rebuild::Reading)), &findings);
    check(drop_one(None), &findings);
}

#[test]
fn every_won_is_accounted_for() {
    let asked_and_paid = "\"held\":0,\"earned\":100000";
    check(
        |copy| copy.edit(("payment", COMPLETED), asked_and_paid, "\"held\":100000,\"earned\":0"),
        &[
            "Broken payment: state = its events: payment/1",
            "Broken payment: states keep the rules: payment/1",
        ],
    );
    check(
        |copy| copy.edit(("payment", COMPLETED), asked_and_paid, "\"held\":0,\"earned\":0"),
        &[
            "Broken payment: state = its events: payment/1",
            "Broken payment: states keep the rules: payment/1",
            "Broken payment: taken = held + earned + returned: payment/1",
            "Broken provider: book = payments: account/1",
        ],
    );
    check(
        |copy| {
            let body = &mut copy.event("payment", COMPLETED, "FarePaid").body;
            *body = body.replace("100000", "90000");
        },
        &["Broken payment: taken = held + earned + returned: payment/1"],
    );
    check(
        |copy| copy.edit(("provider", COMPLETED), "\"fare\":100000", "\"fare\":1"),
        &["Broken provider: book = payments: account/1"],
    );
    check(
        |copy| copy.edit(("provider", CANCELLED), "\"back\":true", "\"back\":false"),
        &["Broken provider: tags = states: account/3", "Broken provider: book = payments: account/3"],
    );
    check(
        |copy| copy.edit(("provider", REFUSED), "\"refused\"", "\"taken\""),
        &["Broken provider: tags = states: account/4", "Broken provider: book = payments: account/4"],
    );
}

#[test]
fn each_thing_is_said_once_and_nothing_contradicts() {
    check(
        rename("payment", COMPLETED, "FareEarned", "FarePaid"),
        &[
            "Broken payment: state = its events: payment/1",
            "Broken payment: taken = held + earned + returned: payment/1",
            "Broken payment: said once: payment/1",
            "Broken payment: heard and done: payment/1",
        ],
    );
    check(
        rename("payment", COMPLETED, "FareEarned", "FareRefunded"),
        &[
            "Broken payment: state = its events: payment/1",
            "Broken payment: taken = held + earned + returned: payment/1",
            "Broken payment: nothing contradicts: payment/1",
        ],
    );
    check(
        rename("payment", CANCELLED, "FareReturning", "FareEarned"),
        &[
            "Broken payment: state = its events: payment/3",
            "Broken payment: nothing contradicts: payment/3",
            "Broken payment: nothing contradicts: payment/3",
            "Broken payment: nothing without its cause: payment/3",
        ],
    );
    check(
        rename("call", CANCELLED, "CallCancelled", "CancelRequested"),
        &[
            "Broken call: state = its events: call/3",
            "Broken call: said once: call/3",
            "Broken call: heard and done: call/3",
            "Broken view: view = rebuild: view/3",
        ],
    );
}

#[test]
fn a_drive_comes_out_one_way() {
    check(
        rename("drive", CANCELLED, "DriveStarted", "DriveEnded"),
        &[
            "Broken drive: said once: drive/3",
            "Broken payment: nothing contradicts: payment/3",
            "Broken drive: nothing contradicts: drive/3",
            "Broken call: nothing without its cause: call/3",
            "Broken call: heard and done: call/3",
            "Broken view: view = rebuild: view/3",
        ],
    );
    check(
        rename("drive", TOO_FAR, "DriveNotAvailable", "DriveOverdue"),
        &[
            "Broken drive: nothing contradicts: drive/2",
            "Broken call: nothing without its cause: call/2",
            "Broken drive: heard and done: drive/2",
            "Broken view: view = rebuild: view/2",
        ],
    );
    check(
        rename("drive", COMPLETED, "DriveEnded", "DriveStarted"),
        &[
            "Broken drive: said once: drive/1",
            "Broken call: nothing without its cause: call/1",
            "Broken payment: nothing without its cause: payment/1",
            "Broken view: view = rebuild: view/1",
        ],
    );
    check(
        rename("call", REFUSED, "CallUnpaid", "CallCompleted"),
        &[
            "Broken call: state = its events: call/4",
            "Broken call: nothing without its cause: call/4",
            "Broken call: heard and done: call/4",
        ],
    );
    check(
        |copy| {
            let event = copy.event("payment", COMPLETED, "FareEarned");
            event.event_type = "PaymentFailed".into();
            event.body = event.body.replace("\"payStatus\"", "\"reason\":\"refused\",\"payStatus\"");
        },
        &[
            "Broken payment: state = its events: payment/1",
            "Broken payment: nothing contradicts: payment/1",
            "Broken payment: heard and done: payment/1",
        ],
    );
    check(
        |copy| {
            let body = &mut copy.event("drive", COMPLETED, "DriveEnded").body;
            *body = body.replace("\"callId\":1", "\"callId\":2");
        },
        &["Broken drive: state = its events: drive/1", "Broken drive: events name their call: drive/1"],
    );
}

#[test]
fn nothing_happens_without_its_cause() {
    // A call is taken out of the call service as if it had never been there.
    check(
        |copy| {
            for (shard, events) in &mut copy.events {
                if shard.service == "call" {
                    for event in events.iter_mut().filter(|event| event.entity_id == REFUSED) {
                        event.entity_id = 10;
                    }
                }
            }
            copy.row("call", REFUSED).key.id = 10;
        },
        &[
            "Broken call: events in their shard: call/0 position 6",
            "Broken call: events in their shard: call/0 position 12",
            "Broken call: events name their call: call/10",
            "Broken call: events name their call: call/10",
            "Broken call: nothing without its cause: call/10",
            "Broken payment: nothing without its cause: payment/4",
            "Broken call: heard and done: call/4",
            "Broken payment: heard and done: payment/10",
            "Broken view: view = rebuild: view/10",
            "Broken view: view = rebuild: view/4",
        ],
    );
}

#[test]
fn the_view_is_what_it_has_read() {
    check(
        |copy| copy.edit(("view", COMPLETED), "\"driveComplete\"", "\"driveStart\""),
        &["Broken view: tags = states: view/1", "Broken view: view = rebuild: view/1"],
    );
    check(
        |copy| copy.edit(("view", UNDER_WAY), "\"meters\":10000", "\"meters\":10001"),
        &["Broken view: view = rebuild: view/6"],
    );
    check(
        |copy| copy.edit(("view", FAILED), "\"payStatus\"", "\"payStatus2\""),
        &["Broken view: view = rebuild: view/8"],
    );
}

#[test]
fn what_waits_too_long_is_late() {
    let copy = Copy::of(&**busy(|_| ()).reader());
    let report = look_at(&copy, Timestamp(START.0 + 3_600_000));
    assert!(report.findings.iter().all(|finding| finding.sort == Sort::Late));
    let expected = [
        "Late call: timers fire: call/5",
        "Late call: timers fire: call/9",
        "Late payment: timers fire: payment/5",
        "Late payment: effects answered: payment/5 effect take 256",
        "Late payment: effects answered: payment/7 effect take 256",
        "Late payment: effects answered: payment/8 effect take 256",
        "Late payment: heard and done: payment/9",
        "Late view: events heard: view/9",
    ];
    assert_eq!(findings(&report), expected);
}

#[test]
fn what_is_not_listed_is_counted() {
    let mut copy = Copy::of(&**busy(|_| ()).reader());
    for events in copy.events.values_mut() {
        events.iter_mut().for_each(|event| event.source.log = LogId(8));
    }
    let report = look_at(&copy, NOW);
    assert!(!report.is_clean());
    let listed = report.findings.iter().filter(|finding| finding.service == "call").count();
    assert_eq!(listed, FINDINGS_LISTED_MAX);
    assert_eq!(report.unlisted, 4);
}

#[test]
fn a_report_reads_as_text_and_as_json() {
    let mut copy = Copy::of(&**busy(|_| ()).reader());
    copy.edit(("provider", COMPLETED), "\"fare\":100000", "\"fare\":1");
    let report = look_at(&copy, NOW);
    let text = report.to_string();
    let lines: Vec<String> =
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let expected = [
        "call 9 entities, 24 events in 2 shards, 0 open effects, 0 dead letters",
        "ok call positions gapless 19 call/0 1..19",
        "ok payment heard and done 13 1 on the way",
        "WRONG provider book = payments 8 1 wrong",
        "account/1: payment/1 has 100000 won, the provider's book 1, and no answer is out that could explain it",
        "money 1500000 won taken = 100000 held + 100000 earned + 1300000 returned; the provider's book says 100001, 0 on the way",
        "NOT CLEAN: 1 broken, 0 dead letters, 0 late",
    ];
    for line in expected {
        assert!(lines.iter().any(|known| known == line), "{line:?} is not in\n{text}");
    }
    let json = serde_json::to_value(&report).unwrap();
    let finding = serde_json::json!({
        "sort": "broken",
        "service": "provider",
        "check": "book = payments",
        "what": "account/1",
        "detail": "payment/1 has 100000 won, the provider's book 1, and no answer is out that could explain it",
    });
    assert_eq!(json["findings"], serde_json::json!([finding]));
    assert_eq!(json["money"]["atProvider"], 100_001);
}
