//! A data directory that is made of a copy: nobody runs on it before it is finished, and cut off it is taken up.

use super::copies::{BACKUP_FILE, files};
use super::{
    LOCK_FILE, VERSION, VERSION_FILE, check, is_there, lock, make, sync_entries, token, write_version,
};
use crate::config::Config;
use anyhow::{Context, bail};
use engine::log::LogId;
use engine::store::Schema;
use engine_sqlite::copy::Member;
use engine_sqlite::renew::{Renewal, renew, roll_back};
use rustix::fs::Mode;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// In a directory that is being restored: by which command, which logs it has, and how each is called from then on.
const RESTORING_FILE: &str = "restoring";
/// Becomes the one above once it is whole.
const RESTORING_FILE_NEW: &str = "restoring.new";
/// What may lie in a directory into which a copy is put back.
const NOT_IN_THE_WAY: [&str; 4] = [LOCK_FILE, token::FILE, "lost+found", RESTORING_FILE_NEW];

/// Who makes a data directory of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Restorer {
    /// `taxisvc restore`, which has put the files there and can do it again.
    Restore,
    /// `taxisvc restored`: somebody has put them there by hand, and they may be all that there is.
    Restored,
}

impl Restorer {
    fn name(self) -> &'static str {
        match self {
            Self::Restore => "restore",
            Self::Restored => "restored",
        }
    }
}

/// What is noted of a restoration that is not over.
#[derive(Debug, PartialEq, Eq)]
struct Noted {
    restorer: Restorer,
    logs: Vec<(LogId, LogId)>,
}

impl Noted {
    fn read(directory: &Path) -> anyhow::Result<Option<Self>> {
        let path = directory.join(RESTORING_FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        Self::parse(&text).map(Some).with_context(|| format!("{} is damaged", path.display()))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let name = lines.next()?.strip_prefix("by ")?;
        let restorer =
            [Restorer::Restore, Restorer::Restored].into_iter().find(|restorer| restorer.name() == name)?;
        let pair = |line: &str| {
            let (old, new) = line.split_once(' ')?;
            Some((old.parse().ok()?, new.parse().ok()?))
        };
        Some(Self { restorer, logs: lines.map(pair).collect::<Option<_>>()? })
    }

    fn text(&self) -> String {
        let logs = self.logs.iter().map(|(old, new)| format!("{old} {new}\n"));
        std::iter::once(format!("by {}\n", self.restorer.name())).chain(logs).collect()
    }
}

/// Refuses what has been restored by half.
pub(crate) fn refuse_half(directory: &Path) -> anyhow::Result<()> {
    if directory.join(RESTORING_FILE).exists() {
        let name = directory.display();
        bail!(
            "{name} is being restored, or that was cut off: give the same `taxisvc restore` (or `restored`) again"
        );
    }
    Ok(())
}

/// A data directory that is being made of a copy: nobody runs on it before it is finished.
pub(crate) struct Restoring {
    directory: PathBuf,
    restorer: Restorer,
    _lock: File,
}

impl Restoring {
    /// Begins to put a copy into a directory that is not there or empty, or in which this was cut off.
    pub(crate) fn begin(config: &Config) -> anyhow::Result<Self> {
        rustix::process::umask(Mode::RWXG | Mode::RWXO);
        let directory = config.data.clone();
        let name = directory.display();
        refuse_what_is_in_the_way(&directory)?;
        make(&directory).with_context(|| format!("cannot make {name}"))?;
        let lock = lock(&directory)?;
        // Somebody may have had it until now.
        refuse_what_is_in_the_way(&directory)?;
        let restoring = Self { directory, restorer: Restorer::Restore, _lock: lock };
        restoring.note(Vec::new())?;
        // What was left of an earlier try.
        restoring.clear(config)?;
        Ok(restoring)
    }

    /// Takes hold of a directory into which somebody has put a copy by hand.
    pub(crate) fn in_place(config: &Config) -> anyhow::Result<Self> {
        rustix::process::umask(Mode::RWXG | Mode::RWXO);
        check(config)?;
        let lock = lock(&config.data)?;
        // One that is cut off is finished as whoever began it.
        let noted = Noted::read(&config.data)?;
        if noted.as_ref().is_some_and(|noted| noted.logs.is_empty()) {
            bail!("putting the copy back was cut off: give the same `taxisvc restore` again");
        }
        let restorer = noted.map_or(Restorer::Restored, |noted| noted.restorer);
        for Member { path, .. } in files(config)? {
            if path.with_extension("db-journal").exists() {
                roll_back(&path).with_context(|| format!("cannot use {}", path.display()))?;
            }
        }
        Ok(Self { directory: config.data.clone(), restorer, _lock: lock })
    }

