//! The data directory: there, ours, writable, its owner's alone, on a disk with room; and what waits in it.

use super::Findings;
use crate::clock::told::of_server;
use crate::config::Config;
use crate::data_dir::{self, Look, listening};
use crate::disk::{Size, told_bytes};
use engine::clock::Timestamp;
use operator::letters;
use rustix::fs::{Access, StatVfsMountFlags, access, statvfs};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use wiring::{Readers, SERVICES};

const CHECK: &str = "data directory";
/// With fewer, a start cannot make its files.
const INODES_MIN: u64 = 100;
/// A deadline that a running server has not met by then is stuck.
const OVERDUE_MS: i64 = 60_000;

/// What was found there.
pub(super) struct Seen {
    pub(super) look: Option<Look>,
    /// The server that runs on it.
    pub(super) server: Option<listening::Listening>,
}

pub(super) fn look(config: &Config, findings: &mut Findings) -> Seen {
    let path = &config.data;
    let mut seen = Seen { look: None, server: None };
    if path.exists() {
        owner(path, findings);
        writable(path, findings);
        if let Err(error) = data_dir::refuse_to_run_on(path) {
            findings.wrong("data", format!("{error:#}"), "a server refuses to run on it: do as it says");
        }
        match data_dir::look(config) {
            Ok(look) => {
                running(path, &look, findings, &mut seen);
                let now = look.is_running.then(|| of_server(path));
                work(&look.readers, now, findings);
                seen.look = Some(look);
            }
            Err(_) if is_empty(path) => findings.ok("data", "nothing yet: the first start makes it"),
            Err(error) => findings.wrong(
                "data",
                format!("{error:#}"),
                "name the right directory with --data, with its store.* settings, or use the program that wrote it",
            ),
        }
    } else {
        missing(path, findings);
    }
    disk(config, findings);
    seen
}

fn is_empty(path: &Path) -> bool {
    std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

fn missing(path: &Path, findings: &mut Findings) {
    let above = path.ancestors().skip(1).find(|above| above.as_os_str().is_empty() || above.exists());
    let above = above.filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let says = format!("{} is not there yet", path.display());
    if access(above, Access::WRITE_OK | Access::EXEC_OK).is_ok() {
        findings.ok(CHECK, format!("{says}: the first start makes it"));
    } else {
        let to_do = "make it for the user that runs the server, or name another with --data";
        findings.wrong(CHECK, format!("{says}, and {} cannot be written", above.display()), to_do);
    }
}

fn owner(path: &Path, findings: &mut Findings) {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => {
            return findings.wrong(CHECK, format!("{}: {error}", path.display()), "see who may read it");
        }
    };
    let (owner, we) = (metadata.uid(), rustix::process::geteuid().as_raw());
    let mode = metadata.permissions().mode() & 0o777;
    let says = format!("{} is user {owner}'s, mode {mode:o}", path.display());
    if !metadata.is_dir() {
        findings.wrong(CHECK, format!("{} is no directory", path.display()), "name another with --data");
    } else if mode & 0o077 != 0 {
        let to_do =
            format!("chmod 700 {}: there are names of people in it, and where they went", path.display());
        findings.warn(CHECK, says, &to_do);
    } else if owner == we {
        findings.ok(CHECK, says);
    } else {
        let to_do = "run the server as its owner, or give it to the user that runs the server (chown -R)";
        findings.warn(CHECK, format!("{says}, and this is user {we}"), to_do);
    }
}

