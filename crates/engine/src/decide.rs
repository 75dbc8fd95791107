//! One batch: inputs are turned into commands, decided one after the other in memory, and gathered in one write set.

use crate::aside::parcel_id;
use crate::cache::Entry;
use crate::clock::Timestamp;
use crate::dead_letter::{DeadLetter, Parcel, outline, own_key};
use crate::effect::Effect;
use crate::handle::Queued;
use crate::idempotency::{IdempotencyRow, RequestKey};
use crate::lane::{Cursor, Input, Lane};
use crate::letters::{BEHIND, Retried, Skipped};
use crate::log::{EntityKey, Origin, Recorded, ShardName, shard_of};
use crate::reply::{Answer, Place};
use crate::step::{Step, panic_text, step};
use crate::steps::Steps;
use crate::store::{EffectClaim, EntityRow, EntityWrite, InboxKey, InboxMove, Store, Stored, WriteSet};
use crate::{Context, Entities, Service};
use rustc_hash::{FxHashMap, FxHashSet};
use std::borrow::Cow;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// An entity that a batch changes.
pub(crate) struct Touched<State> {
    pub(crate) entry: Entry<State>,
    pub(crate) replaces: u64,
    pub(crate) tag_before: Option<Cow<'static, str>>,
}

pub(crate) struct Batch<S: Service> {
    pub(crate) set: WriteSet,
    pub(crate) inputs: Vec<Input<S>>,
    pub(crate) answers: HashMap<usize, Answer<S::State, S::Refusal>>,
    pub(crate) touched: FxHashMap<EntityKey, Touched<S::State>>,
    pub(crate) inbox: FxHashMap<InboxKey, Cursor>,
    pub(crate) begin: Vec<Effect>,
    pub(crate) read: FxHashSet<EntityKey>,
    recalled: HashMap<RequestKey, IdempotencyRow>,
    /// Entities of other shards that a repeated request is answered with.
    foreign: FxHashMap<EntityKey, Entry<S::State>>,
    unreadable: FxHashMap<EntityKey, String>,
    /// Where the logs of those shards end.
    foreign_ends: HashMap<u16, u64>,
    pub(crate) parked: FxHashSet<u64>,
    pub(crate) moves_matter: bool,
    can_remember: bool,
    /// What came of each dead letter that was taken up again.
    pub(crate) came_of: HashMap<u64, Retried>,
    /// What came of each that is to be passed over, in the order of the inputs.
    pub(crate) skipped: Vec<Skipped>,
    /// Entities of which a dead letter is gone: what was put aside behind it is taken up.
    pub(crate) freed: FxHashSet<u64>,
    /// Entities of which the lane may know less than the store.
    pub(crate) stale: Vec<EntityKey>,
    pub(crate) steps: Steps,
}

/// One input of the batch, when it is decided.
struct Item<'a, S: Service> {
    index: usize,
    input: &'a Input<S>,
    now: Timestamp,
}

impl<S: Service> Batch<S> {
    pub(crate) fn new(set: WriteSet) -> Self {
        Self {
            set,
            inputs: Vec::new(),
            answers: HashMap::new(),
            touched: FxHashMap::default(),
            inbox: FxHashMap::default(),
            begin: Vec::new(),
            read: FxHashSet::default(),
            recalled: HashMap::new(),
            foreign: FxHashMap::default(),
            unreadable: FxHashMap::default(),
            foreign_ends: HashMap::new(),
            parked: FxHashSet::default(),
            moves_matter: false,
            can_remember: true,
            came_of: HashMap::new(),
            skipped: Vec::new(),
            freed: FxHashSet::default(),
            stale: Vec::new(),
            steps: Steps::default(),
        }
    }

