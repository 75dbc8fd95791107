//! What services leave behind whose starter was interrupted or killed: nothing.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const LOOK_EVERY: Duration = Duration::from_millis(50);
/// What has not happened after so many looks, two minutes or so, never will.
const LOOKS_MAX: u32 = 2_400;

#[track_caller]
fn until(what: &str, mut look: impl FnMut() -> bool) {
    for _ in 0..LOOKS_MAX {
        if look() {
            return;
        }
        std::thread::park_timeout(LOOK_EVERY);
    }
    panic!("waited in vain for {what}");
}

/// Kafka and PostgreSQL that run on a directory.
fn servers(folder: &Path) -> Vec<String> {
    let listed = Command::new("ps").args(["-eo", "args"]).output().unwrap();
    let lines = String::from_utf8(listed.stdout).unwrap();
    let is_server = |line: &&str| line.contains("kafka.Kafka") || line.contains("postgres -D");
    let of_folder = lines.lines().filter(|line| line.contains(folder.to_str().unwrap())).filter(is_server);
    of_folder.map(str::to_owned).collect()
}

/// Both run, and a command over them that does not end.
fn started(folder: &Path) -> Child {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new("env");
    // Whoever runs the tests may have set interrupts aside, for all that is started.
    command.arg("--default-signal=INT").arg(env!("CARGO_BIN_EXE_xtask"));
    command.args(["services", "run", "--at"]).arg(folder);
    // The command says that it has begun, and ends with its input.
    let begun = folder.with_extension("begun");
    command.args(["--", "sh", "-c", "touch \"$0\"; cat"]).arg(&begun);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).process_group(0);
    let mut child = command.spawn().unwrap();
    until("the command to begin", || {
        assert!(child.try_wait().unwrap().is_none(), "the services do not start");
        begun.exists()
    });
    assert_eq!(servers(folder).len(), 2, "{:?}", servers(folder));
    child
}

#[test]
#[ignore = "starts a Kafka and a PostgreSQL of its own; `cargo xtask ci` runs it"]
fn services_go_with_whoever_started_them() {
    // As a Ctrl-C does, which reaches all in the terminal; and one process alone, as when memory is short.
    for (signal, all) in [("INT", true), ("TERM", true), ("KILL", false)] {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("it's mine");
        let mut child = started(&folder);
        let whom = if all { format!("-{}", child.id()) } else { child.id().to_string() };
        let sent = Command::new("sh").args(["-c", "kill -s \"$0\" -- \"$1\"", signal, &whom]).status();
        assert!(sent.unwrap().success());
        assert!(!child.wait().unwrap().success());
        until("both servers to be gone", || servers(&folder).is_empty());
        until("their data to be gone", || !folder.exists());
    }
}

#[test]
#[ignore = "starts a Kafka and a PostgreSQL of its own; `cargo xtask ci` runs it"]
fn services_whose_data_is_gone_are_ended() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("services");
    let mut child = started(&folder);
    // As `cargo clean` does.
    std::fs::remove_dir_all(&folder).unwrap();
    let mut down = Command::new(env!("CARGO_BIN_EXE_xtask"));
    assert!(down.args(["services", "down", "--at"]).arg(&folder).status().unwrap().success());
    until("both servers to be gone", || servers(&folder).is_empty());
    drop(child.stdin.take());
    child.wait().unwrap();
}
