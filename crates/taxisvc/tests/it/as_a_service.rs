//! The unit for systemd: understood by it where it is installed, and true of this program.

use crate::world::process::{Server, settings, taxisvc};
use std::collections::BTreeMap;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

const UNIT: &str = include_str!("../../../../deploy/systemd/taxisvc.service");
/// For one service by itself, or the gateway.
const UNIT_OF_ONE: &str = include_str!("../../../../deploy/systemd/taxisvc@.service");
/// What only newer versions know, and others pass over.
const NEWER: [&str; 2] = ["RestartSteps", "RestartMaxDelaySec"];

/// What stands under each section, by name; of several, the last.
fn sections(unit: &'static str) -> BTreeMap<&'static str, BTreeMap<&'static str, &'static str>> {
    let mut sections = BTreeMap::<_, BTreeMap<_, _>>::new();
    let mut section = "";
    for line in unit.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            Some(name) => section = name,
            None => {
                let (name, value) = line.split_once('=').unwrap_or_else(|| panic!("no setting: {line:?}"));
                sections.entry(section).or_default().insert(name, value);
            }
        }
    }
    sections
}

#[test]
fn the_unit_is_what_systemd_understands() {
    let service = &sections(UNIT)["Service"];
    for (name, value) in [("Type", "notify"), ("DynamicUser", "yes"), ("NoNewPrivileges", "yes")] {
        assert_eq!(service[name], value);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("taxisvc.service");
    let binary = env!("CARGO_BIN_EXE_taxisvc");
    std::fs::write(&file, UNIT.replace("/usr/local/bin/taxisvc", binary)).unwrap();
    let Ok(verified) = Command::new("systemd-analyze").arg("verify").arg(&file).output() else {
        println!("systemd-analyze is not installed; the unit was only read here");
        return;
    };
    let said = String::from_utf8_lossy(&verified.stderr);
    let complaints = said.lines().filter(|line| line.contains("taxisvc.service"));
    let complaints: Vec<&str> =
        complaints.filter(|line| !NEWER.iter().any(|newer| line.contains(newer))).collect();
    assert!(verified.status.success() && complaints.is_empty(), "{said}");
}

/// What keeps the one in its place keeps the other.
#[test]
fn the_unit_of_one_service_differs_in_what_it_runs_and_where_it_keeps_it() {
    let (all, one) = (sections(UNIT), sections(UNIT_OF_ONE));
    let mut differing = Vec::new();
    for (section, settings) in &all {
        assert_eq!(settings.len(), one[section].len(), "{section}");
        let changed = settings.iter().filter(|(name, value)| one[section].get(*name) != Some(value));
        differing.extend(changed.map(|(name, _)| *name));
    }
    differing.sort_unstable();
    assert_eq!(differing, ["Description", "Environment", "ExecStart", "StateDirectory"]);
    assert_eq!(one["Service"]["ExecStart"], "/usr/local/bin/taxisvc %i");
}

/// As systemd starts it: its command line, its environment, and a socket on which it says that it serves.
#[test]
fn it_says_when_it_serves_and_when_it_stops() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let service = &sections(UNIT)["Service"];
    let arguments: Vec<&str> = service["ExecStart"].split(' ').skip(1).collect();
    let (name, _) = service["Environment"].split_once('=').unwrap();
    let mut settings = settings(&[]);
    for port in ["GATEWAY", "CALL", "PAYMENT", "DRIVE", "VIEW", "WEB"] {
        settings.push((format!("PORTS_{port}"), "0".to_owned()));
    }
    let mut command = taxisvc(folder.path(), &settings, &arguments);
    command.env("NOTIFY_SOCKET", &path).env(name, folder.path().join("state"));
    let mut server = Server::start(command);
    let told = || {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).trim().to_owned()
    };
    assert_eq!(told(), "READY=1");
    server.terminate();
    assert_eq!(told(), "STOPPING=1");
    assert!(server.ended().success());
    assert!(folder.path().join("state/taxisvc.db").exists());
}
