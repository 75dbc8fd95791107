//! The money of one payment: where it lies, what the provider still owes an answer to, and that it all adds up.

use serde::{Deserialize, Serialize};

use super::{Payment, Stage};
use crate::money::Won;

/// Where the fare lies; the three always sum to zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounts {
    pub rider: Won,
    pub held: Won,
    pub earned: Won,
}

/// How it stands with something that the provider is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Errand {
    Unasked,
    Out,
    Answered,
}

impl Accounts {
    pub(super) fn take(&mut self, fare: Won) {
        self.rider = self.rider - fare;
        self.held = self.held + fare;
    }

    pub(super) fn earn(&mut self, fare: Won) {
        self.held = self.held - fare;
        self.earned = self.earned + fare;
    }

    pub(super) fn give_back(&mut self, fare: Won) {
        self.held = self.held - fare;
        self.rider = self.rider + fare;
    }
}

/// What must hold of every payment at every commit; else the first thing that does not, in words.
pub fn check(payment: &Payment) -> Result<(), String> {
    let Accounts { rider, held, earned } = payment.accounts;
    let claims = [
        (rider + held + earned == Won::ZERO, "its postings do not sum to zero"),
        (held == Won::ZERO || held == payment.fare, "it holds neither nothing nor the fare"),
        (earned == Won::ZERO || earned == payment.fare, "it earned neither nothing nor the fare"),
        (
            payment.stage.holds() == (held == payment.fare) || payment.fare == Won::ZERO,
            "it holds what its stage does not",
        ),
        (
            (payment.stage == Stage::Earned) == (earned == payment.fare) || payment.fare == Won::ZERO,
            "it earned what its stage does not",
        ),
        (payment.stage.is_open() || held == Won::ZERO, "it is final and holds money"),
        (payment.stage.is_open() || payment.take != Errand::Out, "it is final and its take is unanswered"),
        (payment.stage.is_open() || payment.back != Errand::Out, "it is final and its back is unanswered"),
        (
            (payment.stage == Stage::Returning) == (payment.back == Errand::Out),
            "its back is out in another stage",
        ),
        (payment.stage.asks() == (payment.take == Errand::Out), "its take is out in another stage"),
        (payment.pay_status == payment.stage.status(), "its status is not its stage's"),
    ];
    match claims.into_iter().find(|(holds, _)| !holds) {
        None => Ok(()),
        Some((_, fault)) => Err(format!("payment {}: {fault}", payment.pay_id)),
    }
}
