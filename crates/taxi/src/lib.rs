//! The business of a call taxi: pure functions about calls, payments and drives; nothing here reads a clock or fails.

pub mod event;

pub mod call;
pub mod drive;
pub mod payment;
pub mod view;

pub mod flow;

pub mod actor;
pub mod decision;
pub mod rules;
pub mod status;

pub mod distance;
pub mod id;
pub mod money;
pub mod rider;
pub mod tariff;
pub mod time;

mod decimal;
pub mod sample;
