//! What every process has at its edge: a runtime, chance, the provider's delays, and its settings as others want them.

use crate::commands;
use crate::config::bounds::trusted_proxies;
use crate::config::{Config, Limits};
use crate::data_dir::token;
use crate::live::Live;
use crate::log;
use anyhow::Context;
use api::Api;
use engine::clock::Clock;
use engine::lane::LaneSettings;
use gateway::Gateway;
use gateway::server::ServerSettings;
use gateway::settings::{Cors, RateLimit};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Handle, Runtime};
use wiring::Options;
use wiring::provider::Delay;

pub(crate) fn runtime() -> anyhow::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")
}

/// How the services are put together.
pub(crate) fn options(config: &Config, clock: Arc<dyn Clock>, runtime: &Handle) -> Options {
    Options {
        rules: config.rules(),
        provider: config.provider.clone(),
        lane: LaneSettings { keep_skipped_ms: config.store.keep_skipped_ms(), ..LaneSettings::default() },
        shards: config.store.shards,
        first_call: config.store.first_id,
        replica: draw(),
        clock,
        delay: Arc::new(TokioDelay(runtime.clone())),
    }
}

pub(crate) fn gateway_settings(config: &Config) -> anyhow::Result<gateway::settings::Settings> {
    let said = &config.gateway;
    let limit = |per_second| RateLimit {
        per_second,
        burst: NonZeroU32::new(said.rate_limit_burst).unwrap_or(NonZeroU32::MIN),
        clients_max: 100_000,
    };
    let cors = match said.cors_origins.as_slice() {
        [] => Cors::Off,
        origins if origins.iter().any(|origin| origin == "*") => Cors::AnyOrigin,
        origins => Cors::Origins { allowed: origins.to_vec(), credentials: said.cors_credentials },
    };
    Ok(gateway::settings::Settings {
        request_timeout: Duration::from_millis(said.request_timeout_ms),
        body_bytes_max: said.body_bytes_max,
        rate_limit: NonZeroU32::new(said.rate_limit_per_second).map(limit),
        trusted_proxies: trusted_proxies(&said.trusted_proxies)?,
        cors,
        ..gateway::settings::Settings::default()
    })
}

/// Has a gateway go by the settings that are in force.
pub(crate) fn follow_by_gateway(live: &Live, gateway: &Gateway) -> anyhow::Result<()> {
    let gateway = gateway.clone();
    live.follow(move |config| {
        gateway.set_settings(gateway_settings(config)?);
        Ok(())
    })
}

/// Likewise the services' HTTP.
pub(crate) fn follow_by_api(
    live: &Live,
    api: &Arc<Api>,
    settings: impl Fn(&Config) -> anyhow::Result<api::Settings> + Send + 'static,
) -> anyhow::Result<()> {
    let api = api.clone();
    live.follow(move |config| {
        api.set_settings(settings(config)?);
        Ok(())
    })
}

pub(crate) fn api_settings(config: &Config) -> anyhow::Result<api::Settings> {
    let proxies = trusted_proxies(&config.gateway.trusted_proxies)?;
    let are_trusted = move |peer| proxies.iter().any(|proxy| proxy.contains(peer));
    Ok(api::Settings {
        answer_wait: Duration::from_millis(config.answers.wait_ms),
        callpay_wait: Duration::from_millis(config.answers.callpay_wait_ms),
        // Whoever asked through the gateway is told by us, before it gives us up.
        reply_wait_max: Duration::from_millis(config.gateway.request_timeout_ms / 5 * 4),
        body_bytes_max: config.gateway.body_bytes_max,
        streams_max: config.limits.streams_max,
        streams_per_client_max: config.limits.streams_per_client_max,
        rider_rate: rider_rate(&config.limits),
        allow_test_payment_methods: config.provider.obey_test_methods,
        trust_forwarded: api::Trust::Peers(Arc::new(are_trusted)),
        ..api::Settings::default()
    })
}

fn rider_rate(limits: &Limits) -> Option<api::RiderRate> {
    let calls_per_minute = NonZeroU32::new(limits.calls_per_rider_per_minute)?;
    let burst = NonZeroU32::new(limits.calls_per_rider_burst).unwrap_or(NonZeroU32::MIN);
    Some(api::RiderRate { calls_per_minute, burst })
}

/// What operators need of the process.
pub(crate) fn operator(
    live: &Arc<Live>,
    token: &token::Token,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<api::Operator> {
    Ok(api::Operator {
        token: Some(api::Token::new(&token.text)),
        clock,
        log: log::level().context("the log is not started")?,
        config: told(live, |live| {
            serde_json::to_value(commands::config::told(live)).expect("texts always serialise")
        }),
        audited: told(live, |live| commands::audited_beside(&live.now().config)),
        doctor: told(live, commands::doctor::told),
    })
}

/// What is looked for whenever it is asked for.
fn told<T>(live: &Arc<Live>, look: fn(&Live) -> T) -> Arc<dyn Fn() -> T + Send + Sync>
where
    T: 'static,
{
    let live = live.clone();
    Arc::new(move || look(&live))
}

pub(crate) fn server_settings(config: &Config) -> ServerSettings {
    ServerSettings {
        drain_grace: Duration::from_millis(config.deadlines.drain_grace_ms),
        drain_max: Duration::from_millis(config.deadlines.drain_ms),
        ..ServerSettings::default()
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the edge that draws chance")]
pub(crate) fn draw() -> u64 {
    rand::random()
}

/// The provider's delays, on the runtime.
struct TokioDelay(Handle);

impl Delay for TokioDelay {
    fn after(&self, delay_ms: u64, then: Box<dyn FnOnce() + Send>) {
        self.0.spawn(async move {
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
            then();
        });
    }
}
