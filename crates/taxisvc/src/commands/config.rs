//! `taxisvc config`: what is in force, and who said it.

use super::print::{self, Colours, Ink};
use crate::config::secret;
use crate::config::sources::{InForce, Setting, Source};
use crate::data_dir::token;
use serde::Serialize;
use serde_json::Value;
use std::fmt::Write;
use std::process::ExitCode;

const HELP: &str = "\
Examples:
  taxisvc config                       every setting
  taxisvc config --set                 only what somebody has set
  taxisvc config --json | jq '.settings[] | select(.path == \"data\")'

Settings come from the defaults, under a file, under the environment, under flags. A line that is indented under a \
setting was said too and does not count. The operator's token is not shown: `taxisvc token` prints it. A running server \
was given its settings when it was started; GET /operator/config says which those are.

Exit codes: 0, or 1 when the settings make no sense; the message says which and why.";

#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = HELP)]
pub(crate) struct Options {
    /// Only what is not the default
    #[arg(long)]
    set: bool,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

const TOKEN: &str = "operator.token";

/// The settings as they are told to people and programs: without secrets.
#[derive(Debug, Serialize)]
pub(crate) struct Told {
    file: Option<String>,
    settings: Vec<ToldSetting>,
}

#[derive(Debug, Serialize)]
struct ToldSetting {
    path: String,
    value: Value,
    #[serde(flatten)]
    said: Said,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    overrides: Vec<Overridden>,
}

#[derive(Debug, Serialize)]
struct Overridden {
    value: Value,
    #[serde(flatten)]
    said: Said,
}

/// Who said it: the kind, and which of its kind.
#[derive(Debug, Serialize)]
struct Said {
    from: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

impl Said {
    fn by(source: &Source) -> Self {
        Self { from: source.kind(), name: source.name() }
    }
}

pub(crate) fn told(in_force: &InForce) -> Told {
    // A token file that cannot be read is doctor's business.
    let has_token = token::find(&in_force.config).is_ok_and(|token| token.is_some());
    let setting = |setting: &Setting| {
        let shown = |value: &toml::Value, is_in_force: bool| {
            if let (true, Some(address)) = (secret::is_address(&setting.path), value.as_str()) {
                return Value::String(secret::without_password(address));
            }
            if !setting.is_secret() {
                return serde_json::to_value(value).unwrap_or_default();
            }
            let is_said = value.as_str() != Some("");
            let is_set = is_said || (is_in_force && setting.path == TOKEN && has_token);
            Value::String(if is_set { "(set)" } else { "(not set)" }.to_owned())
        };
        let overridden = |(source, value): &(Source, toml::Value)| Overridden {
            value: shown(value, false),
            said: Said::by(source),
        };
        let is_kept = setting.path == TOKEN && has_token && in_force.config.operator.token.is_empty();
        ToldSetting {
            path: setting.path.clone(),
            value: shown(&setting.value, true),
            said: Said::by(&setting.source),
            why: setting.why.or(is_kept.then_some("kept in the data directory")),
            overrides: setting.overridden.iter().map(overridden).collect(),
        }
    };
    Told {
        file: in_force.file.as_ref().map(|file| file.display().to_string()),
        settings: in_force.settings.iter().map(setting).collect(),
    }
}

pub(crate) fn run(in_force: &InForce, options: &Options) -> anyhow::Result<ExitCode> {
    let mut told = told(in_force);
    if options.set {
        told.settings.retain(|setting| setting.said.from != Source::Default.kind());
    }
    if options.json {
        print::json(&told)?;
    } else {
        print::text(&lines(&told, Colours::of_stdout())?)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn lines(told: &Told, colours: Colours) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    match &told.file {
        Some(file) => writeln!(text, "settings file: {file}\n")?,
        None => writeln!(text, "settings file: none\n")?,
    }
    let path_width = told.settings.iter().map(|setting| setting.path.len()).max().unwrap_or(0);
    let value_width = |setting: &ToldSetting| setting.value.to_string().len();
    let value_width = told.settings.iter().map(value_width).max().unwrap_or(0).min(32);
    for setting in &told.settings {
        let said = said(&setting.said, setting.why);
        let said = if setting.said.from == "default" { colours.paint(Ink::Faint, &said) } else { said };
        writeln!(text, "{:path_width$}  {:value_width$}  {said}", setting.path, setting.value.to_string())?;
        for over in &setting.overrides {
            let line = format!(
                "{:path_width$}  {:value_width$}  {}, not this",
                "",
                over.value.to_string(),
                self::said(&over.said, None)
            );
            writeln!(text, "{}", colours.paint(Ink::Faint, &line))?;
        }
    }
    Ok(text)
}

fn said(said: &Said, why: Option<&str>) -> String {
    let name = said.name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    format!("{}{name}{why}", said.from)
}
