//! The drive service, in the engine's words.

use crate::adapt;
use crate::business::Decide;
use engine::clock::Timestamp;
use engine::effect::Effect;
use engine::log::{Encoded, EntityKey, Recorded};
use engine::{Context, Decision, Entities, Service, Unreadable};
use taxi::drive::{self, Command, Drive, Refusal};
use taxi::event::{DriveEvent, Event};
use taxi::rules::Rules;

pub const NAME: &str = "drive";

pub struct DriveService {
    pub rules: Rules,
    pub decide: Decide<Drive, Command, Refusal>,
}

impl Service for DriveService {
    type State = Drive;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn name(&self) -> &'static str {
        NAME
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[NAME]
    }

    fn is_lasting(&self, refusal: &Refusal) -> bool {
        match refusal {
            Refusal::Unknown => false,
            Refusal::NotUnderWay { .. } => true,
        }
    }

    fn is_alarm(&self, event_type: &str) -> bool {
        event_type == "DriveOverdue"
    }

    fn event_types(&self) -> &'static [&'static str] {
        DriveEvent::TYPE_NAMES
    }

    fn entities(&self, command: &Command) -> Vec<EntityKey> {
        vec![adapt::key(NAME, command.call_id())]
    }

    fn decide(
        &self,
        entities: &Entities<'_, Drive>,
        command: &Command,
        context: &Context<'_>,
    ) -> Result<Decision<Self>, Refusal> {
        let key = adapt::key(NAME, command.call_id());
        let ctx = taxi::rules::Context { now: adapt::to_taxi_time(context.now), rules: &self.rules };
        let decided = (self.decide)(entities.get(key), command, &ctx)?;
        Ok(adapt::decision(key, decided, adapt::no_effect))
    }

    fn evolve(&self, _: EntityKey, state: Option<Drive>, event: &Event, at: Timestamp) -> Option<Drive> {
        drive::evolve(state, event, adapt::to_taxi_time(at))
    }

    fn react(&self, event: &Recorded) -> Result<Option<Command>, Unreadable> {
        adapt::react(event, drive::policy::policy)
    }

    fn due(&self, key: EntityKey, timer: &str) -> Command {
        Command::TimerDue { call_id: adapt::call_id(key), timer: timer.to_owned() }
    }

    fn answered(&self, effect: &Effect, _: &str) -> Result<Command, Unreadable> {
        Err(Unreadable(format!("a drive wants nothing done outside, yet {:?} was answered", effect.name)))
    }

    fn encode(&self, event: &Event) -> Encoded {
        adapt::encode(event)
    }

    fn decode(&self, event: &Recorded) -> Result<Event, Unreadable> {
        adapt::decode(event)
    }

    fn tag(&self, state: &Drive) -> &'static str {
        drive::tag(state)
    }

    fn is_open(&self, state: &Drive) -> bool {
        drive::is_open(state)
    }

    fn check(&self, _: &Drive) -> Result<(), String> {
        Ok(())
    }
}
