//! All that the databases hold about one call, in the order in which one thing led to the other.

use super::{Asked, Explanation, Statuses};
use crate::events::order::{in_order, is_at};
use crate::letters::{Letter, letters_of};
use crate::moment::Moment;
use crate::time::At;
use engine::clock::Timestamp;
use engine::effect::Effect;
use engine::log::{EntityKey, Recorded};
use engine::store::{EntityRow, Stored};
use provider::book::Account;
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use taxi::call::Call;
use taxi::drive::Drive;
use taxi::event::{CallEvent, DriveEvent, Event, PaymentEvent};
use taxi::id::CallId;
use taxi::money::Won;
use taxi::payment::Payment;
use taxi::rules::Rules;
use wiring::heard::{Between, Heard, Read, hearers};
use wiring::{TELLING, call, drive, payment, provider as provider_service, view};

/// An event, as it stands in the log and as it reads; nothing where it cannot be read.
pub(super) struct Told {
    pub(super) recorded: Recorded,
    pub(super) event: Option<Event>,
    /// Those who would act on it and have not heard it yet.
    pub(super) unheard_by: Vec<&'static str>,
    pub(super) is_seen_by_view: bool,
    /// Where it is for those who have not heard it.
    pub(super) way: Way,
}

/// Between two services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Whoever is to hear it reads it where it was stored.
    Within,
    /// Stored, and the topic has not been told.
    Untold,
    /// In the topic.
    Topic,
}

/// An entity: its row, and its state where it can be read.
pub(super) struct Row<S> {
    pub(super) row: EntityRow,
    pub(super) state: S,
}

pub(super) struct Story {
    pub(super) call_id: CallId,
    pub(super) now: Timestamp,
    pub(super) rules: Rules,
    pub(super) told: Vec<Told>,
    pub(super) call: Option<Row<Call>>,
    pub(super) payment: Option<Row<Payment>>,
    pub(super) drive: Option<Row<Drive>>,
    pub(super) account: Option<Account>,
    pub(super) view: Option<EntityRow>,
    pub(super) effects: Vec<Effect>,
    pub(super) letters: Vec<Letter>,
}

impl Story {
    pub(super) fn read(
        moment: &Moment<'_>,
        call_id: CallId,
        now: Timestamp,
        rules: &Rules,
    ) -> Stored<Option<Self>> {
        let id = call_id.get();
        let mut logs: Vec<VecDeque<Recorded>> = Vec::new();
        for service in TELLING {
            let story = moment.of(service).story(service, id)?;
            logs.push(story.into_iter().filter(|event| event.entity_kind == service).collect());
        }
        let inboxes = Inboxes::read(moment, id)?;
        let told = in_order(logs).into_iter().map(|recorded| Told::new(recorded, &inboxes)).collect();
        let payment = row::<Payment>(moment, payment::NAME, id)?;
        let has_effects = payment.as_ref().is_some_and(|payment| !payment.row.effects_open.is_empty());
        let effects = if has_effects { moment.of(payment::NAME).effects(payment::NAME)? } else { Vec::new() };
        let account = EntityKey { kind: provider_service::ACCOUNT, id };
        let account = moment.of(provider_service::NAME).entity(provider_service::NAME, account)?;
        let view_key = EntityKey { kind: view::NAME, id };
        let story = Self {
            call_id,
            now,
            rules: *rules,
            told,
            call: row(moment, call::NAME, id)?,
            payment,
            drive: row(moment, drive::NAME, id)?,
            account: account.and_then(|row| serde_json::from_str(&row.state).ok()),
            view: moment.of(view::NAME).entity(view::NAME, view_key)?,
            effects: effects.into_iter().filter(|effect| effect.key.id == id).collect(),
            letters: letters_of(moment, id)?,
        };
        Ok(story.is_known().then_some(story))
    }

    fn is_known(&self) -> bool {
        !self.told.is_empty() || self.view.is_some() || self.account.is_some() || !self.letters.is_empty()
    }

    pub(super) fn explain(&self) -> Explanation {
        Explanation {
            call_id: self.call_id.get(),
            at: At(self.now),
            standing: self.standing(),
            story: self.opening(),
            asked: self.asked(),
            statuses: self.statuses(),
            steps: self.steps(),
            money: self.money(),
            timers: self.timers(),
            effects: self.errands(),
            waits_for: self.waits(),
            dead_letters: self.letters.clone(),
            view: self.shown(),
        }
    }

