//! The server's address, and how long one waits for it.

use crate::connections::Connections;
use crate::{OpenError, Options, tls};
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long one attempt may take to reach the server. Well below the time in which a rider is answered: whoever stands
/// before a server that is gone goes on soon, and tries again.
pub(crate) const CONNECT_WAIT_MAX: Duration = Duration::from_millis(300);

/// How long TLS, the login and the settings of a session may take after that: a server that has just been started, or
/// has many to greet, needs longer than one that is gone is waited for.
pub(crate) const GREET_WAIT_MAX: Duration = Duration::from_secs(3);

/// After so much silence the other side is asked whether it is there still.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(5);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
const KEEPALIVE_RETRIES: u32 = 3;
/// For how long what was sent may stay without the receipt of the other side.
const UNACKNOWLEDGED_WAIT_MAX: Duration = Duration::from_secs(6);

/// What a session says it is, unless the address does.
const APPLICATION_NAME: &str = "engine";

/// Where connections go.
pub(crate) struct Server {
    pub(crate) config: Config,
    pub(crate) tls: Option<MakeRustlsConnect>,
    pub(crate) connections: Arc<Connections>,
}

impl Server {
    pub(crate) fn of(options: &Options) -> Result<Self, OpenError> {
        // What others call full verification is what is always done here.
        let url = options.url.replace("sslmode=verify-full", "sslmode=require");
        let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            OpenError::Address(cause.unwrap_or_else(|| error.to_string()))
        })?;
        config
            .connect_timeout(CONNECT_WAIT_MAX)
            .keepalives_idle(KEEPALIVE_IDLE)
            .keepalives_interval(KEEPALIVE_INTERVAL)
            .keepalives_retries(KEEPALIVE_RETRIES)
            .tcp_user_timeout(UNACKNOWLEDGED_WAIT_MAX);
        if config.get_application_name().is_none() {
            config.application_name(APPLICATION_NAME);
        }
        let mode = tls::mode(config.get_ssl_mode(), options.ca_file.as_deref());
        config.ssl_mode(mode);
        let tls = tls::connector(mode, options.ca_file.as_deref())?;
        Ok(Self { config, tls, connections: Arc::default() })
    }
}
