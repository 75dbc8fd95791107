//! How a command prints: a reader that has seen enough is no fault, and colours are for those who can see them.

use crate::config::sources::environment;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::Serialize;
use std::io::{BufWriter, ErrorKind, IsTerminal, Stdout, Write};
use std::ops::ControlFlow;

/// Prints a text as it is.
pub(crate) fn text(text: &str) -> anyhow::Result<()> {
    tell(|out| out.write_all(text.as_bytes()))
}

/// Prints a document for programs.
pub(crate) fn json(document: &impl Serialize) -> anyhow::Result<()> {
    let written = serde_json::to_string_pretty(document)?;
    text(&(written + "\n"))
}

fn tell(write: impl FnOnce(&mut std::io::StdoutLock<'_>) -> std::io::Result<()>) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let written = write(&mut out).and_then(|()| out.flush());
    go_on(written).map(|_| ())
}

/// Whether somebody still reads.
fn go_on(written: std::io::Result<()>) -> anyhow::Result<ControlFlow<()>> {
    match written {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(error) => Err(error.into()),
    }
}

/// A command that prints line after line; it breaks off when nobody reads on.
pub(crate) struct Out(BufWriter<Stdout>);

impl Out {
    pub(crate) fn lines() -> Self {
        Self(BufWriter::new(std::io::stdout()))
    }

    pub(crate) fn line(&mut self, line: &str) -> anyhow::Result<ControlFlow<()>> {
        go_on(writeln!(self.0, "{line}"))
    }

    pub(crate) fn flush(&mut self) -> anyhow::Result<ControlFlow<()>> {
        go_on(self.0.flush())
    }

    /// Whether nobody reads any more, which a pipe tells also when nothing is written.
    pub(crate) fn is_closed(&self) -> bool {
        let out = std::io::stdout();
        let mut polled = [PollFd::new(&out, PollFlags::empty())];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut polled, Some(&at_once)).is_ok_and(|ready| ready > 0)
            && polled[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
    }
}

/// The words that stand out on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    Green,
    Yellow,
    Red,
    Faint,
}

/// Whether words may stand out: on a terminal, unless `NO_COLOR` is set (no-color.org).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Colours(bool);

impl Colours {
    pub(crate) fn of_stdout() -> Self {
        Self(std::io::stdout().is_terminal() && environment("NO_COLOR").is_none())
    }

    pub(crate) fn paint(self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Green => "32",
            Ink::Yellow => "33",
            Ink::Red => "1;31",
            Ink::Faint => "2",
        };
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_those_who_see_them() {
        assert_eq!(Colours(true).paint(Ink::Faint, "default"), "\u{1b}[2mdefault\u{1b}[0m");
        assert_eq!(Colours(false).paint(Ink::Faint, "default"), "default");
    }
}
