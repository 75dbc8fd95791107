//! The disk under the data directory: looked at all the time, so that it is never full before somebody was told.
//!
//! There are two marks. Below the first, an alert is shown and everything goes on. Below the second, nothing new is taken
//! on, and what is under way comes to its end in what is left. A disk that has become read-only, or a directory that is
//! not where it was, ends the process: what it would write could not be stored, or not be found again. A file system
//! that does not say how large it is (ramfs, tmpfs without a limit) is not taken for full.

use crate::sentinel::{Failing, fail};
use engine::gate::Gate;
use rustix::fs::{StatVfs, StatVfsMountFlags, statvfs};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::{MissedTickBehavior, interval};

/// A look costs microseconds; within a second, a busy system may write a database's whole log anew.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A mark that was passed counts as passed until there is so much more room, as a part of it: nothing flickers.
const BACK_PART: u64 = 8;
/// With less, a database cannot even be opened.
const START_BYTES_MIN: u64 = 1 << 20;
const UNKNOWN: &str =
    "the file system does not say how much room it has: nothing is refused before it is full";

/// In bytes that are left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Marks {
    pub(crate) warn: u64,
    pub(crate) min: u64,
}

/// How much room there is, by the marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Room {
    #[default]
    Enough,
    /// Somebody should make some.
    Low,
    /// Nothing new is taken on.
    Out,
    /// The file system does not say.
    Unknown,
}

/// What a file system says of itself, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) left: u64,
    pub(crate) whole: u64,
}

impl Size {
    /// Nothing where the file system has no size to tell.
    pub(crate) fn of(stat: &StatVfs) -> Option<Self> {
        // What may be used by those who are nobody special.
        let left = stat.f_bavail.saturating_mul(stat.f_frsize);
        (stat.f_blocks > 0).then(|| Self { left, whole: stat.f_blocks.saturating_mul(stat.f_frsize) })
    }
}

impl Room {
    fn after(self, left: u64, marks: Marks) -> Self {
        let is_below = |mark: u64, was_below: bool| {
            left < if was_below { mark.saturating_add(mark / BACK_PART) } else { mark }
        };
        if is_below(marks.min, self == Self::Out) {
            Self::Out
        } else if is_below(marks.warn, matches!(self, Self::Low | Self::Out)) {
            Self::Low
        } else {
            Self::Enough
        }
    }
}

/// What the last look has shown.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    pub(crate) room: Room,
    pub(crate) size: Option<Size>,
}

/// A file that has to stay where it is.
#[derive(Debug)]
struct Kept {
    path: PathBuf,
    identity: (u64, u64),
}

/// The disk, for all who want to know of it.
#[derive(Debug)]
pub(crate) struct Disk {
    directory: PathBuf,
    gate: Arc<Gate>,
    kept: Vec<Kept>,
    seen: Mutex<(Marks, Seen)>,
}

impl Disk {
    /// Looks once. `files` are those that are open to be written.
    pub(crate) fn new(
        directory: &Path,
        files: Vec<PathBuf>,
        marks: Marks,
        gate: Arc<Gate>,
    ) -> anyhow::Result<Arc<Self>> {
        let keep = |path: PathBuf| Ok(Kept { identity: identity(&path)?, path });
        let kept = files.into_iter().map(keep).collect::<std::io::Result<_>>()?;
        let seen = Mutex::new((marks, Seen::default()));
        let disk = Arc::new(Self { directory: directory.to_owned(), gate, kept, seen });
        match disk.look() {
            Ok(()) => Ok(disk),
            Err(why) => anyhow::bail!(why),
        }
    }

    /// Looks again and again from now on, until something is so wrong that the process must end.
    pub(crate) fn keep_looking(self: &Arc<Self>, runtime: &Handle, failing: &Failing) {
        let (disk, failing) = (self.clone(), failing.clone());
        runtime.spawn(async move {
            let mut ticks = interval(LOOK_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let disk = disk.clone();
                // A disk may take its time.
                let looked = tokio::task::spawn_blocking(move || disk.look()).await;
                if let Ok(Err(why)) = looked {
                    tracing::error!(why, "the data directory cannot be written any more");
                    return fail(&failing, why);
                }
            }
        });
    }

