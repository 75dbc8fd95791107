//! The simulated payment provider: its book lives in payment's database, and whoever asks it may wait in vain.

use crate::payment::{BACK, DONE, PaymentService, REFUSED, TAKE, TAKEN};
use crate::view::Nothing;
use engine::bus::Bus;
use engine::clock::Timestamp;
use engine::effect::{Effect, Performer};
use engine::handle::{Handle, Reply, Request};
use engine::log::{Encoded, EntityKey, Origin, Recorded};
use engine::{Change, Context, Decision, Entities, Service, Unreadable};
use provider::book::{self, Account, Answer, Ask, Kind};
use provider::delivery::delivery;
use provider::settings::Settings;
use std::sync::Arc;
use std::time::SystemTime;
use taxi::payment::Terms;
use trace::{Span, Traceparent, Tracer, Tracing};

pub const NAME: &str = "provider";
pub const ACCOUNT: &str = "account";

/// Whether a payment method asks the provider for a vice that it has.
pub use provider::wish::is_test_method;

pub struct ProviderService {
    pub settings: Settings,
}

impl Service for ProviderService {
    type State = Account;
    type Command = Ask;
    type Event = Nothing;
    type Refusal = Nothing;

    fn name(&self) -> &'static str {
        NAME
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[ACCOUNT]
    }

    /// It is asked, and knows nothing of calls.
    fn hears(&self) -> bool {
        false
    }

    fn entities(&self, command: &Ask) -> Vec<EntityKey> {
        vec![EntityKey { kind: ACCOUNT, id: command.key }]
    }

    fn decide(
        &self,
        entities: &Entities<'_, Account>,
        command: &Ask,
        _: &Context<'_>,
    ) -> Result<Decision<Self>, Nothing> {
        let key = EntityKey { kind: ACCOUNT, id: command.key };
        let (account, _) = book::ask(entities.get(key).cloned(), command, &self.settings);
        Ok(Decision { changes: vec![Change::State(key, account)], ..Decision::default() })
    }

    fn evolve(&self, _: EntityKey, _: Option<Account>, never: &Nothing, _: Timestamp) -> Option<Account> {
        match *never {}
    }

    fn react(&self, _: &Recorded) -> Result<Option<Ask>, Unreadable> {
        Ok(None)
    }

    fn due(&self, key: EntityKey, timer: &str) -> Ask {
        unreachable!("{key} belongs to the provider, which arms no timer, yet {timer:?} ran out")
    }

    fn answered(&self, effect: &Effect, _: &str) -> Result<Ask, Unreadable> {
        Err(Unreadable(format!("the provider wants nothing done, yet {:?} was answered", effect.name)))
    }

    fn encode(&self, never: &Nothing) -> Encoded {
        match *never {}
    }

    fn decode(&self, event: &Recorded) -> Result<Nothing, Unreadable> {
        Err(Unreadable(format!("the provider says nothing, yet there is {}", event.event_type)))
    }

    fn tag(&self, state: &Account) -> &'static str {
        match (state.take, state.back) {
            (_, true) => "back",
            (Some(book::TakeAnswer::Taken), false) => "taken",
            (Some(book::TakeAnswer::Refused), false) => "refused",
            (None, false) => "unknown",
        }
    }

    fn is_open(&self, _: &Account) -> bool {
        false
    }

    fn check(&self, _: &Account) -> Result<(), String> {
        Ok(())
    }
}

/// How something is done a while later: a timer of the runtime, or the simulation's.
pub trait Delay: Send + Sync {
    fn after(&self, delay_ms: u64, then: Box<dyn FnOnce() + Send>);
}

/// Carries payment's effects to the provider, and what arrives of its answers back.
pub struct AskProvider {
    pub provider: Handle<ProviderService>,
    pub payment: Handle<PaymentService>,
    pub delay: Arc<dyn Delay>,
    /// Asked for its tracer each time, since it may get one after this is made.
    pub bus: Arc<Bus>,
}

