//! The PostgreSQL databases of the services: how each is opened, and all of them looked at beside whoever writes them.

mod views;

use crate::config::Config;
use crate::config::secret::without_password;
use anyhow::{Context, anyhow};
use engine::store::Reader;
use engine_postgres::{Database, OpenError, Options};
use std::path::PathBuf;
use std::sync::Arc;
use wiring::{Layout, Readers, call, drive, payment, view};

/// Connections that whoever only looks on opens to one database: one for the moment that is looked at, one beside it, and the
/// two that a pool keeps back.
const LOOKING_CONNECTIONS_MAX: usize = 4;

/// How the database is opened in which `services` lie, the first of which it is named after.
pub(crate) fn options(config: &Config, services: &[&'static str]) -> Options {
    let postgres = &config.postgres;
    let name = services.first().copied().unwrap_or(call::NAME);
    Options {
        url: postgres.url(name).to_owned(),
        schemas: services.iter().map(|service| wiring::schema(service, config.store.shards)).collect(),
        views: views::of(services),
        connections_max: usize::try_from(postgres.connections_max).unwrap_or(usize::MAX),
        ca_file: Some(PathBuf::from(&postgres.ca_file)).filter(|file| !file.as_os_str().is_empty()),
    }
}

/// Opens all of them to look at them; nothing is made.
pub(crate) fn look(config: &Config) -> anyhow::Result<Readers> {
    let mut readers: Vec<(&'static str, Arc<dyn Reader>)> = Vec::new();
    for (name, services) in Layout::Apart.groups() {
        let options = Options { connections_max: LOOKING_CONNECTIONS_MAX, ..options(config, &services) };
        let database = Database::open_read_only(&options).map_err(|error| explain(config, name, error))?;
        readers.push((name, database.reader()));
    }
    let of = |name: &str| {
        let found = readers.iter().find(|(known, _)| *known == name);
        found.map(|(_, reader)| reader.clone()).context("every service lies in one of the databases")
    };
    Ok(Readers {
        call: of(call::NAME)?,
        payment: of(payment::NAME)?,
        drive: of(drive::NAME)?,
        view: of(view::NAME)?,
    })
}

/// Which database it is, where it is looked for, and what can be done about it.
pub(crate) fn explain(config: &Config, name: &str, error: OpenError) -> anyhow::Error {
    let address = without_password(config.postgres.url(name));
    let to_do = to_do(name, &error);
    // Whoever only looks cannot tell one that is not made yet from one that is another's.
    let is_foreign = matches!(error, OpenError::Foreign);
    let error = if is_foreign { anyhow!("it has no tables of taxisvc") } else { anyhow!(error) };
    error.context(format!("cannot use the database of {name}, {address} ({to_do})"))
}

/// What helps against an error at opening.
pub(crate) fn to_do(name: &str, error: &OpenError) -> String {
    match error {
        OpenError::Address(_) => format!("postgres.{name} wants postgres://user@host:port/database"),
        OpenError::Tls(_) => format!("see postgres.ca_file, and sslmode in postgres.{name}"),
        OpenError::Server { .. } => "give it a newer server".to_owned(),
        OpenError::Encoding(_) => {
            "make it anew: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0".to_owned()
        }
        OpenError::Empty | OpenError::Foreign => format!(
            "start `taxisvc {name}` once, which makes its tables; if something else lies there, name another in postgres.{name}"
        ),
        OpenError::Services { .. } | OpenError::UnknownKind { .. } => {
            format!("name the right one in postgres.{name}")
        }
        OpenError::Newer { .. } => "use the program that has written it".to_owned(),
        OpenError::Older { .. } => format!("start `taxisvc {name}` once: it makes what is missing"),
        OpenError::Shards { .. } => "set store.shards as it was when it was made".to_owned(),
        OpenError::Hash(_) | OpenError::Name(_) => "use the program that has made it".to_owned(),
        OpenError::Importing => "it can be used once that is done".to_owned(),
        OpenError::Damaged(_) => "stop its replicas, and go back to a backup: operations.md".to_owned(),
        // SQLSTATE: there is no such database, or whoever asks is not let in.
        OpenError::Unavailable(why) if why.contains("3D000") => {
            format!("make it, CREATE DATABASE, or set postgres.{name}")
        }
        OpenError::Unavailable(why) if ["28P01", "28000"].iter().any(|code| why.contains(code)) => {
            format!("see user and password in postgres.{name}, and pg_hba.conf")
        }
        // As whoever speaks TLS says it, or the server that does not.
        OpenError::Unavailable(why) if ["certificate", "TLS"].iter().any(|word| why.contains(word)) => {
            format!("see postgres.ca_file, and the host and sslmode in postgres.{name}")
        }
        OpenError::Unavailable(_) => format!("see that PostgreSQL runs there, or set postgres.{name}"),
        OpenError::Refused(_) => format!("see user, password and database in postgres.{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_a_server_is_not_to_be_had_leads_to_the_setting() {
        let check = |why: &str, words: &str| {
            let to_do = to_do("call", &OpenError::Unavailable(why.to_owned()));
            assert!(to_do.contains(words), "{why}: {to_do}");
        };
        check("Connection refused (os error 111)", "PostgreSQL runs there");
        check("password authentication failed for user \"a\" (28P01)", "password in postgres.call");
        check("error performing TLS handshake: invalid peer certificate: UnknownIssuer", "postgres.ca_file");
        check("certificate not valid for name \"localhost\"", "the host and sslmode in postgres.call");
        check("server does not support TLS", "sslmode");
    }
}
