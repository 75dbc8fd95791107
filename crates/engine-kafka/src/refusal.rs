//! Why brokers let nobody in: which setting they do not agree with, as far as the client can tell.

use crate::context::Ears;
use crate::settings::Settings;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::types::RDKafkaErrorCode;
use std::fmt;
use std::time::Duration;

/// How long it is listened to what a client has to say after a question that failed.
const LISTEN: Duration = Duration::from_millis(10);
/// How long it is tried what another client would meet.
const TRY: Duration = Duration::from_secs(3);

/// What the brokers do not take, or what of theirs is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Password,
    Mechanism,
    TheirCertificate,
    /// It is believed, and says another name than the one that they were asked by.
    TheirName,
    OwnCertificate,
    Protocol,
}

/// A connection that was ended because of a setting, with what the client said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    what: What,
    reason: String,
    /// Of a certificate that is not believed it was tried whether that is for its name.
    is_tried: bool,
}

/// What the client has said last of how a connection went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Heard {
    #[default]
    Nothing,
    /// Nobody is there.
    Away,
    Refused(Refusal),
    /// A broker has answered.
    LetIn,
}

impl Heard {
    /// What is known after an error. The client gives a code and a sentence, and some are told apart by the sentence alone.
    pub(crate) fn after(self, code: Option<RDKafkaErrorCode>, reason: &str) -> Self {
        let says = |words: &[&str]| words.iter().any(|word| reason.contains(word));
        let what = match code {
            Some(RDKafkaErrorCode::Authentication) if says(&["current SASL state"]) => What::Protocol,
            Some(RDKafkaErrorCode::Authentication) if says(&["mechanism handshake"]) => What::Mechanism,
            Some(RDKafkaErrorCode::Authentication) => What::Password,
            Some(RDKafkaErrorCode::SSL) if says(&["certificate verify failed"]) => What::TheirCertificate,
            Some(RDKafkaErrorCode::SSL | RDKafkaErrorCode::BrokerTransportFailure)
                if says(&["alert", "ssl.key.location"]) =>
            {
                What::OwnCertificate
            }
            Some(RDKafkaErrorCode::SSL) => What::Protocol,
            Some(RDKafkaErrorCode::BrokerTransportFailure)
                if says(&["security.protocol", "PLAINTEXT broker", "SSL_HANDSHAKE"]) =>
            {
                What::Protocol
            }
            Some(RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::Resolve) => {
                let is_refused = matches!(self, Self::Refused(_)) && !says(&["Connect to", "resolve"]);
                return if is_refused { self } else { Self::Away };
            }
            // Brokers were there and ended every connection without a word.
            Some(RDKafkaErrorCode::AllBrokersDown) if self == Self::Nothing => What::Protocol,
            Some(_) | None => return self,
        };
        let is_about_certificate =
            |before: &Refusal| matches!(before.what, What::TheirCertificate | What::TheirName);
        match self {
            // What follows it says less.
            Self::Refused(before) if what == What::Protocol => Self::Refused(before),
            Self::Refused(before) if what == What::TheirCertificate && is_about_certificate(&before) => {
                Self::Refused(before)
            }
            // A broker that goes away ends connections, too.
            Self::LetIn if what == What::Protocol => Self::LetIn,
            Self::Nothing | Self::Away | Self::Refused(_) | Self::LetIn => {
                Self::Refused(Refusal { what, reason: reason.to_owned(), is_tried: false })
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            What::Password => "the brokers do not take kafka.sasl_username with kafka.sasl_password",
            What::Mechanism => "the brokers do not take kafka.sasl_mechanism",
            What::TheirCertificate => {
                "the certificate of the brokers is not believed: nobody in kafka.ca_file vouches for it (where that is not set: \
                 nobody whom this machine believes)"
            }
            What::TheirName => {
                "the certificate of the brokers is for another name than they are reached by: kafka.brokers wants a name or \
                 address that stands in it"
            }
            What::OwnCertificate => {
                "the brokers do not take the certificate of kafka.certificate_file, or want one and none is set"
            }
            What::Protocol => {
                "the brokers may not speak as kafka.security says, at the ports of kafka.brokers"
            }
        };
        write!(formatter, "{what} ({})", self.reason)
    }
}

/// Why a question failed: what the client has said of the settings, or else what the question came to.
pub(crate) fn explain(settings: &Settings, client: &BaseProducer<Ears>, error: impl fmt::Display) -> String {
    client.poll(LISTEN);
    let ears = client.client().context();
    let Heard::Refused(mut refusal) = ears.heard() else { return error.to_string() };
    if refusal.what == What::TheirCertificate && !refusal.is_tried {
        refusal.is_tried = true;
        if is_for_another_name(settings) {
            refusal.what = What::TheirName;
        }
        ears.believe(Heard::Refused(refusal.clone()));
    }
    refusal.to_string()
}

/// Whether the certificate of the brokers is believed when nobody minds whose it is. A client that does not mind tells nobody a
/// password, and is forgotten.
fn is_for_another_name(settings: &Settings) -> bool {
    let mut config = settings.client("names");
    config.set_log_level(RDKafkaLogLevel::Emerg);
    for secret in ["sasl.mechanism", "sasl.username", "sasl.password"] {
        config.remove(secret);
    }
    config.set("security.protocol", "ssl").set("ssl.endpoint.identification.algorithm", "none");
    let Ok(client) = config.create_with_context::<_, BaseProducer<Ears>>(Ears::of("names")) else {
        return false;
    };
    // Brokers that want a password answer nothing; until then it has been seen whether they are believed.
    let answered = client.client().fetch_metadata(None, TRY).is_ok();
    client.poll(LISTEN);
    match client.client().context().heard() {
        Heard::Refused(refusal) => refusal.what != What::TheirCertificate,
        Heard::Nothing | Heard::LetIn => true,
        Heard::Away => answered,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RDKafkaErrorCode::{AllBrokersDown, Authentication, BrokerTransportFailure, SSL};

    #[track_caller]
    fn says(heard: &Heard, words: &str) {
        let Heard::Refused(refusal) = heard else { panic!("{heard:?}") };
        assert!(refusal.to_string().contains(words), "{refusal}");
    }

    /// The sentences are those of librdkafka 2.12 and Kafka 4.1; crates/taxisvc/tests/it/cluster/secured.rs holds them against both.
    #[test]
    fn each_refusal_names_its_setting() {
        let check = |code, reason: &str, words: &str| says(&Heard::Nothing.after(Some(code), reason), words);
        check(Authentication, "Authentication failed: Invalid username or password", "kafka.sasl_password");
        check(
            Authentication,
            "SASL PLAIN mechanism handshake failed: Broker: Unsupp",
            "kafka.sasl_mechanism",
        );
        check(Authentication, "handshake failed: Request not valid in current SASL state", "kafka.security");
        check(SSL, "error:0A000086:SSL routines::certificate verify failed", "kafka.ca_file");
        let alert = "Receive failed: error:0A000412:SSL routines::sslv3 alert bad certificate";
        check(BrokerTransportFailure, alert, "kafka.certificate_file");
        let plain = "SSL handshake failed: Disconnected: connecting to a PLAINTEXT broker listener?";
        check(BrokerTransportFailure, plain, "kafka.security");
        check(AllBrokersDown, "1/1 brokers are down", "kafka.security");
    }

    #[test]
    fn what_was_found_out_of_a_certificate_is_not_found_out_again() {
        let reason = "error:0A000086:SSL routines::certificate verify failed";
        let found = Refusal { what: What::TheirName, reason: String::new(), is_tried: true };
        let found = Heard::Refused(found);
        assert_eq!(found.clone().after(Some(SSL), reason), found);
        says(&found.after(Some(Authentication), "Invalid username or password"), "kafka.sasl_password");
    }

    #[test]
    fn a_broker_that_is_away_refuses_nobody() {
        let refused = "Connect to ipv4#127.0.0.1:9092 failed: Connection refused";
        let away = Heard::Nothing.after(Some(BrokerTransportFailure), refused);
        assert_eq!(away, Heard::Away);
        assert_eq!(away.after(Some(AllBrokersDown), "1/1 brokers are down"), Heard::Away);
        let gone = Heard::LetIn.after(Some(AllBrokersDown), "1/1 brokers are down");
        assert_eq!(gone, Heard::LetIn);
        let password = Heard::LetIn.after(Some(Authentication), "Invalid username or password");
        says(&password, "kafka.sasl_password");
        let still = password.after(Some(AllBrokersDown), "1/1 brokers are down");
        says(&still, "kafka.sasl_password");
        assert_eq!(still.after(Some(BrokerTransportFailure), refused), Heard::Away);
    }
}
