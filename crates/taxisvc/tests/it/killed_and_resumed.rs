//! A day is replayed, and the process is killed in the middle: started again and resumed, every trip ends as it does when
//! nothing disturbs it.

use crate::world::process::{Ended, run, settings, taxisvc};
use crate::world::{World, until};
use engine::clock::Stopwatch;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

/// Trips that the test makes sure are under way when the process dies.
const CALLS_BEFORE_IT_DIES: u64 = 6;

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../replay/sample").join(name)
}

/// The command that replays trips into a file of ends.
pub(crate) fn replay(world: &World, trips: &Path, ends: &Path, more: &[&str]) -> Child {
    let to = format!("http://{}", world.address("gateway"));
    let (trips, ends) = (trips.to_str().unwrap(), ends.to_str().unwrap());
    let arguments =
        [&["replay", trips, "--to", &to, "--ends", ends, "--run", "day", "--json"], more].concat();
    let mut command = taxisvc(world.folder(), world.settings(), &arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

pub(crate) fn end_of(child: Child) -> Ended {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Replays to the end; the file of ends.
#[track_caller]
pub(crate) fn replay_all(world: &World, trips: &Path, more: &[&str]) -> String {
    let ends = world.folder().join("ends.csv");
    let ended = end_of(replay(world, trips, &ends, &[&["--speed", "max"], more].concat()));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    std::fs::read_to_string(ends).unwrap()
}

/// Replays until so many calls are placed, and kills the server then.
fn kill_in_the_middle(world: &mut World, trips: &Path, (calls, more): (u64, &[&str])) {
    let ends = world.folder().join("broken.csv");
    let child = replay(world, trips, &ends, &[&["--patience", "1"], more].concat());
    until("the middle of the day", || (world.count("calls") >= calls).then_some(()));
    world.kill();
    let ended = end_of(child);
    assert_eq!(ended.code, Some(1), "it was to be broken off: {ended:?}");
    assert!(ended.stderr.contains("the same command resumes the run"), "{ended:?}");
    world.audit();
    world.start_again();
}

#[test]
fn a_replay_that_was_killed_ends_as_an_undisturbed_one() {
    for trips in ["nyc.csv", "chicago.csv"] {
        let trips = sample(trips);
        let undisturbed = replay_all(&World::start(), &trips, &[]);
        assert!(undisturbed.lines().count() > 30, "{undisturbed}");

        let mut world = World::start();
        // At this pace the next calls are far enough away for the process to die in the middle.
        kill_in_the_middle(&mut world, &trips, (CALLS_BEFORE_IT_DIES, &["--speed", "120x"]));
        assert_eq!(replay_all(&world, &trips, &[]), undisturbed);
        // Once more, and nothing happens twice.
        let calls = world.count("calls");
        assert_eq!(replay_all(&world, &trips, &[]), undisturbed);
        assert_eq!(world.count("calls"), calls);
    }
}

#[test]
fn what_a_replay_does_not_understand_is_said() {
    let world = World::start();
    for (arguments, expected) in [
        (vec!["replay", "nowhere.csv"], "nowhere.csv"),
        (vec!["replay", "nowhere.csv", "--speed", "fast"], "fast"),
    ] {
        let ended = world.run(&arguments);
        assert!(ended.code.is_some_and(|code| code != 0) && ended.stderr.contains(expected), "{ended:?}");
    }
    // Where nobody says where to, it is the gateway of the settings.
    let trips = sample("nyc.csv");
    let arguments = ["replay", trips.to_str().unwrap(), "--patience", "0", "--quiet"];
    let ended = run(world.folder(), &settings(&[("PORTS_GATEWAY", "1")]), &arguments);
    assert!(ended.stderr.contains("http://127.0.0.1:1 "), "{ended:?}");
}

/// How often the sample is repeated where there is no recorded day.
const SAMPLES_A_DAY: usize = 100;

/// The trips of a whole day of New York: those that the developer names, those that lie beside this repository, or else a
/// day that is made of the sample.
#[expect(clippy::disallowed_methods, reason = "a developer may say where the trips lie")]
pub(crate) fn whole_day(folder: &Path) -> PathBuf {
    if let Some(named) = std::env::var_os("TAXISVC_TRIPS").map(PathBuf::from) {
        // The processes of the test run in folders of their own.
        return named.canonicalize().unwrap_or_else(|error| panic!("TAXISVC_TRIPS={named:?}: {error}"));
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let beside = here.ancestors().nth(3).map(|root| root.join("shared/data/nyc_yellow_2022-01-01.csv.gz"));
    beside.filter(|trips| trips.exists()).unwrap_or_else(|| made_of_the_sample(folder))
}

fn made_of_the_sample(folder: &Path) -> PathBuf {
    println!("no recorded day: TAXISVC_TRIPS may name one; {SAMPLES_A_DAY} samples are replayed instead");
    sample_day(folder)
}

/// A day that is the sample, over and over.
pub(crate) fn sample_day(folder: &Path) -> PathBuf {
    let text = std::fs::read_to_string(sample("nyc.csv")).unwrap();
    let (names, rows) = text.split_once('\n').unwrap();
    let day = folder.join("day.csv");
    std::fs::write(&day, format!("{names}\n{}", rows.repeat(SAMPLES_A_DAY))).unwrap();
    day
}

/// The audit of what was left behind, before the next start, takes a slow machine longer than a deadline is.
pub(crate) const PATIENT: [(&str, &str); 2] =
    [("DEADLINES_PROVIDER_MS", "600000"), ("DEADLINES_CALL_UNPAID_MS", "900000")];

#[test]
#[ignore = "replays a whole day of New York, twice; `cargo xtask ci` runs it"]
fn the_whole_day_killed_three_times_ends_as_an_undisturbed_one() {
    let folder = tempfile::tempdir().unwrap();
    let trips = whole_day(folder.path());
    let stopwatch = Stopwatch::start();
    let world = World::with(&PATIENT);
    let undisturbed = replay_all(&world, &trips, &["--clients", "64"]);
    let calls = world.count("calls");
    world.audit();
    drop(world);
    println!("undisturbed: {calls} calls in {:.1} s, audits included", stopwatch.elapsed().as_secs_f64());

    let stopwatch = Stopwatch::start();
    let mut world = World::with(&PATIENT);
    for quarter in 1..=3 {
        let more = ["--speed", "max", "--clients", "64"];
        kill_in_the_middle(&mut world, &trips, (calls * quarter / 4, &more));
    }
    let resumed = replay_all(&world, &trips, &["--clients", "64"]);
    let differing: Vec<_> = undisturbed
        .lines()
        .zip(resumed.lines())
        .filter(|(undisturbed, resumed)| undisturbed != resumed)
        .collect();
    assert!(resumed == undisturbed, "the ends differ, {} of them: {:?}", differing.len(), differing.first());
    assert_eq!(world.count("calls"), calls);
    world.audit();
    drop(world);
    println!("killed three times and resumed: {:.1} s, audits included", stopwatch.elapsed().as_secs_f64());
}
