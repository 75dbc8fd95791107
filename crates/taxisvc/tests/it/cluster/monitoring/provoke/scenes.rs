//! What goes wrong, one after the other; each is undone before the next.

use super::Scene;
use super::stage::Stage;
use crate::clock_set::FakeClock;
use crate::world::cluster::outside::Which;
use crate::world::http::Ask;
use crate::world::until;
use std::process::Command;

/// More than can be read within a few seconds.
const MESSAGES: usize = 300_000;
const CALL: &str = r#"{"userId":"1","userName":"eojin","distance":7}"#;

pub(super) const ALL: &[Scene] = &[
    // First, while there are few quick ones that slow ones have to be held against.
    Scene {
        how: "a table of call locked by hand, for 1.5 s again and again",
        alerts: &["TaxisvcCommitsSlow", "TaxisvcLatencyBudgetBurnsFast", "TaxisvcLatencyBudgetBurnsSlowly"],
        begin: |stage| stage.sql_for_long("call", vec![lock("call", 1.5); 25]),
        end: Stage::let_go,
    },
    Scene {
        how: "a ride under way for longer than `deadlines.report_after_ms`, 5 s there",
        alerts: &["TaxisvcRideOverdue"],
        begin: |stage| {
            stage.add(&[("DEADLINES_REPORT_AFTER_MS", "5000")], |_, _| (), true);
            let address = stage.extra.as_ref().expect("it was added").address;
            // So that Prometheus has seen it before, and sees it rise.
            until("it to be scraped", || stage.prometheus().finds(&scraped(address)).then_some(()));
            Ask::post("/calls", CALL).of(address).unwrap();
        },
        end: Stage::take_away,
    },
    Scene {
        how: "one of two processes of drive killed",
        alerts: &["TaxisvcProcessDown"],
        begin: |stage| stage.cluster.kill("drive", 0),
        end: |stage| {
            stage.cluster.start_again("drive", 0);
            stage.cluster.wait_until_ready();
        },
    },
    Scene {
        how: "both processes of payment killed, while riders call",
        // By the deadlines as they are.
        alerts: &["TaxisvcServiceDown", "TaxisvcCallsStuckUnpaid", "TaxisvcCallsGivenUp"],
        begin: |stage| stage.kill_all_of("payment"),
        end: |stage| stage.start_all_of("payment"),
    },
    Scene {
        how: "both processes of drive killed, while riders call",
        alerts: &["TaxisvcCallsStuckUndriven", "TaxisvcRidersWait", "TaxisvcCancellationsWait"],
        begin: |stage| stage.kill_all_of("drive"),
        end: |stage| stage.start_all_of("drive"),
    },
    Scene {
        how: "a process whose provider refuses every fare (`provider.refuse_per_mille` at 1,000), and riders who call there",
        alerts: &["TaxisvcPaymentsFail"],
        begin: |stage| {
            stage.add(&[("PROVIDER_REFUSE_PER_MILLE", "1000")], |_, _| (), true);
            let address = stage.extra.as_ref().expect("it was added").address;
            until("it to be scraped", || stage.prometheus().finds(&scraped(address)).then_some(()));
            let rider = move || (0..60_000).for_each(|_| drop(Ask::post("/calls", CALL).of(address)));
            // Whoever asks of one that is gone is refused at once.
            (0..4).for_each(|_| drop(std::thread::spawn(rider)));
        },
        end: Stage::take_away,
    },
    Scene {
        how: "a settings file that is not understood",
        alerts: &["TaxisvcConfigRefused"],
        begin: |stage| write_settings(stage, "[answers]\nwait_ms = \"long\"\n"),
        end: |stage| write_settings(stage, ""),
    },
    Scene {
        how: "`prlimit --nofile` set to what is open",
        alerts: &["TaxisvcOpenFilesNearlyAll"],
        begin: |stage| limit_files(stage, "1.02"),
        end: |stage| limit_files(stage, "20"),
    },
    Scene {
        how: "a process of whose standard error nobody takes anything, at `log = \"trace\"`",
        alerts: &["TaxisvcLogLinesLost"],
        begin: |stage| {
            stage.add(&[("LOG", "trace")], |_, _| (), false);
            let address = stage.extra.as_ref().expect("it was added").address;
            until("it to be scraped", || stage.prometheus().finds(&scraped(address)).then_some(()));
            let asker = move || (0..60_000).for_each(|_| drop(Ask::get("/calls").of(address)));
            // Whoever asks of one that is gone is refused at once.
            (0..3).for_each(|_| drop(std::thread::spawn(asker)));
        },
        end: Stage::take_away,
    },
    Scene {
        how: "a collector of traces that is not there",
        alerts: &["TaxisvcSpansLost"],
        begin: |stage| {
            stage.add(&[("TRACES_ENDPOINT", "http://127.0.0.1:9")], |_, _| (), true);
            let address = stage.extra.as_ref().expect("it was added").address;
            until("it to be scraped", || stage.prometheus().finds(&scraped(address)).then_some(()));
            Ask::post("/calls", CALL).of(address).unwrap();
        },
        end: Stage::take_away,
    },
    Scene {
        how: "the machine's clock set forward by an hour (libfaketime)",
        alerts: &["TaxisvcClockSet"],
        begin: |stage| {
            let prepare = |command: &mut Command, folder: &tempfile::TempDir| {
                let clock = FakeClock::make(folder.path()).expect("libfaketime is installed");
                clock.over(command);
            };
            stage.add(&[], prepare, true);
            let extra = stage.extra.as_ref().expect("it was added");
            std::fs::write(extra.folder.path().join("clock"), "+3600").unwrap();
        },
        end: Stage::take_away,
    },
    Scene {
        how: "a disk of 160 MB, filled by somebody else's file",
        alerts: &["TaxisvcDiskLow", "TaxisvcDiskFull", "TaxisvcDiskFilling"],
        begin: |stage| {
            for (name, bytes) in [("one", 40 << 20), ("other", 48 << 20)] {
                let file = stage.disk.fill(name, bytes);
                stage.files.push(file);
            }
        },
        end: |stage| stage.files.drain(..).for_each(|file| std::fs::remove_file(file).unwrap()),
    },
    Scene {
        how: "the last backup noted to be two days old",
        alerts: &["TaxisvcBackupOld"],
        begin: |stage| {
            let now_ms = std::fs::metadata(stage.world.data().join("lock")).unwrap().modified().unwrap();
            let now_ms = now_ms.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
            let two_days_ago = now_ms - 2 * 86_400_000;
            std::fs::write(stage.world.data().join("backed-up"), two_days_ago.to_string()).unwrap();
        },
        end: |stage| {
            let (data, copies) = (stage.world.data(), tempfile::tempdir().unwrap());
            let copy = copies.path().join("copy").display().to_string();
            let ended = stage.world.run(&["backup", &copy, "--data", &data.display().to_string()]);
            assert_eq!(ended.code, Some(0), "{ended:?}");
        },
    },
    Scene {
        how: "a file system that takes no writes (`fsfreeze`)",
        alerts: &["TaxisvcEngineSilent"],
        begin: |stage| {
            freeze(stage, "--freeze");
            let gateway = stage.world.gateway;
            // It waits for the write.
            drop(std::thread::spawn(move || Ask::post("/calls", CALL).of(gateway)));
        },
        end: |stage| freeze(stage, "--unfreeze"),
    },
    Scene {
        how: "PostgreSQL stopped hard",
        alerts: &[
            "TaxisvcDatabaseUnavailable",
            "TaxisvcFiguresOld",
            "TaxisvcErrorBudgetBurnsFast",
            "TaxisvcErrorBudgetBurnsSlowly",
            "TaxisvcLedgerNotCompared",
        ],
        begin: |stage| stage.cluster.outside().kill(Which::Postgres),
        end: |stage| {
            stage.cluster.outside().start(Which::Postgres);
            stage.cluster.wait_until_ready();
        },
    },
    Scene {
        how: "a process of call started while PostgreSQL was away",
        alerts: &["TaxisvcNotReady"],
        begin: |stage| {
            stage.cluster.kill("call", 0);
            stage.cluster.outside().kill(Which::Postgres);
            stage.cluster.start_again("call", 0);
        },
        end: |stage| {
            stage.cluster.outside().start(Which::Postgres);
            stage.cluster.wait_until_ready();
        },
    },
    Scene {
        how: "a table of payment locked by hand, for 45 s",
        alerts: &["TaxisvcTimersOverdue"],
        begin: |stage| {
            for _ in 0..5 {
                stage.cluster.place_paid_by(7.0, "test:late=60000");
            }
            stage.sql_for_long("payment", vec![lock("payment", 45.0)]);
        },
        end: Stage::let_go,
    },
    Scene {
        how: "300,000 messages that are no events put on the topic while both processes of view are away; these started again, and their \
              table locked by hand for 1.5 s again and again",
        alerts: &["TaxisvcEventsUnread", "TaxisvcKafkaLag"],
        begin: |stage| {
            stage.kill_all_of("view");
            stage.cluster.outside().flood(MESSAGES);
            stage.sql_for_long("view", vec![lock("view", 1.5); 30]);
            stage.start_all_of("view");
        },
        end: Stage::let_go,
    },
    Scene {
        how: "the payment provider silent (`test:late`)",
        alerts: &["TaxisvcEffectsUnanswered"],
        begin: |stage| drop(stage.cluster.place_paid_by(7.0, "test:late=90000")),
        end: |_| (),
    },
    Scene {
        how: "5 won more written into a payment's row by hand",
        alerts: &["TaxisvcLedgerUnbalanced"],
        begin: |stage| {
            keep_a_call(stage);
            let of = format!("engine.payment_entity_payment WHERE id = {}", stage.kept);
            let state = stage.text("payment", &format!("SELECT state FROM {of}"));
            assert!(state.contains("\"held\":70000"), "{state}");
            change_held(stage, "70000", "70005");
        },
        end: |stage| change_held(stage, "70005", "70000"),
    },
    Scene {
        how: "a stroke more written into a payment's row by hand, so that it is no JSON",
        alerts: &["TaxisvcPaymentsUnreadable"],
        begin: |stage| {
            keep_a_call(stage);
            set_state(stage, "'-' || state");
        },
        end: |stage| set_state(stage, "substr(state, 2)"),
    },
    Scene {
        how: "a message on the topic that is no event",
        alerts: &["TaxisvcDeadLetters"],
        begin: |stage| stage.cluster.outside().put(&[("type", "FarePaid")], b"no json"),
        end: skip_letters,
    },
    Scene {
        how: "the process of call that tells the topic stopped (SIGSTOP)",
        alerts: &["TaxisvcRelayAbsent"],
        begin: |stage| {
            stage.teller = stage.cluster.teller("call");
            let teller = stage.teller;
            stage.cluster.freeze("call", teller);
        },
        end: |stage| {
            let teller = stage.teller;
            stage.cluster.thaw("call", teller);
            stage.cluster.wait_until_ready();
        },
    },
    Scene {
        how: "one of two processes of drive stopped (SIGSTOP)",
        alerts: &["TaxisvcPartitionsUnread"],
        begin: |stage| stage.cluster.freeze("drive", 0),
        end: |stage| {
            stage.cluster.thaw("drive", 0);
            stage.cluster.wait_until_ready();
        },
    },
    Scene {
        how: "`max.message.bytes` of the topic set to 200",
        alerts: &["TaxisvcRelayHeldUp", "TaxisvcEventsRefused"],
        begin: |stage| stage.cluster.outside().limit_messages("200"),
        end: |stage| stage.cluster.outside().limit_messages("1048588"),
    },
    Scene {
        how: "Kafka stopped hard",
        alerts: &["TaxisvcKafkaDisconnected", "TaxisvcRelayBehind"],
        begin: |stage| stage.cluster.outside().kill(Which::Kafka),
        end: |stage| stage.cluster.outside().start(Which::Kafka),
    },
    Scene {
        how: "messages removed from the topic, while both processes of view were away; then the topic deleted, so that all is told \
              again",
        alerts: &["TaxisvcMessagesLost", "TaxisvcTopicReset"],
        begin: |stage| {
            stage.kill_all_of("view");
            calls_go_on(stage, 50);
            // What the others had not read yet would be lost to them too, and nobody tells them again.
            stage.riders_go();
            stage.comes_to("all but view to have heard everything", |stage| stage.is_heard_but_by("view"));
            stage.cluster.outside().forget_messages();
            stage.start_all_of("view");
            let is_told = |stage: &Stage| stage.firing().contains("TaxisvcMessagesLost");
            stage.comes_to("the loss to be told", is_told);
            assert!(stage.cluster.outside().remove_topic(), "there is a topic to remove");
        },
        end: |stage| {
            stage.comes_to("everything to be told and heard again", Stage::is_clean);
            stage.riders_come();
        },
    },
];

