//! Where the business and the engine meet: the list of services, and how they are put together.

mod adapt;
pub mod audit;
pub mod business;
pub mod calendar;
pub mod call;
pub mod drive;
pub mod heard;
pub mod payment;
pub mod provider;
pub mod view;
pub mod wire;

use crate::business::Business;
use crate::call::CallService;
use crate::drive::DriveService;
use crate::payment::PaymentService;
use crate::provider::{AskProvider, Delay, ProviderService};
use crate::view::ViewService;
use engine::bus::Bus;
use engine::clock::Clock;
use engine::effect::{NoPerformer, Performer};
use engine::gate::Gate;
use engine::handle::Handle;
use engine::lane::LaneSettings;
use engine::log::ShardName;
use engine::runner::{Parts, Runner};
use engine::store::{Reader, Schema, Store, Stored};
use std::sync::Arc;
use taxi::rules::Rules;

pub use adapt::decode;

/// The services, in the order in which a call comes by them. The provider's book is kept beside payment.
pub const SERVICES: [&str; 5] = [call::NAME, payment::NAME, provider::NAME, drive::NAME, view::NAME];

/// The services whose events others hear.
pub const TELLING: [&str; 3] = [call::NAME, payment::NAME, drive::NAME];

/// What a store must know to hold a service.
pub fn schema(service: &'static str, shards: u16) -> Schema {
    let kinds: &'static [&'static str] = match service {
        call::NAME => &[call::NAME],
        payment::NAME => &[payment::NAME],
        provider::NAME => &[provider::ACCOUNT],
        drive::NAME => &[drive::NAME],
        view::NAME => &[view::NAME],
        unknown => unreachable!("{unknown:?} is none of the services"),
    };
    Schema { service, kinds, shards }
}

/// How the services may lie in databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One commit for all of them.
    Together,
    /// A database each, and a thread each.
    Apart,
}

impl Layout {
    /// Which services share a database.
    pub fn groups(self) -> Vec<(&'static str, Vec<&'static str>)> {
        match self {
            Self::Together => vec![("taxisvc", SERVICES.to_vec())],
            Self::Apart => vec![
                (call::NAME, vec![call::NAME]),
                (payment::NAME, vec![payment::NAME, provider::NAME]),
                (drive::NAME, vec![drive::NAME]),
                (view::NAME, vec![view::NAME]),
            ],
        }
    }
}

/// An opened database and what it holds.
pub struct Database {
    pub services: Vec<&'static str>,
    pub store: Box<dyn Store>,
    pub reader: Arc<dyn Reader>,
}

pub struct Options {
    pub rules: Rules,
    pub provider: ::provider::settings::Settings,
    pub lane: LaneSettings,
    /// Of each service.
    pub shards: u16,
    /// The first call's number in new databases.
    pub first_call: u64,
    /// Drawn anew for every start.
    pub replica: u64,
    pub clock: Arc<dyn Clock>,
    pub delay: Arc<dyn Delay>,
}

/// The places from which the services are reached.
#[derive(Clone)]
pub struct Handles {
    pub call: Handle<CallService>,
    pub payment: Handle<PaymentService>,
    pub provider: Handle<ProviderService>,
    pub drive: Handle<DriveService>,
    pub view: Handle<ViewService>,
}

/// Who reads a service's database.
#[derive(Clone)]
pub struct Readers {
    pub call: Arc<dyn Reader>,
    pub payment: Arc<dyn Reader>,
    pub drive: Arc<dyn Reader>,
    pub view: Arc<dyn Reader>,
}

/// The system, ready to turn.
pub struct Assembly {
    /// One for each database.
    pub runners: Vec<Runner>,
    pub handles: Handles,
    pub readers: Readers,
    pub bus: Arc<Bus>,
    /// Shut while there is no room for new commands from the edge; what is under way goes on.
    pub gate: Arc<Gate>,
}

/// Puts all services together over their databases.
pub fn assemble(databases: Vec<Database>, options: &Options) -> Stored<Assembly> {
    assemble_with(databases, options, &Business::default())
}

/// The same with other rules, for a test that wants to see a broken one caught.
pub fn assemble_with(databases: Vec<Database>, options: &Options, business: &Business) -> Stored<Assembly> {
    let bus = bus(&databases, options.shards)?;
    let readers = readers(&databases);
    let mut runners = Runners::new(databases, &bus, options);
    let (rules, shards) = (options.rules, options.shards);
    let idle = || Box::new(NoPerformer) as Box<dyn Performer>;
    let provider = ProviderService { settings: options.provider.clone() };
    let provider = runners.of(provider::NAME).add(provider, schema(provider::NAME, shards), |_| idle());
    let ask = |payment: &Handle<PaymentService>| {
        let (provider, payment) = (provider.clone(), payment.clone());
        Box::new(AskProvider { provider, payment, delay: options.delay.clone() }) as Box<dyn Performer>
    };
    let call = CallService { rules, decide: business.call };
    let call = runners.of(call::NAME).add(call, schema(call::NAME, shards), |_| idle());
    let payment = PaymentService { rules, decide: business.payment };
    let payment = runners.of(payment::NAME).add(payment, schema(payment::NAME, shards), ask);
    let drive = DriveService { rules, decide: business.drive };
    let drive = runners.of(drive::NAME).add(drive, schema(drive::NAME, shards), |_| idle());
    let view = runners.of(view::NAME).add(ViewService, schema(view::NAME, shards), |_| idle());
    call.keep_numbers(options.first_call);
    let gate = Arc::new(Gate::default());
    // Payment's own way to the provider stays open: what was begun is finished.
    let handles = Handles {
        call: call.gated_by(gate.clone()),
        payment: payment.gated_by(gate.clone()),
        provider: provider.gated_by(gate.clone()),
        drive: drive.gated_by(gate.clone()),
        view,
    };
    Ok(Assembly { runners: runners.into_all(), handles, readers, bus, gate })
}

/// The logs of those who tell something.
fn bus(databases: &[Database], shards: u16) -> Stored<Arc<Bus>> {
    let mut bus = Bus::default();
    for database in databases {
        let reader = database.reader.apart();
        for service in database.services.iter().filter(|service| TELLING.contains(*service)) {
            for index in 0..shards {
                let shard = ShardName { service, index };
                bus.add(shard, reader.clone(), database.store.is_exclusive())?;
            }
        }
    }
    Ok(Arc::new(bus))
}

fn readers(databases: &[Database]) -> Readers {
    let of = |service: &str| {
        let holds = databases.iter().find(|database| database.services.contains(&service));
        holds.expect("every service lies in one of the databases").reader.clone()
    };
    Readers { call: of(call::NAME), payment: of(payment::NAME), drive: of(drive::NAME), view: of(view::NAME) }
}

/// A runner for each database.
struct Runners(Vec<(Vec<&'static str>, Runner)>);

impl Runners {
    fn new(databases: Vec<Database>, bus: &Arc<Bus>, options: &Options) -> Self {
        let runner = |database: Database| {
            let runner = Runner::new(Parts {
                store: database.store,
                bus: bus.clone(),
                clock: options.clock.clone(),
                replica: options.replica,
                settings: options.lane,
            });
            bus.wake_with(runner.doorbell());
            (database.services, runner)
        };
        Self(databases.into_iter().map(runner).collect())
    }

    fn of(&mut self, service: &str) -> &mut Runner {
        let found = self.0.iter_mut().find(|(services, _)| services.contains(&service));
        &mut found.expect("every service lies in one of the databases").1
    }

    fn into_all(self) -> Vec<Runner> {
        self.0.into_iter().map(|(_, runner)| runner).collect()
    }
}
