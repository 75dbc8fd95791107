//! `/operator/**`: what an operator may do and see, shown the token.

mod access;
mod acts;
pub(crate) mod audit;
mod letters;
mod process;
mod story;
mod views;

pub use access::Token;
pub use process::LogLevel;

use engine::clock::Clock;
use std::sync::Arc;

use crate::Api;
use crate::asked::{Methods, Routes};
use crate::events;

pub(crate) use access::admit;

/// What operators need of the process.
pub struct Operator {
    /// What they show; without one, nobody is let in.
    pub token: Option<Token>,
    /// The engine's, by which deadlines are told.
    pub clock: Arc<dyn Clock>,
    pub log: Arc<dyn LogLevel>,
    /// What is in force and from where, as JSON and without secrets.
    pub config: serde_json::Value,
    /// Whether everything around the process is as it should be; it may block.
    pub doctor: Arc<dyn Fn() -> serde_json::Value + Send + Sync>,
}

pub(crate) fn routes(api: &Arc<Api>) -> Routes {
    Routes::new()
        .route("/operator/calls/{id}", Methods::of(api).get(story::tell))
        .route("/operator/events", Methods::of(api).get(events::stream_all))
        .route("/operator/dead-letters", Methods::of(api).get(letters::list))
        .route("/operator/dead-letters/{service}/{number}", Methods::of(api).get(letters::show))
        .route("/operator/dead-letters/{service}/{number}/retry", Methods::of(api).post(letters::retry))
        .route("/operator/dead-letters/{service}/{number}/skip", Methods::of(api).post(letters::skip))
        .route(views::PATH, Methods::of(api).get(views::progress).post(views::rebuild))
        .route("/operator/calls/cancel", Methods::of(api).post(acts::cancel_call))
        .route("/operator/drives/end", Methods::of(api).post(acts::end_drive))
        .route("/operator/log", Methods::of(api).get(process::log).put(process::set_log))
        .route("/operator/audit", Methods::of(api).get(audit::look))
        .route("/operator/doctor", Methods::of(api).get(process::doctor))
        .route("/operator/config", Methods::of(api).get(process::config))
}
