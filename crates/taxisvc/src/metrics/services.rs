//! The figures of the services as they run: what waits for them, and how far they have got with what others say.

use super::{tell, tell_one};
use engine::Service;
use engine::figures::Heard;
use engine::handle::Handle;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::gauge::ConstGauge;
use std::fmt;
use wiring::Handles;

pub(super) struct Running(pub(super) Handles);

impl fmt::Debug for Running {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Running")
    }
}

impl Running {
    /// Those that run here and hear of others.
    fn heard(&self) -> Vec<(&'static str, Heard)> {
        fn of<S: Service>(handle: &Handle<S>) -> Option<(&'static str, Heard)> {
            (!handle.is_elsewhere()).then(|| (handle.service().name(), handle.heard()))
        }
        let Handles { call, payment, drive, view, .. } = &self.0;
        [of(call), of(payment), of(drive), of(view)].into_iter().flatten().collect()
    }

    /// Commands that wait for those that run here, and answers to effects.
    fn waiting(&self) -> Vec<(&'static str, (u64, u64))> {
        fn of<S: Service>(handle: &Handle<S>) -> Option<(&'static str, (u64, u64))> {
            (!handle.is_elsewhere()).then(|| (handle.service().name(), handle.waiting()))
        }
        let Handles { call, payment, provider, drive, view } = &self.0;
        [of(call), of(payment), of(provider), of(drive), of(view)].into_iter().flatten().collect()
    }
}

impl Collector for Running {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let heard = self.heard();
        let told = |read: fn(&Heard) -> f64| {
            let all =
                heard.iter().map(|(service, heard)| ([("service", *service)], ConstGauge::new(read(heard))));
            all.collect::<Vec<_>>()
        };
        let help = "Events of others that a service has not read yet";
        tell(&mut encoder, ("events_unread", help), &told(|heard| heard.unread as f64))?;
        let help = "How old the oldest event is that a service has not read yet";
        tell(&mut encoder, ("events_unread_age_seconds", help), &told(|heard| heard.behind_ms as f64 / 1e3))?;
        let waiting = self.waiting();
        let told = |read: fn(&(u64, u64)) -> u64| {
            let value = |waiting| ConstGauge::new(i64::try_from(read(waiting)).unwrap_or(i64::MAX));
            let all = waiting.iter().map(|(service, waiting)| ([("service", *service)], value(waiting)));
            all.collect::<Vec<_>>()
        };
        let help = "Commands that wait to be decided";
        tell(&mut encoder, ("commands_waiting", help), &told(|(commands, _)| *commands))?;
        let help = "Answers to effects that wait to be decided";
        tell(&mut encoder, ("answers_waiting", help), &told(|(_, answers)| *answers))?;
        if self.0.view.is_elsewhere() {
            return Ok(());
        }
        let is_rebuilding = i64::from(self.0.view.rebuilding().is_some());
        let help = "Whether the view is being made anew";
        tell_one(&mut encoder, ("view_rebuilding", help), &ConstGauge::new(is_rebuilding))
    }
}
