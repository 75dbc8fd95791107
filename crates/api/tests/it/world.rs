//! A whole system in memory with its runners on threads of their own, spoken to through its routers.

use api::{Api, LogLevel, Operator, Parts, Settings, Token};
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use engine::Service;
use engine::clock::{ManualClock, Timestamp};
use engine::handle::Handle;
use engine::lane::LaneSettings;
use engine::log::{EntityKey, LogId};
use engine::memory::{Fault, MemoryStore};
use engine::store::{Reader, Schema};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use taxi::call::Call;
use taxi::rules::{CallpayBeside, Rules};
use taxi::view::CallView;
use tokio::sync::{oneshot, watch};
use tower::ServiceExt;
use wiring::business::Business;
use wiring::provider::Delay;
use wiring::{Database, Handles, Layout, Options};

/// When everything happens: the clock stands.
pub(crate) const NOW: Timestamp = Timestamp(1_795_472_466_964);
pub(crate) const LOG: LogId = LogId(0xdead_beef);

/// What operators show.
pub(crate) const TOKEN: &str = "correct-horse-battery-staple";

/// Longer than anything takes; only a test that would never end runs into it.
const PATIENCE: Duration = Duration::from_secs(60);

/// What differs between worlds.
pub(crate) struct Setup {
    pub(crate) settings: Settings,
    pub(crate) beside: CallpayBeside,
    pub(crate) shards: u16,
    /// What the commits suffer, the first one first.
    pub(crate) faults: Vec<Option<Fault>>,
    pub(crate) log: LogId,
    pub(crate) layout: Layout,
    pub(crate) business: Business,
    pub(crate) doctor: Arc<dyn Fn() -> serde_json::Value + Send + Sync>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            settings: Settings {
                answer_wait: PATIENCE,
                callpay_wait: PATIENCE,
                allow_test_payment_methods: true,
                ..Settings::default()
            },
            beside: CallpayBeside::Ours,
            shards: 1,
            faults: Vec::new(),
            log: LOG,
            layout: Layout::Together,
            business: Business::default(),
            doctor: Arc::new(|| serde_json::json!({"isWell": true, "findings": []})),
        }
    }
}

/// What the provider says late is held until it is let go.
#[derive(Default)]
pub(crate) struct Held(Mutex<Vec<Box<dyn FnOnce() + Send>>>);

impl Delay for Held {
    fn after(&self, _: u64, then: Box<dyn FnOnce() + Send>) {
        self.0.lock().unwrap().push(then);
    }
}

/// A process that logs nothing, at whatever level.
struct OneLevel(Mutex<String>);

impl Default for OneLevel {
    fn default() -> Self {
        Self(Mutex::new("info".to_owned()))
    }
}

impl LogLevel for OneLevel {
    fn get(&self) -> String {
        self.0.lock().unwrap().clone()
    }

    fn set(&self, directives: &str) -> Result<(), String> {
        if !["error", "warn", "info", "debug", "trace"].contains(&directives) {
            return Err(format!("{directives} is not a level"));
        }
        directives.clone_into(&mut self.0.lock().unwrap());
        Ok(())
    }
}

/// Keeps a service's database from committing while it is closed.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub(crate) fn close(&self) {
        *self.0.0.lock().unwrap() = true;
    }

    pub(crate) fn open(&self) {
        *self.0.0.lock().unwrap() = false;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        let closed = self.0.0.lock().unwrap();
        drop(self.0.1.wait_while(closed, |closed| *closed).unwrap());
    }
}

pub(crate) struct World {
    pub(crate) api: Arc<Api>,
    pub(crate) handles: Handles,
    routers: Vec<(&'static str, Router)>,
    late: Arc<Held>,
    gates: HashMap<&'static str, Gate>,
    stopping: watch::Sender<bool>,
    stop: Arc<AtomicBool>,
    runners: Vec<JoinHandle<Result<(), engine::runner::Fatal>>>,
    pub(crate) dies: bool,
}

/// An answer that was read to its end.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl World {
    pub(crate) fn start() -> Self {
        Self::with(Setup::default())
    }

