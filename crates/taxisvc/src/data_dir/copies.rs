//! Copies of a data directory: where they are written so that half of one is never taken for a whole one, and what marks them.

use super::{
    LOCK_FILE, VERSION, check, file_of, lock, refuse_other_layout, schemas, sync_entries, token,
    write_version,
};
use crate::config::Config;
use crate::disk::{Size, told_bytes};
use anyhow::{Context, bail};
use engine::clock::Timestamp;
use engine_sqlite::copy::{Member, Moment, settle};
use rustix::fs::{Mode, statvfs};
use serde::{Deserialize, Serialize};
use std::fs::{DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// What makes a directory a backup, which nobody runs on: its log would go on under positions that others know.
pub(super) const BACKUP_FILE: &str = "backup.json";
/// What a directory is called until its copy is whole.
const UNFINISHED: &str = "unfinished";
/// In the directory itself: when the last copy of it was taken in which nothing was found to be broken.
const BACKED_UP_FILE: &str = "backed-up";
/// Becomes the one above once it is whole.
const BACKED_UP_FILE_NEW: &str = "backed-up.new";

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    /// In milliseconds since 1970: everything that was committed before is in it.
    pub(crate) taken_at: i64,
    /// Of the program that has taken it.
    pub(crate) version: String,
    pub(crate) layout: crate::config::Layout,
    pub(crate) shards: u16,
    pub(crate) events: u64,
    pub(crate) bytes: u64,
    /// Whether every invariant holds in it, where that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) holds: Option<bool>,
}

impl Manifest {
    /// What a directory says of itself, where it is a backup that `taxisvc backup` has taken.
    pub(crate) fn read(directory: &Path) -> anyhow::Result<Option<Self>> {
        let path = directory.join(BACKUP_FILE);
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&path);
        let text = text.with_context(|| format!("cannot read {}", path.display()))?;
        let manifest =
            serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))?;
        Ok(Some(manifest))
    }
}

/// Whether a directory is a backup that `taxisvc backup` has taken.
pub(crate) fn is_backup(directory: &Path) -> bool {
    directory.join(BACKUP_FILE).exists()
}

/// The files of a directory's databases, with what is in them.
pub(super) fn files(config: &Config) -> anyhow::Result<Vec<Member>> {
    check(config)?;
    refuse_other_layout(config)?;
    let member = |(name, services): (&str, Vec<&'static str>)| Member {
        path: file_of(&config.data, name),
        schemas: schemas(&services, config),
    };
    Ok(config.layout().groups().into_iter().map(member).collect())
}

/// Refuses to copy to a disk that has no room for it, beside what is kept free there for a server.
pub(crate) fn refuse_without_room(
    members: &[Member],
    at: &Path,
    for_server: Option<u64>,
) -> anyhow::Result<()> {
    let length = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    let wal = |path: &Path| length(&path.with_extension("db-wal"));
    let wanted: u64 = members.iter().map(|member| length(&member.path) + wal(&member.path)).sum();
    let stat = statvfs(at).with_context(|| format!("cannot look at the disk of {}", at.display()))?;
    let Some(Size { left, .. }) = Size::of(&stat) else { return Ok(()) };
    let kept = for_server.unwrap_or(0);
    if left < wanted.saturating_add(kept) {
        let beside = match kept {
            0 => String::new(),
            kept => {
                format!(
                    ", and {} are kept for the server on the same disk (store.room_warn_bytes)",
                    told_bytes(kept)
                )
            }
        };
        bail!(
            "the disk of {} has {} left, the copy takes up to {}{beside}: make room, or name another disk",
            at.display(),
            told_bytes(left),
            told_bytes(wanted)
        );
    }
    Ok(())
}

/// A directory that is there: this one, or the next above it.
pub(crate) fn there_or_above(directory: &Path) -> &Path {
    let there = directory.ancestors().find(|above| above.is_dir());
    there.unwrap_or(Path::new("."))
}

/// Copies all files of a moment into a directory; where each is.
pub(crate) fn copy_all(moment: &Moment, members: &[Member], to: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut copied = Vec::new();
    for (place, member) in members.iter().enumerate() {
        let path = to.join(member.path.file_name().context("a database has a name")?);
        moment.copy(place, &path)?;
        copied.push(path);
    }
    Ok(copied)
}