    fn clear(&self, config: &Config) -> anyhow::Result<()> {
        let databases = config.layout().groups().into_iter().flat_map(|(name, _)| {
            ["", "-wal", "-shm", "-lock", "-journal"].map(|part| format!("{name}.db{part}"))
        });
        for name in databases.chain([VERSION_FILE.to_owned()]) {
            let path = self.directory.join(name);
            if path.exists() {
                std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
        Ok(())
    }

    /// Takes back what was put there.
    pub(crate) fn give_up(self, config: &Config) {
        // What stays is known by the file that says that it is being restored.
        if self.clear(config).is_ok() {
            let _ = std::fs::remove_file(self.directory.join(RESTORING_FILE));
        }
    }

    /// All files are there: from now on it is a data directory.
    pub(crate) fn is_copied(&self) -> anyhow::Result<()> {
        write_version(&self.directory).with_context(|| format!("cannot write {}", self.directory.display()))
    }

    /// All of it or nothing: half a note would be taken for another one.
    fn note(&self, logs: Vec<(LogId, LogId)>) -> anyhow::Result<()> {
        let (path, new) = (self.directory.join(RESTORING_FILE), self.directory.join(RESTORING_FILE_NEW));
        let text = Noted { restorer: self.restorer, logs }.text();
        let write = || {
            let mut file = File::create(&new)?;
            file.write_all(text.as_bytes())?;
            // Whoever cannot give files away is told so before there are any.
            token::give(&file, &token::keeper(&self.directory)?)?;
            file.sync_all()?;
            std::fs::rename(&new, &path)?;
            anyhow::Ok(sync_entries(&self.directory)?)
        };
        write().with_context(|| format!("cannot write {}", path.display()))
    }

    /// Root restores, and somebody else runs the server: what is ours here is theirs from now on.
    fn give_all(&self) -> anyhow::Result<()> {
        let own = rustix::process::geteuid().as_raw();
        let keeper = token::keeper(&self.directory)?;
        for entry in std::fs::read_dir(&self.directory)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_file() && metadata.uid() == own && own != keeper.uid() {
                token::give(&File::open(entry.path())?, &keeper)?;
            }
        }
        Ok(())
    }

    /// It is a data directory again, and no backup. What is noted keeps everybody from it as the mark did, so it is never
    /// without one of them.
    fn is_no_backup(&self) -> anyhow::Result<()> {
        let mark = self.directory.join(BACKUP_FILE);
        if !mark.exists() {
            return Ok(());
        }
        std::fs::remove_file(&mark)
            .and_then(|()| sync_entries(&self.directory))
            .with_context(|| format!("cannot remove {}", mark.display()))
    }

    /// Gives every log another name, in all files and wherever they speak of one, and lets the directory go. Cut off, it goes
    /// on where it was.
    pub(crate) fn renew(
        self,
        config: &Config,
        (numbers, mut draw): ((&'static str, u64), impl FnMut() -> u64),
    ) -> anyhow::Result<Vec<(LogId, LogId)>> {
        let members = files(config)?;
        let mut logs = Noted::read(&self.directory)?.map(|noted| noted.logs).unwrap_or_default();
        if logs.is_empty() {
            for member in &members {
                let opened = engine_sqlite::Database::open_read_only(&member.path, &member.schemas, VERSION);
                let old = opened.with_context(|| format!("cannot use {}", member.path.display()))?.log();
                logs.push((old, LogId(draw())));
            }
            self.note(logs.clone())?;
        }
        self.is_no_backup()?;
        for Member { path, schemas } in &members {
            let schemas: &[Schema] = schemas;
            renew(path, (schemas, VERSION), &Renewal { logs: &logs, numbers: Some(numbers) })
                .with_context(|| format!("cannot use {}", path.display()))?;
        }
        self.give_all().with_context(|| {
            format!("cannot give what is in {} to whoever has it", self.directory.display())
        })?;
        let mark = self.directory.join(RESTORING_FILE);
        std::fs::remove_file(&mark)
            .and_then(|()| sync_entries(&self.directory))
            .with_context(|| format!("cannot remove {}", mark.display()))?;
        Ok(logs)
    }
}

/// A restore takes an empty directory, or one in which it was cut off. What was put there by hand is nowhere else, maybe.
fn refuse_what_is_in_the_way(directory: &Path) -> anyhow::Result<()> {
    let name = directory.display();
    match Noted::read(directory)?.map(|noted| noted.restorer) {
        Some(Restorer::Restore) => return Ok(()),
        Some(Restorer::Restored) => bail!(
            "{name} holds a copy that was put there by hand, and `taxisvc restored` was cut off: give that again, or put it \
             elsewhere first"
        ),
        None if !is_there(directory) => return Ok(()),
        None => {}
    }
    for entry in std::fs::read_dir(directory).with_context(|| format!("cannot read {name}"))? {
        let entry = entry.with_context(|| format!("cannot read {name}"))?.file_name();
        if !NOT_IN_THE_WAY.iter().any(|known| entry == *known) {
            bail!(
                "{name} is not empty ({} is in it): put that elsewhere first, or name another by --data",
                entry.display()
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_dir::copies::is_backup;
    use crate::data_dir::{members, refuse_to_run_on};

    const LOGS: [(LogId, LogId); 2] = [(LogId(7), LogId(17)), (LogId(8), LogId(18))];

    #[test]
    fn what_is_noted_is_read_again() {
        for (restorer, logs) in [
            (Restorer::Restore, Vec::new()),
            (Restorer::Restored, LOGS.to_vec()),
            (Restorer::Restore, LOGS.to_vec()),
        ] {
            let noted = Noted { restorer, logs };
            assert_eq!(Noted::parse(&noted.text()), Some(noted));
        }
        for damaged in ["", "by nobody\n", "by restore\n7", "0000000000000007 0000000000000011\n"] {
            assert_eq!(Noted::parse(damaged), None, "{damaged:?}");
        }
    }

    /// A directory as `restored` leaves it when it is cut off: it has its mark, a database and its version.
    fn cut_off(restorer: Restorer, logs: &[(LogId, LogId)]) -> (tempfile::TempDir, Config) {
        let folder = tempfile::tempdir().unwrap();
        let config = Config { data: folder.path().to_owned(), ..Config::default() };
        write_version(&config.data).unwrap();
        std::fs::write(config.data.join(BACKUP_FILE), "{}").unwrap();
        std::fs::write(config.data.join("taxisvc.db"), "by hand").unwrap();
        let restoring = Restoring { restorer, ..Restoring::in_place(&config).unwrap() };
        assert!(is_backup(&config.data), "it is a backup until something else keeps everybody from it");
        restoring.note(logs.to_vec()).unwrap();
        (folder, config)
    }

    #[test]
    fn what_was_put_there_by_hand_is_not_cleared_away() {
        let (_folder, config) = cut_off(Restorer::Restored, &LOGS);
        let refused = Restoring::begin(&config).err().expect("it is somebody's").to_string();
        assert!(refused.contains("`taxisvc restored` was cut off"), "{refused}");
        assert!(config.data.join("taxisvc.db").exists() && is_backup(&config.data));
        let restoring = Restoring::in_place(&config).unwrap();
        assert_eq!(restoring.restorer, Restorer::Restored);
        restoring.is_no_backup().unwrap();
        assert!(!is_backup(&config.data) && refuse_to_run_on(&config.data).is_err(), "another mark is there");
        drop(restoring);
        // What a restore has put there it puts there again.
        let (_folder, config) = cut_off(Restorer::Restore, &LOGS);
        drop(Restoring::begin(&config).unwrap());
        assert!(!config.data.join("taxisvc.db").exists());
    }

    #[test]
    fn what_root_restores_is_whose_directory_it_is() {
        const SOMEBODY: u32 = 60_123;
        let (folder, config) = cut_off(Restorer::Restored, &LOGS);
        if std::os::unix::fs::chown(folder.path(), Some(SOMEBODY), Some(SOMEBODY)).is_err() {
            // Whoever is not root can give nothing away; the token's tests look at what is said then.
            return;
        }
        Restoring::in_place(&config).unwrap().give_all().unwrap();
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().uid(), SOMEBODY, "{entry:?}");
        }
    }

    #[test]
    fn what_is_half_restored_is_not_copied() {
        for restorer in [Restorer::Restore, Restorer::Restored] {
            let (_folder, config) = cut_off(restorer, &LOGS);
            assert!(files(&config).is_ok());
            let refused = members(&config).expect_err("its logs have names of two times").to_string();
            assert!(refused.contains("is being restored"), "{refused}");
        }
    }
}
