//! Connections for reading: so many at most, lent to who asks, opened when they are first needed and again when they broke.

use crate::failure::{Answer, Failure};
use crate::layout::Layout;
use crate::server::Server;
use crate::session::{Purpose, Session};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Of all connections, those that are kept for who must not wait behind the others.
const RESERVED: usize = 2;

/// How long one waits for a connection.
const LEND_WAIT_MAX: Duration = Duration::from_secs(5);

/// Who asks for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// One of many, who may have to wait for each other.
    Many,
    /// One who must not wait behind them.
    Apart,
}

pub(crate) struct Pool {
    pub(crate) layout: Arc<Layout>,
    server: Arc<Server>,
    connections_max: usize,
    state: Mutex<State>,
    returned: Condvar,
    /// That the server turns connections away was said, and it has not let one in since.
    is_warned: AtomicBool,
}

#[derive(Default)]
struct State {
    idle: Vec<Session>,
    lent: usize,
    lent_to_many: usize,
}

impl State {
    fn is_full(&self, connections_max: usize, who: Who) -> bool {
        let for_many = connections_max.saturating_sub(RESERVED).max(1);
        self.lent >= connections_max || (who == Who::Many && self.lent_to_many >= for_many)
    }
}

/// A connection of the pool, which goes back when it is dropped, unless it broke.
pub(crate) struct Lent<'a> {
    pool: &'a Pool,
    who: Who,
    session: Option<Session>,
}

impl Lent<'_> {
    pub(crate) fn session(&self) -> &Session {
        self.session.as_ref().expect("it is taken out only when it is dropped")
    }

    pub(crate) fn replace(&mut self, session: Session) {
        self.session = Some(session);
    }

    /// It is in a state in which nobody else can use it.
    pub(crate) fn give_up(&mut self) {
        self.session = None;
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.state();
        state.lent -= 1;
        if self.who == Who::Many {
            state.lent_to_many -= 1;
        }
        state.idle.extend(self.session.take().filter(|session| !session.is_broken()));
        drop(state);
        self.pool.returned.notify_all();
    }
}

impl Pool {
    pub(crate) fn new(layout: Arc<Layout>, server: Arc<Server>, connections_max: usize) -> Self {
        Self {
            layout,
            server,
            connections_max: connections_max.max(1),
            state: Mutex::default(),
            returned: Condvar::new(),
            is_warned: AtomicBool::new(false),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn lend(&self, who: Who) -> Answer<Lent<'_>> {
        let is_full = |state: &mut State| state.is_full(self.connections_max, who);
        let waited = self.returned.wait_timeout_while(self.state(), LEND_WAIT_MAX, is_full);
        let (mut state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return Err(Failure::Busy(format!("{} others are reading", state.lent)));
        }
        state.lent += 1;
        if who == Who::Many {
            state.lent_to_many += 1;
        }
        let idle = state.idle.pop();
        drop(state);
        let mut lent = Lent { pool: self, who, session: idle };
        if lent.session.is_none() {
            lent.session = Some(self.connect()?);
        }
        Ok(lent)
    }

    /// Another connection, whatever there is; what waits unused may have broken with the one that did.
    pub(crate) fn connect(&self) -> Answer<Session> {
        let connected = self.layout.connect(&self.server, Purpose::Reading);
        match &connected {
            Ok(_) => self.is_warned.store(false, Ordering::Relaxed),
            Err(failure) => {
                if !self.is_warned.swap(true, Ordering::Relaxed) {
                    tracing::warn!(?failure, "no connection for reading can be had from PostgreSQL");
                }
            }
        }
        connected
    }

    /// Reads something. What was lost while nobody used it is noticed only now, so that is tried once more.
    pub(crate) fn read<T>(&self, who: Who, read: impl Fn(&Session, &Layout) -> Answer<T>) -> Answer<T> {
        let mut lent = self.lend(who)?;
        match read(lent.session(), &self.layout) {
            Err(failure) if failure.is_of_connection() => {
                self.state().idle.clear();
                lent.give_up();
                let session = lent.session.insert(self.connect()?);
                read(session, &self.layout)
            }
            answer => answer,
        }
    }
}
