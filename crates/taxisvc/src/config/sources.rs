//! Where every setting comes from: the defaults, under a file, under the environment, under flags.

use super::{Config, mistake, open_telemetry, secret};
use anyhow::{Context, anyhow, bail};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::Utf8Error;
use toml::{Table, Value};

/// The file that is read when it is there and no other is named.
const FILE: &str = "taxisvc.toml";
/// Every setting's name in the environment: this, its path, in capitals, joined by `_`.
const PREFIX: &str = "TAXISVC_";
/// The original's name for `log`.
const ORDER_LOG_LEVEL: &str = "ORDER_LOG_LEVEL";

/// What was said on the command line.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flags {
    pub(crate) config: Option<PathBuf>,
    pub(crate) data: Option<PathBuf>,
    pub(crate) listen: Option<IpAddr>,
    pub(crate) log: Option<String>,
}

/// The settings, and who said each of them.
#[derive(Debug, Clone)]
pub(crate) struct InForce {
    pub(crate) config: Config,
    /// The file that was read.
    pub(crate) file: Option<PathBuf>,
    /// In the order of their paths.
    pub(crate) settings: Vec<Setting>,
    /// They count whatever the file says.
    pub(super) flags: Flags,
}

impl InForce {
    /// What nobody has said anything about.
    #[cfg(test)]
    pub(crate) fn of_defaults() -> Self {
        Self { config: Config::default(), file: None, settings: Vec::new(), flags: Flags::default() }
    }

    /// The same with what the file says now.
    pub(crate) fn read_again(&self, said: &[u8]) -> anyhow::Result<Self> {
        let file = self.file.as_deref().context("there is no file")?;
        understand(&self.flags, Some((file, said)))
    }

    /// Whether somebody said it.
    pub(crate) fn is_set(&self, path: &str) -> bool {
        self.settings.iter().any(|setting| setting.path == path && setting.source != Source::Default)
    }
}

/// One setting as it is in force.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Setting {
    pub(crate) path: String,
    pub(crate) value: Value,
    pub(crate) source: Source,
    /// Why the default is what it is, where that is not the same everywhere.
    pub(crate) why: Option<&'static str>,
    /// What was said besides and does not count, the stronger first; the default is not among them.
    pub(crate) overridden: Vec<(Source, Value)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    Default,
    File(PathBuf),
    Environment(String),
    Flag(&'static str),
}

impl Source {
    /// Its kind, in one word.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::File(_) => "file",
            Self::Environment(_) => "environment",
            Self::Flag(_) => "flag",
        }
    }

    /// Which of its kind.
    pub(crate) fn name(&self) -> Option<String> {
        match self {
            Self::Default => None,
            Self::File(path) => Some(path.display().to_string()),
            Self::Environment(name) => Some(name.clone()),
            Self::Flag(name) => Some((*name).to_owned()),
        }
    }
}

/// Reads everything, and refuses what makes no sense.
pub(crate) fn read(flags: &Flags) -> anyhow::Result<InForce> {
    let there = || Some(PathBuf::from(FILE)).filter(|file| file.exists());
    let Some(file) = flags.config.clone().or_else(there) else { return understand(flags, None) };
    let said = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    understand(flags, Some((&file, &said)))
}

fn understand(flags: &Flags, file: Option<(&Path, &[u8])>) -> anyhow::Result<InForce> {
    let mut layers = Layers::new()?;
    if let Some((file, said)) = file {
        let text = std::str::from_utf8(said).map_err(|error| no_text(file, said, error))?;
        layers.lay_file(file, text)?;
    }
    layers.lay_environment()?;
    layers.lay_flags(flags)?;
    let mut config = read_types(&layers.table)?;
    let mut why = None;
    if config.data.as_os_str().is_empty() {
        let chosen = super::place::of_data();
        config.data = chosen.path;
        why = Some(chosen.why);
    }
    config.validate()?;
    let settings = layers.settings(&config, why);
    let file = file.map(|(file, _)| file.to_owned());
    Ok(InForce { config, file, settings, flags: flags.clone() })
}

