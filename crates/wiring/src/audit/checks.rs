//! One call at a time: its money, the provider's book, what each service says of it, and its view.

use super::Options;
use super::case::{Case, Told};
use super::cuts::Cuts;
use super::demands::{
    Cause, causes_of_call, causes_of_drive, causes_of_payment, contradictions, demands, said_once,
};
use super::report::Money;
use super::told::{OnTheWay, Transit};
use crate::books::is_in_the_book;
use crate::heard::{Heard, hearers};
use crate::{adapt, call, drive, payment, provider, view};
use ::provider::book::balance;
use engine::audit::{Check, differences};
use engine::store::Rebuild;
use taxi::event::Event;
use taxi::money::Won;
use taxi::payment::Errand;
use taxi::rules::CallpayBeside;
use taxi::view::CallView;

/// A check for each service that decides about calls.
struct Each([Check; 3]);

impl Each {
    fn new(name: &'static str) -> Self {
        Self([call::NAME, payment::NAME, drive::NAME].map(|service| Check::new(service, name)))
    }

    fn of(&mut self, service: &str) -> &mut Check {
        let found = self.0.iter_mut().find(|check| check.service == service);
        found.expect("call, payment and drive have a check each")
    }
}

pub(super) struct Checks<'a> {
    cuts: &'a Cuts,
    ages: &'a engine::audit::Options,
    options: &'a Options,
    book_is_with_payment: bool,
    ledger: Check,
    errands: Check,
    book: Check,
    named: Each,
    once: Each,
    consistent: Each,
    causes: Each,
    consequences: Each,
    rebuilt: Check,
    heard: Check,
    told: Each,
    transit: OnTheWay,
    money: Money,
}

/// What came of all calls together.
pub(super) struct Concluded {
    pub(super) money: Money,
    pub(super) transit: Vec<Transit>,
    pub(super) checks: Vec<Check>,
}

impl<'a> Checks<'a> {
    pub(super) fn new(
        cuts: &'a Cuts,
        ages: &'a engine::audit::Options,
        options: &'a Options,
        book_is_with_payment: bool,
    ) -> Self {
        Self {
            cuts,
            ages,
            options,
            book_is_with_payment,
            ledger: Check::new(payment::NAME, "taken = held + earned + returned"),
            errands: Check::new(payment::NAME, "errands = open effects"),
            book: Check::new(provider::NAME, "book = payments"),
            named: Each::new("events name their call"),
            once: Each::new("said once"),
            consistent: Each::new("nothing contradicts"),
            causes: Each::new("nothing without its cause"),
            consequences: Each::new("heard and done"),
            rebuilt: Check::new(view::NAME, "view = rebuild"),
            heard: Check::new(view::NAME, "events heard"),
            told: Each::new("told to the topic"),
            transit: OnTheWay::default(),
            money: Money::default(),
        }
    }

    pub(super) fn examine(&mut self, case: &Case) {
        // Each service by itself has found what cannot be read; nothing can be said of the rest of that call.
        if !case.is_whole {
            return;
        }
        self.examine_ledger(case);
        self.examine_book(case);
        self.examine_words(case);
        self.examine_causes(case);
        for told in case.told() {
            self.examine_way(case, told);
            self.examine_consequences(case, told);
        }
        self.examine_view(case);
    }

    pub(super) fn conclude(self) -> Concluded {
        let mut checks = vec![self.ledger, self.errands, self.book];
        if self.cuts.is_over_a_topic() {
            checks.extend(self.told.0);
        }
        for each in [self.named, self.once, self.consistent, self.causes, self.consequences] {
            checks.extend(each.0);
        }
        checks.extend([self.heard, self.rebuilt]);
        Concluded { money: self.money, transit: self.transit.into_all(), checks }
    }

    fn examine_ledger(&mut self, case: &Case) {
        let Some((row, payment)) = &case.payment_row else {
            return;
        };
        let (taken, returned) = (case.facts.taken, case.facts.returned);
        let accounts = payment.accounts;
        let sum = accounts.held + accounts.earned + returned;
        let is_even = taken == sum && accounts.rider + accounts.held + accounts.earned == Won::ZERO;
        self.ledger.expect(is_even, row.key, || {
            format!(
                "{taken} won were taken, {} are held, {} earned, {returned} returned, and the rider's account says {}",
                accounts.held, accounts.earned, accounts.rider
            )
        });
        self.money.add(taken, accounts, returned);
        let is_asking = payment.take == Errand::Out || payment.back == Errand::Out;
        let has_effect = !row.effects_open.is_empty();
        self.errands.expect(is_asking == has_effect, row.key, || {
            if is_asking {
                "it waits for the provider, and no effect asks".to_owned()
            } else {
                "an effect asks the provider, and it waits for no answer".to_owned()
            }
        });
    }

