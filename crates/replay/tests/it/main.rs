//! Replays the samples against a small fake of the contract that loses, doubles and delays what it can.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

mod fake;

use std::path::{Path, PathBuf};

use clap::Parser;
use replay::options::Options;
use replay::summary::Summary;

use crate::fake::{Fake, Vices};

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    options: Options,
}

struct Replayed {
    summary: Summary,
    ends: String,
}

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sample").join(name)
}

fn options(trips: &str, to: &str, more: &[&str]) -> Options {
    let trips = sample(trips);
    let mut arguments = vec!["replay", trips.to_str().unwrap(), "--quiet", "--to", to];
    arguments.extend(more);
    if !more.contains(&"--clients") {
        arguments.extend(["--clients", "8"]);
    }
    Command::parse_from(arguments).options
}

async fn replay(trips: &str, fake: &Fake, more: &[&str]) -> Replayed {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(trips, &fake.address(), more);
    options.ends = Some(folder.path().join("ends.csv"));
    let ends = options.ends.clone().unwrap();
    let summary = replay::run(options).await.unwrap();
    Replayed { summary, ends: std::fs::read_to_string(ends).unwrap() }
}

fn every_row_is_accounted_for(summary: &Summary) {
    let accounted = summary.unreadable
        + summary.refused_total()
        + summary.completed
        + summary.compensated
        + summary.cancelled
        + summary.payment_failed
        + summary.left_open;
    assert_eq!(summary.read, accounted, "{summary}");
}

#[tokio::test]
async fn a_day_is_replayed_and_its_dirt_is_told() {
    let fake = Fake::start(Vices::none()).await;
    let Replayed { summary, ends } = replay("nyc.csv", &fake, &["--speed", "max"]).await;
    every_row_is_accounted_for(&summary);
    assert_eq!(ends, include_str!("nyc_ends.csv"));
    assert_eq!((summary.read, summary.unreadable, summary.called), (39, 3, 34));
    assert_eq!((summary.completed, summary.compensated, summary.left_open), (33, 1, 0));
    assert_eq!(summary.refused, [("/problems/distance".to_owned(), 2)].into());
    assert_eq!(summary.noted, [("negativeFare", 2), ("unknownZone", 4), ("dropoffNotAfterPickup", 2)].into());
    assert_eq!(summary.out_of_order, 1);
    assert_eq!(summary.unreadable_first[0].line, 14);
    assert!(summary.repeated.is_empty() && summary.is_whole(), "{summary}");
    assert_eq!((summary.latency.call.count, summary.latency.end.count), (36, 33));
    let first = fake.call(1);
    assert_eq!((first.user_id.as_str(), first.distance.as_str()), ("nyc-1", "14.53237632"));
}

#[tokio::test]
async fn chicago_is_replayed_too() {
    let fake = Fake::start(Vices::none()).await;
    let Replayed { summary, ends } = replay("chicago.csv", &fake, &["--speed", "max"]).await;
    every_row_is_accounted_for(&summary);
    assert_eq!((summary.read, summary.unreadable, summary.called), (32, 2, 28));
    assert_eq!((summary.completed, summary.compensated), (27, 1));
    assert_eq!(summary.noted, [("noPlace", 2), ("dropoffNotAfterPickup", 3), ("negativeFare", 1)].into());
    assert!(ends.contains("\n24,,requestCancel,refunded,requestCancel,1290690,\n"), "{ends}");
}

#[tokio::test]
async fn a_server_with_every_vice_ends_each_trip_once_and_alike() {
    for seed in 0..8 {
        let fake = Fake::start(Vices::all(seed)).await;
        let Replayed { summary, ends } = replay("nyc.csv", &fake, &["--speed", "max"]).await;
        every_row_is_accounted_for(&summary);
        assert_eq!(ends, include_str!("nyc_ends.csv"), "seed {seed}");
        assert!(!summary.repeated.is_empty());
        fake.assert_nothing_happened_twice("nyc");
    }
}

