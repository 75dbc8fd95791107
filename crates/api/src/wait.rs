//! Giving a command, and waiting: for its reply, which comes after its commit, and for what becomes of its entity.

use axum::response::Response;
use engine::Service;
use engine::handle::{Handle, Overloaded, Reply, Request, Watch};
use engine::idempotency::Idempotency;
use engine::log::{EntityKey, Origin, Position};
use http::HeaderValue;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::detail::Detail;
use crate::idempotency::REPLAYED;
use crate::position;
use crate::problem::{Kind, Problem};

/// A disk is not made larger within a second.
const ROOM_RETRY_AFTER_S: u16 = 30;

/// A command with who gives it.
pub(crate) struct Order<S: Service> {
    pub(crate) command: S::Command,
    pub(crate) origin: Origin,
    pub(crate) idempotency: Option<Idempotency>,
}

/// A command that was carried out, now or earlier under the same key.
pub(crate) struct Done<State> {
    pub(crate) key: EntityKey,
    pub(crate) state: State,
    pub(crate) position: Position,
    pub(crate) is_repeated: bool,
}

impl<State> Done<State> {
    /// What every answer to a write tells besides its body.
    pub(crate) fn mark(&self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        headers.insert(position::POSITION, position::header_value(&self.position));
        if self.is_repeated {
            headers.insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

/// Gives a command and waits until it is committed, but not for ever. `refused` says what a refusal is in HTTP.
pub(crate) async fn give<S: Service>(
    handle: &Handle<S>,
    order: Order<S>,
    reply_wait_max: Duration,
    refused: impl FnOnce(S::Refusal) -> Problem,
) -> Result<Done<S::State>, Problem> {
    let (tell, told) = oneshot::channel();
    let reply = Box::new(move |reply| {
        // Whoever asked may have gone; what was committed stays so.
        let _ = tell.send(reply);
    });
    let request =
        Request { command: order.command, origin: order.origin, idempotency: order.idempotency, reply };
    handle.submit(request).map_err(not_taken)?;
    let reply = match tokio::time::timeout(reply_wait_max, told).await {
        Ok(Ok(reply)) => reply,
        Ok(Err(_)) => return Err(Problem::outcome_unknown(Detail::Stopped)),
        Err(_) => return Err(Problem::outcome_unknown(Detail::StoreLate)),
    };
    match reply {
        Reply::Done { key, state: Some(state), position, repeated } => {
            Ok(Done { key, state, position, is_repeated: repeated })
        }
        Reply::Done { key, state: None, .. } => {
            tracing::error!(%key, "a command left no state");
            Err(Problem::outcome_unknown(Detail::DoneUnreadable))
        }
        Reply::Refused { refusal, repeated } => Err(refused(refusal).replayed(repeated)),
        Reply::KeyReused => {
            let problem = Problem::new(Kind::KeyReused, Detail::KeyReused);
            Err(problem.of_field("Idempotency-Key"))
        }
        Reply::NotStored(reason) => {
            tracing::warn!(reason, "a command was not stored");
            Err(Problem::not_stored(Detail::NotStored))
        }
        Reply::NoRoom => Err(not_taken(Overloaded::NoRoom)),
        Reply::Bug(reason) => Err(Problem::internal(&reason)),
    }
}

/// What it is in HTTP that a command was not even queued.
fn not_taken(why: Overloaded) -> Problem {
    match why {
        Overloaded::QueueFull => Problem::too_busy(Detail::CommandsWait),
        Overloaded::ShuttingDown => Problem::too_busy(Detail::Stopping),
        Overloaded::NoRoom => {
            Problem::new(Kind::StorageFull, Detail::NoRoom).retry_after_s(ROOM_RETRY_AFTER_S)
        }
    }
}

/// Catches the first state of an entity that is far enough.
pub(crate) struct Watching<S: Service> {
    states: oneshot::Receiver<S::State>,
    /// Dropped with this, and the watch ends.
    _watch: Watch<S>,
}

/// Begins to watch; nothing that is committed from now on is missed.
pub(crate) fn watch<S: Service>(
    handle: &Handle<S>,
    key: EntityKey,
    is_enough: impl Fn(&S::State) -> bool + Send + 'static,
) -> Result<Watching<S>, Problem> {
    let (tell, states) = oneshot::channel();
    let mut tell = Some(tell);
    let watcher = move |state: &S::State| {
        let is_enough = is_enough(state);
        if is_enough && let Some(tell) = tell.take() {
            let _ = tell.send(state.clone());
        }
        is_enough
    };
    let watch = handle.watch(key, watcher).ok_or_else(|| Problem::too_busy(Detail::RequestsWait))?;
    Ok(Watching { states, _watch: watch })
}

impl<S: Service> Watching<S> {
    /// The state, if it comes in time.
    pub(crate) async fn until(self, deadline: Instant) -> Option<S::State> {
        tokio::time::timeout_at(deadline, self.states).await.ok()?.ok()
    }
}