fn no_text(file: &Path, said: &[u8], error: Utf8Error) -> anyhow::Error {
    let line = said[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
    anyhow!("{}, line {line}: this is not UTF-8", file.display())
}

/// What is said in the environment about the one who runs it, such as their language.
#[expect(clippy::disallowed_methods, reason = "this is the edge that reads the environment")]
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The table in force, and everything that was said about each of its settings, the weaker first.
struct Layers {
    table: Table,
    said: BTreeMap<String, Vec<(Source, Value)>>,
}

impl Layers {
    fn new() -> anyhow::Result<Self> {
        let table = Table::try_from(Config::default()).context("the defaults cannot be written as TOML")?;
        Ok(Self { table, said: BTreeMap::new() })
    }

    fn lay_file(&mut self, file: &Path, text: &str) -> anyhow::Result<()> {
        let said = mistake::read(file, text)?;
        let told = paths(&said, "");
        merge(&mut self.table, said);
        // The file was understood by itself; what is said here shows none of its lines.
        if read_types(&self.table).is_err() {
            bail!("{} says something that is not understood", file.display());
        }
        for path in told {
            self.note(&path, Source::File(file.to_owned()));
        }
        Ok(())
    }

    fn lay_environment(&mut self) -> anyhow::Result<()> {
        if let Some(level) = environment(ORDER_LOG_LEVEL) {
            self.lay("log", &level.to_lowercase(), Source::Environment(ORDER_LOG_LEVEL.to_owned()))?;
        }
        if let Ok(Some((name, endpoint))) = open_telemetry::endpoint() {
            self.lay("traces.endpoint", &endpoint, Source::Environment(name.to_owned()))?;
        }
        let known = paths(&self.table, "");
        // What others have there need not be text, and is passed over.
        let ours = |name: &OsString| name.as_encoded_bytes().starts_with(PREFIX.as_bytes());
        for (name, text) in std::env::vars_os().filter(|(name, _)| ours(name)) {
            let name = name.to_str().with_context(|| format!("{} is not UTF-8", name.display()))?;
            let text = text.to_str().with_context(|| format!("what {name} says is not UTF-8"))?;
            let path = known.iter().find(|path| environment_name(path) == name);
            let Some(path) = path else { bail!("{name} is not a setting; docs/configuration.md lists them") };
            let is_hidden = secret::all().any(|hidden| hidden == path);
            let shown = if is_hidden { String::new() } else { format!("={text:?}") };
            self.lay(path, text, Source::Environment(name.to_owned()))
                .with_context(|| format!("{name}{shown} is not understood"))?;
        }
        Ok(())
    }

    fn lay_flags(&mut self, flags: &Flags) -> anyhow::Result<()> {
        if let Some(data) = &flags.data {
            let data = data.to_str().context("--data names a path that is no UTF-8")?;
            self.lay("data", data, Source::Flag("--data"))?;
        }
        if let Some(listen) = flags.listen {
            self.lay("listen", &listen.to_string(), Source::Flag("--listen"))?;
        }
        if let Some(log) = &flags.log {
            self.lay("log", log, Source::Flag("--log"))?;
        }
        Ok(())
    }

    fn lay(&mut self, path: &str, text: &str, source: Source) -> anyhow::Result<()> {
        set(&mut self.table, path, text)?;
        read_types(&self.table)?;
        self.note(path, source);
        Ok(())
    }

    fn note(&mut self, path: &str, source: Source) {
        if let Some(value) = get(&self.table, path) {
            self.said.entry(path.to_owned()).or_default().push((source, value.clone()));
        }
    }

    /// Everything as it is in force; `data` as it was chosen, with why, where nobody said it.
    fn settings(mut self, config: &Config, why: Option<&'static str>) -> Vec<Setting> {
        let setting = |path: String| {
            let mut said = self.said.remove(&path).unwrap_or_default();
            let default = || (Source::Default, get(&self.table, &path).cloned());
            let (source, value) = said.pop().map_or_else(default, |(source, value)| (source, Some(value)));
            said.reverse();
            let is_chosen = path == "data" && why.is_some();
            let chosen = is_chosen.then(|| Value::String(config.data.display().to_string()));
            let value = chosen.or(value).unwrap_or_else(|| Value::String(String::new()));
            let why = why.filter(|_| is_chosen);
            Setting { path, value, source, why, overridden: said }
        };
        let mut known = paths(&self.table, "");
        known.sort();
        known.into_iter().map(setting).collect()
    }
}

/// Names and types, not whether the values make sense.
pub(super) fn read_types(table: &Table) -> anyhow::Result<Config> {
    Ok(table.clone().try_into()?)
}

/// Every setting's path, `ports.gateway`.
pub(super) fn paths(table: &Table, before: &str) -> Vec<String> {
    let mut all = Vec::new();
    for (name, value) in table {
        let path = if before.is_empty() { name.clone() } else { format!("{before}.{name}") };
        match value {
            Value::Table(inner) => all.extend(paths(inner, &path)),
            Value::String(_) | Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => all.push(path),
            Value::Datetime(_) | Value::Array(_) => all.push(path),
        }
    }
    all
}

pub(super) fn environment_name(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "_").to_uppercase())
}

