//! How a command prints: a reader that has seen enough is no fault, and colours are for those who can see them.

use crate::config::sources::environment;
use serde::Serialize;
use std::io::{ErrorKind, IsTerminal, Write};

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
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// The words that stand out on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
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
