//! How many connections to the server there are and were, for whoever watches over them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counted for all connections of one opened database.
#[derive(Debug, Default)]
pub struct Connections {
    open: AtomicU64,
    opened: AtomicU64,
    failed: AtomicU64,
}

/// What was counted so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// Open now.
    pub open: u64,
    /// Opened since the start; more than are open says that some were lost, or given up.
    pub opened: u64,
    /// Attempts that failed.
    pub failed: u64,
}

impl Connections {
    pub fn counted(&self) -> Counted {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counted { open: get(&self.open), opened: get(&self.opened), failed: get(&self.failed) }
    }

    pub(crate) fn fail(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn begin(self: &Arc<Self>) -> Open {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.opened.fetch_add(1, Ordering::Relaxed);
        Open(self.clone())
    }
}

/// One connection, for as long as it is kept.
pub(crate) struct Open(Arc<Connections>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_counts_as_open_while_it_is_kept() {
        let connections = Arc::new(Connections::default());
        let (first, second) = (connections.begin(), connections.begin());
        connections.fail();
        drop(first);
        assert_eq!(connections.counted(), Counted { open: 1, opened: 2, failed: 1 });
        drop(second);
        assert_eq!(connections.counted().open, 0);
    }
}
