//! The fare of a call: asked for once, taken once, given back once; payment alone decides whether it was paid.

mod command;
mod ledger;
pub mod policy;
mod stage;

use serde::{Deserialize, Serialize};

use crate::decision::Decision;
use crate::event::{Event, FailReason, FareAsked, PaymentBody, PaymentEvent, PaymentFailed};
use crate::id::{CallId, PaymentId};
use crate::money::Won;
use crate::rules::{CallpayBeside, Context};
use crate::status::PayStatus;
use crate::time::Timestamp;

pub use command::{Ask, Command, Effect, Refusal, TakeAnswer, Terms};
pub use ledger::{Accounts, Errand, check};
pub use stage::{Stage, Wait};

/// One payment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    pub pay_id: PaymentId,
    pub call_id: CallId,
    /// 0 where the call was off before its fare was heard of.
    pub fare: Won,
    pub pay_status: PayStatus,
    pub stage: Stage,
    pub reason: Option<FailReason>,
    pub payment_method: Option<String>,
    pub take: Errand,
    pub back: Errand,
    pub accounts: Accounts,
    pub asked_at: Timestamp,
    pub updated_at: Timestamp,
}

pub fn decide(
    state: Option<&Payment>,
    command: &Command,
    ctx: &Context<'_>,
) -> Result<Decision<Effect>, Refusal> {
    match (state, command) {
        (None, Command::Ask(ask)) => Ok(open(ask, ctx)),
        (None, Command::PayNow { call_id, fare }) => open_directly(*call_id, *fare, ctx),
        (None, Command::CallOff(call_id)) => Ok(void_unasked(*call_id)),
        (Some(payment), Command::PayNow { fare, .. }) => payment.pay_now(*fare),
        (Some(payment), Command::GiveUp(_)) => Ok(payment.give_up(FailReason::GivenUp, ctx)),
        (Some(payment), Command::TakeAnswered { answer, .. }) => Ok(payment.take_answered(*answer, ctx)),
        (Some(payment), Command::BackAnswered(_)) => Ok(payment.back_answered()),
        (Some(payment), Command::NotePlaced(_)) => Ok(payment.note_placed(ctx)),
        (Some(payment), Command::CallOff(_)) => Ok(payment.call_off(ctx)),
        (Some(payment), Command::RideOver(_)) => Ok(payment.ride_over(ctx)),
        (Some(payment), Command::TimerDue { timer, .. }) => Ok(payment.timer_due(timer, ctx)),
        (Some(_), Command::Ask(_))
        | (
            None,
            Command::GiveUp(_)
            | Command::TakeAnswered { .. }
            | Command::BackAnswered(_)
            | Command::NotePlaced(_)
            | Command::RideOver(_)
            | Command::TimerDue { .. },
        ) => Ok(Decision::nothing()),
    }
}

pub fn evolve(state: Option<Payment>, event: &Event, at: Timestamp) -> Option<Payment> {
    let event = match event {
        Event::Payment(event) => event,
        Event::Call(_) | Event::Drive(_) => return state,
    };
    let mut payment = match state {
        None => return opened(event, at),
        Some(payment) => payment,
    };
    payment.updated_at = at;
    match event {
        PaymentEvent::FareAsked(_) | PaymentEvent::PaymentOverdue(_) => {}
        PaymentEvent::FarePaid(_) => {
            payment.enter(Stage::Paid);
            payment.note_taken();
        }
        PaymentEvent::FarePlaced(_) => payment.enter(Stage::Placed),
        PaymentEvent::FareDue(_) => payment.enter(Stage::Due),
        PaymentEvent::PaymentFailed(body) => payment.note_failed(body.reason),
        PaymentEvent::FareUnwanted(_) => payment.enter(Stage::Unwanted),
        PaymentEvent::FareSurfaced(_) => {
            payment.enter(Stage::Returning);
            payment.note_taken();
            payment.back = Errand::Out;
        }
        PaymentEvent::FareReturning(_) => {
            payment.enter(Stage::Returning);
            payment.back = Errand::Out;
        }
        PaymentEvent::FareRefunded(_) => {
            payment.enter(Stage::Refunded);
            payment.back = Errand::Answered;
            payment.accounts.give_back(payment.fare);
        }
        PaymentEvent::FareVoided(_) => {
            payment.enter(Stage::Voided);
            payment.take = Errand::Answered;
        }
        PaymentEvent::TakeClosed(_) => {
            payment.enter(Stage::Failed);
            payment.take = Errand::Answered;
        }
        PaymentEvent::FareEarned(_) => {
            payment.enter(Stage::Earned);
            payment.accounts.earn(payment.fare);
        }
    }
    Some(payment)
}

