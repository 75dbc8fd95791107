//! Settings that change while the process runs: the file is looked at all the time, and followed where it may be.
//!
//! The file's content is read and compared. Whoever mounts it swaps a link somewhere above it, and editors put another file in
//! its place, so that a watch on the file itself would see the end of it and nothing more. What is not understood, alone or
//! beside the other settings, is refused whole. Why: docs/decisions/0033-live-settings.md.

mod content;

use crate::config::Config;
use crate::config::live::{self, Change};
use crate::config::sources::{InForce, Setting};
use crate::log;
use anyhow::Context;
use content::{Content, Seen};
use engine::clock::{Clock, SystemClock, Timestamp};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;

/// A look reads a small file; whoever changes it waits no longer than this and a moment.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// What has changed is looked at again after this, and counts once it has stayed the same: nobody follows half a file.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Whether this process could be started with it.
type Check = Box<dyn Fn(&Config) -> anyhow::Result<()> + Send + Sync>;
/// Has a part of the process go by what is in force.
type Follow = Box<dyn Fn(&Config) -> anyhow::Result<()> + Send>;

/// The settings in force, for all who want to know of them.
pub(crate) struct Live {
    may_start: Check,
    state: Mutex<State>,
}

struct State {
    in_force: Arc<InForce>,
    status: Status,
    followers: Vec<Follow>,
}

/// What came of the file.
#[derive(Debug, Clone)]
pub(crate) struct Status {
    /// Why it is refused as it is now.
    pub(crate) refused: Option<String>,
    /// What it says that counts after a restart only.
    pub(crate) later: Vec<Setting>,
    /// How often it was followed since the start.
    pub(crate) reloads: u64,
    /// When it was understood last.
    pub(crate) read_at: Timestamp,
}

impl Live {
    pub(crate) fn new(
        in_force: &InForce,
        may_start: impl Fn(&Config) -> anyhow::Result<()> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let status = Status { refused: None, later: Vec::new(), reloads: 0, read_at: SystemClock.now() };
        let state = State { in_force: Arc::new(in_force.clone()), status, followers: Vec::new() };
        Arc::new(Self { may_start: Box::new(may_start), state: Mutex::new(state) })
    }

    /// What is in force now.
    pub(crate) fn now(&self) -> Arc<InForce> {
        self.lock().in_force.clone()
    }

    pub(crate) fn status(&self) -> Status {
        self.lock().status.clone()
    }

    /// What somebody should see to.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let state = self.lock();
        let file = name(state.in_force.file.as_deref());
        let Status { refused, later, .. } = &state.status;
        let refused =
            refused.iter().map(|why| format!("{file} is refused, and what was in force goes on: {why}"));
        let waits = format!("changed in {file}, and counts after a restart: {}", paths(later));
        refused.chain((!later.is_empty()).then_some(waits)).collect()
    }

    /// Has `follow` called with what is in force: at once, and whenever that changes.
    pub(crate) fn follow(
        &self,
        follow: impl Fn(&Config) -> anyhow::Result<()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let mut state = self.lock();
        follow(&state.in_force.config)?;
        state.followers.push(Box::new(follow));
        Ok(())
    }

    /// Looks at the file again and again from now on. What is no file, such as a pipe, was read once and for all.
    pub(crate) fn keep_looking(self: &Arc<Self>, runtime: &Handle) {
        let file = self.now().file.clone().filter(|file| file.is_file());
        let Some(file) = file else { return };
        let (live, file) = (self.clone(), Arc::<Path>::from(file));
        runtime.spawn(async move {
            let mut seen = Seen::default();
            loop {
                let (looking, file) = (live.clone(), file.clone());
                // A file that lies elsewhere may take its time.
                let looked = tokio::task::spawn_blocking(move || {
                    let settled = looking.look(&file, &mut seen);
                    (seen, settled)
                });
                let Ok((next, settled)) = looked.await else {
                    return live
                        .lock()
                        .refuse("looking at it broke off, and it is not looked at any more".to_owned());
                };
                seen = next;
                tokio::time::sleep(if settled { LOOK_EVERY } else { LOOK_AGAIN }).await;
            }
        });
    }

    /// Whether what was seen is what counts.
    fn look(&self, file: &Path, seen: &mut Seen) -> bool {
        let is_first = seen.is_first();
        let settled = seen.note(Content::read(file));
        if let Some(content) = settled.new {
            self.take(content, is_first);
        }
        settled.is_settled
    }

    fn take(&self, content: &Content, is_first: bool) {
        let mut state = self.lock();
        match self.understand(&state.in_force, content) {
            Ok(change) => state.go_by(change, is_first),
            Err(error) => state.refuse(format!("{error:#}")),
        }
    }

    fn understand(&self, now: &InForce, content: &Content) -> anyhow::Result<Change> {
        let said = content.said().map_err(anyhow::Error::msg)?;
        let wanted = now.read_again(said)?;
        (self.may_start)(&wanted.config)?;
        live::change(now, &wanted)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What operators change is logged whatever the level.
const OPERATOR: &str = "operator";

impl State {
    fn refuse(&mut self, why: String) {
        let file = name(self.in_force.file.as_deref());
        tracing::error!(target: OPERATOR, file, why, "the settings file is refused, and nothing changes");
        self.status.refused = Some(why);
    }

    /// The first look finds what the start has read, unless the file changed in between.
    fn go_by(&mut self, change: Change, is_first: bool) {
        let Change { in_force, changed, later } = change;
        let file = name(in_force.file.as_deref());
        let was_refused = self.status.refused.take().is_some();
        self.in_force = Arc::new(in_force);
        self.status.read_at = SystemClock.now();
        let waits_for_other = later != self.status.later;
        self.status.later = later;
        let paths_later = paths(&self.status.later);
        if is_first && changed.is_empty() && !waits_for_other {
            return;
        }
        self.status.reloads += 1;
        if !changed.is_empty() {
            let changed = changed.join(", ");
            tracing::info!(target: OPERATOR, file, changed, "the settings file has changed, and is followed");
        } else if was_refused {
            tracing::info!(target: OPERATOR, file, "the settings file is understood again");
        }
        if waits_for_other && !paths_later.is_empty() {
            let changed = paths_later;
            tracing::warn!(target: OPERATOR, file, changed, "the settings file has changed, which counts after a restart");
        } else if waits_for_other {
            tracing::info!(target: OPERATOR, file, "nothing in the settings file waits for a restart any more");
        }
        self.have_followed(&changed);
    }

    fn have_followed(&mut self, changed: &[String]) {
        let config = &self.in_force.config;
        // What an operator has asked for counts until the setting itself is another one.
        let log = changed.iter().any(|path| path == live::LOG).then(|| set_level(config));
        let followed = self.followers.iter().filter(|_| !changed.is_empty()).map(|follow| follow(config));
        let errors = log.into_iter().chain(followed).filter_map(Result::err);
        let why: Vec<String> = errors.map(|error| format!("{error:#}")).collect();
        if !why.is_empty() {
            let why = format!("it was understood and cannot be followed: {}", why.join("; "));
            tracing::error!(target: OPERATOR, why, "settings that have changed are not in force everywhere");
            self.status.refused = Some(why);
        }
    }
}

fn set_level(config: &Config) -> anyhow::Result<()> {
    log::level().context("the log is not started")?.set(&config.log).map_err(anyhow::Error::msg)
}

fn paths(settings: &[Setting]) -> String {
    settings.iter().map(|setting| setting.path.as_str()).collect::<Vec<_>>().join(", ")
}

fn name(file: Option<&Path>) -> String {
    file.map(|file| file.display().to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
