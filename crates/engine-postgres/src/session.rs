//! One connection: its settings, its prepared statements, and any number of statements asked in one go.

use crate::connections::Open;
use crate::failure::{Answer, Failure};
use crate::server::{GREET_WAIT_MAX, Server};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::{Builder, Handle, Runtime, RuntimeFlavor};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Connection, NoTls, Row, SimpleQueryMessage, Statement};

/// How long an answer is waited for: longer than the server lets any statement take.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(15);
/// The same where the server lets a statement take as long as it needs.
const ANSWER_WAIT_MAX_AT_LEISURE: Duration = Duration::from_secs(600);

/// What a session is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Looking at a database that may not be ours, and making what it lacks.
    Opening,
    Writing,
    Reading,
}

/// Every statement finds its rows by an index, and is planned once: a plan that was made while a table was empty, or knew
/// nothing of its size, must be right for ever.
pub(crate) const PLANS: &str = "SET jit = off; SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; \
    SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;";

/// The server gives a session up whose other side is gone or stands still: what it had locked is free again soon. An answer
/// that was given must be on the disk, whatever the server's own setting is; one that is stricter stands.
const WATCHFUL: &str = "SET lock_timeout = '2s'; SET statement_timeout = '10s'; \
    SET idle_in_transaction_session_timeout = '3s'; SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; \
    SET tcp_keepalives_count = 3; SET tcp_user_timeout = '6s'; SET client_min_messages = warning; \
    SET default_transaction_isolation = 'read committed'; SET default_transaction_deferrable = off; \
    SELECT set_config('synchronous_commit', 'on', false) \
      WHERE current_setting('synchronous_commit') = 'off';";

/// Changes of tables wait for those who use them; not for ever, since others then wait behind them.
const OPENING: &str = "SET lock_timeout = '5s'; SET statement_timeout = '0'; SET client_min_messages = warning; \
    SET default_transaction_isolation = 'read committed';";

/// Who only reads is told from who writes by its name: a process that looks on sees to nothing.
const READING: &str = "SET default_transaction_read_only = on; \
    SELECT set_config('application_name', left(current_setting('application_name'), 50) || ' reads', false);";

impl Purpose {
    fn settings(self) -> String {
        match self {
            Self::Opening => OPENING.to_owned(),
            Self::Writing => format!("{WATCHFUL} {PLANS}"),
            Self::Reading => format!("{WATCHFUL} {PLANS} {READING}"),
        }
    }
}

pub(crate) type Parameter<'a> = Box<dyn ToSql + Sync + 'a>;

/// A statement with its parameters.
pub(crate) struct Call<'a> {
    pub(crate) sql: &'a str,
    pub(crate) parameters: Vec<Parameter<'a>>,
}

impl<'a> Call<'a> {
    pub(crate) fn new(sql: &'a str, parameters: Vec<Parameter<'a>>) -> Self {
        Self { sql, parameters }
    }
}

/// An open connection, driven by whoever asks something of it.
pub(crate) struct Session {
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    client: Client,
    statements: RefCell<HashMap<String, Statement>>,
    wait_max: Cell<Duration>,
    is_broken: Cell<bool>,
    _open: Open,
}

