//! Which settings make sense, alone and together; what does not is refused with the reason.

mod outside;

use super::{Config, upstreams};
use crate::{log, traces};
use anyhow::{Context, bail};
use gateway::settings::Network;
use std::ops::RangeInclusive;

/// Numbers in JSON are exact up to 2^53; half of them are left to count upwards.
const FIRST_ID_MAX: u64 = 1 << 52;
const SHARDS_MAX: u64 = 64;
const STREAMS_MAX: u64 = 100_000;
const BURST_MAX: u64 = 1_000_000;
/// A shorter one can be guessed.
const TOKEN_LENGTH_MIN: usize = 16;
const WON_PER_KM_MAX: i64 = 1_000_000_000;

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
/// Whoever waits longer has mistaken a unit.
const DEADLINE_MS_MAX: u64 = 30 * 24 * HOUR_MS;
/// Each report is an event of its own.
const REPORT_MS_MIN: u64 = 1_000;

pub(super) fn check(config: &Config) -> anyhow::Result<()> {
    log::check(&config.log).context("log")?;
    store_and_tariff(config)?;
    deadlines(config)?;
    gateway(config)?;
    upstreams::check(&config.upstreams)?;
    limits(config)?;
    outside::postgres(&config.postgres)?;
    outside::kafka(&config.kafka)?;
    traces::check(&config.traces)?;
    provider(config)
}

fn store_and_tariff(config: &Config) -> anyhow::Result<()> {
    let (store, tariff) = (&config.store, &config.tariff);
    within("store.shards", u64::from(store.shards), 1..=SHARDS_MAX, "")?;
    let why = "JSON's numbers are exact up to 2^53, and calls are counted upwards from it";
    within("store.first_id", store.first_id, 1..=FIRST_ID_MAX, why)?;
    if store.room_warn_bytes < store.room_min_bytes {
        bail!(
            "store.room_warn_bytes must not be below store.room_min_bytes: an alert comes before a refusal"
        );
    }
    if tariff.won_per_km <= 0 || tariff.won_per_km > WON_PER_KM_MAX {
        bail!("tariff.won_per_km is {}, and must be 1 to {WON_PER_KM_MAX}", tariff.won_per_km);
    }
    if tariff.too_far_above < 0 {
        bail!("tariff.too_far_above is {}, and must be 0 or more", tariff.too_far_above);
    }
    Ok(())
}

fn deadlines(config: &Config) -> anyhow::Result<()> {
    let deadlines = &config.deadlines;
    for (name, value) in [
        ("deadlines.provider_ms", deadlines.provider_ms),
        ("deadlines.call_unpaid_ms", deadlines.call_unpaid_ms),
        ("deadlines.call_undriven_ms", deadlines.call_undriven_ms),
        ("deadlines.call_placed_ms", deadlines.call_placed_ms),
    ] {
        within(name, value, 1..=DEADLINE_MS_MAX, "longer than 30 days is a mistaken unit")?;
    }
    let why = "each report is an event in the log";
    within("deadlines.report_after_ms", deadlines.report_after_ms, REPORT_MS_MIN..=DEADLINE_MS_MAX, why)?;
    if deadlines.call_unpaid_ms <= deadlines.provider_ms {
        bail!("deadlines.call_unpaid_ms must be longer than deadlines.provider_ms, which payment answers by");
    }
    let why = "a process that is told to stop should";
    within("deadlines.drain_ms", deadlines.drain_ms, 1..=HOUR_MS, why)?;
    within("deadlines.drain_grace_ms", deadlines.drain_grace_ms, 0..=HOUR_MS, why)
}

fn gateway(config: &Config) -> anyhow::Result<()> {
    let gateway = &config.gateway;
    within("gateway.request_timeout_ms", gateway.request_timeout_ms, 1..=HOUR_MS, "")?;
    for (name, value) in [
        ("answers.wait_ms", config.answers.wait_ms),
        ("answers.callpay_wait_ms", config.answers.callpay_wait_ms),
    ] {
        if value >= gateway.request_timeout_ms {
            bail!(
                "{name} is {value}, and must be shorter than gateway.request_timeout_ms ({}): \
                 the gateway would give up on what is only waited for",
                gateway.request_timeout_ms
            );
        }
    }
    if gateway.body_bytes_max == 0 {
        bail!("gateway.body_bytes_max is 0, and nobody could call a taxi");
    }
    if gateway.rate_limit_burst == 0 {
        bail!("gateway.rate_limit_burst must be 1 or more; gateway.rate_limit_per_second = 0 is no limit");
    }
    if gateway.cors_credentials && gateway.cors_origins.iter().any(|origin| origin == "*") {
        bail!("gateway.cors_credentials needs origins by name: any origin with credentials is none at all");
    }
    trusted_proxies(&gateway.trusted_proxies).map(drop)
}

/// Whose `X-Forwarded-*` is believed: by the gateway, and by a service whose gateway runs elsewhere.
pub(crate) fn trusted_proxies(named: &[String]) -> anyhow::Result<Vec<Network>> {
    let proxies = named.iter().map(|proxy| proxy.parse());
    proxies.collect::<Result<_, _>>().context("gateway.trusted_proxies")
}

