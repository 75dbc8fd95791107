//! Which settings of PostgreSQL and Kafka make sense.

use super::within;
use crate::config::outside::{Kafka, Postgres, Security};
use anyhow::bail;

/// The engine's own, the look-out's, one for each reader that asks at once.
const CONNECTIONS_MIN: u64 = 4;
const CONNECTIONS_MAX: u64 = 1_000;
/// A partition is an open file and a fetch of its own on a broker.
const PARTITIONS_MAX: u64 = 10_000;
const REPLICATION_MAX: u64 = 32;
/// Kafka's own limit.
const TOPIC_LENGTH_MAX: usize = 249;
const MECHANISMS: [&str; 3] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];

pub(super) fn postgres(postgres: &Postgres) -> anyhow::Result<()> {
    let services = [wiring::call::NAME, wiring::payment::NAME, wiring::drive::NAME, wiring::view::NAME];
    for (index, service) in services.iter().enumerate() {
        let address = postgres.url(service);
        // What was written is not shown: there may be a password in it.
        if !address.starts_with("postgres://") && !address.starts_with("postgresql://") {
            bail!(
                "postgres.{service} must be an address such as postgres://user:password@host:5432/database"
            );
        }
        if let Some(other) = services[..index].iter().find(|other| postgres.url(other) == address) {
            bail!(
                "postgres.{service} and postgres.{other} are the same: each service has a database of its own"
            );
        }
    }
    let why = "the engine, those who wait and those who read have one each, on every replica";
    let connections = u64::from(postgres.connections_max);
    within("postgres.connections_max", connections, CONNECTIONS_MIN..=CONNECTIONS_MAX, why)
}

pub(super) fn kafka(kafka: &Kafka) -> anyhow::Result<()> {
    let is_broker = |broker: &str| {
        let port = broker.trim().rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>()));
        port.is_some_and(|(host, port)| !host.is_empty() && port.is_ok())
    };
    if let Some(broker) = kafka.brokers.split(',').find(|broker| !is_broker(broker)) {
        bail!("kafka.brokers wants host:port, with commas between, and says {broker:?}");
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let topic = kafka.topic.as_str();
    let is_path = topic.is_empty() || topic == "." || topic == "..";
    if is_path || topic.len() > TOPIC_LENGTH_MAX || !topic.bytes().all(is_plain) {
        bail!(
            "kafka.topic is {topic:?}, and must be 1 to {TOPIC_LENGTH_MAX} letters, digits, full stops, \
             underscores and hyphens"
        );
    }
    within("kafka.partitions", u64::from(kafka.partitions), 1..=PARTITIONS_MAX, "")?;
    within("kafka.replication", u64::from(kafka.replication), 1..=REPLICATION_MAX, "")?;
    security(kafka)
}

fn security(kafka: &Kafka) -> anyhow::Result<()> {
    if !MECHANISMS.contains(&kafka.sasl_mechanism.as_str()) {
        bail!(
            "kafka.sasl_mechanism is {:?}, and must be one of {}",
            kafka.sasl_mechanism,
            MECHANISMS.join(", ")
        );
    }
    let says_who = !kafka.sasl_username.is_empty() && !kafka.sasl_password.is_empty();
    let says_anything = !kafka.sasl_username.is_empty() || !kafka.sasl_password.is_empty();
    match kafka.security {
        Security::SaslPlaintext | Security::SaslSsl if !says_who => {
            bail!("kafka.security wants kafka.sasl_username and kafka.sasl_password")
        }
        Security::Plaintext | Security::Ssl if says_anything => {
            bail!("kafka.sasl_username is of use only where kafka.security is sasl-plaintext or sasl-ssl")
        }
        Security::Plaintext | Security::Ssl | Security::SaslPlaintext | Security::SaslSsl => {}
    }
    let files = [&kafka.ca_file, &kafka.certificate_file, &kafka.key_file];
    if !kafka.security.is_encrypted() && files.iter().any(|file| !file.is_empty()) {
        bail!("kafka.ca_file, certificate_file and key_file want kafka.security = \"ssl\" or \"sasl-ssl\"");
    }
    if kafka.certificate_file.is_empty() != kafka.key_file.is_empty() {
        bail!("kafka.certificate_file and kafka.key_file go together");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(result: anyhow::Result<()>, words: &[&str]) {
        let error = result.unwrap_err().to_string();
        for word in words {
            assert!(error.contains(word), "{word:?} is not in {error:?}");
        }
        assert!(!error.contains("hush"), "it shows a password: {error}");
    }

    #[test]
    fn what_makes_no_sense_of_postgresql_is_refused() {
        let check = |change: fn(&mut Postgres), words: &[&str]| {
            let mut settings = Postgres::default();
            change(&mut settings);
            refused(postgres(&settings), words);
        };
        assert!(postgres(&Postgres::default()).is_ok());
        check(|postgres| postgres.call = "host=db password=hush".into(), &["postgres.call", "://"]);
        check(|postgres| postgres.view.clone_from(&postgres.drive), &["postgres.view", "postgres.drive"]);
        check(|postgres| postgres.connections_max = 1, &["connections_max is 1", "4 to 1000"]);
    }

    #[test]
    fn what_makes_no_sense_of_kafka_is_refused() {
        let check = |change: fn(&mut Kafka), words: &[&str]| {
            let mut settings = Kafka::default();
            change(&mut settings);
            refused(kafka(&settings), words);
        };
        assert!(kafka(&Kafka::default()).is_ok());
        let several = Kafka { brokers: "one:9092, [::1]:9093".into(), ..Kafka::default() };
        assert!(kafka(&several).is_ok());
        check(|kafka| kafka.brokers = String::new(), &["kafka.brokers", "host:port"]);
        check(|kafka| kafka.brokers = "one:9092,two".into(), &["\"two\""]);
        check(|kafka| kafka.topic = "taxi calls".into(), &["kafka.topic is \"taxi calls\""]);
        check(|kafka| kafka.topic = "..".into(), &["kafka.topic"]);
        check(|kafka| kafka.partitions = 0, &["kafka.partitions is 0"]);
        check(|kafka| kafka.replication = 33, &["kafka.replication is 33"]);
        check(|kafka| kafka.sasl_mechanism = "GSSAPI".into(), &["sasl_mechanism", "SCRAM-SHA-512"]);
        check(|kafka| kafka.security = Security::SaslSsl, &["sasl_username", "sasl_password"]);
        check(|kafka| kafka.sasl_password = "hush".into(), &["sasl_username", "sasl-ssl"]);
        check(|kafka| kafka.ca_file = "ca.pem".into(), &["ca_file", "kafka.security"]);
        check(
            |kafka| {
                kafka.security = Security::Ssl;
                kafka.key_file = "key.pem".into();
            },
            &["certificate_file", "key_file"],
        );
    }
}
