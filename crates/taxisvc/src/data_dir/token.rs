//! The operator's token: the one of the settings, else the one that the first start drew and keeps beside the data.

use crate::config::Config;
use crate::config::bounds::check_token;
use anyhow::{Context, bail};
use rustix::fs::Mode;
use std::fs::{File, Metadata};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

pub(super) const FILE: &str = "operator-token";
/// Becomes the token once it is whole.
const FILE_NEW: &str = "operator-token.new";
/// Nobody else's.
const MODE: u32 = 0o600;
const ROOT: u32 = 0;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    /// Where it is kept; nothing when it is set.
    pub(crate) file: Option<PathBuf>,
    /// Whether it was drawn just now, and nobody has seen it yet.
    pub(crate) is_new: bool,
}

/// The token that is there, if one is.
pub(crate) fn find(config: &Config) -> anyhow::Result<Option<Token>> {
    if !config.operator.token.is_empty() {
        return Ok(Some(Token { text: config.operator.token.clone(), file: None, is_new: false }));
    }
    let file = config.data.join(FILE);
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text.trim().to_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
    };
    check_token(&text).with_context(|| {
        format!("{} holds no token: remove it, and the next start draws another", file.display())
    })?;
    Ok(Some(Token { text, file: Some(file), is_new: false }))
}

/// The token that is there, else a new one.
pub(crate) fn find_or_draw(config: &Config, draw: impl FnMut() -> u64) -> anyhow::Result<Token> {
    match find(config)? {
        Some(token) => Ok(token),
        None => renew(&config.data, draw),
    }
}

/// The token that is there, else a new one, for services that run by themselves and share a directory that may hold
/// nothing else: whichever of them is first draws it, and the others take it.
pub(crate) fn share(config: &Config, mut draw: impl FnMut() -> u64) -> anyhow::Result<Token> {
    if let Some(token) = find(config)? {
        return Ok(token);
    }
    let directory = &config.data;
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    let file = directory.join(FILE);
    let text = format!("{:016x}{:016x}", draw(), draw());
    // Whoever draws at the same time writes another one.
    let new = directory.join(format!("{FILE_NEW}.{:016x}", draw()));
    let offered =
        super::make(directory).map_err(anyhow::Error::from).and_then(|()| offer(&new, &file, &text));
    let is_new = offered.with_context(|| {
        format!(
            "cannot keep the operator's token in {}: name another directory, or set operator.token",
            directory.display()
        )
    })?;
    if is_new {
        return Ok(Token { text, file: Some(file), is_new });
    }
    find(config)?.with_context(|| format!("{} was there a moment ago", file.display()))
}