impl Performer for AskProvider {
    fn perform(&mut self, effect: Effect) {
        let Some(ask) = to_ask(&effect) else {
            tracing::error!(effect = %effect.name, key = %effect.key, "an effect that the provider does not know");
            return;
        };
        let settings = &self.provider.service().settings;
        let fate = delivery(&ask, settings);
        if !fate.done {
            return;
        }
        let (payment, delay) = (self.payment.clone(), self.delay.clone());
        let asking = Asking::begin(&effect, self.bus.tracing());
        let effect = asking
            .as_ref()
            .map_or(effect.clone(), |asking| Effect { trace: Some(asking.context.to_string()), ..effect });
        let origin = Origin {
            trace: effect.trace.clone(),
            ..Origin::request("system", format!("{} {}", effect.name, effect.sequence))
        };
        let (asked, known) = (ask.clone(), self.provider.clone());
        let reply = Box::new(move |reply: Reply<Account, Nothing>| {
            let Reply::Done { state, .. } = reply else { return };
            let outcome = word(&asked, state, &known.service().settings);
            let mut asking = asking;
            for _ in 0..fate.copies {
                let (payment, effect, asking) = (payment.clone(), effect.clone(), asking.take());
                let tell: Box<dyn FnOnce() + Send> = Box::new(move || {
                    if let Some(asking) = asking {
                        asking.end(outcome);
                    }
                    payment.answer(&effect, outcome.to_owned());
                });
                if fate.delay_ms == 0 { tell() } else { delay.after(fate.delay_ms, tell) }
            }
        });
        let request = Request { command: ask, origin, idempotency: None, reply };
        if self.provider.submit(request).is_err() {
            tracing::debug!("the provider is busy; it is asked again later");
        }
    }
}

/// The provider while it is asked, as a tracer sees it; one that is never answered is not told.
struct Asking {
    tracer: Arc<dyn Tracer>,
    parent: Traceparent,
    context: Traceparent,
    name: String,
    attempts: u32,
    began: SystemTime,
}

impl Asking {
    fn begin(effect: &Effect, tracing: Tracing) -> Option<Self> {
        let tracer = tracing?;
        let parent = Traceparent::parse(effect.trace.as_deref()?).filter(|parent| parent.is_sampled())?;
        let context = parent.descendant(&[effect.key.id, effect.sequence, u64::from(effect.attempts)]);
        let (name, attempts, began) = (format!("ask {}", effect.name), effect.attempts, tracer.now());
        Some(Self { tracer, parent, context, name, attempts, began })
    }

    fn end(self, outcome: &str) {
        self.tracer.tell(Span {
            context: self.context,
            parent: Some(self.parent.span_id()),
            links: Vec::new(),
            service: crate::payment::NAME,
            name: self.name,
            kind: trace::Kind::Client,
            began: self.began,
            ended: self.tracer.now(),
            attributes: vec![
                ("peer.service", NAME.into()),
                ("taxisvc.outcome", outcome.into()),
                ("taxisvc.attempts", trace::Value::Number(self.attempts.into())),
            ],
            has_failed: false,
        });
    }
}

fn to_ask(effect: &Effect) -> Option<Ask> {
    let kind = match &*effect.name {
        TAKE => Kind::Take,
        BACK => Kind::Back,
        _ => return None,
    };
    let terms: Terms = serde_json::from_str(&effect.body).ok()?;
    Some(Ask {
        key: terms.pay_id.call().get(),
        kind,
        amount: terms.fare.0,
        payment_method: terms.payment_method,
        attempt: effect.attempts,
    })
}

/// The provider answers alike for ever, so its answer can be read from its book again.
fn word(ask: &Ask, account: Option<Account>, settings: &Settings) -> &'static str {
    let (_, answer) = book::ask(account, ask, settings);
    match answer {
        Answer::Taken => TAKEN,
        Answer::Refused => REFUSED,
        Answer::Back => DONE,
    }
}
