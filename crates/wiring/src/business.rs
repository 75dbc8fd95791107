//! Which rules the services run: the real ones, or ones with a planted bug that the simulation has to catch.

use taxi::call::{self, Call};
use taxi::decision::{Decision, NoEffect};
use taxi::drive::{self, Drive};
use taxi::payment::{self, Payment};
use taxi::rules::Context;

/// How one service decides: its state, a command, a refusal, and what it may want done outside.
pub type Decide<S, C, R, E = NoEffect> = fn(Option<&S>, &C, &Context<'_>) -> Result<Decision<E>, R>;

/// How each service decides.
#[derive(Clone, Copy)]
pub struct Business {
    pub call: Decide<Call, call::Command, call::Refusal>,
    pub payment: Decide<Payment, payment::Command, payment::Refusal, payment::Effect>,
    pub drive: Decide<Drive, drive::Command, drive::Refusal>,
}

impl Default for Business {
    fn default() -> Self {
        Self { call: call::decide, payment: payment::decide, drive: drive::decide }
    }
}
