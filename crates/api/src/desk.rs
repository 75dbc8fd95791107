//! Reads that may block, on few threads: each goes on while there is more to read, so that not every read wakes one.

use engine::log::EntityKey;
use engine::store::{EntityRow, Reader, StoreError};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::detail::Detail;
use crate::gather::Gather;
use crate::problem::Problem;

/// More threads than this only take the processor and the store's connections from each other.
const THREADS_MAX: usize = 4;
/// What operators ask for may read much, and must not keep riders and drivers waiting.
const OPERATOR_THREADS_MAX: usize = 2;
/// Who comes when so many wait already is sent away.
pub(crate) const WAITING_MAX: usize = 16_384;

/// How long one who asks waits for a read, behind others or for a store that does not answer: well within what a gateway
/// waits for us. Operators wait as long as it takes.
const READ_WAIT_MAX: Duration = Duration::from_secs(5);

type Job = Box<dyn FnOnce() + Send>;

pub(crate) struct Desk {
    threads_max: usize,
    wait_max: Duration,
    state: Mutex<State>,
    rows: Arc<Gather<Option<EntityRow>>>,
    published: Arc<Gather<u64>>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    threads: usize,
}

impl Desk {
    pub(crate) fn for_everybody() -> Arc<Self> {
        Self::with(THREADS_MAX, READ_WAIT_MAX)
    }

    pub(crate) fn for_operators() -> Arc<Self> {
        Self::with(OPERATOR_THREADS_MAX, Duration::MAX)
    }

    fn with(threads_max: usize, wait_max: Duration) -> Arc<Self> {
        Arc::new(Self {
            threads_max,
            wait_max,
            state: Mutex::default(),
            rows: Gather::of(|reader, service, keys| reader.rows(service, keys)),
            published: Gather::of(|reader, service, keys| reader.published_last(service, keys)),
        })
    }

    /// The row of an entity of a service, read together with those that others want at the same time.
    pub(crate) async fn row(
        self: &Arc<Self>,
        reader: &Arc<dyn Reader>,
        service: &'static str,
        key: EntityKey,
    ) -> Result<Option<EntityRow>, Problem> {
        self.rows.ask(self, reader, (service, key)).await
    }

    /// The position of the last published event of an entity, likewise; 0 for none.
    pub(crate) async fn published_last(
        self: &Arc<Self>,
        reader: &Arc<dyn Reader>,
        service: &'static str,
        key: EntityKey,
    ) -> Result<u64, Problem> {
        self.published.ask(self, reader, (service, key)).await
    }

    /// Does the work on a thread that may block: a store is a file, and a file may be slow.
    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let (tell, told) = oneshot::channel();
        self.give(Box::new(move || {
            // For whoever has gone, nothing is read.
            if !tell.is_closed() {
                let _ = tell.send(work());
            }
        }))?;
        self.wait(told).await
    }

    /// Waits for what was read, but not for ever.
    pub(crate) async fn wait<T>(&self, told: oneshot::Receiver<Result<T, Problem>>) -> Result<T, Problem> {
        match timeout(self.wait_max, told).await {
            Ok(Ok(read)) => read,
            Ok(Err(_)) => Err(Problem::internal("a read broke off")),
            Err(_) => {
                let why = format!("it has not answered within {} s", self.wait_max.as_secs());
                Err(Problem::unreadable(&StoreError::Unavailable(why)))
            }
        }
    }

    pub(crate) fn give(self: &Arc<Self>, job: Job) -> Result<(), Problem> {
        let mut state = self.state();
        if state.waiting.len() >= WAITING_MAX {
            return Err(Problem::too_busy(Detail::ReadersWait));
        }
        state.waiting.push_back(job);
        if state.threads < self.threads_max {
            state.threads += 1;
            let desk = self.clone();
            tokio::task::spawn_blocking(move || desk.work());
        }
        Ok(())
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            // A read that panics is told as broken off, and the next one is none the worse for it.
            let _ = catch_unwind(AssertUnwindSafe(job));
        }
    }

    /// The thread is counted off in the same moment in which nothing waits, or someone could wait for nobody.
    fn next(&self) -> Option<Job> {
        let mut state = self.state();
        let job = state.waiting.pop_front();
        if job.is_none() {
            state.threads -= 1;
        }
        job
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[tokio::test]
    async fn a_read_that_panics_is_told_and_the_next_ones_are_read() {
        let desk = Desk::for_everybody();
        for _ in 0..=THREADS_MAX {
            let broken: Result<u32, Problem> = desk.read(|| panic!("a bug in a read")).await;
            assert!(broken.is_err());
        }
        let read = |number| {
            let desk = desk.clone();
            tokio::spawn(async move { desk.read(move || Ok(number)).await })
        };
        let reads: Vec<_> = (0..1_000).map(|number| (number, read(number))).collect();
        for (number, read) in reads {
            assert!(matches!(read.await.unwrap(), Ok(read) if read == number));
        }
    }

    #[tokio::test]
    async fn who_waits_too_long_is_told_and_what_nobody_waits_for_is_not_read() {
        let desk = Desk::with(1, Duration::from_millis(20));
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let held = desk.read(move || {
            // It goes on when the sender goes.
            let _ = gate.recv();
            Ok(())
        });
        assert!(held.await.is_err());
        let is_read = Arc::new(AtomicBool::new(false));
        let note = is_read.clone();
        let late = desk.read(move || {
            note.store(true, Ordering::SeqCst);
            Ok(())
        });
        assert!(late.await.is_err());
        drop(open);
        while desk.read(|| Ok(7)).await.ok() != Some(7) {}
        assert!(!is_read.load(Ordering::SeqCst), "nobody waited for it any more");
    }
}
