//! The payment service, in the engine's words.

use crate::adapt;
use crate::business::Decide;
use engine::clock::Timestamp;
use engine::effect::{Effect, NewEffect};
use engine::log::{Encoded, EntityKey, Recorded};
use engine::{Context, Decision, Entities, Service, Unreadable};
use taxi::event::{Event, PaymentEvent};
use taxi::payment::{self, Command, Payment, Refusal, TakeAnswer};
use taxi::rules::Rules;

pub const NAME: &str = "payment";

/// The effects of a payment, and the words in which the provider's answers are told.
pub(crate) const TAKE: &str = "take";
pub(crate) const BACK: &str = "back";
pub(crate) const TAKEN: &str = "taken";
pub(crate) const REFUSED: &str = "refused";
pub(crate) const DONE: &str = "done";

pub struct PaymentService {
    pub rules: Rules,
    pub decide: Decide<Payment, Command, Refusal, payment::Effect>,
}

impl Service for PaymentService {
    type State = Payment;
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
            Refusal::OtherFare { .. } => true,
        }
    }

    fn is_alarm(&self, event_type: &str) -> bool {
        event_type == "PaymentOverdue"
    }

    fn event_types(&self) -> &'static [&'static str] {
        PaymentEvent::TYPE_NAMES
    }

    fn entities(&self, command: &Command) -> Vec<EntityKey> {
        vec![adapt::key(NAME, command.call_id())]
    }

    fn decide(
        &self,
        entities: &Entities<'_, Payment>,
        command: &Command,
        context: &Context<'_>,
    ) -> Result<Decision<Self>, Refusal> {
        let key = adapt::key(NAME, command.call_id());
        let ctx = taxi::rules::Context { now: adapt::to_taxi_time(context.now), rules: &self.rules };
        let decided = (self.decide)(entities.get(key), command, &ctx)?;
        Ok(adapt::decision(key, decided, new_effect))
    }

    fn evolve(&self, _: EntityKey, state: Option<Payment>, event: &Event, at: Timestamp) -> Option<Payment> {
        payment::evolve(state, event, adapt::to_taxi_time(at))
    }

    fn react(&self, event: &Recorded) -> Result<Option<Command>, Unreadable> {
        adapt::react(event, payment::policy::policy)
    }

    fn due(&self, key: EntityKey, timer: &str) -> Command {
        Command::TimerDue { call_id: adapt::call_id(key), timer: timer.to_owned() }
    }

    fn answered(&self, effect: &Effect, outcome: &str) -> Result<Command, Unreadable> {
        let call_id = adapt::call_id(effect.key);
        match (&*effect.name, outcome) {
            (TAKE, TAKEN) => Ok(Command::TakeAnswered { call_id, answer: TakeAnswer::Taken }),
            (TAKE, REFUSED) => Ok(Command::TakeAnswered { call_id, answer: TakeAnswer::Refused }),
            (BACK, DONE) => Ok(Command::BackAnswered(call_id)),
            (name, _) => Err(Unreadable(format!("{outcome:?} is no answer to {name:?}"))),
        }
    }

    fn encode(&self, event: &Event) -> Encoded {
        adapt::encode(event)
    }

    fn decode(&self, event: &Recorded) -> Result<Event, Unreadable> {
        adapt::decode(event)
    }

    fn tag(&self, state: &Payment) -> &'static str {
        payment::tag(state)
    }

    fn is_open(&self, state: &Payment) -> bool {
        payment::is_open(state)
    }

    fn check(&self, state: &Payment) -> Result<(), String> {
        payment::check(state)
    }
}

fn new_effect(key: EntityKey, wanted: &payment::Effect) -> NewEffect {
    let body = serde_json::to_string(wanted.terms()).expect("terms are plain data and always serialise");
    NewEffect { key, name: wanted.name(), body }
}
