//! Files of the data directory that others can read, such as those of a copy that was made without care: closed, and told.

use super::{LOCK_FILE, VERSION_FILE, token};
use crate::config::Config;
use std::fs::{Metadata, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

const OF_OTHERS: u32 = 0o077;

/// Closes those that are our own, and warns of each that was open. What else lies in the directory is not ours to judge.
pub(super) fn close(config: &Config) {
    for name in names(config) {
        let file = config.data.join(&name);
        // A link is somebody's own arrangement.
        let Ok(metadata) = std::fs::symlink_metadata(&file) else { continue };
        if !metadata.is_file() || metadata.mode() & OF_OTHERS == 0 {
            continue;
        }
        let (file, is_closed) = (file.display(), close_one(&file, &metadata));
        if is_closed {
            tracing::warn!(%file, "others could read this file; it is its owner's alone now");
        } else {
            tracing::warn!(%file, "others can read this file: make it its owner's alone, by chmod 600");
        }
        if name == token::FILE {
            tracing::warn!("the token may have been seen: `taxisvc token --renew` draws another");
        }
    }
}

fn close_one(file: &Path, metadata: &Metadata) -> bool {
    let is_ours = metadata.uid() == rustix::process::geteuid().as_raw();
    let closed = Permissions::from_mode(metadata.mode() & 0o7777 & !OF_OTHERS);
    is_ours && std::fs::set_permissions(file, closed).is_ok()
}

fn names(config: &Config) -> Vec<String> {
    let mut names = [VERSION_FILE, LOCK_FILE, token::FILE].map(str::to_owned).to_vec();
    for (database, _) in config.layout().groups() {
        names.extend(["", "-wal", "-shm", "-lock"].map(|part| format!("{database}.db{part}")));
    }
    names
}