fn writable(path: &Path, findings: &mut Findings) {
    let mut closed = Vec::new();
    if access(path, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        closed.push(path.display().to_string());
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    for file in entries.map(|entry| entry.path()).filter(|file| file.is_file()) {
        if access(&file, Access::WRITE_OK | Access::READ_OK).is_err() {
            closed.push(file.display().to_string());
        }
    }
    if closed.is_empty() {
        findings.ok("writable", "everything in it can be read and written");
    } else {
        let says = format!("cannot be written: {}", closed.join(", "));
        findings.wrong("writable", says, "run the server as their owner, or mend owner and mode");
    }
}

fn running(path: &Path, look: &Look, findings: &mut Findings, seen: &mut Seen) {
    const CHECK: &str = "server";
    if !look.is_running {
        return findings.ok(CHECK, "none runs on it");
    }
    match listening::find(path) {
        Ok(Some(server)) => {
            findings.ok(CHECK, format!("process {} runs on it at {}", server.pid, server.gateway));
            seen.server = Some(server);
        }
        Ok(None) => {
            let to_do = "ask again in a moment; one that stays so hangs, and its log says in what";
            findings.warn(CHECK, "one holds it and does not listen: it starts, stops, or repairs", to_do);
        }
        Err(error) => findings.wrong(CHECK, format!("{error:#}"), "start the server again"),
    }
}

/// What should not be there, or should be done by now, by the time of whoever does it; nothing where nobody runs.
pub(super) fn work(readers: &Readers, now: Option<Timestamp>, findings: &mut Findings) {
    match letters::waiting(readers) {
        Err(error) => {
            return findings.wrong(
                "data",
                error.to_string(),
                "see the disk, or the database; stop, and go back to a copy",
            );
        }
        Ok(0) => findings.ok("dead letters", "none"),
        Ok(waiting) => findings.warn(
            "dead letters",
            format!("{waiting} messages were put aside, and their calls wait"),
            "taxisvc dead-letters list",
        ),
    }
    let Some(now) = now else { return };
    let before = now.plus_ms(-OVERDUE_MS);
    let mut overdue = 0;
    for (service, reader) in SERVICES.iter().zip([
        &readers.call,
        &readers.payment,
        &readers.payment,
        &readers.drive,
        &readers.view,
    ]) {
        overdue += reader.backlog(service, before).map_or(0, |backlog| backlog.timers_overdue);
    }
    if overdue == 0 {
        findings.ok("deadlines", "none is overdue");
    } else {
        let says = format!("{overdue} ran out more than a minute ago and are not met");
        findings.warn("deadlines", says, "see /health/ready, the disk, and the server's log");
    }
}

fn disk(config: &Config, findings: &mut Findings) {
    const CHECK: &str = "disk";
    let there = config.data.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    let stat = match statvfs(there) {
        Ok(stat) => stat,
        Err(error) => return findings.wrong(CHECK, format!("{error}"), "see to the file system"),
    };
    if stat.f_flag.contains(StatVfsMountFlags::RDONLY) {
        let to_do = "see the system's log for why, and mount it to be written";
        return findings.wrong(CHECK, "the file system is read-only", to_do);
    }
    room(Size::of(&stat), config, findings);
    // Some file systems make them as they are needed, and have no number.
    if stat.f_files > 0 && stat.f_favail < INODES_MIN {
        let says = format!("{} more files can be made on it", stat.f_favail);
        findings.wrong("inodes", says, "remove files from that file system");
    }
}

fn room(size: Option<Size>, config: &Config, findings: &mut Findings) {
    const CHECK: &str = "disk";
    let Some(Size { left, .. }) = size else {
        let to_do = "watch its room by other means, or choose another place";
        return findings.warn(CHECK, "the file system does not say how much room it has", to_do);
    };
    let says = format!("{} are left", told_bytes(left));
    let store = &config.store;
    if left < store.room_min_bytes {
        let says = format!("{says}: below {} nothing new is taken on", told_bytes(store.room_min_bytes));
        findings.wrong(CHECK, says, "make room: operations.md says what may go");
    } else if left < store.room_warn_bytes {
        let says = format!("{says}: less than {}", told_bytes(store.room_warn_bytes));
        findings.warn(CHECK, says, "make room before new calls are refused");
    } else {
        findings.ok(CHECK, says);
    }
}
