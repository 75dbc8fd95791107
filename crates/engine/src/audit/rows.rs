//! Every entity's row by itself: its state, tag, timer and open effects, and the counters over all of them.

use super::{Check, Effects, Look, OpenEffect, Recording};
use crate::Service;
use crate::clock::Timestamp;
use crate::store::{EntityRow, Rebuild, Stored, Visit};
use std::collections::{BTreeMap, BTreeSet};

/// How many entities of a kind there are under a tag.
pub(super) type Recount = BTreeMap<(&'static str, String), u64>;

/// What the pass over the rows came to.
pub(super) struct Rows {
    pub(super) checks: Vec<Check>,
    pub(super) entities: u64,
    pub(super) recount: Recount,
}

struct Checks {
    readable: Check,
    rules: Check,
    tags: Check,
    armed: Check,
    fired: Check,
    effects: Check,
}

pub(super) fn rows<S: Service>(look: &Look<'_, S>, effects: &mut Effects) -> Stored<Rows> {
    let mut checks = Checks {
        readable: look.check("states readable"),
        rules: look.check("states keep the rules"),
        tags: look.check("tags = states"),
        armed: look.check("one timer per open entity"),
        fired: look.check("timers fire"),
        effects: look.check("effects of every entity"),
    };
    let mut recount = Recount::new();
    let mut seen_effects = BTreeSet::new();
    let mut entities = 0;
    look.snapshot.entities(look.name, &mut |row| {
        entities += 1;
        match recount.get_mut(&(row.key.kind, row.tag.to_string())) {
            Some(count) => *count += 1,
            None => {
                recount.insert((row.key.kind, row.tag.to_string()), 1);
            }
        }
        examine(look, &mut checks, &row);
        let open = effects.of.get(&row.key).map_or(&[][..], Vec::as_slice);
        if !open.is_empty() {
            seen_effects.insert(row.key);
        }
        examine_effects(&mut checks.effects, &row, open);
        Visit::On
    })?;
    for key in effects.of.keys().filter(|key| !seen_effects.contains(key)) {
        checks.effects.broken(key, "it has effects that are not answered, and no row");
    }
    let Checks { readable, rules, tags, armed, fired, effects } = checks;
    Ok(Rows { checks: vec![readable, rules, tags, armed, fired, effects], entities, recount })
}

fn examine<S: Service>(look: &Look<'_, S>, checks: &mut Checks, row: &EntityRow) {
    let key = row.key;
    if look.recording == Recording::States {
        checks.readable.expect(row.version > 0, key, || "its version is 0".to_owned());
    } else {
        checks.readable.seen += 1;
    }
    let state: S::State = match serde_json::from_str(&row.state) {
        Ok(state) => state,
        Err(error) => return checks.readable.broken(key, error),
    };
    let kept = look.service.check(&state);
    checks.rules.expect(kept.is_ok(), key, || kept.err().unwrap_or_default());
    let tag = look.service.tag(&state);
    checks
        .tags
        .expect(row.tag == tag, key, || format!("its row is tagged {:?}, its state is {tag:?}", row.tag));
    let is_open = look.service.is_open(&state);
    checks.armed.expect(is_open == row.timer.is_some(), key, || {
        if is_open {
            format!("it is open ({tag}) and no timer is armed")
        } else {
            format!("it is closed ({tag}) and a timer is armed")
        }
    });
    if let Some(timer) = &row.timer {
        checks.fired.seen += 1;
        let overdue_ms = look.options.age_ms(timer.due);
        if overdue_ms > 0 {
            checks.fired.waits(
                overdue_ms,
                look.options,
                key,
                format!("its timer {:?} is overdue", timer.name),
            );
        }
    }
}

fn examine_effects(check: &mut Check, row: &EntityRow, open: &[OpenEffect]) {
    check.seen += open.len() as u64;
    let stored: Vec<u64> = open.iter().map(|open| open.effect.sequence).collect();
    if row.effects_open != stored {
        check.broken(
            row.key,
            format!("its row knows the open effects {:?}, stored are {stored:?}", row.effects_open),
        );
    }
    for (place, OpenEffect { effect, .. }) in open.iter().enumerate() {
        let what = format!("{} effect {} {}", row.key, effect.name, effect.sequence);
        let version = effect.wanted_at();
        if version == 0 || version > row.version {
            check
                .broken(&what, format!("it was wanted at version {version}, its entity has {}", row.version));
        }
        let is_begun = effect.attempts > 0;
        if is_begun != (effect.claimed_until > Timestamp(0)) {
            check.broken(
                &what,
                format!(
                    "it was begun {} times, and is claimed until {}",
                    effect.attempts, effect.claimed_until.0
                ),
            );
        }
        if is_begun && place > 0 {
            check.broken(&what, "it was begun before the one ahead of it was answered");
        }
    }
}

/// Effects that nobody has answered for long, or that nobody may begin for long.
pub(super) fn effects<S: Service>(look: &Look<'_, S>, effects: &Effects) -> Option<Check> {
    let mut check = look.check("effects answered");
    for (key, open) in &effects.of {
        for OpenEffect { effect, wanted_at } in open {
            check.seen += 1;
            let what = format!("{key} effect {} {}", effect.name, effect.sequence);
            let ahead_ms = effect.claimed_until.0.saturating_sub(look.options.now.0);
            if ahead_ms > look.options.late_after_ms {
                check.waits(ahead_ms, look.options, &what, "it is claimed, and will not be begun again");
                continue;
            }
            let age_ms = wanted_at.map_or(0, |at| look.options.age_ms(at));
            let detail = format!("begun {} times, unanswered", effect.attempts);
            check.waits(age_ms, look.options, &what, detail);
        }
    }
    (check.seen > 0 || look.recording == Recording::Events).then_some(check)
}

pub(super) fn counters<S: Service>(look: &Look<'_, S>, recount: &Recount) -> Stored<Check> {
    let mut check = look.check("counters = recount");
    if look.snapshot.rebuild(look.name)? == Some(Rebuild::Dropping) {
        // The counters go with the last of the entities.
        check.in_flight = recount.values().sum();
        return Ok(check);
    }
    for kind in look.schema.kinds {
        let stored = look.snapshot.counts(look.name, kind)?;
        let stored: BTreeMap<String, u64> = stored.into_iter().filter(|(_, count)| *count != 0).collect();
        let own = recount.iter().filter(|((known, _), _)| known == kind);
        let counted: BTreeMap<&str, u64> = own.map(|((_, tag), count)| (tag.as_str(), *count)).collect();
        let tags: BTreeSet<&str> = stored.keys().map(String::as_str).chain(counted.keys().copied()).collect();
        for tag in tags {
            let (says, is) = (stored.get(tag).copied().unwrap_or(0), counted.get(tag).copied().unwrap_or(0));
            check.expect(says == is, format!("{kind} tagged {tag:?}"), || {
                format!("its counter says {says}, there are {is}")
            });
        }
    }
    Ok(check)
}
