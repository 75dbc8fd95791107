//! The end of a world: nothing fails any more, everything comes to rest, and all of it is audited.

use crate::accounts;
use crate::failure::{Breach, Kind, must, readable};
use crate::lock;
use crate::observer::{cause, to_json};
use crate::people::{Fate, What};
use crate::road::ROLES;
use crate::world::World;
use engine::log::ShardName;
use engine::store::{Reader, Snapshot, Visit};
use std::collections::BTreeMap;
use taxi::call::Call;
use taxi::payment::Stage;
use taxi::status::{CallStatus, DriveStatus};
use wiring::audit::{Options, audit_readers};
use wiring::view;

/// Rounds of turning and waiting until everything must have come to rest.
const ROUNDS_MAX: usize = 200;
/// Turns of every runner within a round.
const TURNS_MAX: usize = 400;
/// Longer than any effect waits to be begun again, and than most deadlines.
const ROUND_MS: u64 = 61_000;
/// Rounds until all that was told and read is stored: a count, what is told by it, and how far that was. Each of the replicas
/// that told less once may fence whoever stores it, who leaves it for a round then and waits for another.
const STORED_AFTER_ROUNDS: usize = 3 + 2 * 3;
/// Longer than the longest deadline, which only reports.
const REPORT_MS: i64 = 25 * 60 * 60 * 1_000;

impl World {
    pub(crate) fn finish(&mut self) -> Result<(), Breach> {
        self.trace(|| "from here on nothing fails".to_owned());
        lock(&self.ground.fate).calm();
        self.arrive();
        for place in 0..self.replicas.len() {
            if let Some(replica) = &self.replicas[place] {
                lock(&replica.courier).calm();
            } else {
                self.start(place)?;
            }
        }
        // What was put off by a clock that was set back is due when the time is reached again.
        self.wait(self.set_back_ms);
        self.come_to_rest()?;
        self.end_late_rides()?;
        self.come_to_rest()?;
        let published = self.observer.published.len();
        self.wait(REPORT_MS.unsigned_abs());
        self.come_to_rest()?;
        must(self.observer.published.len() == published, Kind::Stuck, || {
            "something was still to be said after a day".to_owned()
        })?;
        self.come_to_store()?;
        self.audit()
    }

    /// What was told and read last is stored a moment later, and more may follow from that.
    fn come_to_store(&mut self) -> Result<(), Breach> {
        for _ in 0..STORED_AFTER_ROUNDS {
            self.wait(ROUND_MS);
            self.turn_until_idle()?;
        }
        Ok(())
    }

    fn end_late_rides(&mut self) -> Result<(), Breach> {
        let odds = self.ground.plan.late_ends_per_mille;
        for drive in self.under_way() {
            if self.chance.per_mille(odds) {
                let place = self.chance.index(self.replicas.len());
                self.submit(place, What::End(drive), None, false)?;
            }
        }
        Ok(())
    }

    fn come_to_rest(&mut self) -> Result<(), Breach> {
        for _ in 0..ROUNDS_MAX {
            self.turn_until_idle()?;
            self.tell_everything_again()?;
            let Some(unrest) = self.unrest()? else {
                return Ok(());
            };
            let delays = self.replicas.iter().flatten();
            let next = delays.filter_map(|replica| replica.delays.next_due()).min();
            let until_next = next.and_then(|due| u64::try_from(due - self.now().0).ok());
            self.trace(|| unrest);
            self.wait(until_next.map_or(ROUND_MS, |span| span.min(ROUND_MS)));
        }
        let unrest = self.unrest()?.unwrap_or_default();
        must(false, Kind::Stuck, || unrest)
    }

    fn turn_until_idle(&mut self) -> Result<(), Breach> {
        self.settle_groups()?;
        for _ in 0..TURNS_MAX {
            let mut is_idle = true;
            for place in 0..self.replicas.len() {
                for database in 0..self.ground.stores.len() {
                    is_idle &= !self.turn(place, database)?;
                }
                is_idle &= !self.travel_on(place)?;
                let delays = self.replicas[place].as_ref().map(|replica| replica.delays.clone());
                while delays.as_ref().is_some_and(|delays| delays.due() > 0) {
                    delays.iter().for_each(|delays| delays.arrive(0));
                    is_idle = false;
                }
            }
            self.look()?;
            if is_idle {
                return Ok(());
            }
        }
        must(false, Kind::Stuck, || "the replicas never come to an end".to_owned())
    }

    /// Where order does not matter, a fence drops what it cuts off, as a rebalanced consumer would: it is read again
    /// from further back. So each log is told once more, by one replica that nobody can fence the second time.
    fn tell_everything_again(&mut self) -> Result<(), Breach> {
        if self.ground.plan.defence == crate::setup::Defence::Inbox || self.road.is_some() {
            return Ok(());
        }
        for _ in 0..2 {
            if let Some(replica) = &self.replicas[0] {
                lock(&replica.courier).owe_everything();
            }
            self.turn_until_idle()?;
        }
        Ok(())
    }

