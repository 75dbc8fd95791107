//! A Kafka that wants a password, a certificate or both: who has them is served as anybody, who has not is told which setting
//! it is. What is encrypted wants a build with `kafka-tls`: `cargo xtask kafka-tls` makes one and runs this.

use crate::world::cluster::Cluster;
use crate::world::cluster::outside::Outside;
use crate::world::http::Ask;
use crate::world::process::{Server, Settings, run, settings, taxisvc};
use crate::world::{number, until};
use std::collections::BTreeSet;
use std::path::Path;

/// A whole call by five processes that come to Kafka this way, and what an operator sees of it; the password is nowhere.
fn a_whole_call_comes_by(way: &str) {
    let outside = Outside::secured();
    let secret = outside.secret();
    let mut settings = outside.way(way);
    settings.push(("LOG".to_owned(), "debug".to_owned()));
    let pairs: Vec<_> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let cluster = Cluster::with(1, outside, &pairs);
    let call = number(&cluster.place(10.0));
    cluster.comes_to(call, ["driveStart", "paid", "start"]);
    cluster.end(call).with(200);
    cluster.comes_to(call, ["driveComplete", "paid", "end"]);

    let events = cluster.run(&["events", "--topic", "--json", "--from-beginning"]);
    assert_eq!(events.code, Some(0), "{events:?}");
    for event in ["CallRequested", "FarePaid", "CallPlaced", "DriveStarted", "DriveEnded"] {
        assert!(events.stdout.contains(event), "{event}: {events:?}");
    }
    let doctor = cluster.operate(&["doctor"], &[]);
    assert!(doctor.stdout.contains("answers"), "{doctor:?}");
    let config = cluster.run(&["config"]);
    assert!(config.code == Some(0) && !config.stdout.contains(&secret), "{config:?}");
    let said = [cluster.said(), events.stderr, doctor.stdout, doctor.stderr].concat();
    assert!(said.contains("this is the topic"), "the log is there: {said}");
    assert!(!said.contains(&secret), "the password is in a log");
    println!("{way}: a whole call is on the topic, {} events", events.stdout.lines().count());
}

fn brokers(settings: &Settings) -> String {
    let found = settings.iter().find(|(name, _)| name == "KAFKA_BROKERS");
    found.expect("there are brokers").1.clone()
}

/// A way to Kafka, what is set wrong on it, and words that must be said then.
type Wrong<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

/// What a command comes to with settings that Kafka does not agree with, all of them at once.
fn are_refused(outside: &Outside, cases: &[Wrong<'_>]) {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for (way, wrong, words) in cases {
            let (outside, folder) = (&outside, folder.path());
            scope.spawn(move || is_refused(outside, folder, (*way, *wrong), words));
        }
    });
}

#[track_caller]
fn is_refused(outside: &Outside, folder: &Path, (way, wrong): (&str, &[(&str, &str)]), words: &str) {
    let with_wrong: Settings =
        [outside.settings(), outside.way(way), settings(wrong)].into_iter().flatten().collect();
    let ended = run(folder, &with_wrong, &["events", "--topic"]);
    assert_eq!(ended.code, Some(1), "{way}, {wrong:?}: {ended:?}");
    assert!(ended.stderr.contains(words), "{way}, {wrong:?}, {words:?}: {ended:?}");
    assert!(!ended.stderr.contains(&outside.secret()), "{ended:?}");
    let last = ended.stderr.lines().last().unwrap_or_default();
    let names: BTreeSet<_> = wrong.iter().map(|(name, _)| *name).collect();
    println!("{way}, {names:?} wrong: {last}");
}

#[test]
#[ignore = "starts a Kafka and a PostgreSQL of its own; `cargo xtask ci` runs it"]
fn a_whole_call_comes_by_a_password() {
    a_whole_call_comes_by("sasl-plaintext");
}

#[test]
#[ignore = "starts a Kafka and a PostgreSQL of its own; `cargo xtask ci` runs it"]
fn a_password_that_is_not_taken_is_said_by_commands_and_services() {
    let outside = Outside::secured();
    let wrong = [("KAFKA_SASL_PASSWORD", "hush-hush")];
    let (plain, sasl) = (brokers(&outside.settings()), brokers(&outside.way("sasl-plaintext")));
    let at_sasl = [
        ("KAFKA_BROKERS", sasl.as_str()),
        ("KAFKA_SECURITY", "plaintext"),
        ("KAFKA_SASL_USERNAME", ""),
        ("KAFKA_SASL_PASSWORD", ""),
    ];
    are_refused(
        &outside,
        &[
            ("sasl-plaintext", &wrong, "kafka.sasl_password"),
            ("sasl-plaintext", &[("KAFKA_SASL_USERNAME", "nobody")], "kafka.sasl_username"),
            ("sasl-plaintext", &[("KAFKA_BROKERS", &plain)], "kafka.security"),
            ("sasl-plaintext", &at_sasl, "kafka.security"),
        ],
    );

    let folder = tempfile::tempdir().unwrap();
    let more = [wrong[0], ("PORTS_DRIVE", "0"), ("LOG", "debug"), ("STORE_KIND", "postgres")];
    let with_wrong: Settings =
        [outside.settings(), outside.way("sasl-plaintext"), settings(&more)].into_iter().flatten().collect();
    let doctor = run(folder.path(), &with_wrong, &["doctor"]);
    assert!(doctor.stdout.contains("the brokers do not take kafka.sasl_username"), "{doctor:?}");
    let mut server = Server::start(taxisvc(folder.path(), &with_wrong, &["drive"]));
    let address = server.address("drive");
    let warning = until("a service that is ready to warn", || {
        let ready = Ask::get("/health/ready").of(address).ok().filter(|ready| ready.status == 200)?;
        let warning = ready.json()["warnings"][0].as_str()?.to_owned();
        warning.contains("kafka.sasl_password").then_some(warning)
    });
    println!("/health/ready of drive: {warning}");
    server.says("the brokers do not take kafka.sasl_username with kafka.sasl_password");
    server.terminate();
    assert!(server.ended().success(), "{}", server.said());
    assert!(!server.said().contains("hush-hush"), "the password is in the log: {}", server.said());
}