fn limits(config: &Config) -> anyhow::Result<()> {
    let limits = &config.limits;
    if limits.calls_per_rider_burst == 0 {
        bail!(
            "limits.calls_per_rider_burst must be 1 or more; limits.calls_per_rider_per_minute = 0 is no limit"
        );
    }
    let burst = u64::from(limits.calls_per_rider_burst);
    within("limits.calls_per_rider_burst", burst, 1..=BURST_MAX, "more at once than any rider can call")?;
    for (name, value) in [
        ("limits.streams_max", limits.streams_max),
        ("limits.streams_per_client_max", limits.streams_per_client_max),
    ] {
        within(name, value as u64, 1..=STREAMS_MAX, "each holds a connection open")?;
    }
    let token = &config.operator.token;
    if token.is_empty() { Ok(()) } else { check_token(token).context("operator.token") }
}

/// Whether it can be sent as a bearer token and is too long to be guessed.
pub(crate) fn check_token(token: &str) -> anyhow::Result<()> {
    if token.len() < TOKEN_LENGTH_MIN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        bail!("a token has {TOKEN_LENGTH_MIN} visible ASCII characters or more");
    }
    Ok(())
}

fn provider(config: &Config) -> anyhow::Result<()> {
    let provider = &config.provider;
    for (name, value) in [
        ("provider.refuse_per_mille", provider.refuse_per_mille),
        ("provider.silent_per_mille", provider.silent_per_mille),
        ("provider.lost_per_mille", provider.lost_per_mille),
        ("provider.double_per_mille", provider.double_per_mille),
    ] {
        within(name, u64::from(value), 0..=1_000, "it is a share of a thousand")?;
    }
    within("provider.delay_ms_max", provider.delay_ms_max, 0..=HOUR_MS, "")?;
    if provider.delay_ms_min > provider.delay_ms_max {
        bail!("provider.delay_ms_min is longer than provider.delay_ms_max");
    }
    Ok(())
}

fn within(name: &str, value: u64, allowed: RangeInclusive<u64>, why: &str) -> anyhow::Result<()> {
    if allowed.contains(&value) {
        return Ok(());
    }
    let why = if why.is_empty() { String::new() } else { format!(": {why}") };
    bail!("{name} is {value}, and must be {} to {}{why}", allowed.start(), allowed.end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(change: impl FnOnce(&mut Config), words: &[&str]) {
        let mut config = Config::default();
        change(&mut config);
        let error = format!("{:#}", config.validate().unwrap_err());
        for word in words {
            assert!(error.contains(word), "{word:?} is not in {error:?}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_reason() {
        assert!(Config::default().validate().is_ok());
        check(|config| config.store.shards = 0, &["store.shards is 0", "1 to 64"]);
        check(|config| config.store.shards = 65, &["store.shards is 65"]);
        check(|config| config.store.first_id = 0, &["store.first_id is 0", "1 to 4503599627370496"]);
        check(|config| config.store.first_id = (1 << 52) + 1, &["store.first_id", "JSON"]);
        check(|config| config.tariff.won_per_km = 0, &["tariff.won_per_km is 0"]);
        check(|config| config.tariff.too_far_above = -1, &["tariff.too_far_above"]);
        check(|config| config.deadlines.provider_ms = 0, &["deadlines.provider_ms is 0"]);
        check(
            |config| config.deadlines.call_unpaid_ms = 10_000,
            &["call_unpaid_ms", "longer", "provider_ms"],
        );
        check(|config| config.deadlines.call_undriven_ms = 2_592_000_001, &["call_undriven_ms", "30 days"]);
        check(|config| config.deadlines.report_after_ms = 999, &["report_after_ms is 999", "1000", "event"]);
        check(|config| config.deadlines.drain_ms = 0, &["deadlines.drain_ms"]);
        check(|config| config.deadlines.drain_grace_ms = u64::MAX, &["deadlines.drain_grace_ms"]);
        check(
            |config| config.answers.wait_ms = 10_000,
            &["answers.wait_ms", "gateway.request_timeout_ms (10000)"],
        );
        check(|config| config.answers.callpay_wait_ms = 10_001, &["answers.callpay_wait_ms", "give up"]);
        check(|config| config.gateway.request_timeout_ms = 0, &["gateway.request_timeout_ms is 0"]);
        check(|config| config.gateway.body_bytes_max = 0, &["gateway.body_bytes_max"]);
        check(|config| config.gateway.rate_limit_burst = 0, &["rate_limit_burst", "no limit"]);
        check(|config| config.gateway.cors_credentials = true, &["cors_credentials", "by name"]);
        check(|config| config.store.room_warn_bytes = 0, &["room_warn_bytes", "room_min_bytes", "alert"]);
        check(
            |config| config.gateway.trusted_proxies = vec!["10.0.0.0/99".into()],
            &["gateway.trusted_proxies", "/99"],
        );
        check(
            |config| config.upstreams.drive = vec!["one:1".into(), "two".into()],
            &["upstreams.drive", "\"two\""],
        );
        check(|config| config.log = "loud".into(), &["log: ", "\"loud\" is not a log level"]);
        check(|config| config.limits.calls_per_rider_burst = u32::MAX, &["calls_per_rider_burst", "1000000"]);
        check(|config| config.limits.calls_per_rider_burst = 0, &["calls_per_rider_burst", "no limit"]);
        check(|config| config.limits.streams_max = 0, &["limits.streams_max is 0"]);
        check(|config| config.operator.token = "short".into(), &["operator.token", "16"]);
        check(|config| config.provider.lost_per_mille = 1_001, &["lost_per_mille", "thousand"]);
        check(|config| config.provider.delay_ms_min = 1, &["delay_ms_min", "delay_ms_max"]);
    }
}
