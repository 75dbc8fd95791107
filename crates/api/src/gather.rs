//! What many ask of single entities, asked together: who comes while a question is on its way joins the next one.

use engine::log::EntityKey;
use engine::store::{Reader, Stored};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

use crate::desk::{Desk, WAITING_MAX};
use crate::detail::Detail;
use crate::problem::Problem;

/// Questions of a service that are on their way at once. With one alone a slow one would hold up everybody; with many, each
/// would be about one entity, and a database does more for a question than for a row.
const QUESTIONS_MAX: usize = 2;

/// Entities that one question asks about.
const ASKED_MAX: usize = 256;

/// What is asked of each entity, for many at once.
pub(crate) type Question<T> = fn(&dyn Reader, &'static str, &[EntityKey]) -> Stored<Vec<T>>;

pub(crate) struct Gather<T> {
    question: Question<T>,
    services: Mutex<BTreeMap<&'static str, Waiting<T>>>,
}

struct Waiting<T> {
    asks: Vec<Ask<T>>,
    questions: usize,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self { asks: Vec::new(), questions: 0 }
    }
}

struct Ask<T> {
    key: EntityKey,
    tell: oneshot::Sender<Result<T, Problem>>,
}

impl<T: Send + 'static> Gather<T> {
    pub(crate) fn of(question: Question<T>) -> Arc<Self> {
        Arc::new(Self { question, services: Mutex::default() })
    }

    /// Asks of one entity. What was committed before is seen: a question is put after those who are in it have come.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        desk: &Arc<Desk>,
        reader: &Arc<dyn Reader>,
        (service, key): (&'static str, EntityKey),
    ) -> Result<T, Problem> {
        let (tell, told) = oneshot::channel();
        if self.join(service, Ask { key, tell })? {
            let (gather, reader) = (self.clone(), reader.clone());
            if let Err(problem) = desk.give(Box::new(move || gather.work(&*reader, service))) {
                self.leave(service);
                return Err(problem);
            }
        }
        desk.wait(told).await
    }

    /// Whether somebody is wanted who puts the question.
    fn join(&self, service: &'static str, ask: Ask<T>) -> Result<bool, Problem> {
        let mut services = self.services();
        let waiting = services.entry(service).or_default();
        if waiting.asks.len() >= WAITING_MAX {
            return Err(Problem::too_busy(Detail::ReadersWait));
        }
        waiting.asks.push(ask);
        let is_wanted = waiting.questions < QUESTIONS_MAX;
        waiting.questions += usize::from(is_wanted);
        Ok(is_wanted)
    }

    /// Nobody was found who would put the question. Where nobody else is at it, those who wait are sent away.
    fn leave(&self, service: &'static str) {
        let mut services = self.services();
        let waiting = services.entry(service).or_default();
        waiting.questions -= 1;
        if waiting.questions > 0 {
            return;
        }
        for ask in waiting.asks.drain(..) {
            // Whoever asked may have gone.
            let _ = ask.tell.send(Err(Problem::too_busy(Detail::ReadersWait)));
        }
    }

    fn work(&self, reader: &dyn Reader, service: &'static str) {
        while let Some(asks) = self.next(service) {
            let keys: Vec<EntityKey> = asks.iter().map(|ask| ask.key).collect();
            // A read that panics is told as broken off, and the next one is none the worse for it.
            match catch_unwind(AssertUnwindSafe(|| (self.question)(reader, service, &keys))) {
                Ok(Ok(found)) => {
                    for (ask, found) in asks.into_iter().zip(found) {
                        let _ = ask.tell.send(Ok(found));
                    }
                }
                Ok(Err(error)) => {
                    for ask in asks {
                        let _ = ask.tell.send(Err(Problem::unreadable(&error)));
                    }
                }
                Err(_) => drop(asks),
            }
        }
    }

    /// Who puts questions is counted off in the same moment in which nobody waits, or someone could wait for nobody.
    fn next(&self, service: &'static str) -> Option<Vec<Ask<T>>> {
        let mut services = self.services();
        let waiting = services.entry(service).or_default();
        // For whoever has gone, nothing is read.
        waiting.asks.retain(|ask| !ask.tell.is_closed());
        if waiting.asks.is_empty() {
            waiting.questions -= 1;
            return None;
        }
        let rest = waiting.asks.split_off(waiting.asks.len().min(ASKED_MAX));
        Some(std::mem::replace(&mut waiting.asks, rest))
    }

    fn services(&self) -> MutexGuard<'_, BTreeMap<&'static str, Waiting<T>>> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::clock::Timestamp;
    use engine::log::{LogId, Recorded, ShardName};
    use engine::store::{Backlog, EntityRow, Query, Snapshot, StoreError};
    use std::sync::Condvar;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// Notes how many were asked for together, and answers nothing until it is let.
    #[derive(Default)]
    struct Gate {
        questions: Mutex<Vec<usize>>,
        is_open: Mutex<bool>,
        opened: Condvar,
        is_broken: AtomicBool,
    }

    impl Gate {
        fn open(&self) {
            *self.is_open.lock().unwrap() = true;
            self.opened.notify_all();
        }
    }

    impl Reader for Gate {
        fn log(&self) -> LogId {
            LogId(1)
        }

        fn apart(&self) -> Arc<dyn Reader> {
            unreachable!("nobody asks for another")
        }

        fn get(&self, _: &'static str, _: EntityKey) -> Stored<Option<EntityRow>> {
            Ok(None)
        }

        fn rows(&self, _: &'static str, keys: &[EntityKey]) -> Stored<Vec<Option<EntityRow>>> {
            self.questions.lock().unwrap().push(keys.len());
            assert!(!keys.iter().any(|key| key.id == 13), "a bug in a read");
            drop(self.opened.wait_while(self.is_open.lock().unwrap(), |is_open| !*is_open).unwrap());
            if self.is_broken.load(Ordering::SeqCst) {
                return Err(StoreError::Unavailable("it is away".to_owned()));
            }
            Ok(keys.iter().map(|_| None).collect())
        }

        fn list(&self, _: &Query) -> Stored<Vec<EntityRow>> {
            Ok(Vec::new())
        }

        fn counts(&self, _: &'static str, _: &'static str) -> Stored<Vec<(String, u64)>> {
            Ok(Vec::new())
        }

        fn events_after(&self, _: ShardName, _: u64, _: usize) -> Stored<Vec<Recorded>> {
            Ok(Vec::new())
        }

        fn last_position(&self, _: ShardName) -> Stored<u64> {
            Ok(0)
        }

        fn backlog(&self, _: &'static str, _: Timestamp) -> Stored<Backlog> {
            Ok(Backlog::default())
        }

        fn armed(&self, _: &'static str, _: u32) -> Stored<Vec<EntityRow>> {
            Ok(Vec::new())
        }

        fn snapshot(&self) -> Stored<Box<dyn Snapshot + '_>> {
            unreachable!("nobody asks for a moment")
        }
    }

    /// The answer is the number that was asked for.
    fn numbers() -> Arc<Gather<u64>> {
        Gather::of(|reader, service, keys| {
            reader.rows(service, keys)?;
            Ok(keys.iter().map(|key| key.id).collect())
        })
    }

    /// Asks for entities `ids`, all before the first is answered.
    async fn ask_all(gate: &Arc<Gate>, ids: std::ops::Range<u64>) -> Vec<Result<u64, Problem>> {
        let gather = numbers();
        let (desk, reader): (_, Arc<dyn Reader>) = (Desk::for_everybody(), gate.clone());
        let asked: Vec<_> = ids
            .clone()
            .map(|id| {
                let (gather, desk, reader) = (gather.clone(), desk.clone(), reader.clone());
                let key = EntityKey { kind: "call", id };
                tokio::spawn(async move { gather.ask(&desk, &reader, ("call", key)).await })
            })
            .collect();
        let waits = || gather.services().get("call").map_or(0, |waiting| waiting.asks.len());
        let under_way = || gate.questions.lock().unwrap().iter().sum::<usize>();
        while waits() + under_way() < usize::try_from(ids.end - ids.start).unwrap() {
            tokio::task::yield_now().await;
        }
        gate.open();
        let mut answers = Vec::new();
        for asked in asked {
            answers.push(asked.await.unwrap());
        }
        answers
    }

    #[tokio::test]
    async fn who_comes_while_others_are_asked_for_is_asked_for_together_and_gets_its_own() {
        let gate = Arc::new(Gate::default());
        let answers = ask_all(&gate, 100..400).await;
        let found: Vec<u64> = answers.into_iter().map(|answer| answer.ok().unwrap()).collect();
        assert_eq!(found, (100..400).collect::<Vec<_>>());
        let questions = gate.questions.lock().unwrap().clone();
        assert_eq!(questions.iter().sum::<usize>(), 300, "each is asked for once: {questions:?}");
        assert!(questions.len() <= QUESTIONS_MAX + 2, "they are asked for together: {questions:?}");
        assert!(questions.iter().all(|asked| *asked <= ASKED_MAX), "{questions:?}");
    }

    #[tokio::test]
    async fn a_store_that_is_away_is_told_to_everybody() {
        let gate = Arc::new(Gate::default());
        gate.is_broken.store(true, Ordering::SeqCst);
        let answers = ask_all(&gate, 100..150).await;
        assert!(answers.iter().all(Result::is_err));
    }

    #[tokio::test]
    async fn a_read_that_panics_is_told_to_those_who_were_in_it_and_the_others_are_read() {
        let gate = Arc::new(Gate::default());
        gate.open();
        let (gather, desk, reader): (_, _, Arc<dyn Reader>) = (numbers(), Desk::for_everybody(), gate);
        let ask = async |id| gather.ask(&desk, &reader, ("call", EntityKey { kind: "call", id })).await;
        for _ in 0..=QUESTIONS_MAX {
            assert!(ask(13).await.is_err());
        }
        assert_eq!(ask(14).await.ok(), Some(14));
    }
}
