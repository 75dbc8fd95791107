//! A store with one promise broken, around one that keeps them all.

use engine::clock::Timestamp;
use engine::dead_letter::DeadLetter;
use engine::effect::Effect;
use engine::idempotency::{IdempotencyRow, RequestKey};
use engine::log::{EntityKey, LogId, ShardName};
use engine::store::{Commit, EntityRow, InboxKey, InboxMove, Rebuild, Store, Stored, WriteSet};
use engine::timer::DueTimer;
use engine::topic::{RELAY, TOPIC};
use std::collections::HashMap;

/// How often a bug strikes that would otherwise stop everything.
const STRIKES_EVERY: u64 = 5;

const READABLE: &str = "a store in memory can be read";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Bug {
    ForgetInbox,
    KeepOnlyPositions,
    LoseEffects,
    LoseTimers,
    SayDone,
    KeepHalf,
    BelieveTheBest,
    IgnoreVersions,
    ForgetKeys,
    DropNoPositions,
    ForgetOffsets,
    ForgetHeard,
    FenceNobody,
    KeepOldRows,
}

struct Broken {
    sound: Box<dyn Store>,
    bug: Bug,
    commits: u64,
    /// The inboxes as they were when they were read first.
    rows: HashMap<ShardName, Vec<(InboxKey, u64)>>,
}

fn broken(sound: Box<dyn Store>, bug: Bug) -> Box<dyn Store> {
    Box::new(Broken { sound, bug, commits: 0, rows: HashMap::new() })
}

pub(crate) fn forget_inbox(sound: Box<dyn Store>) -> Box<dyn Store> {
    broken(sound, Bug::ForgetInbox)
}

pub(crate) fn keep_only_positions(sound: Box<dyn Store>) -> Box<dyn Store> {
    broken(sound, Bug::KeepOnlyPositions)
}

pub(crate) fn lose_effects(sound: Box<dyn Store>) -> Box<dyn Store> {
    broken(sound, Bug::LoseEffects)
}

pub(crate) fn lose_timers(sound: Box<dyn Store>) -> Box<dyn Store> {
    broken(sound, Bug::LoseTimers)
}

pub(crate) fn say_done(sound: Box<dyn Store>) -> Box<dyn Store> {
    broken(sound, Bug::SayDone)
}

pub(crate) fn keep_half(sound: Box<dyn Store>) -> Box<dyn Store> {
    broken(sound, Bug::KeepHalf)
}

pub(crate) fn believe_the_best(sound: Box<dyn Store>) -> Box<dyn Store> {
    broken(sound, Bug::BelieveTheBest)
}

pub(crate) fn ignore_versions(sound: Box<dyn Store>) -> Box<dyn Store> {
    broken(sound, Bug::IgnoreVersions)
}

pub(crate) fn forget_keys(sound: Box<dyn Store>) -> Box<dyn Store> {
    broken(sound, Bug::ForgetKeys)
}

pub(crate) fn drop_no_positions(sound: Box<dyn Store>) -> Box<dyn Store> {
    broken(sound, Bug::DropNoPositions)
}

pub(crate) fn forget_offsets(sound: Box<dyn Store>) -> Box<dyn Store> {
    broken(sound, Bug::ForgetOffsets)
}

pub(crate) fn forget_heard(sound: Box<dyn Store>) -> Box<dyn Store> {
    broken(sound, Bug::ForgetHeard)
}

pub(crate) fn fence_nobody(sound: Box<dyn Store>) -> Box<dyn Store> {
    broken(sound, Bug::FenceNobody)
}

pub(crate) fn keep_old_rows(sound: Box<dyn Store>) -> Box<dyn Store> {
    broken(sound, Bug::KeepOldRows)
}

impl Broken {
    fn tamper(&mut self, set: &mut WriteSet) {
        match self.bug {
            Bug::ForgetInbox => set.inbox.clear(),
            Bug::KeepOnlyPositions if set.shard.service == "view" => {
                set.entities.clear();
                set.counts.clear();
            }
            Bug::LoseEffects => set.effects_new.clear(),
            Bug::LoseTimers => set.entities.iter_mut().for_each(|write| write.row.timer = None),
            Bug::IgnoreVersions => self.replace_whatever_there_is(set),
            Bug::ForgetKeys => set.idempotency.clear(),
            Bug::ForgetOffsets => set.inbox.retain(|step| step.key.source.service != TOPIC),
            Bug::ForgetHeard => {
                set.inbox.retain(|step| [TOPIC, RELAY].contains(&&*step.key.source.service));
            }
            Bug::FenceNobody => self.move_from_wherever_it_stands(set),
            Bug::KeepOnlyPositions
            | Bug::SayDone
            | Bug::KeepHalf
            | Bug::BelieveTheBest
            | Bug::KeepOldRows
            | Bug::DropNoPositions => {}
        }
    }

    fn move_from_wherever_it_stands(&mut self, set: &mut WriteSet) {
        let rows = self.sound.inbox(set.shard).expect(READABLE);
        for step in &mut set.inbox {
            step.from = rows.iter().find(|(key, _)| *key == step.key).map_or(0, |(_, row)| *row);
        }
    }

    fn replace_whatever_there_is(&mut self, set: &mut WriteSet) {
        set.reads.clear();
        let keys: Vec<EntityKey> = set.entities.iter().map(|write| write.row.key).collect();
        let rows = self.sound.load(set.shard.service, &keys).expect(READABLE);
        for (write, row) in set.entities.iter_mut().zip(rows) {
            write.replaces = row.map_or(0, |row| row.version);
        }
    }

