//! What is still to come: whose word is waited for, until when, and what happens without it.

use super::speech::{errand, timer, wait};
use super::story::{Story, Told};
use super::{Agreement, Armed, Errand, Statuses, View};
use crate::time::At;
use crate::words::Words;
use engine::clock::Timestamp;
use engine::timer::Timer;
use serde::Serialize;
use taxi::call::Call;
use taxi::payment::{Stage, Terms};
use taxi::status::{CallStatus, DriveStatus};
use taxi::view::CallView;
use wiring::{call, drive, payment};

/// Something that is waited for.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Wait {
    /// Who waits.
    pub service: &'static str,
    pub kind: Kind,
    pub since: At,
    /// When the wait ends by itself, or is reported; see `timers` for what happens then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<At>,
    /// The step that is on its way, where that is waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
    pub words: Words,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// An operator, to take up or leave out a message that was put aside, or to settle by hand what was left out.
    Operator,
    /// A message that was said and not heard yet.
    Message,
    /// The payment provider's word on the fare, within its deadline.
    Provider,
    /// The payment provider's word on a fare that nobody wants any more.
    LateProvider,
    /// The payment provider's word on the fare of a ride that is over.
    DueFare,
    /// The payment provider, to give the fare back.
    Refund,
    /// Another call service's word that the call is placed.
    Placed,
    /// The end of the ride, to know whose the fare is.
    Fare,
    /// The driver, to end the ride.
    Driver,
    /// Payment's word on the call.
    Payment,
    /// Drive's word that a taxi takes the call.
    Taxi,
    /// The end of the ride.
    Ride,
    /// Drive's word on the cancellation.
    Cancellation,
}

impl Kind {
    pub const ALL: [Self; 13] = [
        Self::Operator,
        Self::Message,
        Self::Provider,
        Self::LateProvider,
        Self::DueFare,
        Self::Refund,
        Self::Placed,
        Self::Fare,
        Self::Driver,
        Self::Payment,
        Self::Taxi,
        Self::Ride,
        Self::Cancellation,
    ];
}

impl Story {
    /// What holds up the rest comes first, and last what holds up nothing but wants an operator.
    pub(super) fn waits(&self) -> Vec<Wait> {
        let mut waits = self.waits_of_the_call();
        let of_view = self.letters.iter().filter(|letter| {
            letter.service == wiring::view::NAME && letter.skipped.is_none() && letter.waits_behind.is_none()
        });
        waits.extend(of_view.map(Self::operator));
        waits.extend(self.unread().map(|(place, told)| self.to_be_read((place, told))));
        waits
    }

    fn is_ridden(&self) -> bool {
        self.drive.as_ref().is_some_and(|drive| drive.state.drive_status == DriveStatus::Start)
    }

    /// Without what concerns only those who look on.
    pub(super) fn waits_of_the_call(&self) -> Vec<Wait> {
        let first = self.letters.iter().filter(|letter| letter.is_first_to_hold_up());
        let mut waits: Vec<Wait> = first.map(Self::operator).collect();
        waits.extend(self.waits_to_settle());
        for (place, told) in self.told.iter().enumerate() {
            waits.extend(told.unheard_by.iter().map(|hearer| self.message((place, told), hearer)));
        }
        if let Some(payment) = &self.payment
            && let Some(kind) = of_payment(payment.state.stage, payment.row.timer.as_ref())
        {
            waits.push(self.own(payment::NAME, kind, payment.row.timer.as_ref()));
        }
        if let Some(drive) = self.drive.as_ref().filter(|_| self.is_ridden()) {
            waits.push(self.own(drive::NAME, Kind::Driver, drive.row.timer.as_ref()));
        }
        if let Some(call) = &self.call
            && let Some(kind) = of_call(&call.state, self.is_ridden())
        {
            waits.push(self.own(call::NAME, kind, call.row.timer.as_ref()));
        }
        // Who waits for an operator comes no further by what it waits for besides.
        waits.retain(|wait| match wait.kind {
            Kind::Operator | Kind::Message => true,
            Kind::Provider
            | Kind::LateProvider
            | Kind::DueFare
            | Kind::Refund
            | Kind::Placed
            | Kind::Fare
            | Kind::Driver
            | Kind::Payment
            | Kind::Taxi
            | Kind::Ride
            | Kind::Cancellation => self.held_up_by(wait.service).is_none() && !self.waits_in_vain(wait.kind),
        });
        waits
    }

    /// The dead letter behind which everything waits that a service hears.
    pub(super) fn held_up_by(&self, service: &str) -> Option<u64> {
        let first =
            self.letters.iter().find(|letter| letter.service == service && letter.is_first_to_hold_up());
        first.map(|letter| letter.number)
    }

    fn operator(letter: &crate::letters::Letter) -> Wait {
        Wait {
            service: letter.service,
            kind: Kind::Operator,
            since: letter.at,
            until: None,
            step: None,
            words: wait::operator(letter),
        }
    }