fn get<'t>(table: &'t Table, path: &str) -> Option<&'t Value> {
    match path.split_once('.') {
        Some((part, rest)) => get(table.get(part)?.as_table()?, rest),
        None => table.get(path),
    }
}

/// Sets one setting from text, which is read as what the setting is now.
pub(super) fn set(table: &mut Table, path: &str, text: &str) -> anyhow::Result<()> {
    let at = place(table, path).context("it has no such part")?;
    *at = match at {
        Value::Integer(_) => Value::Integer(text.parse().context("a whole number is expected")?),
        Value::Boolean(_) => Value::Boolean(text.parse().context("true or false is expected")?),
        Value::Array(_) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Value::Array(items.map(|item| Value::String(item.to_owned())).collect())
        }
        Value::Float(_) => Value::Float(text.parse().context("a number is expected")?),
        Value::String(_) | Value::Datetime(_) | Value::Table(_) => Value::String(text.to_owned()),
    };
    Ok(())
}

/// Where a setting stands.
pub(super) fn place<'t>(table: &'t mut Table, path: &str) -> Option<&'t mut Value> {
    match path.split_once('.') {
        Some((part, rest)) => place(table.get_mut(part)?.as_table_mut()?, rest),
        None => table.get_mut(path),
    }
}

fn merge(table: &mut Table, said: Table) {
    for (name, value) in said {
        match (table.get_mut(&name), value) {
            (Some(Value::Table(known)), Value::Table(said)) => merge(known, said),
            // Whoever writes 1 for 1.0 means the same.
            (Some(known @ Value::Float(_)), Value::Integer(said)) => *known = Value::Float(said as f64),
            (_, value) => {
                table.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file, a name of the environment and a flag, over the defaults.
    #[test]
    fn each_setting_tells_who_said_it_and_who_else_did() {
        let file = PathBuf::from("said.toml");
        let mut layers = Layers::new().unwrap();
        layers.lay_file(&file, "log = \"warn\"\n[ports]\ngateway = 9000\ncall = 9001\n").unwrap();
        layers.lay("ports.call", "9100", Source::Environment("TAXISVC_PORTS_CALL".into())).unwrap();
        let flags = Flags { log: Some("debug".into()), data: Some("here".into()), ..Flags::default() };
        layers.lay_flags(&flags).unwrap();
        let settings = layers.settings(&Config::default(), None);
        let of = |path: &str| settings.iter().find(|setting| setting.path == path).unwrap().clone();
        assert_eq!(of("ports.gateway").source, Source::File(file.clone()));
        assert_eq!(of("ports.gateway").value, Value::Integer(9000));
        assert_eq!(of("ports.call").source, Source::Environment("TAXISVC_PORTS_CALL".into()));
        assert_eq!(of("ports.call").overridden, [(Source::File(file.clone()), Value::Integer(9001))]);
        assert_eq!(of("log").source, Source::Flag("--log"));
        assert_eq!(of("log").overridden, [(Source::File(file), Value::String("warn".into()))]);
        assert_eq!(of("data").source, Source::Flag("--data"));
        assert_eq!(of("ports.web").source, Source::Default);
        assert!(secret::is_secret("operator.token") && !secret::is_secret("log"));
        assert_eq!(settings.len(), paths(&Table::try_from(Config::default()).unwrap(), "").len());
    }
}