    pub(crate) fn decide(&mut self, lane: &mut Lane<S>, store: &mut dyn Store, now: Timestamp) -> Stored<()> {
        let all = lane.pending.len();
        let most = lane.narrowed.as_ref().map_or(all >> lane.halvings(), |narrowed| narrowed.take);
        let take = most.clamp(1, all.max(1)).min(all);
        let refused = lane.narrowed.as_ref().filter(|narrowed| narrowed.take == 0);
        let refused = refused.map(|narrowed| format!("the store refuses it: {}", narrowed.reason));
        self.inputs = lane.pending.drain(..take).collect();
        if self.inputs.iter().any(|input| matches!(input, Input::Skip(_))) {
            return self.decide_letters(lane, store, (now, refused));
        }
        let steps: Vec<Step<S>> = self.inputs.iter().map(|input| step(lane, input)).collect();
        self.look_at_aside(lane, store).inspect_err(|_| self.give_back(lane))?;
        self.load(lane, store, &steps).inspect_err(|_| self.give_back(lane))?;
        self.load_traces(lane, store).inspect_err(|_| self.give_back(lane))?;
        let inputs = std::mem::take(&mut self.inputs);
        for (index, (input, step)) in inputs.iter().zip(&steps).enumerate() {
            let item = Item { index, input, now };
            match &refused {
                Some(reason) => self.set_aside(lane, &item, reason.clone()),
                None => self.decide_one(lane, &item, step),
            }
        }
        self.inputs = inputs;
        self.finish(lane);
        self.place_answers(lane, store).inspect_err(|_| self.give_back(lane))
    }

    fn decide_letters(
        &mut self,
        lane: &mut Lane<S>,
        store: &mut dyn Store,
        (now, refused): (Timestamp, Option<String>),
    ) -> Stored<()> {
        if let Some(reason) = refused {
            self.skipped = self.inputs.iter().map(|_| Skipped::NotNow(reason.clone())).collect();
            return Ok(());
        }
        self.decide_skips(lane, store, now).inspect_err(|_| self.give_back(lane))
    }

    fn give_back(&mut self, lane: &mut Lane<S>) {
        for input in std::mem::take(&mut self.inputs).into_iter().rev() {
            lane.pending.push_front(input);
        }
    }

    /// Loads all that the batch will look at, in bulk. A state that cannot be read is poison to those alone who need it.
    fn load(&mut self, lane: &mut Lane<S>, store: &mut dyn Store, steps: &[Step<S>]) -> Stored<()> {
        let service = lane.shard.service;
        let requests: Vec<RequestKey> = self.inputs.iter().filter_map(request_key).collect();
        if !requests.is_empty() {
            self.can_remember = store.can_remember(service);
            let rows = store.recall(service, &requests)?;
            self.recalled = rows.into_iter().flatten().map(|row| (row.request.clone(), row)).collect();
        }
        let mut wanted: Vec<EntityKey> = Vec::new();
        for (input, step) in self.inputs.iter().zip(steps) {
            match (step, input) {
                (Step::Given, Input::Command(request)) => {
                    wanted.extend(lane.service.entities(&request.command))
                }
                (Step::Command(given), _) => wanted.extend(lane.service.entities(&given.0)),
                _ => {}
            }
        }
        wanted.sort_unstable();
        wanted.dedup();
        self.read.extend(&wanted);
        wanted.retain(|key| lane.cache.get(*key).is_none());
        let answered: Vec<EntityKey> = self.recalled.values().map(|row| row.key).collect();
        let known = wanted.len();
        wanted.extend(&answered);
        if wanted.is_empty() {
            return Ok(());
        }
        let rows = store.load(service, &wanted)?;
        for (place, (key, row)) in wanted.into_iter().zip(rows).enumerate() {
            match Entry::from_row(row) {
                Ok(entry) if place < known => lane.cache.put(key, entry),
                Ok(entry) => drop(self.foreign.insert(key, entry)),
                Err(reason) => drop(self.unreadable.insert(key, reason)),
            }
        }
        // Looked up after the entities, so that all that is shown of them lies before.
        for key in answered {
            let index = shard_of(key.id, lane.shards);
            if index != lane.shard.index {
                let end = store.last_position(ShardName { service, index })?;
                self.foreign_ends.insert(index, end);
            }
        }
        Ok(())
    }

