//! `taxisvc config`: what is in force, and who said it.

use super::print::{self, Colours, Ink};
use super::server::{Server, To};
use crate::config::live::is_live;
use crate::config::secret;
use crate::config::sources::{InForce, Setting, Source};
use crate::config::{Config, Kind};
use crate::data_dir::token;
use crate::live::Live;
use http::Method;
use serde::Serialize;
use serde_json::Value;
use std::fmt::Write;
use std::process::ExitCode;
use wiring::call;

const HELP: &str = "\
Examples:
  taxisvc config                       every setting
  taxisvc config --set                 only what somebody has set
  taxisvc config --to 127.0.0.1:8083   beside this server
  taxisvc config --json | jq '.settings[] | select(.path == \"data\")'

Settings come from the defaults, under a file, under the environment, under flags. A line that is indented under a \
setting was said too and does not count. The operator's token is not shown: `taxisvc token` prints it. A running server \
follows its file in what may change while it runs; what counts at its start only, and was changed since, is shown with what \
the server goes on with. It is the one that runs on the data directory, or the one that --to names.

Exit codes: 0, or 1 when the settings make no sense; the message says which and why.";

#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = HELP)]
pub(crate) struct Options {
    /// Only what is not the default
    #[arg(long)]
    set: bool,
    #[command(flatten)]
    to: To,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

const TOKEN: &str = "operator.token";

/// The settings as they are told to people and programs: without secrets.
#[derive(Debug, Serialize)]
pub(crate) struct Told {
    file: Option<String>,
    /// Why the file is refused as it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    settings: Vec<ToldSetting>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ToldSetting {
    path: String,
    /// Whether a change in the file counts while the process runs.
    live: bool,
    value: Value,
    #[serde(flatten)]
    said: Said,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    overrides: Vec<Aside>,
    /// What the file says by now, where that counts after a restart only.
    #[serde(skip_serializing_if = "Option::is_none")]
    after_restart: Option<Aside>,
    /// What a server goes on with that was started with something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    running: Option<Value>,
}

/// A value that does not count.
#[derive(Debug, Serialize)]
struct Aside {
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

/// What is in force in this process, and what waits for a restart.
pub(crate) fn told(live: &Live) -> Told {
    let (in_force, status) = (live.now(), live.status());
    let mut told = of(&in_force);
    for later in &status.later {
        if let Some(setting) = told.settings.iter_mut().find(|setting| setting.path == later.path) {
            let value = shown(&later.path, &later.value);
            setting.after_restart = Some(Aside { value, said: Said::by(&later.source) });
        }
    }
    Told { refused: status.refused, ..told }
}

fn of(in_force: &InForce) -> Told {
    // A token file that cannot be read is doctor's business.
    let has_token = token::find(&in_force.config).is_ok_and(|token| token.is_some());
    let setting = |setting: &Setting| {
        let path = setting.path.as_str();
        let aside = |(source, value): &(Source, toml::Value)| Aside {
            value: shown(path, value),
            said: Said::by(source),
        };
        let is_kept = path == TOKEN && has_token && in_force.config.operator.token.is_empty();
        ToldSetting {
            path: path.to_owned(),
            live: is_live(path),
            value: if path == TOKEN && has_token { SET.into() } else { shown(path, &setting.value) },
            said: Said::by(&setting.source),
            why: setting.why.or(is_kept.then_some("kept in the data directory")),
            overrides: setting.overridden.iter().map(aside).collect(),
            after_restart: None,
            running: None,
        }
    };
    Told {
        file: in_force.file.as_ref().map(|file| file.display().to_string()),
        refused: None,
        settings: in_force.settings.iter().map(setting).collect(),
    }
}

const SET: &str = "(set)";

/// As much of a value as is no secret.
fn shown(path: &str, value: &toml::Value) -> Value {
    if let (true, Some(address)) = (secret::is_address(path), value.as_str()) {
        return secret::without_password(address).into();
    }
    if !secret::is_secret(path) {
        return serde_json::to_value(value).unwrap_or_default();
    }
    if value.as_str() == Some("") { "(not set)".into() } else { SET.into() }
}

pub(crate) fn run(in_force: &InForce, options: &Options) -> anyhow::Result<ExitCode> {
    let mut told = of(in_force);
    if let Some(server) = server(&in_force.config, &options.to)? {
        // Whoever runs on the data may be about to stop; whoever was named is to answer.
        match server.ask(&Method::GET, "/operator/config", None) {
            Ok(running) => told.compare(&running),
            Err(error) if options.to.is_said() => return Err(error),
            Err(_) => {}
        }
    }
    if options.set {
        told.settings
            .retain(|setting| setting.said.from != Source::Default.kind() || setting.running.is_some());
    }
    if options.json {
        print::json(&told)?;
    } else {
        print::text(&lines(&told, Colours::of_stdout())?)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The one that is named, else the one that runs on the data directory. Of several over PostgreSQL none is asked unbidden.
fn server(config: &Config, to: &To) -> anyhow::Result<Option<Server>> {
    match (to.is_said(), config.store.kind) {
        (true, _) => Server::find(config, to, call::NAME),
        (false, Kind::Sqlite) => Ok(Server::find(config, to, call::NAME).ok().flatten()),
        (false, Kind::Postgres) => Ok(None),
    }
}

impl Told {
    /// Notes what a server has otherwise until it is started again.
    fn compare(&mut self, running: &Value) {
        for of_server in running["settings"].as_array().into_iter().flatten() {
            let waits = of_server.get("afterRestart").is_some();
            let setting = self.settings.iter_mut().find(|setting| of_server["path"] == setting.path.as_str());
            if let (true, Some(setting)) = (waits, setting) {
                setting.running = Some(of_server["value"].clone());
            }
        }
    }
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
        if let Some(running) = &setting.running {
            let running = running.to_string();
            let line = format!(
                "{:path_width$}  {running:value_width$}  the server goes on with this until it is started again",
                ""
            );
            writeln!(text, "{}", colours.paint(Ink::Yellow, &line))?;
        }
    }
    Ok(text)
}

fn said(said: &Said, why: Option<&str>) -> String {
    let name = said.name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    format!("{}{name}{why}", said.from)
}
