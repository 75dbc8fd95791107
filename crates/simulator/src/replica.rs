//! One process of the system: its services over the shared stores, and everything that dies with it.

use crate::chance::Chance;
use crate::courier::{Courier, SharedCourier};
use crate::delays::Delays;
use crate::failure::{Breach, readable};
use crate::fate::Fate;
use crate::flaky::Flaky;
use crate::line::Line;
use crate::lock;
use crate::plan::Plan;
use crate::road::ROLES;
use crate::setup::Setup;
use engine::clock::ManualClock;
use engine::handle::Watch;
use engine::lane::LaneSettings;
use engine::memory::MemoryStore;
use engine::topic::Topic;
use std::sync::{Arc, Mutex};
use taxi::rules::Rules;
use wiring::call::CallService;
use wiring::{Assembly, Database, Options};

/// What the replicas share: the databases, the time and the luck.
pub(crate) struct Ground {
    pub(crate) setup: Setup,
    pub(crate) plan: Plan,
    pub(crate) stores: Vec<(Vec<&'static str>, MemoryStore)>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) fate: Arc<Mutex<Fate>>,
}

pub(crate) struct Replica {
    /// Counts every start of a process in this world.
    pub(crate) start: u64,
    pub(crate) assembly: Assembly,
    pub(crate) delays: Arc<Delays>,
    pub(crate) courier: Arc<Mutex<Courier>>,
    pub(crate) watches: Vec<Watch<CallService>>,
    /// How it tells and hears the topic, where there is one: then it runs one service alone.
    pub(crate) line: Option<Line>,
}

impl Replica {
    pub(crate) fn start(
        ground: &Ground,
        place: usize,
        start: u64,
        chance: &mut Chance,
    ) -> Result<Self, Breach> {
        let plan = &ground.plan;
        let delays = Arc::new(Delays::new(ground.clock.clone()));
        let options = Options {
            rules: Rules::default(),
            provider: plan.provider.clone(),
            lane: LaneSettings {
                batch_max: plan.batch_max,
                deduplicate: plan.deduplicates(),
                drop_passed: plan.drops_passed(),
                ..LaneSettings::default()
            },
            shards: plan.shards,
            first_call: 1,
            replica: chance.draw(),
            clock: ground.clock.clone(),
            delay: delays.clone(),
        };
        let courier = Courier::new(plan.defence, chance.fork(), plan.delivery_vices_per_mille);
        let courier = Arc::new(Mutex::new(courier));
        if lock(&ground.fate).is_calm() {
            lock(&courier).calm();
        }
        let (assembly, line) = match &plan.topic {
            None => {
                let databases = ground.stores.iter().map(|holding| database(ground, holding)).collect();
                let assembled = wiring::assemble_with(databases, &options, &ground.setup.business);
                let assembly = readable(assembled)?;
                assembly.bus.deliver_by(Box::new(SharedCourier(courier.clone())));
                (assembly, None)
            }
            Some(_) => {
                let holding = &ground.stores[place % ROLES];
                let topic = Topic::new(holding.0[0], plan.shards);
                let database = database(ground, holding);
                let assembled =
                    wiring::assemble_alone_with(database, &topic, &options, &ground.setup.business);
                let assembly = readable(assembled)?;
                let line = Line::new(topic, &assembly, holding.1.clone(), ground.setup.plant);
                (assembly, Some(line))
            }
        };
        Ok(Self { start, assembly, delays, courier, watches: Vec::new(), line })
    }
}

fn database(ground: &Ground, (services, stored): &(Vec<&'static str>, MemoryStore)) -> Database {
    let fate = ground.fate.clone();
    let writer = stored.faulty_writer(move || lock(&fate).draw());
    let sound = match ground.setup.tamper {
        Some(tamper) => tamper(writer),
        None => writer,
    };
    let (fate, is_exclusive) = (ground.fate.clone(), ground.plan.is_exclusive);
    Database {
        services: services.clone(),
        store: Box::new(Flaky { sound, fate, is_exclusive }),
        reader: stored.reader(),
    }
}