    fn decide_one(&mut self, lane: &mut Lane<S>, item: &Item<'_, S>, step: &Step<S>) {
        let (input, now) = (item.input, item.now);
        if self.has_been_seen(lane, input) {
            return;
        }
        if let Some(id) = parcel_id(input)
            && !matches!(step, Step::Skip | Step::Elsewhere(_))
            && self.is_parked(lane, id, input)
        {
            self.wait_behind(lane, id);
            return self.set_aside(lane, item, BEHIND.into());
        }
        let (command, origin) = match (step, input) {
            (Step::Given, Input::Command(request)) => {
                if self.answer_repeated(lane, item.index, request) {
                    return;
                }
                (&request.command, &request.origin)
            }
            (Step::Command(given), _) => (&given.0, &given.1),
            (Step::Begin, Input::Begin(effect)) => return self.begin_again(lane, effect, now),
            (Step::Poison(reason), _) => return self.set_aside(lane, item, reason.clone()),
            (Step::Skip, Input::Again(letter)) => {
                return self.done_with(letter, Retried::NotWanted("nothing is to be done about it".into()));
            }
            (Step::Elsewhere(reason), Input::Again(_)) => return self.set_aside(lane, item, reason.clone()),
            (Step::Skip | Step::Elsewhere(_) | Step::Given | Step::Begin, _) => return,
        };
        let keys = lane.service.entities(command);
        if let Some(reason) = keys.iter().find_map(|key| self.unreadable.get(key)) {
            return self.set_aside(lane, item, reason.clone());
        }
        self.moves_matter = true;
        if !self.is_still_wanted(lane, input) {
            return match input {
                Input::Again(letter) => self.done_with(letter, Retried::OfThePast),
                // Another writer may have armed it anew; what is known of the entity here is not to be trusted.
                Input::Due(due) => self.stale.push(due.key),
                Input::Command(_)
                | Input::Event { .. }
                | Input::Passed { .. }
                | Input::Answer(_)
                | Input::Begin(_)
                | Input::Skip(_) => {}
            };
        }
        match self.carry_out(lane, item, (command, origin), &keys) {
            Err(reason) => self.set_aside(lane, item, reason),
            Ok(refusal) => self.conclude(lane, item, keys[0], refusal),
        }
    }

    /// Decides a command and makes the decision part of the batch; or says why the business refuses it, or what is wrong
    /// with the code.
    fn carry_out(
        &mut self,
        lane: &Lane<S>,
        item: &Item<'_, S>,
        (command, origin): (&S::Command, &Origin),
        keys: &[EntityKey],
    ) -> Result<Option<S::Refusal>, String> {
        let traced = self.traced(lane, item.input, origin, keys[0]);
        let context = Context { now: item.now, origin: &traced.origin };
        let decided = {
            let loaded = keys.iter().map(|key| (*key, self.entry(lane, *key).state.as_ref())).collect();
            let service = &*lane.service;
            catch_unwind(AssertUnwindSafe(|| service.decide(&Entities { loaded }, command, &context)))
        };
        let decision = match decided {
            Ok(Ok(decision)) => decision,
            Ok(Err(refusal)) => return Ok(Some(refusal)),
            Err(panic) => return Err(panic_text(&*panic)),
        };
        let (leads_to_something, events_before) = (!decision.changes.is_empty(), self.set.events.len());
        self.apply_guarded(lane, item.input, decision, &context)?;
        if leads_to_something {
            self.note_step(item.input, &traced, keys[0], events_before);
        }
        Ok(None)
    }

    /// Notes what the input came to: the reply of a command, the end of a dead letter.
    fn conclude(&mut self, lane: &Lane<S>, item: &Item<'_, S>, key: EntityKey, refusal: Option<S::Refusal>) {
        match item.input {
            Input::Command(request) => {
                let is_lasting = refusal.as_ref().is_none_or(|refusal| lane.service.is_lasting(refusal));
                if let Some(idempotency) = request.idempotency.as_ref().filter(|_| is_lasting) {
                    let refusal = refusal.as_ref().map(|refusal| {
                        serde_json::to_string(refusal).expect("a refusal is plain data and always serialises")
                    });
                    let (request, fingerprint) = (idempotency.request.clone(), idempotency.fingerprint);
                    let row = IdempotencyRow { request, fingerprint, key, refusal, at: item.now };
                    self.recalled.insert(row.request.clone(), row.clone());
                    self.set.idempotency.push(row);
                }
                let answer = match refusal {
                    Some(refusal) => Answer::Refused { refusal, repeated: false },
                    None => Answer::Done {
                        key,
                        state: self.entry(lane, key).state.clone(),
                        place: Place::After { events: self.set.events.len() as u64 },
                        repeated: false,
                    },
                };
                self.answers.insert(item.index, answer);
            }
            Input::Again(letter) => {
                let refusal = refusal.map(|refusal| Retried::NotWanted(refusal.to_string()));
                self.done_with(letter, refusal.unwrap_or(Retried::CarriedOut));
            }
            Input::Event { .. }
            | Input::Passed { .. }
            | Input::Due(_)
            | Input::Answer(_)
            | Input::Begin(_)
            | Input::Skip(_) => {
                if let Some(refusal) = refusal {
                    tracing::debug!(%key, %refusal, "a message that the business does not want");
                }
            }
        }
    }

