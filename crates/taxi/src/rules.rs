//! What the business may be set to: its tariff, its deadlines, and beside whose call service it runs.

use crate::tariff::Tariff;
use crate::time::{Millis, Timestamp};

/// Every number that an operator can set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    pub tariff: Tariff,
    pub deadlines: Deadlines,
    pub callpay_beside: CallpayBeside,
}

/// How long each wait may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// For the payment provider's word on a take.
    pub provider: Millis,
    /// For payment's word on a call; then it is cancelled. Longer than the provider's.
    pub call_unpaid: Millis,
    /// For a drive of a paid call; then it is cancelled.
    pub call_undriven: Millis,
    /// For everything that no clock may end; then it is reported, again and again.
    pub report_after: Millis,
    /// For `CallPlaced` after `FarePaid` beside the original's call service; then the fare goes back.
    pub placed: Millis,
}

/// Whose call service asks payment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CallpayBeside {
    /// It says `CallRequested`; a direct payment only pays what was heard of.
    #[default]
    Ours,
    /// It pays directly and says nothing before; a direct payment opens the payment.
    Original,
}

/// What a decision may know besides its state and its command.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub now: Timestamp,
    pub rules: &'a Rules,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            provider: Millis::from_seconds(10),
            call_unpaid: Millis::from_seconds(60),
            call_undriven: Millis::from_minutes(10),
            report_after: Millis::from_hours(24),
            placed: Millis::from_seconds(60),
        }
    }
}
