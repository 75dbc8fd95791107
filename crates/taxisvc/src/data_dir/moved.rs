//! A data directory that was imported into PostgreSQL: calls would have two ends if both went on.

use super::sync_entries;
use anyhow::bail;
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// In a directory that was imported: where the databases lie into which it went.
const MOVED_FILE: &str = "moved";
/// Becomes the one above once it is whole.
const MOVED_FILE_NEW: &str = "moved.new";

/// Refuses what has gone elsewhere.
pub(super) fn refuse_moved(directory: &Path) -> anyhow::Result<()> {
    let path = directory.join(MOVED_FILE);
    if path.exists() {
        let name = directory.display();
        let told = std::fs::read_to_string(&path).unwrap_or_default();
        bail!(
            "{name} was imported into PostgreSQL, and calls would have two ends if both went on. Where the fleet has never run, \
             remove the file {MOVED_FILE:?} in it. It went into:\n{told}"
        );
    }
    Ok(())
}

/// Refuses what has gone elsewhere than into these databases, whose addresses have no passwords in them.
pub(crate) fn refuse_moved_elsewhere(directory: &Path, addresses: &str) -> anyhow::Result<()> {
    let told = std::fs::read_to_string(directory.join(MOVED_FILE));
    if told.is_ok_and(|told| told == addresses) { Ok(()) } else { refuse_moved(directory) }
}

/// Notes that all of it has gone into these databases, and that nobody is to run on it.
pub(crate) fn note_moved(directory: &Path, addresses: &str) -> std::io::Result<()> {
    // Half a note says that it went elsewhere, which the next import would not take for its own.
    let (path, new) = (directory.join(MOVED_FILE), directory.join(MOVED_FILE_NEW));
    let mut file = File::create(&new)?;
    file.write_all(addresses.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&new, &path)?;
    sync_entries(directory)
}