    /// What is not at rest yet.
    fn unrest(&mut self) -> Result<Option<String>, Breach> {
        let waiting = self.people.submissions.iter().enumerate();
        let mut waiting = waiting.filter(|(_, sent)| sent.fate == Fate::Waiting);
        if let Some((number, sent)) = waiting.next() {
            return Ok(Some(format!("submission {number} waits for its answer: {sent:?}")));
        }
        if self.replicas.iter().flatten().any(|replica| replica.delays.next_due().is_some()) {
            return Ok(Some("the provider has yet to answer".to_owned()));
        }
        if let Some(wish) = self.unread() {
            return Ok(Some(format!("the view is not read: {wish:?}")));
        }
        if let Some(watching) = self.unseen() {
            return Ok(Some(format!("a watcher was not shown what it waits for: {watching:?}")));
        }
        let mut unrest = None;
        let under_way = self.under_way();
        for (id, known) in &self.observer.payment.known {
            let stage = known.state.as_ref().map(|payment| payment.stage);
            let is_held = stage == Some(Stage::Paid) && under_way.contains(id);
            let is_open = known.state.as_ref().is_some_and(taxi::payment::is_open);
            if is_open && !is_held {
                unrest = Some(format!("payment {id} is still {stage:?}"));
            }
        }
        for (id, known) in &self.observer.call.known {
            let is_open = known.state.as_ref().is_some_and(taxi::call::is_open);
            let status = known.state.as_ref().map(|call| call.call_status);
            let is_ridden = known.state.as_ref().is_some_and(is_ridden);
            let is_under_way = is_ridden && under_way.contains(id);
            if is_open && !is_under_way {
                unrest = Some(format!("call {id} is still {status:?}"));
            }
        }
        Ok(unrest)
    }

    fn audit(&mut self) -> Result<(), Breach> {
        self.look_at_all()?;
        self.audit_calls()?;
        self.audit_keys()?;
        self.audit_rows()?;
        self.audit_moment(2 * REPORT_MS)?;
        let stores = self.ground.stores.clone();
        for (services, store) in &stores {
            let snapshot = readable(store.snapshot())?;
            for service in services {
                self.audit_service(&*snapshot, service)?;
            }
        }
        let before = self.audit_view()?;
        self.rebuild_view()?;
        let after = self.audit_view()?;
        must(before == after, Kind::View, || "the view was rebuilt into another one".to_owned())?;
        Ok(())
    }

    /// What the operator's audit says of this moment.
    pub(crate) fn audit_moment(&mut self, late_after_ms: i64) -> Result<(), Breach> {
        let options = Options { late_after_ms, ..Options::default() };
        let report = readable(audit_readers(self.observer.readers(), Some(self.now()), &options))?;
        self.tally.add("audits", 1);
        must(report.is_clean(), Kind::Audit, || report.to_string())
    }

    /// Call, drive, payment and the provider's book tell one story.
    fn audit_calls(&mut self) -> Result<(), Breach> {
        let mut ends: Vec<&'static str> = Vec::new();
        for (id, known) in &self.observer.call.known {
            let Some(call) = &known.state else { continue };
            let drive = self.observer.drive.known.get(id).and_then(|known| known.state.as_ref());
            let drive = drive.map(|drive| drive.drive_status);
            let payment = self.observer.payment.known.get(id).and_then(|known| known.state.as_ref());
            let stage = payment.map(|payment| payment.stage);
            let balance = accounts::book_balance(&self.observer, *id)?;
            let (is_right, end) = outcome(call, drive, stage, balance);
            must(is_right, Kind::Outcome, || {
                format!(
                    "call {id} is {}, its drive {drive:?}, its payment {stage:?}, the book says {balance} won",
                    call.call_status
                )
            })?;
            ends.push(end);
        }
        for end in ends {
            self.tally.add(end, 1);
        }
        Ok(())
    }

    /// Under one key there is one call at most, and the one that was told of.
    fn audit_keys(&self) -> Result<(), Breach> {
        for key in self.people.keys.iter().filter(|key| !key.is_expired) {
            let is_made = |id: &&u64| self.observer.call.known.contains_key(*id);
            let made: Vec<&u64> = key.drawn.iter().filter(is_made).collect();
            must(made.len() <= 1, Kind::Key, || format!("{key:?} made the calls {made:?}"))?;
            let told = match (&key.what, &key.verdict) {
                (What::Request { .. }, Some(Ok(id))) => made.contains(&id),
                _ => true,
            };
            must(told, Kind::Key, || format!("{key:?} made {made:?}"))?;
        }
        Ok(())
    }

