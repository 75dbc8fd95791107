//! What is followed of a file, what waits for a restart, and what is refused.

use super::*;
use crate::config::sources::{self, Flags};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;

struct Watched {
    live: Arc<Live>,
    seen: Seen,
    file: PathBuf,
    /// Streams that a part of the process goes by.
    streams_max: Arc<AtomicUsize>,
    _folder: TempDir,
}

impl Watched {
    fn started_with(said: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("said.toml");
        std::fs::write(&file, said).unwrap();
        let in_force = sources::read(&Flags { config: Some(file.clone()), ..Flags::default() }).unwrap();
        let live = Live::new(&in_force, |config| {
            anyhow::ensure!(config.ports.web != 7, "no process of this kind starts with it");
            Ok(())
        });
        let streams_max = Arc::new(AtomicUsize::new(0));
        let follower = streams_max.clone();
        let follow = move |config: &Config| {
            follower.store(config.limits.streams_max, Ordering::Relaxed);
            Ok(())
        };
        live.follow(follow).unwrap();
        let mut watched = Self { live, seen: Seen::default(), file, streams_max, _folder: folder };
        watched.look();
        assert_eq!(watched.live.status().reloads, 0, "the first look finds what the start has read");
        watched
    }

    /// As often as it takes.
    fn look(&mut self) {
        while !self.live.look(&self.file, &mut self.seen) {}
    }

    fn says(&mut self, said: &str) {
        std::fs::write(&self.file, said).unwrap();
        self.look();
    }

    fn streams_max(&self) -> usize {
        assert_eq!(self.live.now().config.limits.streams_max, self.streams_max.load(Ordering::Relaxed));
        self.streams_max.load(Ordering::Relaxed)
    }
}

#[test]
fn what_may_change_is_followed_both_ways() {
    let mut watched = Watched::started_with("[limits]\nstreams_max = 5\n");
    assert_eq!(watched.streams_max(), 5);
    watched.says("[limits]\nstreams_max = 6\n");
    assert_eq!(watched.streams_max(), 6);
    watched.says("");
    assert_eq!(watched.streams_max(), 256, "what is not said is the default again");
    watched.says("[limits]\nstreams_max = 5\n");
    assert_eq!((watched.streams_max(), watched.live.status().reloads), (5, 3));
    assert_eq!(watched.live.warnings(), Vec::<String>::new());
}

#[test]
fn what_counts_at_the_start_waits_and_may_be_taken_back() {
    let mut watched = Watched::started_with("[ports]\nweb = 1\n");
    watched
        .says("[ports]\nweb = 2\n[operator]\ntoken = \"correct-horse-battery\"\n[limits]\nstreams_max = 5\n");
    assert_eq!((watched.live.now().config.ports.web, watched.streams_max()), (1, 5));
    let warnings = watched.live.warnings();
    assert!(
        warnings.len() == 1 && warnings[0].ends_with("after a restart: operator.token, ports.web"),
        "{warnings:?}"
    );
    watched.says("[ports]\nweb = 1\n");
    assert_eq!((watched.live.warnings().len(), watched.streams_max()), (0, 256));
}

#[test]
fn what_is_not_understood_is_refused_whole_and_cleared_by_what_is() {
    let mut watched = Watched::started_with("[limits]\nstreams_max = 5\n");
    for (said, why) in [
        ("[limits]\nstreams_max = ", "line 2, column "),
        ("log = \"debug\"\n[limits]\nstreams_max = 0\n", "limits.streams_max is 0"),
        ("[limits]\nstreams_max = 6\nstreams = 7\n", "line 3, column 1"),
        ("log = \"loud\"\n[limits]\nstreams_max = 6\n", "\"loud\" is not a log level"),
        ("[limits]\nstreams_max = 6\n[upstreams]\ncall = [\"nowhere\"]\n", "upstreams.call wants host:port"),
        ("[limits]\nstreams_max = 6\n[answers]\nwait_ms = 10_000\n", "answers.wait_ms is 10000"),
        ("[limits]\nstreams_max = 6\n[ports]\nweb = 7\n", "no process of this kind starts with it"),
        ("[limits]\nstreams_max = 6\n[operator]\ntoken = \"hush\"\n", "a token has 16"),
    ] {
        watched.says(said);
        let warnings = watched.live.warnings();
        assert!(warnings.len() == 1 && warnings[0].contains(why), "{said:?}: {warnings:?}");
        assert!(
            warnings[0].contains("said.toml is refused, and what was in force goes on")
                && !warnings[0].contains("hush")
        );
        assert_eq!((watched.streams_max(), watched.live.status().reloads), (5, 0), "{said:?}");
    }
    std::fs::write(&watched.file, b"# \xff").unwrap();
    watched.look();
    assert!(watched.live.warnings()[0].contains("line 1: this is not UTF-8"));
    std::fs::remove_file(&watched.file).unwrap();
    watched.look();
    assert!(watched.live.warnings()[0].contains("cannot read"));
    assert_eq!(watched.streams_max(), 5);
    watched.says("[limits]\nstreams_max = 5\n");
    assert_eq!((watched.live.warnings().len(), watched.live.status().reloads), (0, 1));
}