    /// The positions that the sets would have come to.
    fn as_if_done(&mut self, sets: &[WriteSet]) -> Commit {
        let mut last = Vec::new();
        for set in sets {
            last.push(self.sound.last_position(set.shard).expect(READABLE) + set.events.len() as u64);
        }
        Commit::Done(last)
    }
}

impl Store for Broken {
    fn commit(&mut self, sets: &[WriteSet]) -> Commit {
        self.commits += 1;
        let strikes = self.bug == Bug::FenceNobody || self.commits.is_multiple_of(STRIKES_EVERY);
        if !strikes {
            return self.sound.commit(sets);
        }
        match self.bug {
            Bug::SayDone => self.as_if_done(sets),
            Bug::KeepHalf if sets.len() > 1 => {
                let done = self.as_if_done(sets);
                let half = self.sound.commit(&sets[..1]);
                if matches!(half, Commit::Done(_)) { done } else { half }
            }
            Bug::ForgetInbox
            | Bug::KeepOnlyPositions
            | Bug::LoseEffects
            | Bug::LoseTimers
            | Bug::KeepHalf
            | Bug::BelieveTheBest
            | Bug::IgnoreVersions
            | Bug::ForgetKeys
            | Bug::ForgetOffsets
            | Bug::ForgetHeard
            | Bug::FenceNobody
            | Bug::KeepOldRows
            | Bug::DropNoPositions => {
                let mut tampered = sets.to_vec();
                tampered.iter_mut().for_each(|set| self.tamper(set));
                self.sound.commit(&tampered)
            }
        }
    }

    fn resolve(&mut self, sets: &[WriteSet]) -> Stored<Commit> {
        if self.bug == Bug::BelieveTheBest {
            return Ok(self.as_if_done(sets));
        }
        self.sound.resolve(sets)
    }

    fn log(&self) -> LogId {
        self.sound.log()
    }

    fn is_exclusive(&self) -> bool {
        self.sound.is_exclusive()
    }

    fn load(&mut self, service: &'static str, keys: &[EntityKey]) -> Stored<Vec<Option<EntityRow>>> {
        self.sound.load(service, keys)
    }

    fn recall(&mut self, service: &'static str, keys: &[RequestKey]) -> Stored<Vec<Option<IdempotencyRow>>> {
        self.sound.recall(service, keys)
    }

    fn inbox(&mut self, shard: ShardName) -> Stored<Vec<(InboxKey, u64)>> {
        let rows = self.sound.inbox(shard)?;
        if self.bug == Bug::KeepOldRows {
            return Ok(self.rows.entry(shard).or_insert(rows).clone());
        }
        Ok(rows)
    }

    fn last_position(&mut self, shard: ShardName) -> Stored<u64> {
        self.sound.last_position(shard)
    }

    fn published_last(&mut self, service: &'static str, keys: &[EntityKey]) -> Stored<Vec<u64>> {
        self.sound.published_last(service, keys)
    }

    fn traces(&mut self, service: &'static str, wanted: &[(EntityKey, u64)]) -> Stored<Vec<Option<String>>> {
        self.sound.traces(service, wanted)
    }

    fn timers_due(&mut self, shard: ShardName, now: Timestamp, limit: usize) -> Stored<Vec<DueTimer>> {
        self.sound.timers_due(shard, now, limit)
    }

    fn effects_due(&mut self, shard: ShardName, now: Timestamp, limit: usize) -> Stored<Vec<Effect>> {
        self.sound.effects_due(shard, now, limit)
    }

    fn dead_letters(&mut self, shard: ShardName, entity_id: Option<u64>) -> Stored<Vec<DeadLetter>> {
        self.sound.dead_letters(shard, entity_id)
    }

    fn dead_letter(&mut self, shard: ShardName, number: u64) -> Stored<Option<DeadLetter>> {
        self.sound.dead_letter(shard, number)
    }

    fn reserve(&mut self, service: &'static str, count: u32, least: u64) -> Stored<u64> {
        self.sound.reserve(service, count, least)
    }

    fn clock(&mut self) -> Stored<Option<Timestamp>> {
        self.sound.clock()
    }

    fn answered_last(&mut self) -> Stored<Option<Timestamp>> {
        self.sound.answered_last()
    }

    fn prune(&mut self, before: Timestamp) -> Stored<u64> {
        self.sound.prune(before)
    }

    fn prune_skipped(&mut self, before: Timestamp) -> Stored<u64> {
        self.sound.prune_skipped(before)
    }

    fn rebuild(&mut self, service: &'static str) -> Stored<Option<(u64, Rebuild)>> {
        self.sound.rebuild(service)
    }

    fn begin_rebuild(&mut self, service: &'static str) -> Stored<u64> {
        self.sound.begin_rebuild(service)
    }

    fn drop_some(&mut self, service: &'static str, limit: usize) -> Stored<Rebuild> {
        let first = ShardName { service, index: 0 };
        let read = self.sound.inbox(first)?;
        let stage = self.sound.drop_some(service, limit)?;
        if self.bug == Bug::DropNoPositions && stage == Rebuild::Reading {
            let mut set = WriteSet::new(first, u64::MAX);
            set.inbox = read.into_iter().map(|(key, to)| InboxMove { key, from: 0, to }).collect();
            assert!(matches!(self.sound.commit(&[set]), Commit::Done(_)));
        }
        Ok(stage)
    }

    fn end_rebuild(&mut self, service: &'static str, number: u64) -> Stored<bool> {
        self.sound.end_rebuild(service, number)
    }
}
