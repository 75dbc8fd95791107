//! The figures of the settings file.

use super::tell_one;
use crate::live::Status;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use std::fmt;

#[derive(Debug)]
pub(super) struct Settings(pub(super) Status);

impl Collector for Settings {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Status { refused, later, reloads, read_at } = &self.0;
        let help = "How often the settings file was followed while it ran";
        tell_one(&mut encoder, ("config_reloads", help), &ConstCounter::new(*reloads))?;
        let gauges = [
            (
                "config_refused",
                "Whether the settings file is refused",
                f64::from(u8::from(refused.is_some())),
            ),
            ("config_restart_needed", "Settings of the file that count after a restart", later.len() as f64),
            (
                "config_read_timestamp_seconds",
                "When the settings were understood last",
                read_at.0 as f64 / 1e3,
            ),
        ];
        for (name, help, value) in gauges {
            tell_one(&mut encoder, (name, help), &ConstGauge::new(value))?;
        }
        Ok(())
    }
}
