//! What a run is told: the trips, the server, the speed, and the name that makes it resumable.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::Args;

const RUN_NAME_CHARS_MAX: usize = 64;
const PATIENCE_SECONDS_MAX: u64 = 24 * 60 * 60;

/// Drive a file of recorded trips through the running system, as its riders and drivers would.
///
/// A run that was stopped, or whose server was killed, is resumed by the same command within 24 hours: each trip is
/// sent again under its own idempotency key, and nothing happens twice.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The trips: CSV, plain or gzipped, its first line naming the columns (New York or Chicago)
    #[arg(value_name = "TRIPS")]
    pub trips: PathBuf,

    /// The gateway [default: the one on this machine, by the settings]
    #[arg(long, value_name = "URL")]
    pub to: Option<String>,

    /// How fast the recorded day passes: 1x, 60x, or max (every trip ends as soon as it has started)
    #[arg(long, value_name = "SPEED", default_value = "60x")]
    pub speed: Speed,

    /// How many trips may be in talk with the server at once
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub clients: u16,

    /// Read no more than this many rows
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,

    /// The run's name, which the idempotency keys begin with; another name drives the same file anew
    /// [default: the file's name]
    #[arg(long, visible_alias = "key-prefix", value_name = "NAME")]
    pub run: Option<RunName>,

    /// Write how each trip ended, in the order of the file; two runs that ended alike write the same bytes
    #[arg(long, value_name = "FILE")]
    pub ends: Option<PathBuf>,

    /// How long a request is repeated while the server is away, and a status is waited for, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = parse_patience)]
    pub patience: Duration,

    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,

    /// No progress bar, and no summary unless it is asked for as JSON
    #[arg(long)]
    pub quiet: bool,
}

impl Options {
    /// Where the trips are driven; whoever knows the settings says so where the command line does not.
    pub fn gateway(&self) -> &str {
        self.to.as_deref().unwrap_or("http://127.0.0.1:8088")
    }

    pub(crate) fn run_name(&self) -> anyhow::Result<RunName> {
        self.run.clone().map_or_else(|| RunName::of_file(&self.trips), Ok)
    }
}

/// How fast the recorded time passes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// No waiting for the clock.
    Max,
    /// So many recorded seconds in each real one.
    Times(f64),
}

impl FromStr for Speed {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        if text == "max" {
            return Ok(Self::Max);
        }
        let factor: f64 = text
            .strip_suffix('x')
            .unwrap_or(text)
            .parse()
            .ok()
            .with_context(|| format!("`{text}` is no speed; try 1x, 60x or max"))?;
        ensure!(factor.is_finite() && factor > 0.0, "a speed is above zero; try 1x, 60x or max");
        Ok(Self::Times(factor))
    }
}

/// What a run's idempotency keys begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunName(String);

impl RunName {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of_file(path: &Path) -> anyhow::Result<Self> {
        let name = path.file_name().context("the trips are not a file")?.to_string_lossy();
        let stem = name.strip_suffix(".gz").unwrap_or(&name);
        let stem = stem.strip_suffix(".csv").unwrap_or(stem);
        let kept: String =
            stem.chars().map(|c| if is_name_char(c) { c } else { '-' }).take(RUN_NAME_CHARS_MAX).collect();
        kept.parse()
    }
}

impl FromStr for RunName {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        if text.is_empty() || text.len() > RUN_NAME_CHARS_MAX || !text.chars().all(is_name_char) {
            bail!("a run's name is 1 to {RUN_NAME_CHARS_MAX} letters, digits, dots, dashes or underscores");
        }
        Ok(Self(text.to_owned()))
    }
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')
}

fn parse_patience(text: &str) -> anyhow::Result<Duration> {
    let seconds: u64 = text
        .strip_suffix('s')
        .unwrap_or(text)
        .parse()
        .ok()
        .with_context(|| format!("`{text}` is no whole number of seconds"))?;
    ensure!(seconds <= PATIENCE_SECONDS_MAX, "patience is at most {PATIENCE_SECONDS_MAX} seconds");
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_factors_or_max() {
        for (text, speed) in [
            ("max", Speed::Max),
            ("60x", Speed::Times(60.0)),
            ("1", Speed::Times(1.0)),
            ("0.5x", Speed::Times(0.5)),
        ] {
            assert_eq!(text.parse::<Speed>().unwrap(), speed, "{text}");
        }
        for text in ["", "x", "0x", "-1x", "infx", "NaN", "fast"] {
            assert!(text.parse::<Speed>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_run_is_named_after_its_file_unless_told_otherwise() {
        for (path, name) in [
            ("day/nyc_yellow_2022-01-01.csv.gz", "nyc_yellow_2022-01-01"),
            ("my trips.csv", "my-trips"),
            ("서울.csv", "--"),
            ("plain", "plain"),
        ] {
            assert_eq!(RunName::of_file(Path::new(path)).unwrap().as_str(), name, "{path}");
        }
        for text in ["", "a b", "\"", "é"] {
            assert!(text.parse::<RunName>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn patience_is_whole_seconds() {
        assert_eq!(parse_patience("60").unwrap(), Duration::from_mins(1));
        assert_eq!(parse_patience("5s").unwrap(), Duration::from_secs(5));
        for text in ["", "s", "-1", "1.5", "999999999"] {
            assert!(parse_patience(text).is_err(), "{text}");
        }
    }
}