    /// A dead letter that was taken up again is gone, once this is committed.
    fn done_with(&mut self, letter: &DeadLetter, came_of: Retried) {
        self.moves_matter = true;
        self.set.dead_letters_done.push(letter.number);
        self.freed.insert(letter.entity_id);
        self.came_of.insert(letter.number, came_of);
    }

    /// A key that was answered before: the first one's answer, whatever the command would come to now.
    fn answer_repeated(&mut self, lane: &Lane<S>, index: usize, request: &Queued<S>) -> bool {
        let Some(idempotency) = &request.idempotency else {
            return false;
        };
        let Some(row) = self.recalled.get(&idempotency.request) else {
            if request.only_if_known {
                self.answers.insert(index, Answer::NoRoom);
            } else if !self.can_remember {
                let why = "too many requests under a key are remembered already";
                self.answers.insert(index, Answer::NotStored(why.to_owned()));
            }
            return request.only_if_known || !self.can_remember;
        };
        let refusal = row.refusal.as_ref().map(|text| serde_json::from_str(text));
        let answer = match refusal {
            _ if row.fingerprint != idempotency.fingerprint => Answer::KeyReused,
            Some(Ok(refusal)) => Answer::Refused { refusal, repeated: true },
            Some(Err(error)) => Answer::Bug(format!("a recorded refusal cannot be read: {error}")),
            None if self.unreadable.contains_key(&row.key) => Answer::Bug(self.unreadable[&row.key].clone()),
            None => {
                let shard = shard_of(row.key.id, lane.shards);
                let is_own = shard == lane.shard.index;
                let entry = self.touched.get(&row.key).map(|touched| &touched.entry);
                let entry = entry.or_else(|| is_own.then(|| lane.cache.get(row.key)).flatten());
                let state =
                    entry.or_else(|| self.foreign.get(&row.key)).and_then(|entry| entry.state.clone());
                let end = self.foreign_ends.get(&shard).filter(|_| !is_own);
                let place = end.map_or(Place::After { events: 0 }, |end| Place::Other { shard, end: *end });
                Answer::Done { key: row.key, state, place, repeated: true }
            }
        };
        self.answers.insert(index, answer);
        true
    }

    pub(crate) fn entry<'a>(&'a self, lane: &'a Lane<S>, key: EntityKey) -> &'a Entry<S::State> {
        let touched = self.touched.get(&key).map(|touched| &touched.entry);
        touched.or_else(|| lane.cache.get(key)).expect("a batch loads every entity that its commands name")
    }

    /// A timer that was rearmed and an effect that was answered already are of the past.
    fn is_still_wanted(&self, lane: &Lane<S>, input: &Input<S>) -> bool {
        let parcel = match input {
            Input::Due(due) => return self.entry(lane, due.key).timer.as_ref() == Some(&due.timer),
            Input::Answer(parcel) => parcel,
            Input::Again(letter) => &letter.parcel,
            Input::Command(_)
            | Input::Event { .. }
            | Input::Passed { .. }
            | Input::Begin(_)
            | Input::Skip(_) => return true,
        };
        let kinds = lane.service.kinds();
        match parcel {
            Parcel::Event(_) => true,
            Parcel::Due { kind, id, timer } => own_key(kinds, kind, *id)
                .is_some_and(|key| self.entry(lane, key).timer.as_ref() == Some(timer)),
            Parcel::Answer { kind, id, sequence, .. } => own_key(kinds, kind, *id)
                .is_some_and(|key| self.entry(lane, key).effects_open.contains(sequence)),
        }
    }

