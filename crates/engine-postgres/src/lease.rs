//! Turns among replicas: a row with its holder and its end, by the database's clock.

use crate::failure::{Answer, Failure};
use crate::layout::Layout;
use crate::server::Server;
use crate::session::{Purpose, Session};
use engine::lease::Lease;
use engine::store::Stored;
use std::sync::Arc;

const HOLD: &str = "INSERT INTO engine.lease AS l (name, holder, until) \
    VALUES ($1, $2, clock_timestamp() + $3::bigint * interval '1 ms') \
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until \
    WHERE l.holder = excluded.holder OR l.until <= clock_timestamp() RETURNING 1";
const LET_GO: &str = "DELETE FROM engine.lease WHERE name = $1 AND holder = $2 RETURNING 1";

/// One replica's hand in it, with a connection of its own.
pub(crate) struct Turns {
    layout: Arc<Layout>,
    server: Arc<Server>,
    session: Option<Session>,
    holder: i64,
}

impl Turns {
    pub(crate) fn new(layout: Arc<Layout>, server: Arc<Server>, holder: u64) -> Self {
        Self { layout, server, session: None, holder: holder.cast_signed() }
    }

    /// Both statements come to the same when they are run twice.
    fn ask(&mut self, sql: &str, name: &str, for_ms: Option<i64>) -> Answer<bool> {
        let mut answer = Err(Failure::Lost(String::new()));
        for _ in 0..2 {
            if self.session.as_ref().is_none_or(Session::is_broken) {
                self.session = Some(self.layout.connect(&self.server, Purpose::Writing)?);
            }
            let Some(session) = &self.session else { break };
            let mut parameters = vec![Box::new(name) as _, Box::new(self.holder) as _];
            if let Some(for_ms) = for_ms {
                parameters.push(Box::new(for_ms) as _);
            }
            answer = session.query(sql, parameters).map(|rows| !rows.is_empty());
            if !answer.as_ref().is_err_and(Failure::is_of_connection) {
                break;
            }
        }
        answer
    }
}

impl Lease for Turns {
    fn hold(&mut self, name: &str, for_ms: u32) -> Stored<bool> {
        self.ask(HOLD, name, Some(i64::from(for_ms))).map_err(Failure::into_store_error)
    }

    fn let_go(&mut self, name: &str) -> Stored<()> {
        self.ask(LET_GO, name, None).map(drop).map_err(Failure::into_store_error)
    }
}
