//! Processes that outlive this one: started apart, found again by a file, awaited, stopped.

pub(super) use crate::shell::{ask, call};
use anyhow::Context;
use std::fs::{self, File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long a process is left in peace between two looks at it.
const PAUSE: Duration = Duration::from_millis(50);
/// What has not happened after so many looks, a minute or so, never will.
const LOOKS_MAX: u32 = 1_200;

/// Looks until there is something to see, and says whether there ever was.
pub(super) fn until<T>(mut look: impl FnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<Option<T>> {
    for _ in 0..LOOKS_MAX {
        if let Some(seen) = look()? {
            return Ok(Some(seen));
        }
        std::thread::park_timeout(PAUSE);
    }
    Ok(None)
}

/// Starts a process that goes on when this one has ended, and that a Ctrl-C here does not reach.
pub(super) fn spawn(command: &mut Command, log: &Path, id_file: &Path) -> anyhow::Result<Child> {
    let log_file = append_to(log)?;
    let errors = log_file.try_clone().context("a file can be opened twice")?;
    command.stdin(Stdio::null()).stdout(log_file).stderr(errors).process_group(0);
    let name = command.get_program().display().to_string();
    let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
    fs::write(id_file, child.id().to_string())
        .with_context(|| format!("cannot write {}", id_file.display()))?;
    Ok(child)
}

fn append_to(log: &Path) -> anyhow::Result<File> {
    let opened = OpenOptions::new().create(true).append(true).open(log);
    opened.with_context(|| format!("cannot write {}", log.display()))
}

/// The process of a file while it runs. Numbers of processes are used again, so its command line has to say what it is.
pub(super) fn running(id_file: &Path, mark: &str) -> Option<u32> {
    let id: u32 = fs::read_to_string(id_file).ok()?.trim().parse().ok()?;
    let line = fs::read(format!("/proc/{id}/cmdline")).ok()?;
    String::from_utf8_lossy(&line).contains(mark).then_some(id)
}

/// Processes of a program that were told of a path.
pub(super) fn those_with(program: &str, path: &Path) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_told = |id: &u32| {
        let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let mut words = line.split(|byte| *byte == 0);
        let name = words.next().and_then(|name| name.rsplit(|byte| *byte == b'/').next());
        name == Some(program.as_bytes()) && words.any(|word| word == path.as_os_str().as_encoded_bytes())
    };
    ids.filter(is_told).collect()
}

pub(super) fn signal(id: u32, name: &str) -> anyhow::Result<()> {
    let mut command = Command::new("sh");
    command.args(["-c", "kill -s \"$0\" \"$1\"", name, &id.to_string()]);
    call(&mut command)
}

/// The end of a log, for a message about what it belongs to.
pub(super) fn tail(log: &Path) -> String {
    const LINES: usize = 15;
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
