//! A database goes back to a backup, as docs/operations.md says it.

use crate::cluster::day::replay;
use crate::killed_and_resumed::{PATIENT, end_of, replay_all, sample_day};
use crate::world::cluster::outside::Outside;
use crate::world::cluster::{Cluster, ROLES};
use crate::world::{World, number, process, until};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The first number that is left out beyond those that anybody has told of.
const NUMBERS_LEFT_OUT: u64 = 1_000_000;

const TOO_FAR_MILES: f64 = 60.0;

/// The commands of a recipe in the document, for one service.
pub(super) fn recipe(name: &str, service: &str) -> Vec<String> {
    let document = include_str!("../../../../../docs/operations.md");
    let (_, rest) =
        document.split_once(&format!("<!-- recipe {name} -->\n```\n")).expect("the recipe is there");
    let (block, _) = rest.split_once("```").expect("its block ends");
    let commands = block.lines().map(|line| line.strip_prefix("$ ").expect("each line is a command"));
    commands.map(|command| command.replace("call", service)).collect()
}

/// Runs commands as the document has them, and returns what they said.
fn follow(cluster: &Cluster, service: &str, commands: &[String]) -> String {
    let mut said = String::new();
    for command in commands {
        let database = cluster.outside().database(service);
        let (server, database) = database.rsplit_once('/').unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-ec", command]);
        process::set(&mut shell, cluster.folder(), cluster.settings());
        shell.env("SERVER", server).env("DATABASE", database).env("PATH", path());
        let output = shell.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{command}: {}{}", text(&output.stdout), text(&output.stderr));
        said.push_str(&text(&output.stdout));
    }
    said
}

/// With our binary in front, and PostgreSQL's tools where Debian keeps them.
fn path() -> String {
    let ours = Path::new(env!("CARGO_BIN_EXE_taxisvc")).parent().unwrap().to_path_buf();
    let servers = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let tools = servers.map(|server| server.path().join("bin"));
    let all: Vec<PathBuf> = [ours].into_iter().chain(tools).collect();
    let all: Vec<String> = all.iter().map(|path| path.display().to_string()).collect();
    format!("{}:/usr/local/bin:/usr/bin:/bin", all.join(":"))
}

/// Stops whoever is connected to the database of a service, restores it, and starts them again.
fn restore(cluster: &mut Cluster, service: &str) -> String {
    cluster.stop(service, 0);
    cluster.stop_gateway();
    let said = follow(cluster, service, &recipe("restore", service));
    cluster.start_again(service, 0);
    cluster.start_gateway();
    cluster.wait_until_ready();
    said
}

/// What payment has told others, by where it stands in its log: the call, and what was said.
fn told_by_payment(cluster: &Cluster) -> BTreeMap<u64, (u64, String)> {
    let sql = r#"psql -qAt "$SERVER/$DATABASE" -c "SELECT position, id, type FROM engine.payment_event WHERE published""#;
    let rows = follow(cluster, "payment", &[sql.to_owned()]);
    let row = |line: &str| {
        let mut fields = line.split('|');
        let mut number = || fields.next().unwrap().parse::<u64>().unwrap();
        (number(), (number(), fields.next().unwrap().to_owned()))
    };
    rows.lines().map(row).collect()
}

/// What was said of which call, each once.
type Said = BTreeSet<(u64, String)>;

/// Goes back to the backup of payment while riders ride; what it had told up to there where the topic was told of its log, and has
/// not any more, and what is named as lost.
fn payment_goes_back(cluster: &mut Cluster) -> (Said, Said) {
    cluster.stop("payment", 0);
    cluster.stop_gateway();
    let before = told_by_payment(cluster);
    let commands = recipe("restore", "payment");
    let (last, commands) = commands.split_last().unwrap();
    assert_eq!(last, "taxisvc restored payment");
    let said = follow(cluster, "payment", commands);
    assert!(said.contains("nothing was changed\n"), "{said}");
    let after = told_by_payment(cluster);
    let told: Value = serde_json::from_str(&follow(cluster, "payment", &[format!("{last} --json")])).unwrap();
    let to = told["shards"][0]["toldTo"].as_u64().unwrap();
    let lost = before.range(..=to).filter(|(position, said)| after.get(position) != Some(said));
    let lost = lost.map(|(_, said)| said.clone()).collect();
    let mut named = Said::new();
    for call in told["lostCalls"].as_array().unwrap() {
        let number = call["callId"].as_u64().unwrap();
        let events = call["events"].as_array().unwrap().iter();
        named.extend(events.map(|event| (number, event.as_str().unwrap().to_owned())));
    }
    println!("payment has lost {} events of {} calls", told["lostEvents"], named.len());
    cluster.start_again("payment", 0);
    cluster.start_gateway();
    cluster.wait_until_ready();
    (lost, named)
}