impl Session {
    /// Connects. `greeting` is asked in the same go as the session is set up, and is to answer with at most one row.
    pub(crate) fn connect(
        server: &Server,
        purpose: Purpose,
        greeting: &str,
    ) -> Answer<(Self, Vec<Option<String>>)> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::Busy(format!("no thread's runtime: {error}")))?;
        let sql = format!("{} {greeting}", purpose.settings());
        let greeted = async {
            let greeted = tokio::time::timeout(GREET_WAIT_MAX, greet(server, &sql)).await;
            greeted.unwrap_or_else(|_| Err(Failure::Busy("the server does not finish its greeting".into())))
        };
        let started = blocking(|| runtime.block_on(greeted));
        let (client, row) = match started {
            Ok(started) => started,
            Err(failure) => {
                server.connections.fail();
                runtime.shutdown_background();
                return Err(failure.into_nothing_done());
            }
        };
        let session = Self {
            runtime: Some(runtime),
            client,
            statements: RefCell::default(),
            wait_max: Cell::new(ANSWER_WAIT_MAX),
            is_broken: Cell::new(false),
            _open: server.connections.begin(),
        };
        Ok((session, row))
    }

    /// Nothing can be asked of it any more.
    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken.get() || self.client.is_closed()
    }

    /// Waits for answers as long as they may take.
    pub(crate) fn be_patient(&self, is_patient: bool) {
        self.wait_max.set(if is_patient { ANSWER_WAIT_MAX_AT_LEISURE } else { ANSWER_WAIT_MAX });
    }

    /// Statements without parameters, in one go.
    pub(crate) fn run(&self, sql: &str) -> Answer<()> {
        let sql = as_sent(sql);
        self.wait_for(async { Ok(self.client.batch_execute(&sql).await?) })
    }

    /// One statement.
    pub(crate) fn query(&self, sql: &str, parameters: Vec<Parameter<'_>>) -> Answer<Vec<Row>> {
        let mut rows = self.ask(&[Call::new(sql, parameters)])?;
        Ok(rows.pop().unwrap_or_default())
    }

    /// Any number of statements in one go, each by itself.
    pub(crate) fn ask(&self, calls: &[Call<'_>]) -> Answer<Vec<Vec<Row>>> {
        self.prepare(calls)?;
        self.wait_for(self.send(calls, None))
    }

    /// Any number of statements as one transaction. It is begun first: were a beginning that fails sent along with the
    /// rest, each of the rest would be stored by itself. From then on it is one go, and nothing is locked while this
    /// side does anything. `Lost` means that the answer is lost, and nothing else does.
    pub(crate) fn transact(&self, calls: &[Call<'_>], end: &str) -> Answer<Vec<Vec<Row>>> {
        self.prepare(calls).map_err(Failure::into_nothing_done)?;
        self.run("BEGIN").map_err(Failure::into_nothing_done)?;
        self.wait_for(self.send(calls, Some(end)))
    }

    /// Prepares what was not asked of this connection before.
    fn prepare(&self, calls: &[Call<'_>]) -> Answer<()> {
        let mut missing: Vec<&str> = Vec::new();
        for Call { sql, .. } in calls {
            if !self.statements.borrow().contains_key(*sql) && !missing.contains(sql) {
                missing.push(sql);
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let prepared: Vec<Statement> = self.wait_for(async {
            let texts: Vec<String> = missing.iter().map(|sql| as_sent(sql)).collect();
            let futures = texts.iter().map(|sql| boxed(self.client.prepare(sql))).collect();
            let prepared: Result<Vec<Statement>, _> = all(futures).await.into_iter().collect();
            Ok(prepared?)
        })?;
        let named = missing.into_iter().map(str::to_owned).zip(prepared);
        self.statements.borrow_mut().extend(named);
        Ok(())
    }

    /// Sends all, then waits for all. The first of the errors is the one that tells why.
    async fn send(&self, calls: &[Call<'_>], end: Option<&str>) -> Answer<Vec<Vec<Row>>> {
        let statements: Vec<Statement> = {
            let known = self.statements.borrow();
            calls.iter().map(|call| known[call.sql].clone()).collect()
        };
        let parameters: Vec<Vec<&(dyn ToSql + Sync)>> =
            calls.iter().map(|call| call.parameters.iter().map(|parameter| &**parameter).collect()).collect();
        // What cannot be written was not sent, so the rest of it must not be stored.
        let is_whole = &Cell::new(true);
        let mut futures: Vec<Boxed<'_, Result<Vec<Row>, tokio_postgres::Error>>> = Vec::new();
        for (statement, parameters) in statements.iter().zip(&parameters) {
            futures.push(boxed(async move {
                let answer = self.client.query(statement, parameters).await;
                is_whole.set(is_whole.get() && answer.is_ok());
                answer
            }));
        }
        if let Some(end) = end {
            futures.push(boxed(async move {
                self.client.batch_execute(if is_whole.get() { end } else { "ROLLBACK" }).await?;
                Ok(Vec::new())
            }));
        }
        let mut answers = Vec::with_capacity(futures.len());
        for (place, answer) in all(futures).await.into_iter().enumerate() {
            match answer {
                Ok(rows) => answers.push(rows),
                // The end was answered by an error: whether it was one before or after the fact is not said.
                Err(error) if place == calls.len() && end.is_some() => {
                    return Err(Failure::Lost(error.to_string()));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(answers)
    }

    fn wait_for<T>(&self, future: impl Future<Output = Answer<T>>) -> Answer<T> {
        let runtime = self.runtime.as_ref().expect("it is taken out only when it is dropped");
        let limit = self.wait_max.get();
        let answered = async {
            let answer = tokio::time::timeout(limit, future).await;
            answer.unwrap_or_else(|_| {
                Err(Failure::Lost(format!("the server has not answered for {} s", limit.as_secs())))
            })
        };
        let answer = blocking(|| runtime.block_on(answered));
        if answer.as_ref().is_err_and(Failure::is_of_connection) {
            self.is_broken.set(true);
        }
        answer
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // It may be dropped on a thread that must not wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Waits, also on a thread of another runtime: one that has other work to do hands it over first.
fn blocking<T>(wait: impl FnOnce() -> T) -> T {
    let outer = Handle::try_current().map(|outer| outer.runtime_flavor());
    if outer.is_ok_and(|flavor| flavor == RuntimeFlavor::MultiThread) {
        return tokio::task::block_in_place(wait);
    }
    wait()
}

/// A statement as it goes to the server; tests plant bugs here.
fn as_sent(sql: &str) -> String {
    #[cfg(test)]
    return crate::planted::altered(sql);
    #[cfg(not(test))]
    sql.to_owned()
}

async fn greet(server: &Server, sql: &str) -> Answer<(Client, Vec<Option<String>>)> {
    let client = match &server.tls {
        None => {
            let (client, connection) = server.config.connect(NoTls).await?;
            drive(connection);
            client
        }
        Some(tls) => {
            let (client, connection) = server.config.connect(tls.clone()).await?;
            drive(connection);
            client
        }
    };
    let mut row = Vec::new();
    for message in client.simple_query(sql).await? {
        if let SimpleQueryMessage::Row(found) = message {
            row = (0..found.len()).map(|place| found.get(place).map(str::to_owned)).collect();
        }
    }
    Ok((client, row))
}

/// Has the connection run whenever the runtime does; what becomes of it, whoever asks next is told.
fn drive<S, T>(connection: Connection<S, T>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to PostgreSQL has ended");
        }
    });
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

fn boxed<'a, T>(future: impl Future<Output = T> + 'a) -> Boxed<'a, T> {
    Box::pin(future)
}

/// Begins all in their order, so that they are sent in it, and waits for all.
async fn all<T>(mut futures: Vec<Boxed<'_, T>>) -> Vec<T> {
    let mut answers: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    poll_fn(|context| {
        let mut is_done = true;
        for (future, answer) in futures.iter_mut().zip(&mut answers) {
            if answer.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(done) => *answer = Some(done),
                    Poll::Pending => is_done = false,
                }
            }
        }
        if is_done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    answers.into_iter().flatten().collect()
}
