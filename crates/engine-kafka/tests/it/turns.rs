//! Turns to tell, which a test gives and takes.

use engine::lease::Lease;
use engine::store::Stored;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Who has each turn; whoever asks first, until it is taken away.
#[derive(Clone, Default)]
pub(crate) struct Turns(Arc<Mutex<Holders>>);

#[derive(Default)]
struct Holders {
    holders: BTreeMap<String, u64>,
    /// Who is given none.
    refused: Option<u64>,
}

impl Turns {
    pub(crate) fn of(&self, holder: u64) -> Box<dyn Lease> {
        Box::new(Turn { turns: self.clone(), holder })
    }

    /// This one has no turn from now on, as if it had been away for too long.
    pub(crate) fn take_from(&self, holder: u64) {
        let mut holders = self.0.lock().unwrap();
        holders.refused = Some(holder);
        holders.holders.retain(|_, known| *known != holder);
    }
}

struct Turn {
    turns: Turns,
    holder: u64,
}

impl Lease for Turn {
    fn hold(&mut self, name: &str, _: u32) -> Stored<bool> {
        let mut holders = self.turns.0.lock().unwrap();
        if holders.refused == Some(self.holder) {
            return Ok(false);
        }
        Ok(*holders.holders.entry(name.to_owned()).or_insert(self.holder) == self.holder)
    }

    fn let_go(&mut self, name: &str) -> Stored<()> {
        let mut holders = self.turns.0.lock().unwrap();
        if holders.holders.get(name) == Some(&self.holder) {
            holders.holders.remove(name);
        }
        Ok(())
    }
}