    /// The provider's book and the payment say the same, unless an answer is still out.
    fn examine_book(&mut self, case: &Case) {
        let what = format!("{}/{}", provider::ACCOUNT, case.id);
        let balance = Won(case.account.as_ref().map_or(0, balance));
        self.money.at_provider += i128::from(balance.0);
        let Some((row, payment)) = &case.payment_row else {
            if case.account.is_some() && case.payment.is_empty() {
                self.book.seen += 1;
                if self.book_is_with_payment {
                    self.book.broken(what, format!("it holds {balance} won, and there is no payment"));
                } else {
                    self.book.in_flight += 1;
                }
            }
            return;
        };
        self.book.seen += 1;
        let owed = payment.accounts.held + payment.accounts.earned;
        let is_open = !row.effects_open.is_empty();
        if balance == owed && (is_open || is_in_the_book(case.account.as_ref(), payment)) {
            return;
        }
        if is_open && (balance == Won::ZERO || balance == payment.fare) {
            self.book.in_flight += 1;
            self.money.in_flight += i128::from((balance - owed).0.abs());
            return;
        }
        let detail = format!(
            "{} has {owed} won, the provider's book {balance}, and no answer is out that could explain it",
            row.key
        );
        self.book.broken(what, detail);
    }

    fn examine_words(&mut self, case: &Case) {
        let stories = [(call::NAME, &case.call), (payment::NAME, &case.payment), (drive::NAME, &case.drive)];
        for (service, story) in stories {
            for told in story {
                let named = told.event.call_id().get();
                let what = format_args!("{service}/{}", case.id);
                self.named
                    .of(service)
                    .expect(named == case.id, what, || format!("{} is about call {named}", place(told)));
            }
        }
        for (service, times, word) in said_once(&case.facts) {
            if times > 1 {
                let detail = format!("{word} is said {times} times");
                self.once.of(service).broken(format!("{service}/{}", case.id), detail);
            }
        }
        for (service, is_so, words) in contradictions(&case.facts, self.options.rules.callpay_beside) {
            if is_so {
                self.consistent.of(service).broken(format!("{service}/{}", case.id), words);
            }
        }
        for check in self.once.0.iter_mut().chain(&mut self.consistent.0) {
            check.seen += u64::from(case.has(check.service));
        }
    }