/// Riders call so many times more.
fn calls_go_on(stage: &Stage, more: u64) {
    let calls = stage.cluster.count("calls");
    until("calls", || (stage.cluster.count("calls") > calls + more).then_some(()));
}

fn scraped(address: std::net::SocketAddr) -> String {
    format!("taxisvc_build_info{{instance=\"{address}\"}}")
}

fn write_settings(stage: &mut Stage, text: &str) {
    std::fs::write(stage.cluster.folder().join("taxisvc.toml"), text).unwrap();
}

/// To so many times what is open.
fn limit_files(stage: &mut Stage, times: &str) {
    let id = stage.cluster.process_id("call", 0);
    let open = std::fs::read_dir(format!("/proc/{id}/fd")).unwrap().count() as f64;
    let limit = (open * times.parse::<f64>().expect("it is a number")).ceil();
    let limit = format!("--nofile={limit}:");
    let status = Command::new("prlimit").args([&format!("--pid={id}"), &limit]).status();
    assert!(status.expect("prlimit can be started").success());
}

fn freeze(stage: &mut Stage, how: &str) {
    let status = Command::new("fsfreeze").arg(how).arg(stage.disk.mounted()).status();
    assert!(status.expect("fsfreeze can be started").success());
}

/// Nobody can write the entities of a service for so long.
fn lock(service: &str, seconds: f64) -> String {
    let table = format!("engine.{service}_entity_{service}");
    format!("BEGIN; LOCK TABLE {table} IN EXCLUSIVE MODE; SELECT pg_sleep({seconds}); COMMIT")
}

/// One that is paid for and driven.
fn keep_a_call(stage: &mut Stage) {
    let call = stage.call_under_way();
    stage.cluster.comes_to(call, ["driveStart", "paid", "start"]);
    stage.kept = call.to_string();
}

fn change_held(stage: &mut Stage, from: &str, to: &str) {
    set_state(stage, &format!("replace(state, '\"held\":{from}', '\"held\":{to}')"));
}

/// Of the payment of that call.
fn set_state(stage: &mut Stage, expression: &str) {
    let call = &stage.kept;
    stage.sql(
        "payment",
        &format!("UPDATE engine.payment_entity_payment SET state = {expression} WHERE id = {call}"),
    );
}

fn skip_letters(stage: &mut Stage) {
    until("no dead letter", || {
        let list = stage.cluster.operate(&["dead-letters", "list"], &[]).stdout;
        let letters: Vec<&str> = list
            .lines()
            .filter_map(|line| line.split("  ").next())
            .filter(|word| word.contains('/') && !word.starts_with(' '))
            .collect();
        for letter in &letters {
            stage.cluster.operate(&["dead-letters", "skip", letter, "--reason", "it is no event"], &[]);
        }
        letters.is_empty().then_some(())
    });
}