/// The status, in the word that clients read.
pub fn tag(payment: &Payment) -> &'static str {
    payment.pay_status.as_str()
}

/// Whether something is still waited for; an open payment has an armed timer, a closed one has none.
pub fn is_open(payment: &Payment) -> bool {
    payment.stage.is_open()
}

fn open(ask: &Ask, ctx: &Context<'_>) -> Decision<Effect> {
    let pay_id = PaymentId::of(ask.call_id);
    let asked = FareAsked {
        pay_id,
        call_id: ask.call_id,
        fare: ask.fare,
        pay_status: PayStatus::Asked,
        payment_method: ask.payment_method.clone(),
    };
    let terms = Terms { pay_id, fare: ask.fare, payment_method: ask.payment_method.clone() };
    Decision::say(PaymentEvent::FareAsked(asked))
        .arm(Wait::Provider.name(), ctx.now, ctx.rules.deadlines.provider)
        .order(Effect::Take(terms))
}

fn open_directly(call_id: CallId, fare: Won, ctx: &Context<'_>) -> Result<Decision<Effect>, Refusal> {
    match ctx.rules.callpay_beside {
        CallpayBeside::Ours => Err(Refusal::Unknown),
        CallpayBeside::Original => Ok(open(&Ask { call_id, fare, payment_method: None }, ctx)),
    }
}

/// A call that is off before it was heard of: what is asked later finds it closed.
fn void_unasked(call_id: CallId) -> Decision<Effect> {
    Decision::say(PaymentEvent::FareVoided(PaymentBody {
        pay_id: PaymentId::of(call_id),
        call_id,
        fare: Won::ZERO,
        pay_status: PayStatus::Voided,
    }))
}

fn opened(event: &PaymentEvent, at: Timestamp) -> Option<Payment> {
    match event {
        PaymentEvent::FareAsked(body) => Some(Payment {
            take: Errand::Out,
            payment_method: body.payment_method.clone(),
            ..untouched(body.call_id, body.fare, Stage::Asked, at)
        }),
        PaymentEvent::FareVoided(body) => Some(untouched(body.call_id, body.fare, Stage::Voided, at)),
        PaymentEvent::FarePaid(_)
        | PaymentEvent::PaymentFailed(_)
        | PaymentEvent::FareUnwanted(_)
        | PaymentEvent::FareSurfaced(_)
        | PaymentEvent::FareReturning(_)
        | PaymentEvent::FareRefunded(_)
        | PaymentEvent::TakeClosed(_)
        | PaymentEvent::FarePlaced(_)
        | PaymentEvent::FareDue(_)
        | PaymentEvent::FareEarned(_)
        | PaymentEvent::PaymentOverdue(_) => None,
    }
}

fn untouched(call_id: CallId, fare: Won, stage: Stage, at: Timestamp) -> Payment {
    Payment {
        pay_id: PaymentId::of(call_id),
        call_id,
        fare,
        pay_status: stage.status(),
        stage,
        reason: None,
        payment_method: None,
        take: Errand::Unasked,
        back: Errand::Unasked,
        accounts: Accounts::default(),
        asked_at: at,
        updated_at: at,
    }
}