    /// The data directory.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn seen(&self) -> Seen {
        self.lock().1
    }

    /// From the next look on.
    pub(crate) fn set_marks(&self, marks: Marks) {
        self.lock().0 = marks;
    }

    /// What somebody should see to.
    pub(crate) fn warning(&self) -> Option<String> {
        let (marks, seen) = *self.lock();
        let size = seen.size.unwrap_or(Size { left: 0, whole: 0 });
        let left = format!("{} of {}", told_bytes(size.left), told_bytes(size.whole));
        match seen.room {
            Room::Enough => None,
            Room::Unknown => Some(UNKNOWN.to_owned()),
            Room::Low => Some(format!(
                "the disk is filling up: {left} are left, and with less than {} nothing new is taken on",
                told_bytes(marks.min)
            )),
            Room::Out => Some(format!(
                "the disk has no room: {left} are left, and nothing new is taken on until there are {}",
                told_bytes(marks.min + marks.min / BACK_PART)
            )),
        }
    }

    fn look(&self) -> Result<(), String> {
        let directory = self.directory.display();
        let gone = |kept: &&Kept| identity(&kept.path).ok() != Some(kept.identity);
        if let Some(gone) = self.kept.iter().find(gone) {
            return Err(format!(
                "{} is not where it was, or another lies there: what is written now could not be found again",
                gone.path.display()
            ));
        }
        let stat = statvfs(&self.directory);
        let stat = stat.map_err(|error| format!("the disk of {directory} cannot be looked at: {error}"))?;
        if stat.f_flag.contains(StatVfsMountFlags::RDONLY) {
            return Err(format!(
                "the file system of {directory} has become read-only: see the system's log for why"
            ));
        }
        self.note(Size::of(&stat));
        Ok(())
    }

    /// Says what has changed, and shuts or opens the gate.
    fn note(&self, size: Option<Size>) {
        let (marks, Seen { room: before, .. }) = *self.lock();
        let room = size.map_or(Room::Unknown, |size| before.after(size.left, marks));
        self.lock().1 = Seen { room, size };
        match room {
            Room::Enough | Room::Low | Room::Unknown => self.gate.open(),
            Room::Out => self.gate.shut(),
        }
        if room == before {
            return;
        }
        let (directory, left) = (self.directory.display(), told_bytes(size.map_or(0, |size| size.left)));
        match room {
            Room::Unknown => tracing::warn!(%directory, "{UNKNOWN}"),
            Room::Enough => tracing::info!(%directory, left, "the disk has room again"),
            Room::Low => tracing::warn!(
                %directory,
                left,
                refuses_below = told_bytes(marks.min),
                "the disk is filling up: make room, or give it more"
            ),
            Room::Out => tracing::error!(
                %directory,
                left,
                "the disk has no room: new requests are refused until there is; reads and what is under way go on"
            ),
        }
    }

    fn lock(&self) -> MutexGuard<'_, (Marks, Seen)> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a directory could not be opened, where the disk explains it.
pub(crate) fn explain(directory: &Path, error: anyhow::Error) -> anyhow::Error {
    // The directory itself may not be there.
    let stat = directory.ancestors().find_map(|path| statvfs(path).ok());
    let Some(stat) = stat else { return error };
    let directory = directory.display();
    if stat.f_flag.contains(StatVfsMountFlags::RDONLY) {
        error.context(format!(
            "the file system of {directory} is read-only: make it writable, or choose another place"
        ))
    } else if let Some(Size { left, .. }) = Size::of(&stat).filter(|size| size.left < START_BYTES_MIN) {
        error.context(format!("the disk of {directory} is full, {left} bytes are left: make room first"))
    } else {
        error
    }
}

fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    std::fs::metadata(path).map(|file| (file.dev(), file.ino()))
}