    pub(crate) fn with(setup: Setup) -> Self {
        let gates = HashMap::from(wiring::SERVICES.map(|service| (service, Gate::default())));
        let mut faults = setup.faults.into_iter();
        let databases = setup.layout.groups().into_iter().map(|(_, services)| {
            let schemas: Vec<Schema> =
                services.iter().map(|service| wiring::schema(service, setup.shards)).collect();
            let store = MemoryStore::new(&schemas, setup.log);
            let gate = gates[services[0]].clone();
            let mut faults = std::mem::replace(&mut faults, Vec::new().into_iter());
            let plan = move || {
                gate.pass();
                faults.next().flatten()
            };
            Database { services, store: store.faulty_writer(plan), reader: store.reader() }
        });
        let databases: Vec<Database> = databases.collect();
        let late = Arc::new(Held::default());
        let rules = Rules { callpay_beside: setup.beside, ..Rules::default() };
        let provider = provider::settings::Settings {
            obey_test_methods: true,
            ..provider::settings::Settings::default()
        };
        let options = Options {
            rules,
            provider,
            lane: LaneSettings::default(),
            shards: setup.shards,
            first_call: 1,
            replica: 1,
            clock: Arc::new(ManualClock::starting_at(NOW)),
            delay: late.clone(),
        };
        let assembly = wiring::assemble_with(databases, &options, &setup.business).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let runners = assembly.runners.into_iter().map(|runner| {
            let stop = stop.clone();
            std::thread::spawn(move || runner.run(&stop, PATIENCE))
        });
        let runners = runners.collect();
        let (stopping, told) = watch::channel(false);
        let handles = assembly.handles.clone();
        let api = Api::new(Parts {
            handles: assembly.handles,
            readers: assembly.readers,
            bus: assembly.bus,
            settings: setup.settings,
            operator: Operator {
                token: Some(Token::new(TOKEN)),
                clock: Arc::new(ManualClock::starting_at(NOW)),
                log: Arc::new(OneLevel::default()),
                config: Arc::new(|| serde_json::json!({"tariff": {"won_per_km": 10_000}})),
                audited: Arc::new(wiring::audit::Options::default),
                doctor: setup.doctor,
            },
            stopping: told,
        });
        let routers = vec![
            ("/calls", api::call_router(&api)),
            ("/payments", api::payment_router(&api, true)),
            ("/fares", api::payment_router(&api, false)),
            ("/callpay", api::payment_router(&api, true)),
            ("/drives", api::drive_router(&api)),
            ("/callViews", api::view_router(&api)),
            ("/events", api::events_router(&api)),
            ("/operator", api::operator_router(&api)),
            ("/problems", api::documents_router()),
            ("/", api::web_router(&api)),
        ];
        Self { api, handles, routers, late, gates, stopping, stop, runners, dies: false }
    }

    pub(crate) async fn ask(&self, request: Request<Body>) -> Answer {
        let response = within(self.send(request)).await;
        let (head, body) = response.into_parts();
        let body = within(body.collect()).await.unwrap().to_bytes();
        Answer { status: head.status, headers: head.headers, body }
    }

