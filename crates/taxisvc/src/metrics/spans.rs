//! The figures of the spans that are told.

use super::tell_one;
use crate::traces::Told;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::counter::ConstCounter;
use std::fmt;

#[derive(Debug)]
pub(super) struct Spans(pub(super) Told);

impl Collector for Spans {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Told { spans, sent, lost } = self.0;
        let counters = [
            ("spans_told", "Spans of what was done, where traces are sent", spans),
            ("spans_sent", "Spans that the collector has taken", sent),
            ("spans_lost", "Spans that could not be sent, or found no room to wait", lost),
        ];
        for (name, help, value) in counters {
            tell_one(&mut encoder, (name, help), &ConstCounter::new(value))?;
        }
        Ok(())
    }
}