#[tokio::test]
async fn an_outage_in_the_middle_is_survived_within_the_run() {
    let fake = Fake::start(Vices::outage(60..140)).await;
    let Replayed { summary, ends } = replay("nyc.csv", &fake, &["--speed", "max"]).await;
    assert_eq!(ends, include_str!("nyc_ends.csv"));
    assert!(summary.repeated["connection"] >= 80, "{summary}");
    fake.assert_nothing_happened_twice("nyc");
}

#[tokio::test]
async fn a_run_that_broke_off_is_resumed_by_the_same_command() {
    let fake = Fake::start(Vices::outage(60..u64::MAX)).await;
    let broken = options("nyc.csv", &fake.address(), &["--speed", "max", "--patience", "0"]);
    let error = replay::run(broken).await.unwrap_err();
    assert!(error.to_string().contains("the same command resumes the run"), "{error:#}");
    fake.behave();
    let Replayed { summary, ends } = replay("nyc.csv", &fake, &["--speed", "max"]).await;
    assert_eq!(ends, include_str!("nyc_ends.csv"));
    assert!(summary.is_whole());
    fake.assert_nothing_happened_twice("nyc");
}

#[tokio::test]
async fn a_run_under_another_name_drives_the_file_anew() {
    let fake = Fake::start(Vices::none()).await;
    replay("nyc.csv", &fake, &["--speed", "max", "--limit", "5"]).await;
    assert_eq!(fake.calls_count(), 4);
    let again = replay("nyc.csv", &fake, &["--speed", "max", "--limit", "5"]).await;
    assert_eq!((fake.calls_count(), again.summary.completed), (4, 4));
    replay("nyc.csv", &fake, &["--speed", "max", "--limit", "5", "--run", "second"]).await;
    assert_eq!(fake.calls_count(), 8);
}

#[tokio::test]
async fn by_the_clock_it_ends_as_at_full_speed() {
    for clients in ["1", "16"] {
        let fake = Fake::start(Vices::none()).await;
        let replayed = replay("nyc.csv", &fake, &["--speed", "100000x", "--clients", clients]).await;
        assert_eq!(replayed.ends, include_str!("nyc_ends.csv"));
        fake.assert_nothing_happened_twice("nyc");
    }
}

#[tokio::test]
async fn a_refused_payment_is_counted_and_has_no_ride() {
    let fake = Fake::start(Vices::payment_refused_of_every(3)).await;
    let Replayed { summary, ends } = replay("nyc.csv", &fake, &["--speed", "max", "--limit", "9"]).await;
    every_row_is_accounted_for(&summary);
    assert_eq!((summary.called, summary.payment_failed, summary.completed), (8, 3, 5));
    assert!(ends.contains("\n3,,payFail,failed,,87070,\n"), "{ends}");
    assert_eq!(summary.latency.drive_start.count, 5);
}

#[tokio::test]
async fn a_drive_that_never_starts_is_left_open_and_said_so() {
    let fake = Fake::start(Vices::no_drives()).await;
    let mut never = options("nyc.csv", &fake.address(), &["--speed", "max", "--limit", "4"]);
    never.patience = std::time::Duration::from_millis(30);
    let summary = replay::run(never).await.unwrap();
    every_row_is_accounted_for(&summary);
    assert_eq!((summary.called, summary.left_open), (4, 4));
    assert_eq!(summary.left_open_first[0].reason, "the drive did not start");
    assert!(!summary.is_whole());
    assert!(summary.to_string().contains("the same command resumes the run"));
}

#[tokio::test]
async fn nobody_there_is_said_clearly() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error =
        replay::run(options("nyc.csv", &address, &["--speed", "max", "--patience", "0"])).await.unwrap_err();
    assert!(error.to_string().starts_with(&address), "{error:#}");
    for address in ["ftp://x", "localhost:8088", "http://", "a b"] {
        let error = replay::run(options("nyc.csv", address, &[])).await.unwrap_err();
        assert!(format!("{error:#}").contains("is no address"), "{error:#}");
    }
}
