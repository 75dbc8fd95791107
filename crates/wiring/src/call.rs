//! The call service, in the engine's words.

use crate::adapt;
use crate::business::Decide;
use engine::clock::Timestamp;
use engine::effect::Effect;
use engine::log::{Encoded, EntityKey, Recorded};
use engine::{Context, Decision, Entities, Service, Unreadable};
use taxi::call::{self, Call, Command, Refusal, Wait};
use taxi::event::{CallEvent, Event};
use taxi::rules::Rules;

pub const NAME: &str = "call";

pub struct CallService {
    pub rules: Rules,
    pub decide: Decide<Call, Command, Refusal>,
}

impl Service for CallService {
    type State = Call;
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
            Refusal::Over { .. } => true,
        }
    }

    fn is_alarm(&self, event_type: &str) -> bool {
        event_type == "CallOverdue"
    }

    fn event_types(&self) -> &'static [&'static str] {
        CallEvent::TYPE_NAMES
    }

    fn deadlines(&self) -> &'static [&'static str] {
        &Wait::DEADLINES
    }

    /// From the rider's call until a taxi was heard to be on its way.
    fn is_measured(&self, event_type: &str) -> bool {
        event_type == "CallUnderWay"
    }

    fn took_ms(&self, state: &str, at: Timestamp) -> Option<u64> {
        let call: Call = serde_json::from_str(state).ok()?;
        u64::try_from(at.0 - call.requested_at.0).ok()
    }

    fn entities(&self, command: &Command) -> Vec<EntityKey> {
        vec![adapt::key(NAME, command.call_id())]
    }

    fn decide(
        &self,
        entities: &Entities<'_, Call>,
        command: &Command,
        context: &Context<'_>,
    ) -> Result<Decision<Self>, Refusal> {
        let key = adapt::key(NAME, command.call_id());
        let ctx = taxi::rules::Context { now: adapt::to_taxi_time(context.now), rules: &self.rules };
        let decided = (self.decide)(entities.get(key), command, &ctx)?;
        Ok(adapt::decision(key, decided, adapt::no_effect))
    }

    fn evolve(&self, _: EntityKey, state: Option<Call>, event: &Event, at: Timestamp) -> Option<Call> {
        call::evolve(state, event, adapt::to_taxi_time(at))
    }

    fn react(&self, event: &Recorded) -> Result<Option<Command>, Unreadable> {
        adapt::react(event, call::policy::policy)
    }

    fn due(&self, key: EntityKey, timer: &str) -> Command {
        Command::TimerDue { call_id: adapt::call_id(key), timer: timer.to_owned() }
    }

    fn answered(&self, effect: &Effect, _: &str) -> Result<Command, Unreadable> {
        Err(Unreadable(format!("a call wants nothing done outside, yet {:?} was answered", effect.name)))
    }

    fn encode(&self, event: &Event) -> Encoded {
        adapt::encode(event)
    }

    fn decode(&self, event: &Recorded) -> Result<Event, Unreadable> {
        adapt::decode(event)
    }

    fn tag(&self, state: &Call) -> &'static str {
        call::tag(state)
    }

    fn is_open(&self, state: &Call) -> bool {
        call::is_open(state)
    }

    fn check(&self, _: &Call) -> Result<(), String> {
        Ok(())
    }
}
