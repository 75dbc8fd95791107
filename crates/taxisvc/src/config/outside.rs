//! What is configured of the servers outside: PostgreSQL and Kafka.

use serde::{Deserialize, Serialize};

/// A database for each service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Postgres {
    pub(crate) call: String,
    /// The payment provider's book is kept in it too.
    pub(crate) payment: String,
    pub(crate) drive: String,
    pub(crate) view: String,
    /// Connections that one process may have to one database.
    pub(crate) connections_max: u32,
    /// Whose certificates are believed; empty is those whom this machine believes.
    pub(crate) ca_file: String,
}

impl Postgres {
    /// The address of a service's database; the provider lies in payment's.
    pub(crate) fn url(&self, service: &str) -> &str {
        match service {
            wiring::call::NAME => &self.call,
            wiring::payment::NAME | wiring::provider::NAME => &self.payment,
            wiring::drive::NAME => &self.drive,
            wiring::view::NAME => &self.view,
            unknown => unreachable!("{unknown:?} is none of the services"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Kafka {
    /// `host:port` of some of the brokers, with commas between.
    pub(crate) brokers: String,
    pub(crate) topic: String,
    /// Of the topic, when it is made.
    pub(crate) partitions: u32,
    pub(crate) replication: u16,
    pub(crate) profile: Profile,
    pub(crate) security: Security,
    pub(crate) sasl_mechanism: String,
    pub(crate) sasl_username: String,
    pub(crate) sasl_password: String,
    /// Whose certificates are believed; empty is those whom this machine believes.
    pub(crate) ca_file: String,
    /// What this side shows to the brokers, where they want a certificate.
    pub(crate) certificate_file: String,
    pub(crate) key_file: String,
}

/// How events are written; both are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Profile {
    CloudEvents,
    /// With what the original's services need beside it.
    SpringCloudStream,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Security {
    Plaintext,
    Ssl,
    SaslPlaintext,
    SaslSsl,
}

impl Security {
    pub(crate) fn is_encrypted(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }
}

impl Default for Postgres {
    fn default() -> Self {
        let of = |service| format!("postgres://taxisvc@127.0.0.1:5432/{service}");
        Self {
            call: of(wiring::call::NAME),
            payment: of(wiring::payment::NAME),
            drive: of(wiring::drive::NAME),
            view: of(wiring::view::NAME),
            connections_max: 8,
            ca_file: String::new(),
        }
    }
}

impl Default for Kafka {
    fn default() -> Self {
        Self {
            brokers: "127.0.0.1:9092".to_owned(),
            topic: "taxisvc".to_owned(),
            partitions: 12,
            replication: 1,
            profile: Profile::CloudEvents,
            security: Security::Plaintext,
            sasl_mechanism: "PLAIN".to_owned(),
            sasl_username: String::new(),
            sasl_password: String::new(),
            ca_file: String::new(),
            certificate_file: String::new(),
            key_file: String::new(),
        }
    }
}
