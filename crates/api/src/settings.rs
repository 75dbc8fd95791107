//! Every limit of the edge, by name.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::limits::RiderRate;

/// Who is believed about where the client stands.
#[derive(Clone, Default)]
pub enum Trust {
    #[default]
    Nobody,
    /// Everybody who can reach this router: our gateway, in the same process.
    Everybody,
    /// Peers at these addresses: gateways and proxies that run elsewhere.
    Peers(Arc<dyn Fn(IpAddr) -> bool + Send + Sync>),
}

impl Trust {
    pub(crate) fn covers(&self, peer: Option<IpAddr>) -> bool {
        match self {
            Self::Nobody => false,
            Self::Everybody => true,
            Self::Peers(are_trusted) => peer.is_some_and(|peer| are_trusted(peer)),
        }
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Nobody => "Nobody",
            Self::Everybody => "Everybody",
            Self::Peers(_) => "Peers",
        })
    }
}

/// They may be changed while requests come and go: [`crate::Api::set_settings`].
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a rider is kept waiting for payment's word, and a reader for what it asked to see.
    pub answer_wait: Duration,
    /// How long a direct payment waits for the provider.
    pub callpay_wait: Duration,
    /// How long the reply to a command may take, which follows its commit; then its outcome is not known. Longer than the
    /// engine lets a command wait for a store that says it is away, so that whoever's command was not stored is told so;
    /// shorter than a gateway waits, which would take this process for a bad one.
    pub reply_wait_max: Duration,
    pub page_size_default: u32,
    /// A larger page is cut to this; the answer says so.
    pub page_size_max: u32,
    pub body_bytes_max: usize,
    /// How long a body may take to arrive.
    pub body_wait: Duration,
    /// Event streams that may be open at once.
    pub streams_max: usize,
    /// Of those, how many one client may have.
    pub streams_per_client_max: usize,
    /// Of operators, beside those.
    pub operator_streams_max: usize,
    /// How often one rider may call; nothing is no limit.
    pub rider_rate: Option<RiderRate>,
    /// How often a silent event stream shows that it lives.
    pub keep_alive: Duration,
    /// How often the logs are looked at while a stream is open, where other processes write to them too.
    pub events_poll: Option<Duration>,
    /// Whether a rider may name a payment method that asks the provider for a vice.
    pub allow_test_payment_methods: bool,
    /// Whose `X-Forwarded-*` says where the client stands.
    pub trust_forwarded: Trust,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            answer_wait: Duration::from_millis(600),
            callpay_wait: Duration::from_millis(500),
            reply_wait_max: Duration::from_secs(8),
            page_size_default: 20,
            page_size_max: 1_000,
            body_bytes_max: 64 * 1024,
            body_wait: Duration::from_secs(10),
            streams_max: 256,
            streams_per_client_max: 64,
            operator_streams_max: 32,
            rider_rate: None,
            keep_alive: Duration::from_secs(15),
            events_poll: None,
            allow_test_payment_methods: false,
            trust_forwarded: Trust::Nobody,
        }
    }
}