impl Payment {
    /// Paid once, however often it is asked; a payment that was off before its fare was known has none to compare.
    fn pay_now(&self, fare: Won) -> Result<Decision<Effect>, Refusal> {
        if self.fare != fare && self.take != Errand::Unasked {
            return Err(Refusal::OtherFare { fare: self.fare });
        }
        Ok(Decision::nothing())
    }

    fn give_up(&self, reason: FailReason, ctx: &Context<'_>) -> Decision<Effect> {
        match self.stage {
            Stage::Asked => Decision::say(PaymentEvent::PaymentFailed(self.failed(reason))).arm(
                Wait::Overdue.name(),
                ctx.now,
                ctx.rules.deadlines.report_after,
            ),
            Stage::Due
            | Stage::Paid
            | Stage::Placed
            | Stage::Late
            | Stage::Failed
            | Stage::Unwanted
            | Stage::Returning
            | Stage::Refunded
            | Stage::Voided
            | Stage::Earned => Decision::nothing(),
        }
    }

    fn take_answered(&self, answer: TakeAnswer, ctx: &Context<'_>) -> Decision<Effect> {
        match (self.stage, answer) {
            (Stage::Asked, TakeAnswer::Taken) => self.hold(ctx),
            (Stage::Due, TakeAnswer::Taken) => Decision::say(PaymentEvent::FarePaid(self.body(Stage::Paid)))
                .and_say(PaymentEvent::FareEarned(self.body(Stage::Earned)))
                .disarm(),
            (Stage::Asked | Stage::Due, TakeAnswer::Refused) => {
                Decision::say(PaymentEvent::PaymentFailed(self.failed(FailReason::Refused))).disarm()
            }
            (Stage::Late | Stage::Unwanted, TakeAnswer::Taken) => {
                self.order_back(PaymentEvent::FareSurfaced(self.body(Stage::Returning)), ctx)
            }
            (Stage::Late, TakeAnswer::Refused) => {
                Decision::say(PaymentEvent::TakeClosed(self.body(Stage::Failed))).disarm()
            }
            (Stage::Unwanted, TakeAnswer::Refused) => {
                Decision::say(PaymentEvent::FareVoided(self.body(Stage::Voided))).disarm()
            }
            (
                Stage::Paid
                | Stage::Placed
                | Stage::Failed
                | Stage::Returning
                | Stage::Refunded
                | Stage::Voided
                | Stage::Earned,
                TakeAnswer::Taken | TakeAnswer::Refused,
            ) => Decision::nothing(),
        }
    }

    fn back_answered(&self) -> Decision<Effect> {
        match self.stage {
            Stage::Returning => {
                Decision::say(PaymentEvent::FareRefunded(self.body(Stage::Refunded))).disarm()
            }
            Stage::Asked
            | Stage::Due
            | Stage::Paid
            | Stage::Placed
            | Stage::Late
            | Stage::Failed
            | Stage::Unwanted
            | Stage::Refunded
            | Stage::Voided
            | Stage::Earned => Decision::nothing(),
        }
    }

    /// Only beside the original's call service does a payment wait for this.
    fn note_placed(&self, ctx: &Context<'_>) -> Decision<Effect> {
        match (self.stage, ctx.rules.callpay_beside) {
            (Stage::Paid, CallpayBeside::Original) => Decision::say(PaymentEvent::FarePlaced(
                self.body(Stage::Placed),
            ))
            .arm(Wait::Held.name(), ctx.now, ctx.rules.deadlines.report_after),
            (
                Stage::Asked
                | Stage::Due
                | Stage::Paid
                | Stage::Placed
                | Stage::Late
                | Stage::Failed
                | Stage::Unwanted
                | Stage::Returning
                | Stage::Refunded
                | Stage::Voided
                | Stage::Earned,
                CallpayBeside::Ours | CallpayBeside::Original,
            ) => Decision::nothing(),
        }
    }

