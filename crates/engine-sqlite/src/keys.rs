//! Which idempotency keys were used: an index in memory over records that are only ever appended.
//!
//! Random keys in a B-tree on disk would dirty a page each. Where one process owns the file, some 40 bytes in memory do.

use engine::idempotency::RequestKey;
use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::{BuildHasher, Hasher};

/// Two hashes with secret seeds: what a client sends cannot be made to meet another's.
type Digest = (u64, u64);

/// Keys that are remembered at once, in about a gigabyte of memory.
pub(crate) const KEYS_MAX: usize = 20_000_000;

#[derive(Debug, Default)]
pub(crate) struct Keys {
    seeds: (RandomState, RandomState),
    /// The number of the record of each key.
    numbers: HashMap<Digest, i64>,
}

impl Keys {
    pub(crate) fn digest(&self, route: &str, key: &str) -> Digest {
        let hash = |seed: &RandomState| {
            let mut hasher = seed.build_hasher();
            hasher.write_usize(route.len());
            hasher.write(route.as_bytes());
            hasher.write(key.as_bytes());
            hasher.finish()
        };
        (hash(&self.seeds.0), hash(&self.seeds.1))
    }

    pub(crate) fn has_room(&self) -> bool {
        self.numbers.len() < KEYS_MAX
    }

    pub(crate) fn number(&self, request: &RequestKey) -> Option<i64> {
        self.numbers.get(&self.digest(request.route, &request.key)).copied()
    }

    /// Remembers a key; `None` when it is there already.
    pub(crate) fn add(&mut self, (route, key): (&str, &str), number: i64) -> Option<Digest> {
        let digest = self.digest(route, key);
        match self.numbers.entry(digest) {
            Entry::Occupied(_) => None,
            Entry::Vacant(vacant) => {
                vacant.insert(number);
                Some(digest)
            }
        }
    }

    pub(crate) fn remove(&mut self, digest: Digest) {
        self.numbers.remove(&digest);
    }

    pub(crate) fn forget(&mut self, route: &str, key: &str) {
        self.numbers.remove(&self.digest(route, key));
    }
}
