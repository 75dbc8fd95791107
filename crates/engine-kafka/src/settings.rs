//! Where the topic is, what it is to be like when it is made, and how a broker is spoken to.

use crate::context::Ears;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::producer::BaseProducer;
use std::fmt;

/// What the client calls the files of certificates, and what we do.
const FILES: [(&str, &str); 3] = [
    ("ssl.ca.location", "kafka.ca_file"),
    ("ssl.certificate.location", "kafka.certificate_file"),
    ("ssl.key.location", "kafka.key_file"),
];

/// How a broker is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    #[default]
    Plaintext,
    Ssl,
    SaslPlaintext,
    SaslSsl,
}

impl Protocol {
    fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Ssl => "ssl",
            Self::SaslPlaintext => "sasl_plaintext",
            Self::SaslSsl => "sasl_ssl",
        }
    }

    fn is_encrypted(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }

    fn has_password(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }
}

/// What a broker wants to be shown, and what is believed of it. Empty is "not given".
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Security {
    pub protocol: Protocol,
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    pub sasl_mechanism: String,
    pub sasl_username: String,
    pub sasl_password: String,
    /// Whose certificates are believed; empty is those whom this machine believes.
    pub ca_file: String,
    /// What this side shows, where brokers want a certificate.
    pub certificate_file: String,
    pub key_file: String,
}

impl fmt::Debug for Security {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Security");
        shown.field("protocol", &self.protocol).field("sasl_mechanism", &self.sasl_mechanism);
        shown.field("sasl_username", &self.sasl_username).field("ca_file", &self.ca_file);
        shown.field("certificate_file", &self.certificate_file).finish_non_exhaustive()
    }
}

/// The topic and the way to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `host:port` of some of the brokers, with commas between.
    pub brokers: String,
    pub topic: String,
    /// Of the topic, when it is made.
    pub partitions: u32,
    /// Of the topic, when it is made.
    pub replication: u16,
    /// The consumer group that the replicas of a service share: `taxisvc-<service>`.
    pub group: String,
    pub security: Security,
}