/// Puts a token where it belongs unless there is one by then. It is whole before it is seen there.
fn offer(new: &Path, file: &Path, text: &str) -> anyhow::Result<bool> {
    write_new(new, text)?;
    let linked = std::fs::hard_link(new, file);
    remove(new)?;
    match linked {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Another token in the place of the one that is kept.
pub(crate) fn renew(directory: &Path, mut draw: impl FnMut() -> u64) -> anyhow::Result<Token> {
    let text = format!("{:016x}{:016x}", draw(), draw());
    let file = directory.join(FILE);
    write(directory, &text).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(Token { text, file: Some(file), is_new: true })
}

fn write(directory: &Path, text: &str) -> anyhow::Result<()> {
    let new = directory.join(FILE_NEW);
    // One that was left by an attempt that broke off may have another mode.
    remove(&new)?;
    write_new(&new, text)?;
    std::fs::rename(&new, directory.join(FILE))?;
    Ok(super::sync_entries(directory)?)
}

fn write_new(new: &Path, text: &str) -> anyhow::Result<()> {
    let directory = new.parent().unwrap_or(new);
    let mut file = File::options().write(true).create_new(true).mode(MODE).open(new)?;
    let written = writeln!(file, "{text}").map_err(anyhow::Error::from);
    if let Err(error) = written.and_then(|()| give(&file, &keeper(directory)?)) {
        remove(new)?;
        return Err(error);
    }
    Ok(file.sync_all()?)
}

fn remove(file: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Something of whoever runs the server, who has to be able to read what is made for them: they made what is in the directory, or have
/// it. Root may have put one of the two there for them.
pub(super) fn keeper(directory: &Path) -> std::io::Result<Metadata> {
    let directory_itself = std::fs::metadata(directory)?;
    let version = std::fs::metadata(directory.join(super::VERSION_FILE));
    Ok(version.ok().filter(|version| version.uid() != ROOT).unwrap_or(directory_itself))
}

/// Gives the file to whoever keeps the directory.
pub(super) fn give(file: &File, keeper: &Metadata) -> anyhow::Result<()> {
    let owner = keeper.uid();
    if file.metadata()?.uid() == owner {
        return Ok(());
    }
    match fchown(file, Some(owner), Some(keeper.gid())) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => bail!(
            "the directory is user {owner}'s, who could not use a file of ours: do this as that user, or as root"
        ),
        given => Ok(given?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, chown};
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicU64, Ordering};

    fn config(directory: &Path) -> Config {
        Config { data: directory.to_owned(), ..Config::default() }
    }

    #[test]
    fn it_is_drawn_once_and_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        assert_eq!(find(&config).unwrap(), None);
        let mut next = 0;
        let mut draw = || {
            next += 1;
            next
        };
        let first = find_or_draw(&config, &mut draw).unwrap();
        assert!(first.is_new && first.text.len() == 32, "{first:?}");
        let mode = std::fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, MODE);
        let again = find_or_draw(&config, &mut draw).unwrap();
        assert_eq!((again.text.as_str(), again.is_new), (first.text.as_str(), false));
        std::fs::write(folder.path().join(FILE_NEW), "half a tok").unwrap();
        let renewed = renew(folder.path(), &mut draw).unwrap();
        assert_ne!(renewed.text, first.text);
        assert_eq!(find(&config).unwrap().unwrap().text, renewed.text);
    }

    /// As five services that are started at once on one machine do.
    #[test]
    fn those_who_share_a_directory_share_the_token() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(&folder.path().join("not there yet"));
        let drawing = AtomicU64::new(0);
        let draw = || drawing.fetch_add(1, Ordering::SeqCst);
        let together = Barrier::new(8);
        let shared: Vec<Token> = std::thread::scope(|scope| {
            let start = || {
                together.wait();
                share(&config, draw).unwrap()
            };
            let started: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
            started.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(shared.iter().all(|token| token.text == shared[0].text), "{shared:?}");
        assert_eq!(shared.iter().filter(|token| token.is_new).count(), 1, "it is shown once");
        let entries = std::fs::read_dir(&config.data).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(entries.collect::<Vec<_>>(), [FILE], "nothing else is left");
    }

    #[test]
    fn it_belongs_to_whoever_has_the_directory_and_is_not_made_where_it_cannot() {
        const SOMEBODY: u32 = 60_123;
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let owner = || std::fs::metadata(folder.path().join(FILE)).unwrap().uid();
        if chown(folder.path(), Some(SOMEBODY), Some(SOMEBODY)).is_ok() {
            find_or_draw(&config, || 7).unwrap();
            assert_eq!(owner(), SOMEBODY, "of the first start");
            // What root made as the first is in root's name, what a server made is in the server's.
            std::fs::write(folder.path().join(super::super::VERSION_FILE), "1\n").unwrap();
            chown(folder.path(), Some(ROOT), None).unwrap();
            chown(folder.path().join(super::super::VERSION_FILE), Some(SOMEBODY), None).unwrap();
            renew(folder.path(), || 8).unwrap();
            assert_eq!(owner(), SOMEBODY, "of a directory that is shared with the server");
        } else {
            // Whoever is not root can give nothing away: root's files are those of somebody else.
            let file = tempfile::tempfile().unwrap();
            let error = give(&file, &std::fs::metadata("/").unwrap()).unwrap_err().to_string();
            assert!(error.contains("user 0's") && error.contains("as root"), "{error}");
        }
        assert!(!folder.path().join(FILE_NEW).exists());
    }

    #[test]
    fn one_that_is_set_counts_and_one_that_is_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path());
        std::fs::write(folder.path().join(FILE), "short\n").unwrap();
        let error = format!("{:#}", find(&config).unwrap_err());
        assert!(error.contains(FILE) && error.contains("16"), "{error}");
        config.operator.token = "0123456789abcdef".to_owned();
        let token = find_or_draw(&config, || unreachable!("it is set")).unwrap();
        assert_eq!((token.text.as_str(), token.file), ("0123456789abcdef", None));
    }
}
