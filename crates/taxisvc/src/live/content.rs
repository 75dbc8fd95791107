//! What a file says at a moment, and whether that is new and whole.

use std::fs::{File, metadata};
use std::io::Read;
use std::path::Path;

/// Settings are a few thousand bytes; whoever reads the file again and again reads no more than this.
const BYTES_MAX: u64 = 1 << 20;

/// What the file says, or why it cannot be read.
#[derive(PartialEq, Eq)]
pub(super) struct Content(Result<Vec<u8>, String>);

impl Content {
    pub(super) fn read(path: &Path) -> Self {
        let file = path.display();
        Self(match read(path) {
            Ok(Some(said)) if said.len() as u64 > BYTES_MAX => {
                Err(format!("{file} has more than {BYTES_MAX} bytes"))
            }
            Ok(Some(said)) => Ok(said),
            Ok(None) => Err(format!("{file} is no file any more")),
            Err(error) => Err(format!("cannot read {file}: {error}")),
        })
    }

    pub(super) fn said(&self) -> Result<&[u8], String> {
        self.0.as_deref().map_err(Clone::clone)
    }
}

/// Nothing where it is no file: to open a pipe is to wait for who writes into it.
fn read(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    if !metadata(path)?.is_file() {
        return Ok(None);
    }
    let mut said = Vec::new();
    File::open(path)?.take(BYTES_MAX + 1).read_to_end(&mut said)?;
    Ok(Some(said))
}

/// What was seen so far.
#[derive(Default)]
pub(super) struct Seen {
    /// What counts.
    settled: Option<Content>,
    /// What was there at the last look, where that was something else.
    new: Option<Content>,
}

/// What a look has shown.
pub(super) struct Settled<'s> {
    pub(super) is_settled: bool,
    /// What counts from now on and did not before.
    pub(super) new: Option<&'s Content>,
}

impl Seen {
    pub(super) fn is_first(&self) -> bool {
        self.settled.is_none()
    }

    /// Whoever writes a file anew may be at it: what is new counts when it is there twice.
    pub(super) fn note(&mut self, content: Content) -> Settled<'_> {
        if self.settled.as_ref() == Some(&content) {
            self.new = None;
            return Settled { is_settled: true, new: None };
        }
        if self.new.as_ref() != Some(&content) {
            self.new = Some(content);
            return Settled { is_settled: false, new: None };
        }
        self.settled = self.new.take();
        Settled { is_settled: true, new: self.settled.as_ref() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Content {
        Content(Ok(text.as_bytes().to_vec()))
    }

    #[test]
    fn what_is_new_counts_when_it_is_seen_twice() {
        let mut seen = Seen::default();
        let mut note = |text: &str| {
            let settled = seen.note(said(text));
            (settled.is_settled, settled.new.is_some())
        };
        let (waits, counts, known) = ((false, false), (true, true), (true, false));
        assert_eq!([note("a"), note("a"), note("a")], [waits, counts, known]);
        assert_eq!(
            [note(""), note("b"), note("b"), note("b")],
            [waits, waits, counts, known],
            "half a file is none"
        );
        assert_eq!(
            [note("c"), note("b"), note("c")],
            [waits, known, waits],
            "what was taken back is forgotten"
        );
        assert_eq!([note("c"), note("a"), note("a")], [counts, waits, counts]);
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("said.toml");
        let why = |file: &Path| Content::read(file).said().map(<[u8]>::to_vec).unwrap_err();
        assert!(why(&file).contains("cannot read") && why(&file).contains("said.toml"));
        assert!(why(folder.path()).contains("is no file any more"));
        std::fs::write(&file, "log = 'info'").unwrap();
        assert_eq!(Content::read(&file).said().unwrap(), b"log = 'info'");
        std::fs::write(&file, "#".repeat(usize::try_from(BYTES_MAX).unwrap() + 1)).unwrap();
        assert!(why(&file).contains("has more than 1048576 bytes"));
    }
}
