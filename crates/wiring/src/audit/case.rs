//! All that the databases hold about one call: its three stories, its payment, its account, its view.

use super::Moment;
use crate::{adapt, call, drive, payment, provider, view};
use ::provider::book::Account;
use engine::log::{EntityKey, Recorded};
use engine::store::{EntityRow, Snapshot, Stored, Visit};
use taxi::event::{CallEvent, DriveEvent, Event, PaymentEvent};
use taxi::money::Won;
use taxi::payment::Payment;

/// An event, as it stands in the log and as it reads.
pub(super) struct Told {
    pub(super) recorded: Recorded,
    pub(super) event: Event,
}

/// One call. Rows that cannot be read are left out: each service by itself has found them already.
pub(super) struct Case {
    pub(super) id: u64,
    pub(super) call: Vec<Told>,
    pub(super) payment: Vec<Told>,
    pub(super) drive: Vec<Told>,
    pub(super) payment_row: Option<(EntityRow, Payment)>,
    pub(super) account: Option<Account>,
    pub(super) view: Option<EntityRow>,
    pub(super) facts: Facts,
    /// Every event of its stories could be read.
    pub(super) is_whole: bool,
}

/// How often each event was said.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) requested: u32,
    pub(super) call_placed: u32,
    pub(super) cancel_requested: u32,
    pub(super) cancelled: u32,
    pub(super) under_way: u32,
    /// Of those that ask to cancel, what a deadline said.
    pub(super) lapsed: u32,
    pub(super) unpaid: u32,
    pub(super) completed: u32,
    pub(super) asked: u32,
    pub(super) paid: u32,
    pub(super) failed: u32,
    pub(super) surfaced: u32,
    pub(super) returning: u32,
    pub(super) refunded: u32,
    pub(super) voided: u32,
    pub(super) earned: u32,
    pub(super) started: u32,
    pub(super) unavailable: u32,
    pub(super) ended: u32,
    pub(super) drive_cancelled: u32,
    pub(super) overdue_drives: u32,
    pub(super) taken: Won,
    pub(super) returned: Won,
}

impl Facts {
    pub(super) fn drive_ends(&self) -> u32 {
        self.unavailable + self.ended + self.drive_cancelled
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::Call(event) => self.note_call(event),
            Event::Payment(event) => self.note_payment(event),
            Event::Drive(event) => self.note_drive(event),
        }
    }

    fn note_call(&mut self, event: &CallEvent) {
        match event {
            CallEvent::CallRequested(_) => self.requested += 1,
            CallEvent::CallPlaced(_) => self.call_placed += 1,
            CallEvent::CancelRequested(body) => {
                self.cancel_requested += 1;
                self.lapsed += u32::from(body.reason.is_some());
            }
            CallEvent::CallCancelled(_) => self.cancelled += 1,
            CallEvent::CallUnderWay(_) => self.under_way += 1,
            CallEvent::CallUnpaid(_) => self.unpaid += 1,
            CallEvent::CallCompleted(_) => self.completed += 1,
            CallEvent::CallOverdue(_) => {}
        }
    }

    fn note_payment(&mut self, event: &PaymentEvent) {
        match event {
            PaymentEvent::FareAsked(_) => self.asked += 1,
            PaymentEvent::FarePaid(body) => {
                self.paid += 1;
                self.taken = self.taken + body.fare;
            }
            PaymentEvent::PaymentFailed(_) => self.failed += 1,
            PaymentEvent::FareSurfaced(body) => {
                self.surfaced += 1;
                self.taken = self.taken + body.fare;
            }
            PaymentEvent::FareRefunded(body) => {
                self.refunded += 1;
                self.returned = self.returned + body.fare;
            }
            PaymentEvent::FareVoided(_) => self.voided += 1,
            PaymentEvent::FareEarned(_) => self.earned += 1,
            PaymentEvent::FareReturning(_) => self.returning += 1,
            PaymentEvent::FareUnwanted(_)
            | PaymentEvent::TakeClosed(_)
            | PaymentEvent::FarePlaced(_)
            | PaymentEvent::FareDue(_)
            | PaymentEvent::PaymentOverdue(_) => {}
        }
    }

    fn note_drive(&mut self, event: &DriveEvent) {
        match event {
            DriveEvent::DriveStarted(_) => self.started += 1,
            DriveEvent::DriveNotAvailable(_) => self.unavailable += 1,
            DriveEvent::DriveEnded(_) => self.ended += 1,
            DriveEvent::DriveCancelled(_) => self.drive_cancelled += 1,
            DriveEvent::DriveOverdue(_) => self.overdue_drives += 1,
        }
    }
}

impl Case {
    pub(super) fn told(&self) -> impl Iterator<Item = &Told> {
        self.call.iter().chain(&self.payment).chain(&self.drive)
    }

    pub(super) fn has(&self, service: &str) -> bool {
        match service {
            call::NAME => !self.call.is_empty(),
            payment::NAME => !self.payment.is_empty(),
            drive::NAME => !self.drive.is_empty(),
            view::NAME => self.view.is_some(),
            provider::NAME => self.account.is_some(),
            unknown => unreachable!("{unknown:?} is none of the services"),
        }
    }

