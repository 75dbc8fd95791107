//! Kafka, as a service that runs by itself has it: its settings, the running bus, and what to warn of.

use crate::config::Config;
use crate::config::outside::{Profile, Security};
use engine_kafka::Kafka;
use engine_kafka::settings::{Protocol, Settings};
use engine_kafka::stats::Stats;
use std::sync::{Arc, Mutex, PoisonError};
use wiring::wire::TaxiWire;

/// Where the topic is, for a service; its replicas share the reading.
pub(crate) fn settings(config: &Config, service: &str) -> Settings {
    let kafka = &config.kafka;
    Settings {
        brokers: kafka.brokers.clone(),
        topic: kafka.topic.clone(),
        partitions: kafka.partitions,
        replication: kafka.replication,
        group: format!("{}-{service}", kafka.topic),
        security: engine_kafka::settings::Security {
            protocol: match kafka.security {
                Security::Plaintext => Protocol::Plaintext,
                Security::Ssl => Protocol::Ssl,
                Security::SaslPlaintext => Protocol::SaslPlaintext,
                Security::SaslSsl => Protocol::SaslSsl,
            },
            sasl_mechanism: kafka.sasl_mechanism.clone(),
            sasl_username: kafka.sasl_username.clone(),
            sasl_password: kafka.sasl_password.clone(),
            ca_file: kafka.ca_file.clone(),
            certificate_file: kafka.certificate_file.clone(),
            key_file: kafka.key_file.clone(),
        },
    }
}

/// The language in which it is told.
pub(crate) fn wire(config: &Config) -> TaxiWire {
    let profile = match config.kafka.profile {
        Profile::CloudEvents => wiring::wire::Profile::CloudEvents,
        Profile::SpringCloudStream => wiring::wire::Profile::SpringCloudStream,
    };
    TaxiWire { profile }
}

/// The running bus, for whoever stops it and whoever watches over it.
#[derive(Clone)]
pub(crate) struct Bus {
    state: Arc<Mutex<State>>,
}

enum State {
    Running(Kafka),
    /// What there was to know at the end.
    Over(Stats),
}

impl Bus {
    pub(crate) fn of(kafka: Kafka) -> Self {
        Self { state: Arc::new(Mutex::new(State::Running(kafka))) }
    }

    #[cfg(test)]
    pub(crate) fn told(stats: Stats) -> Self {
        Self { state: Arc::new(Mutex::new(State::Over(stats))) }
    }

    pub(crate) fn stats(&self) -> Stats {
        match &*self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Running(kafka) => kafka.stats(),
            State::Over(stats) => stats.clone(),
        }
    }

    /// Leaves the group and gives the turns back.
    pub(crate) fn stop(&self) {
        let last = self.stats();
        let state = std::mem::replace(
            &mut *self.state.lock().unwrap_or_else(PoisonError::into_inner),
            State::Over(last),
        );
        match state {
            State::Running(kafka) => kafka.stop(),
            State::Over(_) => {}
        }
    }

    /// What somebody should see to, though requests are answered.
    pub(crate) fn warnings(&self) -> Vec<String> {
        of_stats(&self.stats())
    }
}

fn of_stats(stats: &Stats) -> Vec<String> {
    let mut warnings = Vec::new();
    if !stats.connected {
        let why = stats.not_let_in.as_ref().map_or_else(
            || "Kafka does not answer".to_owned(),
            |why| format!("Kafka cannot be spoken to: {why}"),
        );
        warnings.push(format!(
            "{why}: what happens here is stored, and told once it is back; what others say is heard then"
        ));
    }
    for shard in &stats.shards {
        if let Some(why) = &shard.held_up {
            warnings.push(format!("shard {} is not told to the topic: {why}", shard.shard));
        }
    }
    if let Some(forgets) = &stats.forgets {
        warnings.push(format!(
            "the topic does not keep everything ({forgets}): a service that is away for longer misses something, and the \
             view cannot be made anew from it for ever"
        ));
    }
    if stats.lost > 0 {
        warnings.push(format!(
            "the topic had dropped {} messages before they were read: give it unlimited retention",
            stats.lost
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine_kafka::stats::ShardStats;

    #[test]
    fn what_is_wrong_with_the_bus_is_warned_of() {
        let well = Stats { connected: true, ..Stats::default() };
        assert_eq!(of_stats(&well), Vec::<String>::new());
        let away = of_stats(&Stats::default());
        assert!(away.len() == 1 && away[0].contains("Kafka does not answer"), "{away:?}");
        let not_let_in = Some("the brokers do not take kafka.sasl_password".to_owned());
        let kept_out = of_stats(&Stats { not_let_in, ..Stats::default() });
        assert!(kept_out.len() == 1 && kept_out[0].contains("kafka.sasl_password"), "{kept_out:?}");
        let held_up =
            ShardStats { shard: 2, held_up: Some("it is too large".into()), ..ShardStats::default() };
        let forgets = Some("retention.ms=604800000".to_owned());
        let warned = of_stats(&Stats { shards: vec![held_up], lost: 3, forgets, ..well });
        assert!(warned[0].contains("shard 2") && warned[0].contains("too large"), "{warned:?}");
        assert!(warned[1].contains("retention.ms=604800000"), "{warned:?}");
        assert!(warned[2].contains("3 messages") && warned[2].contains("retention"), "{warned:?}");
    }

    #[test]
    fn a_service_reads_as_one_group_whatever_the_topic_is_called() {
        let mut config = Config::default();
        assert_eq!(settings(&config, "drive").group, "taxisvc-drive");
        config.kafka.topic = "taxisvc-test".to_owned();
        assert_eq!(settings(&config, "drive").group, "taxisvc-test-drive");
        assert!(settings(&config, "drive").check().is_ok());
    }
}
