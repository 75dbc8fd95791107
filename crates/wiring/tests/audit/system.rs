//! All services over one store in memory, driven turn by turn through calls of every outcome.

use engine::clock::{ManualClock, Timestamp};
use engine::handle::{Handle, Request};
use engine::lane::LaneSettings;
use engine::log::{LogId, Origin};
use engine::memory::MemoryStore;
use engine::runner::Turn;
use engine::store::Reader;
use provider::settings::Settings;
use std::sync::Arc;
use taxi::call;
use taxi::distance::Meters;
use taxi::drive;
use taxi::id::CallId;
use taxi::rider::Rider;
use taxi::rules::Rules;
use wiring::provider::Delay;
use wiring::{Assembly, Database, Options, SERVICES, assemble, schema};

pub(crate) const START: Timestamp = Timestamp(1_800_000_000_000);
const SHARDS: u16 = 2;
const TURNS_MAX: usize = 200;

pub(crate) struct System {
    assembly: Assembly,
    clock: Arc<ManualClock>,
    reader: Arc<dyn Reader>,
}

/// Answers never take time here.
pub(crate) struct NoDelay;

impl Delay for NoDelay {
    fn after(&self, _: u64, then: Box<dyn FnOnce() + Send>) {
        then();
    }
}

impl System {
    pub(crate) fn new() -> Self {
        let store = MemoryStore::new(&SERVICES.map(|service| schema(service, SHARDS)), LogId(7));
        let clock = Arc::new(ManualClock::starting_at(START));
        let database =
            Database { services: SERVICES.to_vec(), store: store.writer(), reader: store.reader() };
        let options = Options {
            rules: Rules::default(),
            provider: Settings { obey_test_methods: true, ..Settings::default() },
            lane: LaneSettings::default(),
            shards: SHARDS,
            first_call: 1,
            replica: 1,
            clock: clock.clone(),
            delay: Arc::new(NoDelay),
        };
        let assembly = assemble(vec![database], &options).expect("a store in memory can be read");
        Self { assembly, clock, reader: store.reader() }
    }

    pub(crate) fn reader(&self) -> &Arc<dyn Reader> {
        &self.reader
    }

    pub(crate) fn readers(&self) -> &wiring::Readers {
        &self.assembly.readers
    }

    pub(crate) fn advance_ms(&self, duration_ms: i64) {
        self.clock.advance_ms(duration_ms);
    }

    /// Says whether there was anything to do.
    pub(crate) fn turn(&mut self) -> bool {
        let turned = self.assembly.runners.iter_mut().map(|runner| runner.turn());
        let turned: Vec<Turn> = turned.map(|turn| turn.expect("a store in memory does not fail")).collect();
        turned.contains(&Turn::Worked)
    }

    /// Turns until nothing is left to do, looking at it after every turn.
    pub(crate) fn settle_and(&mut self, mut look: impl FnMut(&Self)) {
        for _ in 0..TURNS_MAX {
            if !self.turn() {
                return;
            }
            look(self);
        }
        panic!("it never comes to rest");
    }

    pub(crate) fn request(&self, id: u64, kilometers: &str, payment_method: Option<&str>) {
        let meters = Meters::parse(kilometers).expect("the test names a distance");
        let request = call::Request {
            call_id: call_id(id),
            rider: Rider::new("1", "eojin").expect("the test names a rider"),
            meters,
            fare: Rules::default().tariff.fare(meters),
            payment_method: payment_method.map(str::to_owned),
        };
        give(&self.assembly.handles.call, call::Command::Request(request));
    }

    pub(crate) fn cancel(&self, id: u64) {
        give(&self.assembly.handles.call, call::Command::Cancel(call_id(id)));
    }

    pub(crate) fn end(&self, id: u64) {
        give(&self.assembly.handles.drive, drive::Command::End(call_id(id)));
    }
}

fn call_id(id: u64) -> CallId {
    CallId::new(id).expect("the test names a call")
}

fn give<S: engine::Service>(handle: &Handle<S>, command: S::Command) {
    let origin = Origin::request("rider", "test".to_owned());
    let request = Request { command, origin, idempotency: None, reply: Box::new(|_| ()) };
    handle.submit(request).expect("the queue has room");
}

pub(crate) const COMPLETED: u64 = 1;
pub(crate) const TOO_FAR: u64 = 2;
pub(crate) const CANCELLED: u64 = 3;
pub(crate) const REFUSED: u64 = 4;
/// Its provider is silent.
pub(crate) const ASKED: u64 = 5;
pub(crate) const UNDER_WAY: u64 = 6;
/// Cancelled while its provider is silent.
pub(crate) const UNWANTED: u64 = 7;
/// Its provider was silent past the deadline.
pub(crate) const FAILED: u64 = 8;
/// Nobody but the call service has heard of it.
pub(crate) const UNHEARD: u64 = 9;

/// A call of every outcome, and some that are still on their way.
pub(crate) fn busy(mut look: impl FnMut(&System)) -> System {
    let mut system = System::new();
    system.request(FAILED, "3", Some("test:silent"));
    system.settle_and(&mut look);
    system.advance_ms(11_000);
    system.settle_and(&mut look);
    for id in [COMPLETED, CANCELLED, UNDER_WAY] {
        system.request(id, "10", None);
    }
    system.request(TOO_FAR, "120", None);
    system.request(REFUSED, "10", Some("test:refused"));
    for id in [ASKED, UNWANTED] {
        system.request(id, "20", Some("test:silent"));
    }
    system.settle_and(&mut look);
    system.end(COMPLETED);
    system.cancel(CANCELLED);
    system.cancel(UNWANTED);
    system.settle_and(&mut look);
    system.request(UNHEARD, "10", None);
    system.turn();
    look(&system);
    system
}