/// What is cancelled before payment decides on it again is given back as it surfaces, and not paid first: the fare is with its
/// rider all the same, and the audit names the call, as docs/operations.md says.
fn leave_out_what_is_too_far(trips: &Path) {
    let text = std::fs::read_to_string(trips).unwrap();
    let (names, rows) = text.split_once('\n').unwrap();
    let miles = names.split(',').position(|name| name == "trip_miles").unwrap();
    // What is no trip stays, as it is in every day.
    let is_near = |row: &&str| {
        let said = row.split(',').nth(miles).and_then(|miles| miles.parse().ok());
        said.is_none_or(|miles: f64| miles < TOO_FAR_MILES)
    };
    let near: Vec<&str> = rows.lines().filter(is_near).collect();
    std::fs::write(trips, format!("{names}\n{}\n", near.join("\n"))).unwrap();
}

/// Backed up when a quarter of the day is over, payment goes back there when it is half over, and once more to the same backup
/// later: what was told under the next id is lost as well. Every trip ends as it does when nothing is lost.
#[test]
#[ignore = "wants Kafka and PostgreSQL: cargo xtask services up"]
fn payment_decides_again_what_it_has_lost() {
    let folder = tempfile::tempdir().unwrap();
    let trips = sample_day(folder.path());
    leave_out_what_is_too_far(&trips);
    let world = World::with(&PATIENT);
    let undisturbed = replay_all(&world, &trips, &["--clients", "64"]);
    let (calls, money) = (world.count("calls"), world.audit()["money"].clone());
    drop(world);

    let mut cluster = Cluster::with(1, Outside::shared(), &PATIENT);
    let ends = cluster.folder().join("ends.csv");
    let replay = replay(&cluster, &trips, &ends);
    let comes_to = |cluster: &Cluster, quarters: u64| {
        until("riders to come", || (cluster.count("calls") >= calls * quarters / 4).then_some(()));
    };
    comes_to(&cluster, 1);
    follow(&cluster, "payment", &recipe("backup", "payment"));
    comes_to(&cluster, 2);
    let running = cluster.run(&["restored", "payment"]);
    assert_eq!(running.code, Some(1), "{running:?}");
    assert!(running.stderr.contains("stop its replicas, the gateway"), "{running:?}");
    let (lost, named) = payment_goes_back(&mut cluster);
    assert!(!lost.is_empty(), "something was told since");
    assert_eq!(named, lost, "exactly what was told and is lost is named");
    comes_to(&cluster, 3);
    let (_, again) = payment_goes_back(&mut cluster);
    assert!(
        again.is_superset(&named) && again.len() > named.len(),
        "and what was told since under the next id"
    );
    let ended = end_of(replay);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let report = cluster.comes_to_rest();
    assert_eq!(std::fs::read_to_string(ends).unwrap(), undisturbed);
    assert_eq!(cluster.count("calls"), calls);
    for field in ["earned", "returned", "atProvider"] {
        assert_eq!(report["money"][field], money[field], "{field}");
    }
}