pub(crate) fn told_bytes(bytes: u64) -> String {
    if bytes < 1 << 20 { format!("{} KiB", bytes.div_ceil(1 << 10)) } else { format!("{} MiB", bytes >> 20) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKS: Marks = Marks { warn: 1_600, min: 800 };

    #[test]
    fn an_alert_comes_before_a_refusal_and_neither_flickers() {
        let mut room = Room::default();
        let rooms = [5_000, 1_600, 1_599, 1_601, 800, 799, 801, 899, 900, 1_799, 799, 1_799, 1_800, 0, 5_000];
        let rooms = rooms.map(|left| {
            room = room.after(left, MARKS);
            room
        });
        use Room::{Enough, Low, Out};
        let expected =
            [Enough, Enough, Low, Low, Low, Out, Out, Out, Low, Low, Out, Low, Enough, Out, Enough];
        assert_eq!(rooms, expected);
        let off = Marks { warn: 0, min: 0 };
        assert_eq!(Room::default().after(0, off), Enough, "who wants no marks has none");
    }

    fn on(directory: &Path, marks: Marks) -> Arc<Disk> {
        let file = directory.join("kept");
        std::fs::write(&file, "").unwrap();
        Disk::new(directory, vec![file], marks, Arc::default()).unwrap()
    }

    #[test]
    fn the_gate_goes_by_the_room() {
        let folder = tempfile::tempdir().unwrap();
        let disk = on(folder.path(), MARKS);
        for (left, shut, warning) in
            [(799, true, Some("no room")), (900, false, Some("filling up")), (1_800, false, None)]
        {
            let size = Some(Size { left, whole: 10_000 });
            disk.note(size);
            let told = disk.warning();
            assert_eq!((disk.gate.is_shut(), disk.seen().size), (shut, size));
            assert_eq!(told.is_some(), warning.is_some(), "{told:?}");
            assert!(told.unwrap_or_default().contains(warning.unwrap_or_default()));
        }
    }

    #[test]
    fn other_marks_count_from_the_next_look_on() {
        let folder = tempfile::tempdir().unwrap();
        let disk = on(folder.path(), MARKS);
        let size = Some(Size { left: 1_000, whole: 10_000 });
        disk.note(size);
        assert_eq!((disk.seen().room, disk.gate.is_shut()), (Room::Low, false));
        disk.set_marks(Marks { warn: 3_000, min: 2_000 });
        disk.note(size);
        assert_eq!((disk.seen().room, disk.gate.is_shut()), (Room::Out, true));
        disk.set_marks(Marks { warn: 0, min: 0 });
        disk.note(size);
        assert_eq!((disk.seen().room, disk.gate.is_shut()), (Room::Enough, false));
    }

    /// ramfs says 0 of everything, and so does a tmpfs without a limit.
    #[test]
    fn a_file_system_that_says_no_size_is_not_full() {
        let folder = tempfile::tempdir().unwrap();
        let stat = StatVfs { f_blocks: 0, f_bavail: 0, ..statvfs(folder.path()).unwrap() };
        assert_eq!(Size::of(&stat), None);
        assert_eq!(
            Size::of(&StatVfs { f_blocks: 1, ..stat }).map(|size| size.left),
            Some(0),
            "that one is full"
        );
        let disk = on(folder.path(), MARKS);
        disk.note(Some(Size { left: 0, whole: 10_000 }));
        assert!(disk.gate.is_shut());
        disk.note(Size::of(&stat));
        assert!(!disk.gate.is_shut());
        assert_eq!(disk.warning().as_deref(), Some(UNKNOWN));
        disk.note(Some(Size { left: 1_700, whole: 10_000 }));
        assert_eq!(disk.warning(), None, "it has not been low before");
    }

    #[test]
    fn it_sees_the_disk_that_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let seen = on(folder.path(), MARKS).seen();
        assert!(seen.size.is_some_and(|size| size.left > 0 && size.left <= size.whole), "{seen:?}");
        let disk = on(folder.path(), Marks { warn: u64::MAX, min: u64::MAX });
        assert!(disk.gate.is_shut(), "the first look is one");
    }

    #[test]
    fn a_file_that_is_not_where_it_was_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let disk = on(folder.path(), MARKS);
        disk.look().unwrap();
        let (file, aside) = (folder.path().join("kept"), folder.path().join("aside"));
        std::fs::rename(&file, &aside).unwrap();
        assert!(disk.look().unwrap_err().contains("kept is not where it was"));
        std::fs::write(&file, "another").unwrap();
        assert!(disk.look().is_err());
        std::fs::rename(&aside, &file).unwrap();
        disk.look().unwrap();
    }

    #[test]
    fn what_the_disk_does_not_explain_is_told_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let error = explain(&folder.path().join("a/b"), anyhow::anyhow!("something else"));
        assert_eq!(format!("{error:#}"), "something else");
    }
}