    /// Somebody must find out why an event cannot be read.
    fn to_be_read(&self, (place, told): (usize, &Told)) -> Wait {
        let service = wiring::TELLING.into_iter().find(|known| told.recorded.source.service == *known);
        Wait {
            service: service.unwrap_or(payment::NAME),
            kind: Kind::Operator,
            since: At(told.recorded.at),
            until: None,
            step: Some(place + 1),
            words: wait::unread(&self.numbered(place)),
        }
    }

    fn message(&self, (place, told): (usize, &Told), hearer: &'static str) -> Wait {
        Wait {
            service: hearer,
            kind: Kind::Message,
            since: At(told.recorded.at),
            until: None,
            step: Some(place + 1),
            words: wait::message(told, hearer, self.now),
        }
    }

    fn own(&self, service: &'static str, kind: Kind, armed: Option<&Timer>) -> Wait {
        Wait {
            service,
            kind,
            since: At(self.last_said(service)),
            until: armed.map(|timer| At(timer.due)),
            step: None,
            words: wait::own(self, kind, armed.map(|timer| timer.due)),
        }
    }

    /// When a service last said something that was no mere reminder.
    pub(super) fn last_said(&self, service: &str) -> Timestamp {
        let is_own = |told: &&Told| told.recorded.source.service == service && !told.is_reminder();
        self.told.iter().rfind(is_own).map_or(self.now, |told| told.recorded.at)
    }

    pub(super) fn timers(&self) -> Vec<Armed> {
        let rows = [
            (payment::NAME, self.payment.as_ref().and_then(|payment| payment.row.timer.as_ref())),
            (drive::NAME, self.drive.as_ref().and_then(|drive| drive.row.timer.as_ref())),
            (call::NAME, self.call.as_ref().and_then(|call| call.row.timer.as_ref())),
        ];
        let armed = rows.into_iter().filter_map(|(service, timer)| Some((service, timer?)));
        let armed = armed.map(|(service, armed)| Armed {
            service,
            name: armed.name.to_string(),
            due: At(armed.due),
            words: timer::words(self, service, armed),
        });
        armed.collect()
    }

    pub(super) fn errands(&self) -> Vec<Errand> {
        let told = self.effects.iter().map(|effect| {
            let terms: Option<Terms> = serde_json::from_str(&effect.body).ok();
            let won = terms.map(|terms| terms.fare);
            Errand {
                name: effect.name.to_string(),
                sequence: effect.sequence,
                won,
                attempts: effect.attempts,
                next: At(effect.claimed_until),
                words: errand::words(self, effect, won),
            }
        });
        told.collect()
    }

    /// The view as it is shown, beside what all published events make of it.
    pub(super) fn shown(&self) -> View {
        let published = self.told.iter().filter(|told| told.recorded.published);
        let unheard = published.clone().filter(|told| !told.is_seen_by_view).count();
        let rebuilt = published.filter_map(|told| Some((told.event.as_ref()?, told.recorded.at)));
        let rebuilt = rebuilt
            .fold(None, |view, (event, at)| taxi::view::project(view, event, taxi::time::Timestamp(at.0)));
        let stored: Option<CallView> =
            self.view.as_ref().and_then(|row| serde_json::from_str(&row.state).ok());
        let has_unread = self.unread().any(|(_, told)| told.recorded.published);
        let agrees = if has_unread {
            Agreement::Differs
        } else if stored == rebuilt {
            Agreement::Agrees
        } else if unheard > 0 || self.letters.iter().any(|letter| letter.service == wiring::view::NAME) {
            Agreement::OnTheWay
        } else {
            Agreement::Differs
        };
        let shown = stored.map(|view| Statuses {
            call: view.call_status.map(CallStatus::as_str),
            payment: view.pay_status.map(|status| status.as_str()),
            drive: view.drive_status.map(DriveStatus::as_str),
        });
        let words = if has_unread {
            super::speech::view_unread()
        } else {
            super::speech::view(agrees, shown.is_some(), unheard)
        };
        View { shown, unheard, agrees, words }
    }
}

fn of_payment(stage: Stage, armed: Option<&Timer>) -> Option<Kind> {
    match stage {
        Stage::Asked => Some(Kind::Provider),
        Stage::Due => Some(Kind::DueFare),
        Stage::Late | Stage::Unwanted => Some(Kind::LateProvider),
        Stage::Paid if armed.is_some_and(|timer| timer.name == taxi::payment::Wait::Placed.name()) => {
            Some(Kind::Placed)
        }
        Stage::Paid | Stage::Placed => Some(Kind::Fare),
        Stage::Returning => Some(Kind::Refund),
        Stage::Failed | Stage::Refunded | Stage::Voided | Stage::Earned => None,
    }
}

fn of_call(call: &Call, is_ridden: bool) -> Option<Kind> {
    match call.call_status {
        CallStatus::RequestCancel if call.lapsed && is_ridden => Some(Kind::Ride),
        CallStatus::PayRequest => Some(Kind::Payment),
        CallStatus::DriveRequest => Some(Kind::Taxi),
        CallStatus::DriveStart => Some(Kind::Ride),
        CallStatus::RequestCancel if !call.cancelled => Some(Kind::Cancellation),
        CallStatus::RequestCancel | CallStatus::PayFail | CallStatus::DriveComplete => None,
    }
}