    fn audit_service(&self, snapshot: &dyn Snapshot, service: &'static str) -> Result<(), Breach> {
        let effects = readable(snapshot.effects(service))?;
        must(effects.is_empty(), Kind::Effects, || format!("{service} still wants {effects:?}"))?;
        for index in 0..self.ground.plan.shards {
            self.audit_shard(snapshot, ShardName { service, index })?;
        }
        let mut counted: BTreeMap<(&'static str, String), u64> = BTreeMap::new();
        readable(snapshot.entities(service, &mut |row| {
            *counted.entry((row.key.kind, row.tag.into_owned())).or_default() += 1;
            Visit::On
        }))?;
        let counters = readable(snapshot.counts(service, wiring::schema(service, 1).kinds[0]))?;
        let is_right = counters.len() == counted.len()
            && counted.iter().all(|((_, tag), count)| counters.contains(&(tag.clone(), *count)));
        must(is_right, Kind::Counts, || format!("{service} counts {counters:?}, and has {counted:?}"))
    }

    /// No dead letters, and whatever an event led to was stored with that event's position.
    fn audit_shard(&self, snapshot: &dyn Snapshot, shard: ShardName) -> Result<(), Breach> {
        let letters = readable(snapshot.dead_letters(shard))?;
        must(letters.is_empty(), Kind::DeadLetter, || format!("{shard} put aside {letters:?}"))?;
        let inbox = readable(snapshot.inbox(shard))?;
        let mut forgotten = None;
        readable(snapshot.events(shard, &mut |event| {
            let heard = cause(&event).is_none_or(|(source, position)| {
                inbox.iter().any(|(key, read)| {
                    format!("{}/{}", key.source.service, key.source.shard) == source && *read >= position
                })
            });
            if heard {
                return Visit::On;
            }
            forgotten = Some(format!("{shard}/{} and its {}", event.position, event.cause));
            Visit::Enough
        }))?;
        must(forgotten.is_none(), Kind::Inbox, || format!("{forgotten:?} were not stored together"))
    }

    /// What was put aside, for those who have to see why.
    pub(crate) fn dead_letters(&self) -> String {
        let mut told = String::new();
        for (services, store) in &self.ground.stores {
            let Ok(snapshot) = store.snapshot() else { continue };
            for service in services {
                for index in 0..self.ground.plan.shards {
                    let letters = snapshot.dead_letters(ShardName { service, index });
                    for letter in letters.into_iter().flatten() {
                        told = format!("{told}{service}/{}: {} ", letter.entity_id, letter.reason);
                    }
                }
            }
        }
        told
    }

    /// The view is what the published events make of it; returns it.
    fn audit_view(&self) -> Result<Vec<(u64, String)>, Breach> {
        let mut views = BTreeMap::new();
        for (event, at) in &self.observer.published {
            let id = event.call_id().get();
            let state = views.remove(&id);
            views.extend(taxi::view::project(state, event, *at).map(|state| (id, state)));
        }
        let expected: Vec<(u64, String)> = views.iter().map(|(id, state)| (*id, to_json(state))).collect();
        let mut stored = Vec::new();
        let reader = &self.observer.readers().view;
        let snapshot = readable(reader.snapshot())?;
        readable(snapshot.entities(view::NAME, &mut |row| {
            stored.push((row.key.id, row.state));
            Visit::On
        }))?;
        must(stored == expected, Kind::View, || {
            format!("the view is {stored:?}, and the logs make {expected:?}")
        })?;
        Ok(stored)
    }

    fn rebuild_view(&mut self) -> Result<(), Breach> {
        self.replicas.iter_mut().for_each(|replica| *replica = None);
        let holds_view = |services: &[&str]| services.contains(&view::NAME);
        let stores = self.ground.stores.iter();
        for (_, store) in stores.filter(|(services, _)| holds_view(services)) {
            readable(engine::projection::reset(&mut *store.writer(), view::NAME))?;
        }
        let first = if self.road.is_some() { ROLES } else { 1 };
        (0..first).try_for_each(|place| self.start(place))?;
        self.turn_until_idle()?;
        self.come_to_store()
    }
}

/// Whether a taxi may be on its way: a deadline that asks for a cancellation ends no ride.
fn is_ridden(call: &Call) -> bool {
    call.call_status == CallStatus::DriveStart
        || (call.call_status == CallStatus::RequestCancel && call.lapsed && !call.cancelled)
}

/// Whether call, drive, payment and book agree, and in a word how it ended.
fn outcome(
    call: &Call,
    drive: Option<DriveStatus>,
    stage: Option<Stage>,
    balance: i64,
) -> (bool, &'static str) {
    let fare = call.fare.0;
    match call.call_status {
        CallStatus::PayRequest | CallStatus::DriveRequest => (false, "calls that are stuck"),
        CallStatus::DriveStart | CallStatus::RequestCancel if is_ridden(call) => (
            (drive, stage, balance) == (Some(DriveStatus::Start), Some(Stage::Paid), fare),
            "calls under way",
        ),
        CallStatus::PayFail => (
            drive.is_none() && matches!(stage, Some(Stage::Failed | Stage::Refunded)) && balance == 0,
            "calls not paid",
        ),
        CallStatus::DriveStart | CallStatus::RequestCancel => (
            matches!(drive, Some(DriveStatus::Cancel | DriveStatus::RequestCancel))
                && matches!(stage, Some(Stage::Refunded | Stage::Voided | Stage::Failed))
                && balance == 0,
            "calls cancelled",
        ),
        CallStatus::DriveComplete => (
            (drive, stage, balance) == (Some(DriveStatus::End), Some(Stage::Earned), fare),
            "calls completed",
        ),
    }
}
