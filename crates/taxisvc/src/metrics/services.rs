//! The figures of the services as they run: what waits for them, and how far they have got with what others say.

use super::{tell, tell_one};
use engine::figures::Heard;
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
    /// Those that hear of others.
    fn heard(&self) -> [(&'static str, Heard); 4] {
        let Handles { call, payment, drive, view, .. } = &self.0;
        [
            (wiring::call::NAME, call.heard()),
            (wiring::payment::NAME, payment.heard()),
            (wiring::drive::NAME, drive.heard()),
            (wiring::view::NAME, view.heard()),
        ]
    }

    /// Commands that wait, and answers to effects.
    fn waiting(&self) -> [(&'static str, (u64, u64)); 5] {
        let Handles { call, payment, provider, drive, view } = &self.0;
        [
            (wiring::call::NAME, call.waiting()),
            (wiring::payment::NAME, payment.waiting()),
            (wiring::provider::NAME, provider.waiting()),
            (wiring::drive::NAME, drive.waiting()),
            (wiring::view::NAME, view.waiting()),
        ]
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
        let is_rebuilding = i64::from(self.0.view.rebuilding().is_some());
        let help = "Whether the view is being made anew";
        tell_one(&mut encoder, ("view_rebuilding", help), &ConstGauge::new(is_rebuilding))
    }
}
