//! The machine's clock is set while the process runs: by libfaketime, which tells a program another time than it is.

use crate::world::http::{Answer, Ask};
use crate::world::process::{Server, run, settings, taxisvc};
use crate::world::{number, until};
use serde_json::json;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where distributions put it.
const PLACES: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/faketime/libfaketime.so.1",
    "/usr/local/lib/faketime/libfaketime.so.1",
];

/// A clock that the test sets.
pub(super) struct FakeClock {
    library: &'static str,
    file: PathBuf,
}

impl FakeClock {
    pub(super) fn make(folder: &Path) -> Option<Self> {
        let library = PLACES.into_iter().find(|place| Path::new(place).exists());
        let Some(library) = library else {
            println!("\n*** NOT RUN: libfaketime is not installed (Debian's package faketime)\n");
            return None;
        };
        let clock = Self { library, file: folder.join("clock") };
        clock.set("+0");
        Some(clock)
    }

    /// Has a command see it.
    pub(super) fn over<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("LD_PRELOAD", self.library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.file)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    }

    /// To so many seconds from the real time.
    pub(super) fn set(&self, offset: &str) {
        let new = self.file.with_extension("new");
        std::fs::write(&new, offset).unwrap();
        std::fs::rename(new, &self.file).unwrap();
    }
}

/// Calls, and waits until its payment is asked for, from when on that has a deadline.
fn call(gateway: SocketAddr, method: &str) -> u64 {
    let body = json!({"userId": 1, "userName": "eojin", "distance": 10, "paymentMethod": method});
    let ask = Ask::post("/calls", &body.to_string()).header("prefer", "respond-async");
    let call = number(&ask.of(gateway).unwrap().with(202));
    let payment = Ask::get(&format!("/payments/{call}"));
    until("the payment to be asked for", || (payment.of(gateway).unwrap().status == 200).then_some(()));
    call
}

fn status(gateway: SocketAddr, call: u64) -> String {
    let answer: Answer = Ask::get(&format!("/calls/{call}")).of(gateway).unwrap().with(200);
    answer.json()["callStatus"].as_str().unwrap().to_owned()
}

#[test]
#[ignore = "waits for deadlines in real time, and takes libfaketime; `cargo xtask ci` runs it"]
fn the_machines_clock_is_set_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let Some(clock) = FakeClock::make(folder.path()) else { return };
    let mut settings = settings(&[
        ("LOG", "warn"),
        ("DEADLINES_PROVIDER_MS", "10000"),
        ("PROVIDER_OBEY_TEST_METHODS", "true"),
        ("PROVIDER_SILENT_ATTEMPTS", "50"),
    ]);
    for port in ["GATEWAY", "CALL", "PAYMENT", "DRIVE", "VIEW", "WEB"] {
        settings.push((format!("PORTS_{port}"), "0".to_owned()));
    }
    let mut command = taxisvc(folder.path(), &settings, &["up", "--data", "data"]);
    clock.over(&mut command);
    let server = Server::start(command);
    let gateway = server.address("gateway");

    let silent = call(gateway, "test:silent");
    clock.set("-3600");
    until("the payment's deadline, though the clock was set back", || {
        (status(gateway, silent) == "payFail").then_some(())
    });
    until("the log to tell of it", || server.said().contains("the machine's clock was set").then_some(()));

    let late = call(gateway, "test:late=3000");
    clock.set("+86400");
    until("the payment, though the clock was set forward", || {
        let status = status(gateway, late);
        assert!(!["payFail", "requestCancel"].contains(&status.as_str()), "no deadline was due: {status}");
        (status == "driveStart").then_some(())
    });
    for command in ["audit", "doctor"] {
        let mut beside = taxisvc(folder.path(), &settings, &[command, "--data", "data"]);
        let beside = clock.over(&mut beside).output().unwrap();
        let said = String::from_utf8_lossy(&beside.stdout);
        assert!(beside.status.success(), "{command} goes by the server's clock: {said}");
        assert!(!said.contains("are not met"), "{said}");
    }
    let told = server.said().matches("the machine's clock was set").count();
    assert_eq!(told, 2, "once for each time: {}", server.said());
    server.kill();
    let audited = run(folder.path(), &settings, &["audit", "--data", "data"]);
    assert_eq!(audited.code, Some(0), "{audited:?}");
}
