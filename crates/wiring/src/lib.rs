//! Where the business and the engine meet: the list of services, and how they are put together.

mod adapt;
pub mod analysis;
pub mod audit;
pub mod books;
pub mod business;
pub mod calendar;
pub mod call;
pub mod drive;
mod elsewhere;
pub mod fare;
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
use engine::Service;
use engine::bus::Bus;
use engine::clock::Clock;
use engine::effect::{NoPerformer, Performer};
use engine::gate::Gate;
use engine::handle::Handle;
use engine::lane::LaneSettings;
use engine::log::ShardName;
use engine::lookout::Lookout;
use engine::runner::{Parts, Runner};
use engine::store::{Reader, Schema, Store, Stored};
use engine::topic::Topic;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
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

/// Who reads a service's database; of one that lies elsewhere, nothing can be read.
#[derive(Clone)]
pub struct Readers {
    pub call: Arc<dyn Reader>,
    pub payment: Arc<dyn Reader>,
    pub drive: Arc<dyn Reader>,
    pub view: Arc<dyn Reader>,
}

impl Readers {
    /// Who reads the database in which a service lies.
    pub fn of(&self, service: &str) -> &Arc<dyn Reader> {
        match service {
            call::NAME => &self.call,
            payment::NAME | provider::NAME => &self.payment,
            drive::NAME => &self.drive,
            view::NAME => &self.view,
            unknown => unreachable!("{unknown:?} is none of the services"),
        }
    }
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
    put_together(databases, bus, options, business)
}

/// One database by itself: what its services tell goes to the topic, what they hear comes from there, and the others are
/// elsewhere. That is all the difference.
pub fn assemble_alone(database: Database, topic: &Arc<Topic>, options: &Options) -> Stored<Assembly> {
    assemble_alone_with(database, topic, options, &Business::default())
}

/// The same with other rules.
pub fn assemble_alone_with(
    database: Database,
    topic: &Arc<Topic>,
    options: &Options,
    business: &Business,
) -> Stored<Assembly> {
    let databases = vec![database];
    let bus = bus(&databases, options.shards)?;
    bus.set_topic(topic.clone());
    put_together(databases, bus, options, business)
}

/// Nothing runs here, and the databases are those of services that run by themselves: for whoever looks at all of them.
/// Without readers, nothing can be read either.
pub fn assemble_nothing(readers: Option<Readers>, rules: Rules, shards: u16) -> Stored<Assembly> {
    let mut bus = Bus::default();
    let tellers =
        readers.iter().flat_map(|readers| TELLING.map(|service| (service, readers.of(service).apart())));
    for (service, reader) in tellers {
        for index in 0..shards {
            bus.add(ShardName { service, index }, reader.clone(), false)?;
        }
    }
    let business = Business::default();
    let handles = Handles {
        call: Handle::elsewhere(CallService { rules, decide: business.call }),
        payment: Handle::elsewhere(PaymentService { rules, decide: business.payment }),
        provider: Handle::elsewhere(ProviderService { settings: ::provider::settings::Settings::default() }),
        drive: Handle::elsewhere(DriveService { rules, decide: business.drive }),
        view: Handle::elsewhere(ViewService),
    };
    let readers = readers.unwrap_or_else(elsewhere::unreadable);
    Ok(Assembly { runners: Vec::new(), handles, readers, bus: Arc::new(bus), gate: Arc::default() })
}

/// Looks out for those who wait here for what other replicas of a service commit, until it is told to stop.
pub fn look_out(assembly: (&Handles, &Readers), service: &str, stop: &AtomicBool) {
    let (handles, readers) = assembly;
    let reader = readers.of(service).apart();
    match service {
        call::NAME => Lookout::new(&handles.call, reader).run(stop),
        payment::NAME => Lookout::new(&handles.payment, reader).run(stop),
        drive::NAME => Lookout::new(&handles.drive, reader).run(stop),
        view::NAME => Lookout::new(&handles.view, reader).run(stop),
        unknown => unreachable!("{unknown:?} is none of the services that anybody waits for"),
    }
}

fn put_together(
    databases: Vec<Database>,
    bus: Arc<Bus>,
    options: &Options,
    business: &Business,
) -> Stored<Assembly> {
    let readers = readers(&databases);
    let mut runners = Runners::new(databases, &bus, options);
    let rules = options.rules;
    let idle = || Box::new(NoPerformer) as Box<dyn Performer>;
    let provider = ProviderService { settings: options.provider.clone() };
    let provider = runners.add(provider, |_| idle());
    let ask = |payment: &Handle<PaymentService>| {
        let (provider, payment) = (provider.clone(), payment.clone());
        let (delay, bus) = (options.delay.clone(), bus.clone());
        Box::new(AskProvider { provider, payment, delay, bus }) as Box<dyn Performer>
    };
    let call = runners.add(CallService { rules, decide: business.call }, |_| idle());
    let payment = runners.add(PaymentService { rules, decide: business.payment }, ask);
    let drive = runners.add(DriveService { rules, decide: business.drive }, |_| idle());
    let view = runners.add(ViewService, |_| idle());
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

/// A service whose database is none of these is read elsewhere.
fn readers(databases: &[Database]) -> Readers {
    let of = |service: &str| {
        let holds = databases.iter().find(|database| database.services.contains(&service));
        holds.map_or_else(elsewhere::reader, |database| database.reader.clone())
    };
    Readers { call: of(call::NAME), payment: of(payment::NAME), drive: of(drive::NAME), view: of(view::NAME) }
}

/// A runner for each database.
struct Runners {
    all: Vec<(Vec<&'static str>, Runner)>,
    shards: u16,
}

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
        Self { all: databases.into_iter().map(runner).collect(), shards: options.shards }
    }

    /// Has a service run over the database in which it lies; one that lies in none of them runs elsewhere.
    fn add<S: Service>(
        &mut self,
        service: S,
        performer: impl Fn(&Handle<S>) -> Box<dyn Performer>,
    ) -> Handle<S> {
        let schema = schema(service.name(), self.shards);
        match self.all.iter_mut().find(|(services, _)| services.contains(&schema.service)) {
            Some((_, runner)) => runner.add(service, schema, performer),
            None => Handle::elsewhere(service),
        }
    }

    fn into_all(self) -> Vec<Runner> {
        self.all.into_iter().map(|(_, runner)| runner).collect()
    }
}