#[cfg(feature = "kafka-tls")]
mod with_tls {
    use super::{Outside, a_whole_call_comes_by, are_refused, brokers};
    use crate::world::process::{Settings, run, settings};

    #[test]
    #[ignore = "wants TLS, and starts a Kafka and a PostgreSQL of its own; `cargo xtask kafka-tls` runs it"]
    fn a_whole_call_comes_by_a_password_over_tls() {
        a_whole_call_comes_by("sasl-ssl");
    }

    #[test]
    #[ignore = "wants TLS, and starts a Kafka and a PostgreSQL of its own; `cargo xtask kafka-tls` runs it"]
    fn a_whole_call_comes_by_a_certificate() {
        a_whole_call_comes_by("ssl");
    }

    #[test]
    #[ignore = "wants TLS, and starts a Kafka and a PostgreSQL of its own; `cargo xtask kafka-tls` runs it"]
    fn what_is_not_taken_or_not_believed_is_said() {
        let outside = Outside::secured();
        let file = |name: &str| outside.secure_file(name).display().to_string();
        let (strangers, stranger, key) = (file("strangers.pem"), file("stranger.pem"), file("stranger.key"));
        let brokers = |way: &str| brokers(&outside.way(way));
        // The broker's certificate is for 127.0.0.1 alone.
        let by_name = brokers("sasl-ssl").replace("127.0.0.1", "localhost");
        let (with_tls, without) = (brokers("ssl"), brokers("sasl-plaintext"));
        are_refused(
            &outside,
            &[
                ("sasl-ssl", &[("KAFKA_SASL_PASSWORD", "hush-hush")], "kafka.sasl_password"),
                ("sasl-ssl", &[("KAFKA_SASL_MECHANISM", "SCRAM-SHA-256")], "kafka.sasl_mechanism"),
                ("sasl-ssl", &[("KAFKA_CA_FILE", &strangers)], "kafka.ca_file"),
                ("sasl-ssl", &[("KAFKA_CA_FILE", "")], "kafka.ca_file"),
                ("sasl-ssl", &[("KAFKA_BROKERS", &by_name)], "kafka.brokers wants a name"),
                ("sasl-ssl", &[("KAFKA_BROKERS", &without)], "kafka.security"),
                ("ssl", &[("KAFKA_CERTIFICATE_FILE", ""), ("KAFKA_KEY_FILE", "")], "kafka.certificate_file"),
                (
                    "ssl",
                    &[("KAFKA_CERTIFICATE_FILE", &stranger), ("KAFKA_KEY_FILE", &key)],
                    "kafka.certificate_file",
                ),
                ("ssl", &[("KAFKA_KEY_FILE", &key)], "kafka.key_file is no file that can be used"),
                ("ssl", &[("KAFKA_CA_FILE", "nowhere.pem")], "kafka.ca_file is no file that can be used"),
                (
                    "ssl",
                    &[("KAFKA_CERTIFICATE_FILE", "no.pem")],
                    "kafka.certificate_file is no file that can",
                ),
                (
                    "ssl",
                    &[
                        ("KAFKA_SECURITY", "plaintext"),
                        ("KAFKA_BROKERS", &with_tls),
                        ("KAFKA_CA_FILE", ""),
                        ("KAFKA_CERTIFICATE_FILE", ""),
                        ("KAFKA_KEY_FILE", ""),
                    ],
                    "kafka.security",
                ),
            ],
        );
        // A service does not begin with files that it cannot read.
        let folder = tempfile::tempdir().unwrap();
        let more = [("KAFKA_CA_FILE", "nowhere.pem"), ("PORTS_DRIVE", "0")];
        let with_wrong: Settings =
            [outside.settings(), outside.way("ssl"), settings(&more)].into_iter().flatten().collect();
        let ended = run(folder.path(), &with_wrong, &["drive", "--data", "data"]);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains("kafka.ca_file is no file that can be used"), "{ended:?}");
        assert!(!folder.path().join("data").exists(), "nothing was made");
    }
}