    /// Beside another call service much of what leads to an event is in nobody's log.
    fn examine_causes(&mut self, case: &Case) {
        if self.options.rules.callpay_beside != CallpayBeside::Ours {
            return;
        }
        let facts = &case.facts;
        let mut all: Vec<(&'static str, Cause)> = Vec::new();
        all.extend(causes_of_call(facts).map(|cause| (call::NAME, cause)));
        all.extend(causes_of_payment(facts).map(|cause| (payment::NAME, cause)));
        all.extend(causes_of_drive(facts).map(|cause| (drive::NAME, cause)));
        for (service, (is_said, has_cause, words)) in all {
            let check = self.causes.of(service);
            if is_said && !has_cause && self.cuts.is_ahead(service, case.id) {
                check.seen += 1;
                check.in_flight += 1;
            } else if is_said {
                check.expect(has_cause, format_args!("{service}/{}", case.id), || words.to_owned());
            }
        }
    }

    /// Where an event is that somebody is to hear: not told to the topic yet, or told and not heard.
    fn examine_way(&mut self, case: &Case, told: &Told) {
        if !told.recorded.published {
            return;
        }
        let (from, is_told) = (service_of(told), self.cuts.is_told(&told.recorded));
        let age_ms = self.ages.age_ms(told.recorded.at);
        let check = self.told.of(from);
        check.seen += 1;
        if !is_told {
            let what = format!("{from}/{}", case.id);
            check.waits(age_ms, self.ages, what, format!("{} is not told to the topic", place(told)));
        }
        let has_not_heard =
            |hearer: &'static str| self.cuts.heard(hearer, case.id, &told.recorded) == Heard::No;
        let services = [call::NAME, payment::NAME, drive::NAME];
        if services.into_iter().any(|service| service != from && has_not_heard(service)) {
            for to in hearers(&told.event).into_iter().filter(|hearer| has_not_heard(hearer)) {
                self.transit.note(from, to, (age_ms, is_told));
            }
        }
        if self.cuts.view_rebuild.is_none() && has_not_heard(view::NAME) {
            self.transit.note(from, view::NAME, (age_ms, is_told));
        }
    }

    fn examine_consequences(&mut self, case: &Case, told: &Told) {
        for demand in demands(&told.event) {
            let heard = self.cuts.heard(demand.hearer, case.id, &told.recorded);
            let is_told = self.cuts.is_told(&told.recorded);
            let check = self.consequences.of(demand.hearer);
            check.seen += 1;
            let what = format_args!("{}/{}", demand.hearer, case.id);
            let age_ms = self.ages.age_ms(told.recorded.at);
            if heard == Heard::No && !is_told {
                // That it is late is said of who should have told it.
                check.in_flight += 1;
            } else if heard == Heard::No {
                check.waits(age_ms, self.ages, what, format!("{} is not heard", place(told)));
            } else if self.cuts.is_aside(demand.hearer, case.id) {
                check.in_flight += 1;
            } else if (demand.is_met)(case) {
                continue;
            } else if has_passed_over(self.cuts, demand.hearer, case) {
                check.skipped += 1;
            } else if heard == Heard::Unsure {
                let detail =
                    format!("whether {} was heard is not known, and {}", place(told), demand.otherwise);
                check.waits(age_ms, self.ages, what, detail);
            } else {
                check.broken(what, format!("{} was heard, and {}", place(told), demand.otherwise));
            }
        }
    }

    fn examine_view(&mut self, case: &Case) {
        if self.cuts.view_rebuild == Some(Rebuild::Dropping) {
            self.rebuilt.in_flight += 1;
            return;
        }
        let rebuilt = self.rebuild(case);
        let stored = case.view.as_ref().map(|row| row.state.as_str());
        let (surely, perhaps) = (written(rebuilt.surely), written(rebuilt.perhaps));
        if surely.is_none() && perhaps.is_none() && stored.is_none() {
            return;
        }
        self.rebuilt.seen += 1;
        if surely.as_deref() == stored || perhaps.as_deref() == stored {
            return;
        }
        if self.cuts.is_ahead(view::NAME, case.id) || self.cuts.is_aside(view::NAME, case.id) {
            self.rebuilt.in_flight += 1;
            return;
        }
        let detail = match (&surely, stored) {
            (None, _) => "there is a view, and nothing it has read tells of it".to_owned(),
            (_, None) => "there is no view, and what it has read tells of one".to_owned(),
            (Some(rebuilt), Some(stored)) => {
                format!("it and its rebuild differ in {}", differences(stored, rebuilt))
            }
        };
        let what = format!("{}/{}", view::NAME, case.id);
        match rebuilt.unsure_for_ms {
            Some(age_ms) => self.rebuilt.waits(age_ms, self.ages, what, detail),
            None => self.rebuilt.broken(what, detail),
        }
    }

    /// The view as what it has read makes it.
    fn rebuild(&mut self, case: &Case) -> Rebuilt {
        let what = format!("{}/{}", view::NAME, case.id);
        let mut rebuilt = Rebuilt::default();
        for told in case.told().filter(|told| told.recorded.published) {
            self.heard.seen += 1;
            let at = adapt::to_taxi_time(told.recorded.at);
            let age_ms = self.ages.age_ms(told.recorded.at);
            if self.cuts.has_passed_over(view::NAME, case.id, &told.recorded) {
                self.heard.skipped += 1;
                continue;
            }
            match self.cuts.heard(view::NAME, case.id, &told.recorded) {
                Heard::Yes => {
                    rebuilt.surely = taxi::view::project(rebuilt.surely, &told.event, at);
                    rebuilt.perhaps = taxi::view::project(rebuilt.perhaps, &told.event, at);
                }
                Heard::Unsure => {
                    rebuilt.perhaps = taxi::view::project(rebuilt.perhaps, &told.event, at);
                    rebuilt.unsure_for_ms = rebuilt.unsure_for_ms.max(Some(age_ms));
                }
                Heard::No if self.cuts.view_rebuild.is_some() || !self.cuts.is_told(&told.recorded) => {
                    self.heard.in_flight += 1;
                }
                Heard::No => {
                    let detail = format!("{} is not heard", place(told));
                    self.heard.waits(age_ms, self.ages, &what, detail);
                }
            }
        }
        rebuilt
    }
}

/// A view, made again.
#[derive(Default)]
struct Rebuilt {
    /// From what it has read for sure.
    surely: Option<CallView>,
    /// And from what it may have read, too.
    perhaps: Option<CallView>,
    /// For how long the oldest event has been there of which that is not known.
    unsure_for_ms: Option<i64>,
}

fn written(view: Option<CallView>) -> Option<String> {
    view.map(|view| serde_json::to_string(&view).expect("a view is plain data and always serialises"))
}

/// Who said it.
fn service_of(told: &Told) -> &'static str {
    match told.event {
        Event::Call(_) => call::NAME,
        Event::Payment(_) => payment::NAME,
        Event::Drive(_) => drive::NAME,
    }
}

/// What follows from an event that was passed over is missing from then on, whatever is heard later.
fn has_passed_over(cuts: &Cuts, hearer: &'static str, case: &Case) -> bool {
    case.told().any(|told| cuts.has_passed_over(hearer, case.id, &told.recorded))
}

fn place(told: &Told) -> String {
    let recorded = &told.recorded;
    format!(
        "{} ({}/{} position {})",
        recorded.event_type, recorded.source.service, recorded.source.shard, recorded.position
    )
}
