//! `/operator/**`: what an operator may do and see, shown the token.

mod access;
mod acts;
mod process;

pub use access::Token;
pub use process::LogLevel;

use std::sync::Arc;

use crate::Api;
use crate::asked::{Methods, Routes};

pub(crate) use access::admit;

/// What operators need of the process.
pub struct Operator {
    /// What they show; without one, nobody is let in.
    pub token: Option<Token>,
    pub log: Arc<dyn LogLevel>,
    /// What is in force and from where, as JSON and without secrets.
    pub config: serde_json::Value,
}

pub(crate) fn routes(api: &Arc<Api>) -> Routes {
    Routes::new()
        .route("/operator/calls/cancel", Methods::of(api).post(acts::cancel_call))
        .route("/operator/drives/end", Methods::of(api).post(acts::end_drive))
        .route("/operator/log", Methods::of(api).get(process::log).put(process::set_log))
        .route("/operator/config", Methods::of(api).get(process::config))
}