#[test]
#[ignore = "wants Kafka and PostgreSQL: cargo xtask services up"]
fn payment_earns_the_fare_of_a_ride_that_is_over_before_it_decides_again() {
    let mut cluster = Cluster::start(1, Outside::shared());
    follow(&cluster, "payment", &recipe("backup", "payment"));
    let lost = number(&cluster.place_paid_by(10.0, "test:late=2000"));
    cluster.comes_to(lost, ["driveStart", "paid", "start"]);
    cluster.end(lost).with(200);
    cluster.comes_to(lost, ["driveComplete", "paid", "end"]);
    cluster.comes_to_rest();

    let said = restore(&mut cluster, "payment");
    assert!(said.contains(&format!("call {lost}: FarePaid")), "{said}");
    let number = lost.to_string();
    let story = || cluster.run(&["explain", &number]).stdout;
    let told = until("the fare to be earned", || Some(story()).filter(|told| told.contains("FareEarned")));
    // The provider takes its time again, so the ride's end was heard first.
    assert!(told.contains("FareDue"), "{told}");
    assert!(told.contains("taken 100,000 won, held 0 won, earned 100,000 won"), "{told}");
    cluster.comes_to_rest();
}

#[test]
#[ignore = "wants Kafka and PostgreSQL: cargo xtask services up"]
fn call_says_again_what_it_has_lost_and_gives_no_number_twice() {
    let mut cluster = Cluster::start(1, Outside::shared());
    let placed = cluster.place_paid_by(10.0, "test:late=4000");
    let call = number(&placed);
    follow(&cluster, "call", &recipe("backup", "call"));
    // That it is paid comes after the backup, and is heard again.
    cluster.comes_to(call, ["driveStart", "paid", "start"]);

    let said = restore(&mut cluster, "call");
    assert!(said.contains(&format!("call {call}: CallPlaced\n")), "{said}");
    let next = call + NUMBERS_LEFT_OUT;
    assert!(said.contains(&format!("the next call's number is {next} or above")), "{said}");
    cluster.comes_to(call, ["driveStart", "paid", "start"]);
    let after = number(&cluster.place(10.0));
    assert!(after >= next, "{after}");
    cluster.comes_to(after, ["driveStart", "paid", "start"]);
    cluster.end(call).with(200);
    cluster.comes_to(call, ["driveComplete", "paid", "end"]);
}

#[test]
#[ignore = "wants Kafka and PostgreSQL: cargo xtask services up"]
fn all_four_go_back_to_dumps_of_different_moments() {
    let mut cluster = Cluster::start(1, Outside::shared());
    let under_way = ["driveStart", "paid", "start"];
    let place = |cluster: &Cluster| {
        let call = number(&cluster.place(10.0));
        cluster.comes_to(call, under_way);
        call
    };
    let first = place(&cluster);
    follow(&cluster, "payment", &recipe("backup", "payment"));
    let second = place(&cluster);
    cluster.end(first).with(200);
    cluster.comes_to(first, ["driveComplete", "paid", "end"]);
    follow(&cluster, "drive", &recipe("backup", "drive"));
    let third = place(&cluster);
    follow(&cluster, "view", &recipe("backup", "view"));
    let fourth = number(&cluster.place_paid_by(10.0, "test:late=2000"));
    follow(&cluster, "call", &recipe("backup", "call"));
    cluster.comes_to(fourth, under_way);
    let money = cluster.comes_to_rest()["money"].clone();

    ROLES.iter().for_each(|service| cluster.stop(service, 0));
    cluster.stop_gateway();
    for service in ROLES {
        let said = follow(&cluster, service, &recipe("restore", service));
        let lost = ["call", "payment", "drive"].contains(&service);
        assert_eq!(said.contains(&format!("  call {fourth}: ")), lost, "{service}: {said}");
    }
    ROLES.iter().for_each(|service| cluster.start_again(service, 0));
    cluster.start_gateway();
    cluster.wait_until_ready();
    cluster.comes_to(first, ["driveComplete", "paid", "end"]);
    [second, third, fourth].into_iter().for_each(|call| cluster.comes_to(call, under_way));
    let report = cluster.comes_to_rest();
    for field in ["taken", "held", "earned", "returned", "atProvider"] {
        assert_eq!(report["money"][field], money[field], "{field}: every rider is charged once");
    }
    let next = number(&cluster.place(10.0));
    assert!(next >= fourth + NUMBERS_LEFT_OUT, "{next}");
    for call in [second, third, fourth, next] {
        cluster.comes_to(call, under_way);
        cluster.end(call).with(200);
        cluster.comes_to(call, ["driveComplete", "paid", "end"]);
    }
}

