//! Every entity's events from its first to its last, folded again, beside its row.

use super::{Check, Effects, Look, Recording, differences};
use crate::Service;
use crate::dead_letter::own_key;
use crate::log::{EntityKey, Recorded};
use crate::store::{StoreError, Stored, Visit};
use std::fmt;

/// What the pass over the events came to.
pub(super) struct History {
    pub(super) checks: Vec<Check>,
    /// Entities that have events.
    pub(super) entities: u64,
    /// Those of them that have a row as well.
    pub(super) rows_found: u64,
}

struct Checks {
    readable: Check,
    versions: Check,
    rows: Check,
    counted: Check,
    folded: Check,
}

/// The entity whose events are coming.
struct Current<State> {
    key: EntityKey,
    /// Events so far.
    events: u64,
    /// The version of the last of them.
    version: u64,
    state: Option<State>,
    /// Not every event could be read, so what was folded says nothing.
    is_torn: bool,
}

pub(super) fn fold<S: Service>(look: &Look<'_, S>, effects: &mut Effects) -> Stored<History> {
    let mut pass = Pass {
        look,
        effects,
        checks: Checks {
            readable: look.check("events readable"),
            versions: look.check("versions gapless"),
            rows: look.check("entity of every event"),
            counted: look.check("version = number of events"),
            folded: look.check("state = its events"),
        },
        current: None,
        entities: 0,
        rows_found: 0,
    };
    let mut failed: Stored<()> = Ok(());
    look.snapshot.events_by_entity(look.name, &mut |event| {
        failed = pass.take(&event);
        if failed.is_ok() { Visit::On } else { Visit::Enough }
    })?;
    failed?;
    pass.close()?;
    let Checks { readable, versions, rows, counted, folded } = pass.checks;
    let mut checks = Vec::new();
    if look.recording == Recording::Events || pass.entities > 0 {
        checks.extend([readable, versions, rows, counted, folded]);
    }
    Ok(History { checks, entities: pass.entities, rows_found: pass.rows_found })
}

struct Pass<'a, 'b, S: Service> {
    look: &'b Look<'a, S>,
    effects: &'b mut Effects,
    checks: Checks,
    current: Option<Current<S::State>>,
    entities: u64,
    rows_found: u64,
}

impl<S: Service> Pass<'_, '_, S> {
    fn take(&mut self, event: &Recorded) -> Stored<()> {
        let kinds = self.look.service.kinds();
        let Some(key) = own_key(kinds, &event.entity_kind, event.entity_id) else {
            self.checks
                .readable
                .expect(false, Place(event), || format!("the service owns no {:?}", event.entity_kind));
            return Ok(());
        };
        if self.current.as_ref().is_none_or(|current| current.key != key) {
            self.close()?;
            self.entities += 1;
            self.current = Some(Current { key, events: 0, version: 0, state: None, is_torn: false });
        }
        self.add(key, event);
        Ok(())
    }

    fn add(&mut self, key: EntityKey, event: &Recorded) {
        let current = self.current.as_mut().expect("it was begun for this key");
        let expected = current.version + 1;
        self.checks.versions.expect(event.version == expected, Place(event), || {
            format!("{key} has version {} where {expected} should be", event.version)
        });
        current.version = event.version;
        current.events += 1;
        for open in self.effects.of.get_mut(&key).into_iter().flatten() {
            if open.effect.wanted_at() == event.version {
                open.wanted_at = Some(event.at);
            }
        }
        let decoded = self.look.service.decode(event);
        self.checks.readable.seen += 1;
        match decoded {
            Err(unreadable) => {
                current.is_torn = true;
                self.checks.readable.broken(Place(event), unreadable);
            }
            Ok(decoded) if !current.is_torn => {
                let before = current.state.take();
                current.state = self.look.service.evolve(key, before, &decoded, event.at);
            }
            Ok(_) => {}
        }
    }

    /// All events of an entity were seen: its row must say the same.
    fn close(&mut self) -> Stored<()> {
        let Some(current) = self.current.take() else {
            return Ok(());
        };
        let key = current.key;
        let row = self.look.snapshot.entity(self.look.name, key)?;
        self.checks
            .rows
            .expect(row.is_some(), key, || format!("it has {} events and no row", current.events));
        let Some(row) = row else { return Ok(()) };
        self.rows_found += 1;
        let (version, events) = (row.version, current.events);
        self.checks.counted.expect(version == events, key, || {
            format!("its row has version {version}, its log {events} events")
        });
        if current.is_torn {
            return Ok(());
        }
        let folded = current.state.as_ref().map(serde_json::to_string);
        let folded = folded.transpose().map_err(|error| {
            StoreError::Fatal(format!("the state of {key}, folded again, does not serialise: {error}"))
        })?;
        let folded = folded.unwrap_or_else(|| "nothing".to_owned());
        self.checks.folded.expect(row.state == folded, key, || {
            format!("its row and its events differ in {}", differences(&row.state, &folded))
        });
        Ok(())
    }
}

/// Rows that no event tells of: looked for only where there are more rows than entities with events.
pub(super) fn untold<S: Service>(look: &Look<'_, S>) -> Stored<Check> {
    let mut check = look.check("events of every entity");
    let mut failed: Stored<()> = Ok(());
    look.snapshot.entities(look.name, &mut |row| match look.snapshot.story(look.name, row.key.id) {
        Ok(story) => {
            let is_told = story.iter().any(|event| event.entity_kind == row.key.kind);
            check.expect(is_told, row.key, || {
                format!("its row has version {} and no event tells of it", row.version)
            });
            Visit::On
        }
        Err(error) => {
            failed = Err(error);
            Visit::Enough
        }
    })?;
    failed?;
    Ok(check)
}

/// Where an event stands, in its entity's life and in the log.
struct Place<'a>(&'a Recorded);

impl fmt::Display for Place<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let event = self.0;
        write!(
            formatter,
            "{}/{} version {} ({}/{} position {})",
            event.entity_kind,
            event.entity_id,
            event.version,
            event.source.service,
            event.source.shard,
            event.position
        )
    }
}
