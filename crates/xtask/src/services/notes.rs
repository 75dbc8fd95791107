//! What was started where, noted for the next call, and the settings that lead a service there.

use anyhow::Context;
use std::fs;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// What `up` notes for `down`, `stop` and `start`.
const NOTES: &str = "services.toml";
/// What `taxisvc --config` is given.
pub(super) const SETTINGS: &str = "taxisvc.toml";

pub(super) const DATABASES: [&str; 4] = ["call", "payment", "drive", "view"];

#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) kafka: Option<KafkaNote>,
    pub(super) postgres: Option<PostgresNote>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct KafkaNote {
    pub(super) host: Ipv4Addr,
    pub(super) port: u16,
    pub(super) controller_port: u16,
    /// Of the listeners that want a password or a certificate.
    pub(super) secure: Option<[u16; 3]>,
}

#[derive(Debug)]
pub(super) struct PostgresNote {
    pub(super) host: Ipv4Addr,
    pub(super) port: u16,
    pub(super) data: PathBuf,
}

impl Notes {
    /// Nothing noted is nothing started.
    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        let Some(table) = read_table(&folder.join(NOTES))? else { return Ok(Self::default()) };
        let number = |value: &Value| u16::try_from(value.as_integer()?).ok();
        let port = |part: &str, name: &str| number(table.get(part)?.get(name)?);
        // What was noted before there was a choice listens on loopback.
        let host = |part: &str| {
            let said = table.get(part).and_then(|part| part.get("host")?.as_str()?.parse().ok());
            said.unwrap_or(Ipv4Addr::LOCALHOST)
        };
        let kafka = port("kafka", "port").zip(port("kafka", "controller_port"));
        let secure = table.get("kafka").and_then(|kafka| {
            let ports: Vec<_> = kafka.get("secure")?.as_array()?.iter().filter_map(number).collect();
            ports.try_into().ok()
        });
        let data = table.get("postgres").and_then(|postgres| postgres.get("data")?.as_str());
        let postgres = port("postgres", "port").zip(data);
        Ok(Self {
            kafka: kafka.map(|(port, controller_port)| KafkaNote {
                host: host("kafka"),
                port,
                controller_port,
                secure,
            }),
            postgres: postgres.map(|(port, data)| PostgresNote {
                host: host("postgres"),
                port,
                data: data.into(),
            }),
        })
    }

    pub(super) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let mut text = String::from("# What `cargo xtask services` started here.\n");
        if let Some(KafkaNote { host, port, controller_port, secure }) = self.kafka {
            text += &format!(
                "\n[kafka]\nhost = \"{host}\"\nport = {port}\ncontroller_port = {controller_port}\n"
            );
            text += &secure.map(|ports| format!("secure = {ports:?}\n")).unwrap_or_default();
        }
        if let Some(PostgresNote { host, port, data }) = &self.postgres {
            let data = quoted(&data.display().to_string());
            text += &format!("\n[postgres]\nhost = \"{host}\"\nport = {port}\ndata = {data}\n");
        }
        let path = folder.join(NOTES);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    pub(super) fn remove(folder: &Path) -> anyhow::Result<()> {
        for name in [NOTES, SETTINGS] {
            let path = folder.join(name);
            match fs::remove_file(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot remove {}", path.display()));
                }
            }
        }
        Ok(())
    }
}

pub(super) fn write_settings(folder: &Path, postgres: &str, kafka: &str) -> anyhow::Result<()> {
    let mut text = String::from("# Where the services of `cargo xtask services up` are.\n\n");
    text += "[store]\nkind = \"postgres\"\n\n[postgres]\n";
    for database in DATABASES {
        text += &format!("{database} = \"{}\"\n", with_database(postgres, database));
    }
    text += &format!("\n[kafka]\nbrokers = \"{kafka}\"\n");
    // So that the services believe the gateway where their clients stand, and link there.
    text += "\n[gateway]\ntrusted_proxies = [\"127.0.0.1\"]\n";
    let path = folder.join(SETTINGS);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// A text as TOML has it.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The brokers that the settings name, whoever started them.
pub(super) fn kafka_of_settings(folder: &Path) -> anyhow::Result<Option<String>> {
    let settings = read_table(&folder.join(SETTINGS))?;
    Ok(settings.and_then(|settings| Some(settings.get("kafka")?.get("brokers")?.as_str()?.to_owned())))
}

/// The address of another database on the same server, its parameters kept.
pub(super) fn with_database(url: &str, database: &str) -> String {
    let (address, parameters) = url.split_once('?').map_or((url, None), |(left, right)| (left, Some(right)));
    let authority = address.find("://").map_or(0, |place| place + "://".len());
    let end = address[authority..].find('/').map_or(address.len(), |place| authority + place);
    let parameters = parameters.map(|parameters| format!("?{parameters}")).unwrap_or_default();
    format!("{}/{database}{parameters}", &address[..end])
}

fn read_table(path: &Path) -> anyhow::Result<Option<Table>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.parse().with_context(|| format!("{} makes no sense", path.display()))?)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let nothing = Notes::read(folder.path()).unwrap();
        assert!(nothing.kafka.is_none() && nothing.postgres.is_none());
        let notes = Notes {
            kafka: Some(KafkaNote {
                host: [10, 0, 0, 1].into(),
                port: 1,
                controller_port: 2,
                secure: Some([4, 5, 6]),
            }),
            postgres: Some(PostgresNote {
                host: Ipv4Addr::LOCALHOST,
                port: 3,
                data: "/a b/it's \"c\"".into(),
            }),
        };
        notes.write(folder.path()).unwrap();
        assert_eq!(format!("{:?}", Notes::read(folder.path()).unwrap()), format!("{notes:?}"));
        write_settings(folder.path(), "postgres://a@b:1/postgres", "b:2").unwrap();
        assert_eq!(kafka_of_settings(folder.path()).unwrap().as_deref(), Some("b:2"));
        Notes::remove(folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn another_database_on_the_same_server() {
        let check = |url: &str, expected: &str| assert_eq!(with_database(url, "call"), expected);
        check("postgres://a@b:1/postgres", "postgres://a@b:1/call");
        check("postgres://a@b:1", "postgres://a@b:1/call");
        check("postgresql://a:p@b/x?sslmode=require", "postgresql://a:p@b/call?sslmode=require");
    }

    #[test]
    fn those_with_docker_get_the_same() {
        let compose = include_str!("../../../../deploy/compose.yaml");
        assert!(include_str!("pom.xml").contains("<version>4.1.1</version>"));
        assert!(compose.contains("image: apache/kafka:4.1.1\n"));
        let made = include_str!("../../../../deploy/compose/databases.sql");
        let made = made.lines().filter_map(|line| line.strip_prefix("CREATE DATABASE ")?.strip_suffix(';'));
        assert_eq!(made.collect::<Vec<_>>(), DATABASES);
    }
}