    /// The answer with its body unread.
    pub(crate) async fn send(&self, request: Request<Body>) -> http::Response<Body> {
        let path = request.uri().path();
        let covers = |prefix: &str| path.starts_with(prefix);
        let (_, router) = self.routers.iter().find(|(prefix, _)| covers(prefix)).unwrap();
        router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn get(&self, uri: &str) -> Answer {
        let request = Request::get(uri).header("host", "taxi.test:8088");
        self.ask(request.body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, uri: &str, body: &str) -> Answer {
        self.post_with(uri, body, &[]).await
    }

    pub(crate) async fn post_with(&self, uri: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask(post(uri, body, headers)).await
    }

    /// Places a call, as soon as there are numbers for calls.
    pub(crate) async fn place(&self, body: &str, headers: &[(&str, &str)]) -> Answer {
        within(async {
            loop {
                let answer = self.post_with("/calls", body, headers).await;
                let is_early = answer.status == StatusCode::SERVICE_UNAVAILABLE;
                if !is_early {
                    return answer;
                }
                assert!(!self.has_died(), "a runner died");
                tokio::task::yield_now().await;
            }
        })
        .await
    }

    /// Places a call of so many kilometres and returns its number.
    pub(crate) async fn call(&self, kilometers: &str) -> u64 {
        let body = format!(r#"{{"userId":"1","userName":"eojin","distance":{kilometers}}}"#);
        let answer = self.place(&body, &[]).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        answer.json()["callId"].as_u64().unwrap()
    }

    /// Places a call whose payment is wished to go wrong.
    pub(crate) async fn call_paid_by(&self, method: &str) -> Answer {
        let body = format!(r#"{{"userId":"1","userName":"eojin","distance":10,"paymentMethod":"{method}"}}"#);
        self.place(&body, &[]).await
    }

    /// Waits until a view has come far enough.
    pub(crate) async fn view_until(
        &self,
        id: u64,
        is_enough: impl Fn(&CallView) -> bool + Send + Clone + 'static,
    ) {
        let key = EntityKey { kind: "view", id };
        until(&self.handles.view, &*self.api.readers.view, key, is_enough).await;
    }

    /// Waits until a call has come far enough.
    pub(crate) async fn call_until(
        &self,
        id: u64,
        is_enough: impl Fn(&Call) -> bool + Send + Clone + 'static,
    ) {
        let key = EntityKey { kind: "call", id };
        until(&self.handles.call, &*self.api.readers.call, key, is_enough).await;
    }

    /// Waits until the provider holds something back.
    pub(crate) async fn held(&self) {
        within(async {
            while self.late.0.lock().unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// Lets go of what the provider says late.
    pub(crate) fn let_go(&self) {
        for then in std::mem::take(&mut *self.late.0.lock().unwrap()) {
            then();
        }
    }

    /// The gate of the database in which a service lies first.
    pub(crate) fn gate(&self, service: &str) -> &Gate {
        &self.gates[service]
    }

    pub(crate) fn stop_streams(&self) {
        self.stopping.send(true).unwrap();
    }

    /// Stops the runners as a process that ends does, and waits until they have.
    pub(crate) async fn shut_down(&self) {
        self.stop.store(true, Ordering::SeqCst);
        within(async {
            while !self.runners.iter().all(JoinHandle::is_finished) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    pub(crate) fn has_died(&self) -> bool {
        self.runners.iter().any(JoinHandle::is_finished)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.gates.values().for_each(Gate::open);
        self.stop.store(true, Ordering::SeqCst);
        for runner in self.runners.drain(..) {
            let ended = runner.join();
            if !std::thread::panicking() {
                let ended = ended.expect("a runner panicked");
                assert_eq!(ended.is_err(), self.dies, "{ended:?}");
            }
        }
    }
}

async fn until<S: Service>(
    handle: &Handle<S>,
    reader: &dyn Reader,
    key: EntityKey,
    is_enough: impl Fn(&S::State) -> bool + Send + Clone + 'static,
) {
    let (tell, told) = oneshot::channel();
    let (mut tell, enough) = (Some(tell), is_enough.clone());
    let watch = handle.watch(key, move |state| {
        let done = enough(state);
        if done && let Some(tell) = tell.take() {
            let _ = tell.send(());
        }
        done
    });
    let _watch = watch.unwrap();
    let row = reader.get(handle.service().name(), key).unwrap();
    let state = row.map(|row| serde_json::from_str::<S::State>(&row.state).unwrap());
    if !state.is_some_and(|state| is_enough(&state)) {
        within(told).await.unwrap();
    }
}

pub(crate) fn post(uri: &str, body: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request =
        Request::post(uri).header("host", "taxi.test:8088").header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.to_owned())).unwrap()
}

pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("it ends in the end")
}