    fn asked(&self) -> Option<Asked> {
        self.told.iter().find_map(|told| match &told.event {
            Some(Event::Call(CallEvent::CallRequested(body))) => Some(Asked {
                at: At(told.recorded.at),
                user_id: body.rider.user_id.as_str().to_owned(),
                user_name: body.rider.user_name.as_str().to_owned(),
                meters: body.meters,
                fare: body.fare,
                payment_method: body.payment_method.clone(),
            }),
            Some(Event::Call(_) | Event::Payment(_) | Event::Drive(_)) | None => None,
        })
    }

    fn statuses(&self) -> Statuses {
        Statuses {
            call: self.call.as_ref().map(|call| call.state.call_status.as_str()),
            payment: self.payment.as_ref().map(|payment| payment.state.pay_status.as_str()),
            drive: self.drive.as_ref().map(|drive| drive.state.drive_status.as_str()),
        }
    }

    /// What the call costs, from whoever knows; a service that heard too late says 0.
    pub(super) fn fare(&self) -> Option<Won> {
        let call = self.call.as_ref().map(|call| call.state.fare);
        let payment = self.payment.as_ref().map(|payment| payment.state.fare);
        let drive = self.drive.as_ref().map(|drive| drive.state.fare);
        [call, payment, drive].into_iter().flatten().find(|fare| *fare > Won::ZERO)
    }

    /// The place in the story of an event in a log.
    pub(super) fn place(&self, service: &str, shard: u16, position: u64) -> Option<usize> {
        self.told.iter().position(|told| is_at(&told.recorded, (service, shard, position)))
    }

    /// The event that a commit of a service left at a version of the call.
    pub(super) fn place_of_version(&self, service: &str, version: u64) -> Option<usize> {
        self.told
            .iter()
            .position(|told| told.recorded.source.service == service && told.recorded.version == version)
    }
}

impl Told {
    fn new(recorded: Recorded, inboxes: &Inboxes) -> Self {
        let event = wiring::decode(&recorded).ok();
        let has_heard = |service: &str| inboxes.has_heard(service, &recorded);
        let unheard_by = event.iter().flat_map(hearers).filter(|hearer| !has_heard(hearer)).collect();
        let is_seen_by_view = has_heard(view::NAME);
        let way = inboxes.way(&recorded);
        Self { recorded, event, unheard_by, is_seen_by_view, way }
    }
}

impl Told {
    /// Says only that something is still waited for.
    pub(super) fn is_reminder(&self) -> bool {
        match &self.event {
            Some(Event::Call(event)) => matches!(event, CallEvent::CallOverdue(_)),
            Some(Event::Payment(event)) => matches!(event, PaymentEvent::PaymentOverdue(_)),
            Some(Event::Drive(event)) => matches!(event, DriveEvent::DriveOverdue(_)),
            None => false,
        }
    }
}

/// How far the services have read, and told the topic of, what concerns one call.
struct Inboxes {
    between: Between,
    of: Vec<(&'static str, Read)>,
}

impl Inboxes {
    fn read(moment: &Moment<'_>, id: u64) -> Stored<Self> {
        let mut inboxes = Vec::new();
        for service in [call::NAME, payment::NAME, drive::NAME, view::NAME] {
            let shard = moment.shard_of(service, id);
            inboxes.push((shard, moment.of(service).inbox(shard)?));
        }
        let between = Between::of(inboxes.iter().map(|(shard, rows)| (*shard, &**rows)), false);
        let of = inboxes.into_iter().map(|(shard, rows)| (shard.service, Read::of(rows)));
        Ok(Self { between, of: of.collect() })
    }

    /// Where that cannot be known, it was: that it was not is seen by what is missing.
    fn has_heard(&self, service: &str, event: &Recorded) -> bool {
        let read = self.of.iter().find(|(known, _)| *known == service).map(|(_, read)| read);
        read.is_some_and(|read| self.between.heard(read, event) != Heard::No)
    }

    fn way(&self, event: &Recorded) -> Way {
        match (self.between.is_topic(), self.between.is_told(event)) {
            (false, _) => Way::Within,
            (true, false) => Way::Untold,
            (true, true) => Way::Topic,
        }
    }
}

fn row<S: DeserializeOwned>(moment: &Moment<'_>, service: &'static str, id: u64) -> Stored<Option<Row<S>>> {
    let row = moment.of(service).entity(service, EntityKey { kind: service, id })?;
    Ok(row.and_then(|row| Some(Row { state: serde_json::from_str(&row.state).ok()?, row })))
}