    /// The first service that knows the call: under it, it is examined.
    fn owner(&self) -> Option<&'static str> {
        let owners = [call::NAME, payment::NAME, drive::NAME, view::NAME, provider::NAME];
        owners.into_iter().find(|service| self.has(service))
    }
}

/// How many of each service's entities belong to a call that is known.
#[derive(Default)]
pub(super) struct Seen {
    payment: u64,
    drive: u64,
    view: u64,
    account: u64,
}

impl Seen {
    pub(super) fn note(&mut self, case: &Case) {
        self.payment += u64::from(case.has(payment::NAME));
        self.drive += u64::from(case.has(drive::NAME));
        self.view += u64::from(case.has(view::NAME));
        self.account += u64::from(case.has(provider::NAME));
    }

    pub(super) fn of(&self, service: &str) -> u64 {
        match service {
            payment::NAME => self.payment,
            drive::NAME => self.drive,
            view::NAME => self.view,
            provider::NAME => self.account,
            unknown => unreachable!("{unknown:?} follows no call"),
        }
    }
}

/// The moment, read call by call.
pub(super) struct Stories<'a> {
    moment: &'a Moment<'a>,
}

type Examine<'e> = &'e mut dyn FnMut(&Case);

impl<'a> Stories<'a> {
    pub(super) fn new(moment: &'a Moment<'a>) -> Self {
        Self { moment }
    }

    /// Every call that the call service tells of, by id.
    pub(super) fn each_call(&self, examine: Examine<'_>) -> Stored<()> {
        let mut story: Vec<Recorded> = Vec::new();
        let mut close = |story: Vec<Recorded>| -> Stored<()> {
            if let Some(first) = story.first() {
                examine(&self.load(first.entity_id, Some(story))?);
            }
            Ok(())
        };
        let mut failed: Stored<()> = Ok(());
        self.moment.call.events_by_entity(call::NAME, &mut |event| {
            if event.entity_kind != call::NAME {
                return Visit::On;
            }
            if story.first().is_some_and(|first| first.entity_id != event.entity_id) {
                failed = close(std::mem::take(&mut story));
            }
            story.push(event);
            if failed.is_ok() { Visit::On } else { Visit::Enough }
        })?;
        failed?;
        close(story)
    }

    /// Everything of a service that belongs to no call, and that no service before it knows.
    pub(super) fn each_stray(&self, service: &'static str, examine: Examine<'_>) -> Stored<()> {
        let mut failed: Stored<()> = Ok(());
        let mut last = None;
        let mut visit = |id: u64| -> Visit {
            if last.replace(id) == Some(id) {
                return Visit::On;
            }
            match self.load(id, None) {
                Ok(case) => {
                    if case.owner() == Some(service) {
                        examine(&case);
                    }
                    Visit::On
                }
                Err(error) => {
                    failed = Err(error);
                    Visit::Enough
                }
            }
        };
        let snapshot = self.moment.of(service);
        match service {
            payment::NAME | drive::NAME => {
                snapshot.events_by_entity(service, &mut |event| visit(event.entity_id))?
            }
            _ => snapshot.entities(service, &mut |row| visit(row.key.id))?,
        }
        failed
    }

    fn load(&self, id: u64, call_story: Option<Vec<Recorded>>) -> Stored<Case> {
        let mut is_whole = true;
        let mut told = |story: Vec<Recorded>, kind: &str| -> Vec<Told> {
            let own = story.into_iter().filter(|event| event.entity_kind == kind);
            let read = own.filter_map(|recorded| match adapt::decode(&recorded) {
                Ok(event) => Some(Told { recorded, event }),
                Err(_) => {
                    is_whole = false;
                    None
                }
            });
            read.collect()
        };
        let call_story = match call_story {
            Some(story) => story,
            None => self.moment.call.story(call::NAME, id)?,
        };
        let call = told(call_story, call::NAME);
        let payment = told(self.moment.payment.story(payment::NAME, id)?, payment::NAME);
        let drive = told(self.moment.drive.story(drive::NAME, id)?, drive::NAME);
        let payment_row = row(self.moment.payment, payment::NAME, payment::NAME, id)?;
        let account = row(self.moment.provider, provider::NAME, provider::ACCOUNT, id)?;
        let mut facts = Facts::default();
        for told in call.iter().chain(&payment).chain(&drive) {
            facts.note(&told.event);
        }
        Ok(Case {
            id,
            call,
            payment,
            drive,
            payment_row: payment_row
                .and_then(|row| Some((row.clone(), serde_json::from_str(&row.state).ok()?))),
            account: account.and_then(|row| serde_json::from_str(&row.state).ok()),
            view: row(self.moment.view, view::NAME, view::NAME, id)?,
            facts,
            is_whole,
        })
    }
}

fn row(
    snapshot: &dyn Snapshot,
    service: &'static str,
    kind: &'static str,
    id: u64,
) -> Stored<Option<EntityRow>> {
    snapshot.entity(service, EntityKey { kind, id })
}
