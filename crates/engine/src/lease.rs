//! The port to a turn among replicas: it saves work that one of them is enough for, and nothing rests on it.

use crate::store::Stored;

pub trait Lease: Send {
    /// Takes the turn, or keeps it, for so long from now by the store's clock. `false` when another has it.
    fn hold(&mut self, name: &str, for_ms: u32) -> Stored<bool>;

    /// Gives it back, if it is held.
    fn let_go(&mut self, name: &str) -> Stored<()>;
}

/// For whoever is alone.
pub struct Alone;

impl Lease for Alone {
    fn hold(&mut self, _: &str, _: u32) -> Stored<bool> {
        Ok(true)
    }

    fn let_go(&mut self, _: &str) -> Stored<()> {
        Ok(())
    }
}