/// Settings that cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    #[error(
        "{0} wants a build with TLS: build taxisvc with `--features kafka-tls`, which wants OpenSSL's headers \
         (`apt-get install libssl-dev pkg-config`)"
    )]
    NotBuilt(&'static str),
    #[error("kafka.sasl_mechanism is {0:?}, which is none of PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512")]
    Mechanism(String),
    #[error("SASL wants kafka.sasl_username and kafka.sasl_password")]
    NoPassword,
    #[error("kafka.certificate_file and kafka.key_file belong together, and one of them is not set")]
    HalfCertificate,
    #[error("a topic has at least one partition, at most 65535, and at least one replica")]
    Counts,
    #[error("{setting} is no file that can be used: {why}")]
    File { setting: &'static str, why: String },
    #[error("the Kafka client does not take the settings: {0}")]
    Client(String),
}

impl Settings {
    /// Whether this build can follow them; says nothing of the brokers.
    pub fn check(&self) -> Result<(), SettingsError> {
        if self.partitions == 0 || self.partitions > u32::from(u16::MAX) || self.replication == 0 {
            return Err(SettingsError::Counts);
        }
        let security = &self.security;
        let has_tls = cfg!(feature = "tls");
        if security.protocol.is_encrypted() && !has_tls {
            return Err(SettingsError::NotBuilt("an encrypted connection to Kafka"));
        }
        if security.certificate_file.is_empty() != security.key_file.is_empty() {
            return Err(SettingsError::HalfCertificate);
        }
        if security.protocol.is_encrypted() {
            self.check_files()?;
        }
        if !security.protocol.has_password() {
            return Ok(());
        }
        match security.sasl_mechanism.as_str() {
            "PLAIN" => {}
            "SCRAM-SHA-256" | "SCRAM-SHA-512" if has_tls => {}
            "SCRAM-SHA-256" | "SCRAM-SHA-512" => {
                return Err(SettingsError::NotBuilt("SCRAM at Kafka"));
            }
            other => return Err(SettingsError::Mechanism(other.to_owned())),
        }
        if security.sasl_username.is_empty() || security.sasl_password.is_empty() {
            return Err(SettingsError::NoPassword);
        }
        Ok(())
    }

    /// Whether the files of certificates can be read and say what they are to say. A client that is begun reads them; this one
    /// knows no broker.
    fn check_files(&self) -> Result<(), SettingsError> {
        let mut config = self.client("check");
        config.remove("bootstrap.servers");
        let Err(error) = config.create_with_context::<_, BaseProducer<Ears>>(Ears::of("check")) else {
            return Ok(());
        };
        let why = error.to_string();
        let file = FILES.iter().find(|(property, _)| why.contains(property));
        Err(match file {
            Some((_, setting)) => SettingsError::File { setting, why },
            None => SettingsError::Client(why),
        })
    }

    /// A client that asks where partitions end. To one that reads only what is committed, which is the default, a partition ends
    /// where the first open transaction of anybody's begins: before messages that it has acknowledged to others.
    pub(crate) fn asking_client(&self, role: &str) -> ClientConfig {
        let mut config = self.client(role);
        config.set("isolation.level", "read_uncommitted");
        config
    }

    /// What all clients have in common; `role` is the part that they play here.
    pub(crate) fn client(&self, role: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", format!("{}-{role}", self.group))
            .set("security.protocol", self.security.protocol.name())
            // A broker that comes back is found soon; the default lets ten seconds pass. Where a broker is chosen anew for
            // each attempt, the pause is half of this and does not grow.
            .set("reconnect.backoff.ms", "400")
            .set("reconnect.backoff.max.ms", "1000")
            // Beginning again at the addresses of the start does so without any pause while no broker is there.
            .set("metadata.recovery.strategy", "none")
            .set("socket.connection.setup.timeout.ms", "5000")
            .set("socket.timeout.ms", "10000")
            .set("socket.keepalive.enable", "true")
            .set("topic.metadata.refresh.interval.ms", "5000")
            // A topic is made by us, with what it needs, never by the way.
            .set("allow.auto.create.topics", "false")
            .set("enable.metrics.push", "false")
            .set_log_level(RDKafkaLogLevel::Info);
        let mut set = |name: &str, value: &str| {
            if !value.is_empty() {
                config.set(name, value);
            }
        };
        let security = &self.security;
        if security.protocol.has_password() {
            set("sasl.mechanism", &security.sasl_mechanism);
            set("sasl.username", &security.sasl_username);
            set("sasl.password", &security.sasl_password);
        }
        if security.protocol.is_encrypted() {
            set("ssl.ca.location", &security.ca_file);
            set("ssl.certificate.location", &security.certificate_file);
            set("ssl.key.location", &security.key_file);
        }
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(protocol: Protocol, mechanism: &str) -> Settings {
        Settings {
            brokers: "127.0.0.1:9092".into(),
            topic: "taxisvc".into(),
            partitions: 12,
            replication: 1,
            group: "taxisvc-call".into(),
            security: Security {
                protocol,
                sasl_mechanism: mechanism.into(),
                sasl_username: "eojin".into(),
                sasl_password: "hush".into(),
                ..Security::default()
            },
        }
    }

    #[test]
    fn what_this_build_cannot_do_is_said_with_the_way_out() {
        let check = |protocol, mechanism: &str| settings(protocol, mechanism).check();
        assert_eq!(check(Protocol::Plaintext, ""), Ok(()));
        assert_eq!(check(Protocol::SaslPlaintext, "PLAIN"), Ok(()));
        let wrong = check(Protocol::SaslPlaintext, "GSSAPI");
        assert_eq!(wrong, Err(SettingsError::Mechanism("GSSAPI".into())));
        let encrypted = check(Protocol::SaslSsl, "SCRAM-SHA-512");
        assert_eq!(encrypted.is_ok(), cfg!(feature = "tls"));
        if let Err(error) = encrypted {
            assert!(error.to_string().contains("--features kafka-tls"), "{error}");
        }
        let mut silent = settings(Protocol::SaslPlaintext, "PLAIN");
        silent.security.sasl_password.clear();
        assert_eq!(silent.check(), Err(SettingsError::NoPassword));
    }

    #[cfg(feature = "tls")]
    #[test]
    fn a_file_that_cannot_be_used_is_said_by_its_setting() {
        let check = |change: fn(&mut Security), expected: &str| {
            let mut settings = settings(Protocol::SaslSsl, "SCRAM-SHA-512");
            change(&mut settings.security);
            let error = settings.check().unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("hush"), "{error}");
        };
        check(
            |security| security.ca_file = "nowhere.pem".into(),
            "kafka.ca_file is no file that can be used",
        );
        let both = |security: &mut Security| {
            security.certificate_file = "nowhere.pem".into();
            security.key_file = "nowhere.key".into();
        };
        check(both, "kafka.certificate_file is no file that can be used");
        check(
            |security| security.key_file = "nowhere.key".into(),
            "kafka.certificate_file and kafka.key_file",
        );
    }

    #[test]
    fn a_password_is_shown_to_nobody() {
        let shown = format!("{:?}", settings(Protocol::SaslPlaintext, "PLAIN"));
        assert!(shown.contains("eojin") && !shown.contains("hush"), "{shown}");
    }
}
