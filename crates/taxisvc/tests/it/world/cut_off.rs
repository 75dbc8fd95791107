//! Commands that are killed before one of their steps, by strace.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

/// What is left of a command whose machine loses power is what it had done of these system calls.
pub(crate) const ON_DISK: [&str; 9] =
    ["write", "ftruncate", "fsync", "fdatasync", "rename", "unlink", "unlinkat", "mkdir", "rmdir"];

const KILL: i32 = 9;

/// Runs a command until one of its threads is about to make such a system call for the so-manieth time, and kills it there.
/// Whether it was killed: one that makes fewer of them comes to its end, which must be a good one.
#[track_caller]
pub(crate) fn cut_off(command: &Command, (call, time): (&str, usize)) -> bool {
    assert_ne!(time, 0, "there is a first time, and none before it");
    let mut traced = Command::new("strace");
    traced.args(["-f", "-qq", "-o", "/dev/null"]);
    traced.args(["-e", &format!("trace={call}")]);
    traced.args(["-e", &format!("inject={call}:signal=KILL:when={time}")]);
    traced.arg(command.get_program()).args(command.get_args());
    traced.current_dir(command.get_current_dir().unwrap_or(Path::new(".")));
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => traced.env(name, value),
            None => traced.env_remove(name),
        };
    }
    let output = traced.output().expect("strace can be started: `cargo xtask ci` installs it");
    let is_killed = output.status.signal() == Some(KILL);
    assert!(is_killed || output.status.success(), "{output:?}");
    is_killed
}

/// Cuts a command off before each of these system calls in turn, and once after the last of each sort lets it come to its end; has
/// a look each time. How often it was cut off.
#[track_caller]
pub(crate) fn cut_off_everywhere(
    command: impl Fn() -> Command,
    calls: &[&str],
    mut look: impl FnMut(&str),
) -> usize {
    let mut cut = 0;
    for call in calls {
        for time in 1.. {
            let is_cut_off = cut_off(&command(), (call, time));
            look(&format!("{call} {time}"));
            if !is_cut_off {
                break;
            }
            cut += 1;
        }
    }
    cut
}