    fn call_off(&self, ctx: &Context<'_>) -> Decision<Effect> {
        match self.stage {
            Stage::Asked => Decision::say(PaymentEvent::FareUnwanted(self.body(Stage::Unwanted))).arm(
                Wait::Overdue.name(),
                ctx.now,
                ctx.rules.deadlines.report_after,
            ),
            Stage::Paid | Stage::Placed => {
                self.order_back(PaymentEvent::FareReturning(self.body(Stage::Returning)), ctx)
            }
            Stage::Due
            | Stage::Late
            | Stage::Failed
            | Stage::Unwanted
            | Stage::Returning
            | Stage::Refunded
            | Stage::Voided
            | Stage::Earned => Decision::nothing(),
        }
    }

    /// A service whose database was restored may hear of a ride's end before it has taken the fare once more.
    fn ride_over(&self, ctx: &Context<'_>) -> Decision<Effect> {
        match self.stage {
            Stage::Asked => Decision::say(PaymentEvent::FareDue(self.body(Stage::Due))).arm(
                Wait::Overdue.name(),
                ctx.now,
                ctx.rules.deadlines.report_after,
            ),
            Stage::Paid | Stage::Placed => {
                Decision::say(PaymentEvent::FareEarned(self.body(Stage::Earned))).disarm()
            }
            Stage::Due
            | Stage::Late
            | Stage::Failed
            | Stage::Unwanted
            | Stage::Returning
            | Stage::Refunded
            | Stage::Voided
            | Stage::Earned => Decision::nothing(),
        }
    }

    fn timer_due(&self, timer: &str, ctx: &Context<'_>) -> Decision<Effect> {
        match self.stage.waits().iter().find(|wait| wait.name() == timer) {
            None => Decision::nothing(),
            Some(Wait::Provider) => self.give_up(FailReason::ProviderSilent, ctx),
            Some(Wait::Placed) => self.call_off(ctx),
            Some(wait @ (Wait::Overdue | Wait::Held | Wait::Returning)) => Decision::say(
                PaymentEvent::PaymentOverdue(self.body(self.stage)),
            )
            .arm(wait.name(), ctx.now, ctx.rules.deadlines.report_after),
        }
    }

    fn hold(&self, ctx: &Context<'_>) -> Decision<Effect> {
        let deadlines = &ctx.rules.deadlines;
        let (wait, span) = match ctx.rules.callpay_beside {
            CallpayBeside::Ours => (Wait::Held, deadlines.report_after),
            CallpayBeside::Original => (Wait::Placed, deadlines.placed),
        };
        Decision::say(PaymentEvent::FarePaid(self.body(Stage::Paid))).arm(wait.name(), ctx.now, span)
    }

    fn order_back(&self, because: PaymentEvent, ctx: &Context<'_>) -> Decision<Effect> {
        let terms =
            Terms { pay_id: self.pay_id, fare: self.fare, payment_method: self.payment_method.clone() };
        Decision::say(because)
            .arm(Wait::Returning.name(), ctx.now, ctx.rules.deadlines.report_after)
            .order(Effect::Back(terms))
    }

    fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.pay_status = stage.status();
    }

    fn note_taken(&mut self) {
        self.take = Errand::Answered;
        self.accounts.take(self.fare);
    }

    /// A refusal is the provider's answer; every other failure leaves its answer open.
    fn note_failed(&mut self, reason: FailReason) {
        self.reason = Some(reason);
        match reason {
            FailReason::Refused => {
                self.enter(Stage::Failed);
                self.take = Errand::Answered;
            }
            FailReason::ProviderSilent | FailReason::GivenUp => self.enter(Stage::Late),
        }
    }

    fn body(&self, stage: Stage) -> PaymentBody {
        PaymentBody {
            pay_id: self.pay_id,
            call_id: self.call_id,
            fare: self.fare,
            pay_status: stage.status(),
        }
    }

    fn failed(&self, reason: FailReason) -> PaymentFailed {
        PaymentFailed {
            pay_id: self.pay_id,
            call_id: self.call_id,
            fare: self.fare,
            pay_status: PayStatus::Failed,
            reason,
        }
    }
}
