//! HTTP: one file per service, and what they have in common.
//!
//! A handler translates: it parses, makes one call, and answers. What it must know of the business it asks `taxi`, what
//! it must know of the machine it asks `engine`; whoever builds the process gives it both, already put together.

mod asked;
mod body;
mod call;
mod callpay;
mod desk;
mod detail;
mod documents;
mod drive;
mod events;
mod fare;
mod gather;
mod hal;
mod health;
mod idempotency;
mod in_force;
mod json;
mod late;
mod limits;
mod observe;
mod operator;
mod pages;
mod paging;
mod payment;
mod poll;
mod position;
mod problem;
mod query;
mod read;
mod settings;
mod time;
mod view;
mod wait;
pub use documents::{ASYNCAPI, OPENAPI, documents_router, problems_router};

pub use health::{Exposition, Health, health_router};
pub use late::{Late, starting_router};
pub use limits::RiderRate;
pub use observe::Requests;
pub use operator::{LogLevel, Operator, Token};
pub use problem::problem_types;
pub use settings::{Settings, Trust};

use axum::Router;
use engine::bus::Bus;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::{Semaphore, watch};
use wiring::{Assembly, Handles, Readers, SERVICES};

use crate::asked::{Ids, Methods, Routes};
use crate::desk::Desk;
use crate::events::Streams;
use crate::in_force::InForce;
use crate::limits::RiderRates;

/// What the edge is made of.
pub struct Parts {
    pub handles: Handles,
    pub readers: Readers,
    pub bus: Arc<Bus>,
    pub settings: Settings,
    pub operator: Operator,
    /// Turns true when the process is about to stop: event streams end then.
    pub stopping: watch::Receiver<bool>,
}

/// The services, as HTTP reaches them.
pub struct Api {
    pub handles: Handles,
    pub readers: Readers,
    pub bus: Arc<Bus>,
    in_force: Arc<InForce>,
    /// Whether everybody who reaches it is our gateway, which says where the client stands.
    is_behind_gateway: bool,
    pub(crate) operator: Arc<Operator>,
    pub(crate) streams: Arc<Streams>,
    pub(crate) desk: Arc<Desk>,
    pub(crate) operator_desk: Arc<Desk>,
    pub(crate) audits: Arc<Semaphore>,
    pub(crate) ids: Arc<Ids>,
    pub(crate) requests: Arc<Requests>,
    /// Whether services hear each other over a topic; positions are told and waited for otherwise then.
    pub(crate) is_over_topic: bool,
}

impl Api {
    pub fn new(parts: Parts) -> Arc<Self> {
        let streams = Streams::new(&parts.bus, &parts.settings, parts.stopping);
        let is_over_topic = SERVICES.iter().any(|service| parts.bus.topic(service).is_some());
        Arc::new(Self {
            handles: parts.handles,
            readers: parts.readers,
            bus: parts.bus,
            in_force: Arc::new(InForce::new(parts.settings)),
            is_behind_gateway: false,
            operator: Arc::new(parts.operator),
            streams: Arc::new(streams),
            desk: Desk::for_everybody(),
            operator_desk: Desk::for_operators(),
            audits: operator::audit::places(),
            ids: Arc::new(Ids::draw()),
            requests: Arc::default(),
            is_over_topic,
        })
    }

    /// The counts of all that was asked, directly or through the gateway.
    pub fn requests(&self) -> &Arc<Requests> {
        &self.requests
    }

    /// From now on, for all that are made of it too: every setting counts for what is asked after that, but for
    /// `events_poll` and `operator_streams_max`. Streams that are open stay open, however many they are.
    pub fn set_settings(&self, settings: Settings) {
        self.streams.set_max(&settings);
        self.in_force.set(settings);
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.in_force.settings()
    }

    pub(crate) fn rider_rates(&self) -> Option<Arc<RiderRates>> {
        self.in_force.rider_rates()
    }

    /// Whether it is believed what a peer says about where the client stands.
    pub(crate) fn trusts(&self, peer: Option<IpAddr>) -> bool {
        self.is_behind_gateway || self.settings().trust_forwarded.covers(peer)
    }

    /// The same over other services, or over the same once they are there.
    pub fn over(&self, assembly: Assembly) -> Arc<Self> {
        Arc::new(Self {
            handles: assembly.handles,
            readers: assembly.readers,
            streams: Arc::new(self.streams.over(&assembly.bus, &self.settings())),
            bus: assembly.bus,
            in_force: self.in_force.clone(),
            is_behind_gateway: self.is_behind_gateway,
            operator: self.operator.clone(),
            desk: self.desk.clone(),
            operator_desk: self.operator_desk.clone(),
            audits: self.audits.clone(),
            ids: self.ids.clone(),
            requests: self.requests.clone(),
            is_over_topic: self.is_over_topic,
        })
    }

