//! Every limit of the gateway, by name, with the values it has when nobody says otherwise.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

/// How a gateway behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a request may take until its answer begins, and an answer may pause; not for event streams.
    pub request_timeout: Duration,
    /// How long a connection to a replica may take to come about.
    pub connect_timeout: Duration,
    /// The largest body of a request.
    pub body_bytes_max: usize,
    /// How many requests are worked on at once; more are refused.
    pub requests_in_flight_max: usize,
    /// Asking again.
    pub retries: Retries,
    /// Leaving out a replica that fails.
    pub ejection: Ejection,
    /// Asking replicas how they are; `None` leaves it to the requests to find out.
    pub health: Option<HealthChecks>,
    /// The connections to one replica.
    pub connections: Connections,
    /// How much one client may ask; `None` is no limit.
    pub rate_limit: Option<RateLimit>,
    /// Whose `X-Forwarded-*` is believed.
    pub trusted_proxies: Vec<Network>,
    /// Which pages of other origins may read the answers.
    pub cors: Cors,
    /// Headers that begin so are our own and never come in from outside (in lower case).
    pub internal_header_prefixes: Vec<String>,
    /// What a client that is turned away is told to wait.
    pub retry_after: Duration,
}

/// When a request that failed is sent to a replica again. A request that never left is not counted here.
#[derive(Debug, Clone)]
pub struct Retries {
    /// How often one request is sent again.
    pub per_request_max: u32,
    /// How many retries a hundred requests pay for.
    pub per_hundred_requests: u32,
    /// How many retries can be saved up.
    pub saved_max: u32,
}

/// When a replica is left out, and for how long.
#[derive(Debug, Clone)]
pub struct Ejection {
    /// How many failures in a row it takes.
    pub failures: NonZeroU32,
    /// How long it is left out the first time; doubled each further time.
    pub time_min: Duration,
    /// The longest it is left out.
    pub time_max: Duration,
}

/// How replicas are asked how they are.
#[derive(Debug, Clone)]
pub struct HealthChecks {
    /// What is asked for; an answer below 500 is a good one.
    pub path: &'static str,
    /// The pause between two rounds.
    pub interval: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// The connections to one replica.
#[derive(Debug, Clone)]
pub struct Connections {
    /// How many requests are with one replica at once; more are refused.
    pub in_flight_max: usize,
    /// How many connections are kept for later.
    pub idle_max: usize,
    /// How long one is kept; shorter than the replica keeps its end.
    pub idle_time_max: Duration,
}

/// How much one client may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimit {
    /// The steady rate.
    pub per_second: NonZeroU32,
    /// What may come at once.
    pub burst: NonZeroU32,
    /// How many clients are told apart; beyond it they are counted by their network.
    pub clients_max: usize,
}

/// Which pages of other origins may read the answers.
#[derive(Debug, Clone)]
pub enum Cors {
    /// None may.
    Off,
    /// Any may, without credentials.
    AnyOrigin,
    /// These may.
    Origins {
        /// As in the header `Origin`: `https://example.org`.
        allowed: Vec<String>,
        /// Whether they may send cookies and the like.
        credentials: bool,
    },
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            request_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(1),
            body_bytes_max: 64 * 1024,
            requests_in_flight_max: 4096,
            retries: Retries { per_request_max: 2, per_hundred_requests: 20, saved_max: 100 },
            ejection: Ejection {
                failures: NonZeroU32::MIN.saturating_add(4),
                time_min: Duration::from_secs(1),
                time_max: Duration::from_secs(30),
            },
            health: Some(HealthChecks {
                path: "/health/ready",
                interval: Duration::from_secs(1),
                timeout: Duration::from_secs(1),
            }),
            connections: Connections {
                in_flight_max: 1024,
                idle_max: 256,
                idle_time_max: Duration::from_secs(15),
            },
            rate_limit: None,
            trusted_proxies: Vec::new(),
            cors: Cors::AnyOrigin,
            internal_header_prefixes: vec!["taxisvc-actor".to_owned(), "taxisvc-internal-".to_owned()],
            retry_after: Duration::from_secs(1),
        }
    }
}

/// An address, or a block of them as in `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix_bits: u8,
}

/// What was written is not an address and not a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotANetwork(String);

impl fmt::Display for NotANetwork {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} is not an IP address and not a block like 10.0.0.0/8", self.0)
    }
}

impl std::error::Error for NotANetwork {}

impl Network {
    /// Whether the address lies in this block.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differing = u32::from(network) ^ u32::from(address);
                differing.leading_zeros() >= u32::from(self.prefix_bits)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differing = u128::from(network) ^ u128::from(address);
                differing.leading_zeros() >= u32::from(self.prefix_bits)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Network, NotANetwork> {
        let refused = || NotANetwork(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| refused())?;
        let bits_max = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match prefix {
            Some(prefix) => prefix.parse().map_err(|_| refused())?,
            None => bits_max,
        };
        if prefix_bits > bits_max {
            return Err(refused());
        }
        Ok(Network { address, prefix_bits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_its_addresses_and_no_others() {
        for (network, address, expected) in [
            ("10.0.0.0/8", "10.255.1.2", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("127.0.0.1", "::ffff:127.0.0.1", true),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("fd00::/8", "fdff::1", true),
            ("fd00::/8", "fe80::1", false),
            ("0.0.0.0/0", "::1", false),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), expected, "{network:?} {address}");
        }
        for wrong in ["", "10.0.0.0/33", "::/129", "10.0.0.0/x", "localhost", "10.0.0.0/-1"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
