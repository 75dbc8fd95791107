//! Where the server that runs on a data directory listens, for commands that are given beside it.

use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

const FILE: &str = "listening";
/// Becomes the file once it is whole.
const FILE_NEW: &str = "listening.new";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listening {
    pub(crate) pid: u32,
    /// `http://127.0.0.1:8088`
    pub(crate) gateway: String,
    /// Milliseconds since the epoch.
    pub(crate) started_at: i64,
}

/// It is said as long as this is kept.
pub(crate) struct Announced {
    file: PathBuf,
    /// What makes it believed. It goes with the process, however that ends.
    _lock: File,
}

impl Drop for Announced {
    fn drop(&mut self) {
        // What is left behind is known to be stale, since nobody holds it any more.
        let _ = std::fs::remove_file(&self.file);
    }
}

pub(crate) fn announce(directory: &Path, gateway: SocketAddr, now_ms: i64) -> anyhow::Result<Announced> {
    let listening = Listening {
        pid: std::process::id(),
        gateway: format!("http://{}", reached_at(gateway)),
        started_at: now_ms,
    };
    let file = directory.join(FILE);
    let write = || {
        let new = directory.join(FILE_NEW);
        remove(&new)?;
        let mut lock = File::options().write(true).create_new(true).open(&new)?;
        lock.lock()?;
        lock.write_all((serde_json::to_string(&listening)? + "\n").as_bytes())?;
        std::fs::rename(&new, &file)?;
        std::io::Result::Ok(lock)
    };
    let lock = write().with_context(|| format!("cannot write {}", file.display()))?;
    Ok(Announced { file, _lock: lock })
}

/// What a killed server has said is so no more: whoever opens the directory takes it back.
pub(super) fn forget(directory: &Path) -> anyhow::Result<()> {
    let file = directory.join(FILE);
    remove(&file).with_context(|| format!("cannot remove {}", file.display()))
}

fn remove(file: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Where the server listens that runs on the directory; nothing when none does, or it does not listen yet. It is believed
/// only while the one that wrote it lives and holds it: somebody else may listen there by now, who must not see a token.
pub(crate) fn find(directory: &Path) -> anyhow::Result<Option<Listening>> {
    let path = directory.join(FILE);
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    match file.try_lock_shared() {
        Ok(()) => return Ok(None),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("cannot lock {}", path.display()));
        }
    }
    let mut text = String::new();
    file.read_to_string(&mut text).with_context(|| format!("cannot read {}", path.display()))?;
    let listening = serde_json::from_str(&text);
    Ok(Some(listening.with_context(|| format!("{} is not understood", path.display()))?))
}

/// All addresses are no address to go to; this machine's own is one of them.
pub(crate) fn reached_at(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_believed_only_while_the_one_who_wrote_it_lives() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path();
        std::fs::write(directory.join(FILE_NEW), "half a li").unwrap();
        let announced = announce(directory, "0.0.0.0:8088".parse().unwrap(), 7).unwrap();
        let found = find(directory).unwrap().unwrap();
        assert_eq!((found.gateway.as_str(), found.started_at), ("http://127.0.0.1:8088", 7));
        let said = std::fs::read_to_string(directory.join(FILE)).unwrap();
        drop(announced);
        assert_eq!(find(directory).unwrap(), None, "it has stopped listening");

        // As a server leaves it that is killed, whoever holds the directory by now.
        std::fs::write(directory.join(FILE), said).unwrap();
        let lock = super::super::lock(directory).unwrap();
        assert_eq!(find(directory).unwrap(), None);
        forget(directory).unwrap();
        assert!(!directory.join(FILE).exists());
        forget(directory).unwrap();
        drop(lock);

        std::fs::write(directory.join(FILE), "half a li").unwrap();
        let held = File::open(directory.join(FILE)).unwrap();
        held.lock().unwrap();
        assert!(find(directory).is_err());
    }

    #[test]
    fn all_addresses_are_reached_by_this_machines_own() {
        for (bound, reached) in
            [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1"), ("10.0.0.1:1", "10.0.0.1:1")]
        {
            assert_eq!(reached_at(bound.parse().unwrap()), reached.parse().unwrap());
        }
    }
}
