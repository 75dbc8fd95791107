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
use wiring::TELLING;

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
    pub config: Arc<dyn Fn() -> serde_json::Value + Send + Sync>,
    /// What an audit has to know of the process, of the topic, and of since when somebody has seen to what is on its way; it
    /// may block.
    pub audited: Arc<dyn Fn() -> wiring::audit::Options + Send + Sync>,
    /// Whether everything around the process is as it should be; it may block.
    pub doctor: Arc<dyn Fn() -> serde_json::Value + Send + Sync>,
}

/// All of them, of a process in which all services run.
pub(crate) fn routes(api: &Arc<Api>) -> Routes {
    let routes = looking_routes(api);
    wiring::SERVICES
        .into_iter()
        .fold(letter_routes(routes, api), |routes, service| act_routes(routes, api, service))
}

/// Those that look at all services together, or at the process.
pub(crate) fn looking_routes(api: &Arc<Api>) -> Routes {
    process_routes(Routes::new(), api)
        .route("/operator/calls/{id}", Methods::of(api).get(story::tell))
        .route("/operator/events", Methods::of(api).get(events::stream_all))
        .route("/operator/dead-letters", Methods::of(api).get(letters::list))
        .route("/operator/audit", Methods::of(api).get(audit::look))
}

/// Those about a service that runs by itself.
pub(crate) fn routes_of(api: &Arc<Api>, service: &str) -> Routes {
    let routes = process_routes(Routes::new(), api)
        .route("/operator/dead-letters", Methods::of(api).get(letters::list));
    let routes = act_routes(letter_routes(routes, api), api, service);
    if TELLING.contains(&service) {
        routes.route("/operator/events", Methods::of(api).get(events::stream_all))
    } else {
        routes
    }
}

fn process_routes(routes: Routes, api: &Arc<Api>) -> Routes {
    routes
        .route("/operator/log", Methods::of(api).get(process::log).put(process::set_log))
        .route("/operator/doctor", Methods::of(api).get(process::doctor))
        .route("/operator/config", Methods::of(api).get(process::config))
}

fn letter_routes(routes: Routes, api: &Arc<Api>) -> Routes {
    routes
        .route("/operator/dead-letters/{service}/{number}", Methods::of(api).get(letters::show))
        .route("/operator/dead-letters/{service}/{number}/retry", Methods::of(api).post(letters::retry))
        .route("/operator/dead-letters/{service}/{number}/skip", Methods::of(api).post(letters::skip))
}

/// What an operator does to a service, beside its dead letters.
fn act_routes(routes: Routes, api: &Arc<Api>, service: &str) -> Routes {
    match service {
        wiring::call::NAME => {
            routes.route("/operator/calls/cancel", Methods::of(api).post(acts::cancel_call))
        }
        wiring::drive::NAME => routes.route("/operator/drives/end", Methods::of(api).post(acts::end_drive)),
        wiring::view::NAME => {
            routes.route(views::PATH, Methods::of(api).get(views::progress).post(views::rebuild))
        }
        wiring::payment::NAME | wiring::provider::NAME => routes,
        unknown => unreachable!("{unknown:?} is none of the services"),
    }
}
