//! TLS: a server of the test's own with a certificate, which is believed or not.

use crate::database::OwnDatabase;
use crate::{Database, OpenError, Options};
use engine::log::LogId;
use engine::store::Schema;
use postgres::{Client, NoTls};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

const ORDER: Schema = Schema { service: "order", kinds: &["order"], shards: 1 };

fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("it can be run");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The server refuses to run as root, so root runs it as its usual user.
fn as_server_user(program: &Path) -> Command {
    let is_root = run(Command::new("id").arg("-u")) == "0";
    if !is_root {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--"]).arg(program);
    command
}

fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest =
        versions.map(|version| version.path().join("bin")).filter(|bin| bin.join("initdb").exists()).max();
    newest.unwrap_or_else(|| PathBuf::from(run(Command::new("pg_config").arg("--bindir"))))
}

/// Stopped when the test ends.
struct Server {
    folder: TempDir,
    port: u16,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("there is room");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        drop(listener);
        let server = Self { folder, port };
        for (name, host) in [("mine", "IP:127.0.0.1"), ("other", "IP:127.0.0.2")] {
            server.certify(name, host);
        }
        if run(Command::new("id").arg("-u")) == "0" {
            run(Command::new("chown").args(["-R", "postgres"]).arg(server.folder.path()));
        }
        let data = server.path("data");
        let mut make = as_server_user(&programs().join("initdb"));
        run(make.args(["-A", "trust", "-U", "taxisvc", "-E", "UTF8", "--locale=C", "-N", "-D"]).arg(&data));
        let options = format!(
            "-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c ssl=on \
             -c ssl_cert_file={} -c ssl_key_file={}",
            server.path("mine.crt").display(),
            server.path("mine.key").display(),
        );
        let log = server.path("log");
        let mut start = as_server_user(&programs().join("pg_ctl"));
        start.arg("-D").arg(&data).arg("-l").arg(&log).args(["-w", "-o", &options, "start"]);
        let status = start.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("it can be run");
        assert!(status.success(), "{}", std::fs::read_to_string(log).unwrap_or_default());
        server
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A certificate for a host, and who vouches for it.
    fn certify(&self, name: &str, host: &str) {
        let file = |end: &str| self.path(&format!("{name}{end}"));
        let mut authority = Command::new("openssl");
        authority.args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=authority",
        ]);
        run(authority.arg("-keyout").arg(file("-ca.key")).arg("-out").arg(file("-ca.crt")));
        let mut request = Command::new("openssl");
        request.args(["req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=server"]);
        run(request.arg("-keyout").arg(file(".key")).arg("-out").arg(file(".csr")));
        std::fs::write(file(".ext"), format!("subjectAltName={host}\n")).expect("it can be written");
        let mut sign = Command::new("openssl");
        sign.args(["x509", "-req", "-days", "2", "-CAcreateserial", "-in"]).arg(file(".csr"));
        sign.arg("-CA").arg(file("-ca.crt")).arg("-CAkey").arg(file("-ca.key"));
        run(sign.arg("-extfile").arg(file(".ext")).arg("-out").arg(file(".crt")));
    }

    fn options(&self, host: &str, query: &str, ca_file: Option<&str>) -> Options {
        Options {
            url: format!("postgres://taxisvc@{host}:{}/postgres{query}", self.port),
            schemas: vec![ORDER],
            views: Vec::new(),
            connections_max: 4,
            ca_file: ca_file.map(|name| self.path(name)),
        }
    }

    /// How many sessions of the store there are, and how many of them speak TLS.
    fn sessions(&self) -> (i64, i64) {
        let url = format!("postgres://taxisvc@127.0.0.1:{}/postgres", self.port);
        let mut client = Client::connect(&url, NoTls).expect("plain connections are taken, too");
        let sql = "SELECT count(*), count(*) FILTER (WHERE ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                   WHERE application_name = 'engine'";
        let row = client.query_one(sql, &[]).expect("read");
        (row.get(0), row.get(1))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut stop = as_server_user(&programs().join("pg_ctl"));
        stop.arg("-D").arg(self.path("data")).args(["-m", "immediate", "stop"]);
        let _ = stop.stdout(Stdio::null()).status();
    }
}

/// The server that tests share speaks no TLS.
#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn who_names_a_file_of_certificates_is_not_served_in_the_clear() {
    let server = Server::start();
    let own = OwnDatabase::new();
    let (host, port) = own.address();
    let options = |ca_file: Option<PathBuf>| Options {
        url: own.url_at(&host, port),
        ca_file,
        ..server.options("127.0.0.1", "", None)
    };
    let refused = Database::create_or_open(&options(Some(server.path("mine-ca.crt"))), LogId(1));
    let error = refused.err().expect("the server cannot be looked at");
    assert!(matches!(&error, OpenError::Unavailable(why) if why.contains("TLS")), "{error}");
    assert!(Database::create_or_open(&options(None), LogId(1)).is_ok());
}

#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn a_server_is_believed_whose_certificate_is() {
    let server = Server::start();
    for query in ["?sslmode=require", "?sslmode=verify-full", ""] {
        let options = server.options("127.0.0.1", query, Some("mine-ca.crt"));
        let database = Database::create_or_open(&options, LogId(1)).expect("it is believed");
        let mut writer = database.store();
        assert_eq!(writer.reserve("order", 1, 1).map(|first| first > 0), Ok(true));
        let (all, with_tls) = server.sessions();
        assert!(all > 0 && all == with_tls, "{query}: {with_tls} of {all}");
    }
    // Another's word, and another's name.
    let other_word = server.options("127.0.0.1", "?sslmode=require", Some("other-ca.crt"));
    let other_name = server.options("localhost", "?sslmode=require", Some("mine-ca.crt"));
    // The system's authorities have never heard of it.
    let unknown = server.options("127.0.0.1", "?sslmode=require", None);
    for options in [other_word, other_name, unknown] {
        let error = Database::create_or_open(&options, LogId(1)).err().expect("it is not believed");
        let is_refused = matches!(error, OpenError::Unavailable(_) | OpenError::Tls(_));
        assert!(is_refused && error.to_string().to_lowercase().contains("certificate"), "{error}");
    }
    let no_list = server.options("127.0.0.1", "?sslmode=require", Some("mine.key"));
    assert!(matches!(Database::create_or_open(&no_list, LogId(1)), Err(OpenError::Tls(_))));
    let plain = server.options("127.0.0.1", "?sslmode=disable", None);
    let database = Database::create_or_open(&plain, LogId(1)).expect("it takes plain connections");
    assert_eq!(database.store().reserve("order", 1, 1).map(|first| first > 0), Ok(true));
}
