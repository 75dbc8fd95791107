//! The entities that a lane knows: two generations, the older one dropped when the younger is full.

use crate::log::EntityKey;
use crate::store::EntityRow;
use crate::timer::Timer;
use rustc_hash::FxHashMap;
use serde::de::DeserializeOwned;
use std::borrow::Cow;

/// Entities of one generation.
const GENERATION_MAX: usize = 50_000;

/// An entity as a lane knows it; version 0 and no state when there is none yet.
#[derive(Debug, Clone)]
pub(crate) struct Entry<State> {
    pub(crate) version: u64,
    pub(crate) state: Option<State>,
    pub(crate) tag: Option<Cow<'static, str>>,
    pub(crate) timer: Option<Timer>,
    pub(crate) effects_open: Vec<u64>,
}

impl<State> Entry<State> {
    pub(crate) fn absent() -> Self {
        Self { version: 0, state: None, tag: None, timer: None, effects_open: Vec::new() }
    }
}

impl<State: DeserializeOwned> Entry<State> {
    pub(crate) fn from_row(row: Option<EntityRow>) -> Result<Self, String> {
        let Some(row) = row else { return Ok(Self::absent()) };
        let state = serde_json::from_str(&row.state)
            .map_err(|error| format!("the stored state of {} cannot be read: {error}", row.key))?;
        Ok(Self {
            version: row.version,
            state: Some(state),
            tag: Some(row.tag),
            timer: row.timer,
            effects_open: row.effects_open,
        })
    }
}

pub(crate) struct Cache<State> {
    young: FxHashMap<EntityKey, Entry<State>>,
    old: FxHashMap<EntityKey, Entry<State>>,
}

impl<State> Default for Cache<State> {
    fn default() -> Self {
        Self { young: FxHashMap::default(), old: FxHashMap::default() }
    }
}

impl<State> Cache<State> {
    pub(crate) fn get(&self, key: EntityKey) -> Option<&Entry<State>> {
        self.young.get(&key).or_else(|| self.old.get(&key))
    }

    pub(crate) fn put(&mut self, key: EntityKey, entry: Entry<State>) {
        self.young.insert(key, entry);
    }

    pub(crate) fn remove(&mut self, key: EntityKey) {
        self.young.remove(&key);
        self.old.remove(&key);
    }

    /// Makes room; called between batches, so that nothing a batch has loaded goes while it is decided.
    pub(crate) fn age(&mut self) {
        if self.young.len() > GENERATION_MAX {
            self.old = std::mem::take(&mut self.young);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}
