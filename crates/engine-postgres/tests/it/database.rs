//! A database of a test's own, on the server that tests share.

use crate::view::View;
use crate::{Database, Options};
use engine::log::LogId;
use engine::store::Schema;
use postgres::{Client, Config, NoTls};
use std::rc::Rc;

/// Where a superuser is let in.
const DEFAULT_SERVER: &str = "postgres://taxisvc@127.0.0.1:5432/postgres";

#[expect(clippy::disallowed_methods, reason = "a test is an edge: its server is told by the environment")]
fn server() -> Config {
    let url = std::env::var("TAXISVC_TEST_POSTGRES").unwrap_or_else(|_| DEFAULT_SERVER.to_owned());
    url.parse().expect("TAXISVC_TEST_POSTGRES is an address")
}

/// Dropped with everything in it, also when the test fails.
pub(crate) struct OwnDatabase {
    pub(crate) name: String,
}

impl OwnDatabase {
    pub(crate) fn new() -> Rc<Self> {
        let mut client = server().connect(NoTls).expect("the server is up");
        let draw = "SELECT 'engine_test_' || substr(md5(random()::text || clock_timestamp()::text), 1, 16)";
        let name: String = client.query_one(draw, &[]).expect("it can draw").get(0);
        let sql = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'");
        client.batch_execute(&sql).expect("a superuser may make databases");
        Rc::new(Self { name })
    }

    /// A plain connection, to look and to meddle.
    pub(crate) fn client(&self) -> Client {
        server().dbname(&self.name).connect(NoTls).expect("the server is up")
    }

    pub(crate) fn address(&self) -> (String, u16) {
        let config = server();
        let host = match config.get_hosts().first() {
            Some(postgres::config::Host::Tcp(host)) => host.clone(),
            _ => panic!("the server is reached by TCP"),
        };
        (host, config.get_ports().first().copied().unwrap_or(5432))
    }

    pub(crate) fn url_at(&self, host: &str, port: u16) -> String {
        let config = server();
        let user = config.get_user().expect("the address names a user");
        let password = config.get_password().map(|password| String::from_utf8_lossy(password).into_owned());
        let password = password.map_or(String::new(), |password| format!(":{password}"));
        format!("postgres://{user}{password}@{host}:{port}/{}", self.name)
    }

    pub(crate) fn options(&self, schemas: &[Schema]) -> Options {
        let (host, port) = self.address();
        Options {
            url: self.url_at(&host, port),
            schemas: schemas.to_vec(),
            views: Vec::<View>::new(),
            connections_max: 12,
            ca_file: None,
        }
    }

    pub(crate) fn open(&self, schemas: &[Schema], log: LogId) -> Database {
        Database::create_or_open(&self.options(schemas), log).expect("it can be opened")
    }
}

impl Drop for OwnDatabase {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let dropped = server().connect(NoTls).and_then(|mut client| client.batch_execute(&sql));
        if let Err(error) = dropped {
            eprintln!("{} was not dropped: {error}", self.name);
        }
    }
}