/// Has all that was copied on the disk, and looks whether it is whole; how many bytes there are. The moment may be over.
pub(crate) fn settle_all(copied: &[PathBuf]) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for path in copied {
        bytes += settle(path)?;
    }
    Ok(bytes)
}

/// The program's version of what is stored.
pub(crate) const fn program() -> u32 {
    VERSION
}

/// A directory beside the place at which a copy is to be, until it is whole. Dropped before that, nothing of it is left.
pub(crate) struct Unfinished {
    pub(crate) directory: PathBuf,
    target: PathBuf,
    is_whole: bool,
    _lock: File,
}

impl Unfinished {
    /// Where one was left that was cut off, it is removed; one that somebody writes is left to him.
    pub(crate) fn make(target: &Path) -> anyhow::Result<Self> {
        rustix::process::umask(Mode::RWXG | Mode::RWXO);
        if target.symlink_metadata().is_ok() {
            bail!("{} is there already: name a directory that is not", target.display());
        }
        let Some(name) = target.file_name() else { bail!("{} is no name", target.display()) };
        let directory = target.with_file_name(format!("{}.{UNFINISHED}", name.display()));
        if directory.exists() {
            // Whoever writes it holds its lock.
            let _lock =
                lock(&directory).with_context(|| format!("another backup writes {}", directory.display()))?;
            std::fs::remove_dir_all(&directory)
                .with_context(|| format!("cannot remove {}", directory.display()))?;
        }
        DirBuilder::new()
            .mode(0o700)
            .create(&directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        let lock = lock(&directory)?;
        Ok(Self { directory, target: target.to_owned(), is_whole: false, _lock: lock })
    }

    /// Gives the copy its name, once everything of it is on the disk.
    pub(crate) fn finish(mut self, manifest: &Manifest) -> anyhow::Result<()> {
        let said = |what: &str| format!("cannot {what} {}", self.directory.display());
        write_version(&self.directory).with_context(|| said("write the version into"))?;
        let mut file = File::create(self.directory.join(BACKUP_FILE)).with_context(|| said("write into"))?;
        let text = serde_json::to_string_pretty(manifest)?;
        writeln!(file, "{text}").and_then(|()| file.sync_all()).with_context(|| said("write into"))?;
        sync_entries(&self.directory).with_context(|| said("sync"))?;
        if self.target.symlink_metadata().is_ok() {
            bail!("{} has come to be there meanwhile", self.target.display());
        }
        std::fs::rename(&self.directory, &self.target).with_context(|| said("rename"))?;
        self.is_whole = true;
        // Only now: until it has its name, whoever else makes a copy of that name is kept away by it.
        let _ = std::fs::remove_file(self.target.join(LOCK_FILE));
        let beside = self.target.parent().unwrap_or(&self.target);
        sync_entries(beside).with_context(|| format!("cannot sync {}", beside.display()))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.is_whole {
            // The next one removes what cannot be removed now.
            let _ = std::fs::remove_dir_all(&self.directory);
        }
    }
}

/// Whether two places lie in one file system.
pub(crate) fn share_a_disk(one: &Path, other: &Path) -> bool {
    let device = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.dev()).ok();
    device(one).is_some_and(|one| device(other) == Some(one))
}

/// Notes in the directory that a copy of it was taken, for who watches over it.
pub(crate) fn note_backed_up(directory: &Path, at: Timestamp) -> anyhow::Result<()> {
    let (path, new) = (directory.join(BACKED_UP_FILE), directory.join(BACKED_UP_FILE_NEW));
    let mut file = File::create(&new)?;
    writeln!(file, "{}", at.0)?;
    token::give(&file, &token::keeper(directory)?)?;
    std::fs::rename(new, path)?;
    Ok(())
}

/// When the last copy was taken; nothing where none was, or nobody can say.
pub(crate) fn backed_up_at(directory: &Path) -> Option<Timestamp> {
    let noted = std::fs::read_to_string(directory.join(BACKED_UP_FILE)).ok()?;
    noted.trim().parse().ok().map(Timestamp)
}