#[test]
#[ignore = "wants Kafka and PostgreSQL: cargo xtask services up"]
fn a_replica_on_a_restored_database_stops_and_says_what_to_do() {
    let mut cluster = Cluster::start(1, Outside::shared());
    follow(&cluster, "drive", &recipe("backup", "drive"));
    let call = number(&cluster.place(10.0));
    cluster.comes_to(call, ["driveStart", "paid", "start"]);
    cluster.end(call).with(200);
    cluster.comes_to(call, ["driveComplete", "paid", "end"]);
    cluster.stop("drive", 0);
    cluster.stop_gateway();
    let commands = recipe("restore", "drive");
    let ours = commands.iter().position(|command| command.starts_with("taxisvc ")).unwrap();
    follow(&cluster, "drive", &commands[..ours]);
    cluster.start_again("drive", 0);
    let why = cluster.ends_by_itself("drive", 0);
    assert!(why.contains("taxisvc restored drive"), "{why}");

    follow(&cluster, "drive", &commands[ours..]);
    cluster.start_again("drive", 0);
    cluster.start_gateway();
    cluster.wait_until_ready();
    // It hears again that the call is paid; what its driver had asked is lost, and is asked again.
    let stands = ["driveComplete", "paid", "start"].map(str::to_owned);
    until("the drive to start again", || (cluster.standing(call) == stands).then_some(()));
    cluster.end(call).with(200);
    cluster.comes_to(call, ["driveComplete", "paid", "end"]);
}

#[test]
#[ignore = "wants Kafka and PostgreSQL: cargo xtask services up"]
fn a_log_that_has_come_to_its_end_again_is_known_by_what_it_says() {
    let mut cluster = Cluster::start(1, Outside::shared());
    let call = number(&cluster.place(10.0));
    cluster.comes_to(call, ["driveStart", "paid", "start"]);
    cluster.comes_to_rest();
    cluster.stop("payment", 0);
    cluster.stop_gateway();
    // As long as it was, and with another event at the last position: so a restored log looks once its service has run on.
    let runs_on = r#"psql -q "$SERVER/$DATABASE" -c "UPDATE engine.payment_event SET at = at + 1 WHERE type = 'FarePaid'""#;
    follow(&cluster, "payment", &[runs_on.to_owned()]);

    let restored = ["taxisvc restored payment".to_owned()];
    let said = follow(&cluster, "payment", &restored);
    assert!(said.contains("lost: 1 events that others have heard, about 1 calls"), "{said}");
    assert!(said.contains(&format!("call {call}: FarePaid\n")) && said.contains("the log is "), "{said}");
    // What the log says now is what was lost, by its meaning: given again, it finds nothing to do.
    let said = follow(&cluster, "payment", &restored);
    assert!(said.contains("nothing was told that the database does not hold\n"), "{said}");
    assert!(said.contains("its log keeps its id"), "{said}");

    cluster.start_again("payment", 0);
    cluster.start_gateway();
    cluster.wait_until_ready();
    cluster.end(call).with(200);
    cluster.comes_to(call, ["driveComplete", "paid", "end"]);
}

#[test]
#[ignore = "wants Kafka and PostgreSQL: cargo xtask services up"]
fn nothing_is_renewed_while_another_program_is_connected() {
    let mut cluster = Cluster::start(1, Outside::shared());
    cluster.stop("payment", 0);
    cluster.stop_gateway();
    let mut shell = Command::new("psql");
    shell.arg(cluster.outside().database("payment")).env("PATH", path());
    let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut asks = shell.stdin.take().unwrap();
    asks.write_all(b"SELECT 'here';\n").unwrap();
    let answers = BufReader::new(shell.stdout.take().unwrap());
    assert!(answers.lines().map_while(Result::ok).any(|line| line.contains("here")), "it is connected");

    let ended = cluster.run(&["restored", "payment"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("1 connections are open to the database of payment"), "{ended:?}");
    drop(asks);
    assert!(shell.wait().unwrap().success());
    let ended = cluster.run(&["restored", "payment"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
}