    /// The same for what comes through our gateway, which says where the client stands.
    pub fn behind_gateway(&self) -> Arc<Self> {
        Arc::new(Self {
            handles: self.handles.clone(),
            readers: self.readers.clone(),
            bus: self.bus.clone(),
            in_force: self.in_force.clone(),
            is_behind_gateway: true,
            operator: self.operator.clone(),
            streams: self.streams.clone(),
            desk: self.desk.clone(),
            operator_desk: self.operator_desk.clone(),
            audits: self.audits.clone(),
            ids: self.ids.clone(),
            requests: self.requests.clone(),
            is_over_topic: self.is_over_topic,
        })
    }
}

/// `/calls/**`.
pub fn call_router(api: &Arc<Api>) -> Router {
    call_routes(api).into_router(api)
}

/// `/payments/**` and `/fares`; `/callpay` too where it is payment's own port.
pub fn payment_router(api: &Arc<Api>, has_callpay: bool) -> Router {
    payment_routes(api, has_callpay).into_router(api)
}

/// `/drives/**`.
pub fn drive_router(api: &Arc<Api>) -> Router {
    drive_routes(api).into_router(api)
}

/// `/callViews/**`.
pub fn view_router(api: &Arc<Api>) -> Router {
    view_routes(api).into_router(api)
}

/// `/events/**`, all services' merged.
pub fn events_router(api: &Arc<Api>) -> Router {
    events_routes(api).into_router(api)
}

/// `/operator/**`. Whoever does not show the token learns nothing, not even which paths there are.
pub fn operator_router(api: &Arc<Api>) -> Router {
    operator::routes(api).into_guarded_router(api, "/operator", operator::admit)
}

/// What of `/operator/**` is about all services together and only looks: for a gateway in front of services that run by
/// themselves, which acts nowhere.
pub fn looking_operator_router(api: &Arc<Api>) -> Router {
    operator::looking_routes(api).into_guarded_router(api, "/operator", operator::admit)
}

/// What of `/operator/**` is about one service that runs by itself.
pub fn operator_router_of(api: &Arc<Api>, service: &str) -> Router {
    operator::routes_of(api, service).into_guarded_router(api, "/operator", operator::admit)
}

/// The pages: `/`, `/driver`, `/console`, and what they are made of.
pub fn web_router(api: &Arc<Api>) -> Router {
    web_routes(api).into_router(api)
}

/// Every method and path that the routers have, for whoever compares them with a document.
pub fn routes(api: &Arc<Api>) -> Vec<(&'static str, &'static str)> {
    let all = [
        call_routes(api),
        payment_routes(api, true),
        drive_routes(api),
        view_routes(api),
        events_routes(api),
        operator::routes(api),
        web_routes(api),
    ];
    let listed = all.into_iter().flat_map(Routes::list);
    let fixed = health::PATHS.into_iter().chain(documents::PATHS);
    listed.chain(fixed.map(|path| ("GET", path))).collect()
}

fn call_routes(api: &Arc<Api>) -> Routes {
    Routes::new()
        .route("/calls", Methods::of(api).get(|asked| read::list(asked, &call::CALLS)).post(call::place))
        .route("/calls/cancel", Methods::of(api).post(call::cancel))
        .route("/calls/{id}", Methods::of(api).get(|asked| read::one(asked, &call::CALLS)))
}

fn payment_routes(api: &Arc<Api>, has_callpay: bool) -> Routes {
    let routes = Routes::new()
        .route("/payments", Methods::of(api).get(|asked| read::list(asked, &payment::PAYMENTS)))
        .route("/payments/{id}", Methods::of(api).get(|asked| read::one(asked, &payment::PAYMENTS)))
        .route("/fares", Methods::of(api).get(fare::quote));
    if has_callpay { routes.route("/callpay", Methods::of(api).post(callpay::pay)) } else { routes }
}

fn drive_routes(api: &Arc<Api>) -> Routes {
    Routes::new()
        .route("/drives", Methods::of(api).get(|asked| read::list(asked, &drive::DRIVES)))
        .route("/drives/end", Methods::of(api).post(drive::end))
        .route("/drives/{id}", Methods::of(api).get(|asked| read::one(asked, &drive::DRIVES)))
}

fn view_routes(api: &Arc<Api>) -> Routes {
    Routes::new()
        .route("/callViews", Methods::of(api).get(|asked| read::list(asked, &view::CALL_VIEWS)))
        .route("/callViews/search/findByCallId", Methods::of(api).get(view::find_by_call_id))
        .route("/callViews/{id}", Methods::of(api).get(|asked| read::one(asked, &view::CALL_VIEWS)))
}

fn events_routes(api: &Arc<Api>) -> Routes {
    Routes::new()
        .route("/events", Methods::of(api).get(events::stream))
        .route("/events/calls/{id}", Methods::of(api).get(events::of_call::list))
}

fn web_routes(api: &Arc<Api>) -> Routes {
    let page = |name| Methods::of(api).get(move |asked| pages::page(asked, name));
    let file = |name| Methods::of(api).get(move |asked| pages::file(asked, name));
    Routes::new()
        .route("/", page("index.html"))
        .route("/driver", page("driver.html"))
        .route("/console", page("console.html"))
        .route("/assets/{file}", Methods::of(api).get(pages::asset))
        .route("/favicon.svg", file("favicon.svg"))
        .route("/manifest.webmanifest", file("manifest.webmanifest"))
}
