//! Where the server that runs on a data directory listens, for commands that are given beside it.

use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
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
pub(crate) struct Announced(PathBuf);

impl Drop for Announced {
    fn drop(&mut self) {
        // What is left behind is known to be stale by the lock that nobody holds.
        let _ = std::fs::remove_file(&self.0);
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
        std::fs::write(&new, serde_json::to_string(&listening)? + "\n")?;
        std::fs::rename(&new, &file)
    };
    write().with_context(|| format!("cannot write {}", file.display()))?;
    Ok(Announced(file))
}

/// Where the server listens that runs on the directory; nothing when none does, or it does not listen yet.
pub(crate) fn find(directory: &Path) -> anyhow::Result<Option<Listening>> {
    if !super::is_locked(directory)? {
        return Ok(None);
    }
    let file = directory.join(FILE);
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
    };
    let listening = serde_json::from_str(&text);
    Ok(Some(listening.with_context(|| format!("{} is not understood", file.display()))?))
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
    fn it_is_believed_only_while_somebody_holds_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path();
        let announced = announce(directory, "0.0.0.0:8088".parse().unwrap(), 7).unwrap();
        assert_eq!(find(directory).unwrap(), None, "nobody holds it");
        let lock = super::super::lock(directory).unwrap();
        let found = find(directory).unwrap().unwrap();
        assert_eq!((found.gateway.as_str(), found.started_at), ("http://127.0.0.1:8088", 7));
        drop(announced);
        assert_eq!(find(directory).unwrap(), None, "it has stopped listening");
        std::fs::write(directory.join(FILE), "half a li").unwrap();
        assert!(find(directory).is_err());
        drop(lock);
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