    fn begin_again(&mut self, lane: &Lane<S>, effect: &Effect, now: Timestamp) {
        let known = self.touched.get(&effect.key).map(|touched| &touched.entry);
        let known = known.or_else(|| lane.cache.get(effect.key));
        if known.is_some_and(|entry| !entry.effects_open.contains(&effect.sequence)) {
            // What is known may be older than the effect, which another replica has ordered: the store is asked next time.
            self.stale.push(effect.key);
            return;
        }
        let attempts = effect.attempts + 1;
        let claimed_until = now.plus_ms(lane.settings.effect_retry.delay_ms(attempts));
        self.set.effects_claimed.push(EffectClaim {
            key: effect.key,
            sequence: effect.sequence,
            attempts_before: effect.attempts,
            claimed_until,
        });
        let trace = effect.trace.clone().or_else(|| self.steps.trace_of(effect));
        self.begin.push(Effect { attempts, claimed_until, trace, ..effect.clone() });
    }

    /// Puts poison aside. A command is only answered: its sender can say it again.
    fn set_aside(&mut self, lane: &Lane<S>, item: &Item<'_, S>, reason: String) {
        let parcel = match item.input {
            Input::Command(_) => {
                tracing::error!(shard = %lane.shard, reason = outline(&reason), "a command that failed");
                self.answers.insert(item.index, Answer::Bug(reason));
                return;
            }
            Input::Event { event, .. } => {
                self.has_been_seen(lane, item.input);
                Parcel::Event(Recorded::clone(event))
            }
            Input::Due(due) => Parcel::due(due.clone()),
            Input::Answer(parcel) => parcel.clone(),
            Input::Passed { .. } => {
                self.has_been_seen(lane, item.input);
                return;
            }
            Input::Begin(_) | Input::Skip(_) => return,
            Input::Again(letter) => {
                self.parked.insert(letter.entity_id);
                self.came_of.insert(letter.number, Retried::StillWaits(reason));
                return;
            }
        };
        let entity_id = parcel.entity_id();
        let outline = outline(&reason);
        tracing::error!(shard = %lane.shard, entity_id, reason = outline, "a message goes to the dead letters");
        self.moves_matter = true;
        self.parked.insert(entity_id);
        let at = item.now;
        self.set.dead_letters.push(DeadLetter { number: 0, entity_id, parcel, reason, at, skipped: None });
    }

    /// Turns what was touched, read and counted into rows.
    fn finish(&mut self, lane: &Lane<S>) {
        let mut counts: FxHashMap<(&'static str, Cow<'static, str>), i64> = FxHashMap::default();
        let mut keys: Vec<EntityKey> = self.touched.keys().copied().collect();
        keys.sort_unstable();
        for key in keys {
            let touched = &self.touched[&key];
            let Some(state) = &touched.entry.state else {
                continue;
            };
            let tag = touched.entry.tag.clone().expect("a state that was examined has its tag");
            if touched.tag_before.as_ref() != Some(&tag) {
                *counts.entry((key.kind, tag.clone())).or_default() += 1;
                if let Some(before) = &touched.tag_before {
                    *counts.entry((key.kind, before.clone())).or_default() -= 1;
                }
            }
            let row = EntityRow {
                key,
                version: touched.entry.version,
                tag,
                timer: touched.entry.timer.clone(),
                effects_open: touched.entry.effects_open.clone(),
                state: serde_json::to_string(state).expect("a state is plain data and always serialises"),
            };
            self.set.entities.push(EntityWrite { row, replaces: touched.replaces });
        }
        self.set.counts = counts.into_iter().filter(|(_, change)| *change != 0).collect();
        self.set.counts.sort_unstable();
        let unchanged = self.read.iter().filter(|key| !self.touched.contains_key(key));
        let versions = unchanged.filter_map(|key| Some((*key, lane.cache.get(*key)?.version)));
        self.set.reads = versions.collect();
        self.set.reads.sort_unstable();
        self.stage_rows(lane);
        if self.moves_matter {
            let moved = self.inbox.iter().filter(|(_, cursor)| cursor.seen > cursor.stored);
            let moves = moved.map(|(key, cursor)| InboxMove {
                key: key.clone(),
                from: cursor.stored,
                to: cursor.seen,
            });
            self.set.inbox = moves.collect();
            self.set.inbox.sort_unstable_by(|left, right| left.key.cmp(&right.key));
        }
    }
}

fn request_key<S: Service>(input: &Input<S>) -> Option<RequestKey> {
    let Input::Command(request) = input else {
        return None;
    };
    request.idempotency.as_ref().map(|idempotency| idempotency.request.clone())
}
