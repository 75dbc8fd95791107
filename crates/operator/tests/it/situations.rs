//! A call in every situation: over, under way, and stuck in each way.

use crate::past::{Lens, seen_through};
use crate::world::{HOUR_MS, MINUTE_MS, SECOND_MS, World};
use taxi::call::{self, Call};
use taxi::decision::{Decision, NoEffect};
use taxi::drive::{self, Drive};
use taxi::payment::{self, Payment};
use taxi::rules::{CallpayBeside, Context, Rules};
use wiring::business::Business;

/// A situation by its name, and the world in which call 7 is in it.
pub(crate) type Situation = (&'static str, fn() -> World);

/// The call that is told of.
pub(crate) const CALL: u64 = 7;

pub(crate) const ALL: [Situation; 45] = [
    ("completed", completed),
    ("too_far", too_far),
    ("payment_refused", payment_refused),
    ("provider_silent", || silent_for(8 * SECOND_MS)),
    ("provider_silent_past_the_deadline", || silent_for(20 * SECOND_MS)),
    ("due_before_the_provider_answers", due_before_the_provider_answers),
    ("surfaced_late", || silent_for(70 * SECOND_MS)),
    ("surfaced_late_and_given_back", || silent_for(140 * SECOND_MS)),
    ("refused_late", refused_late),
    ("provider_silent_for_a_day", provider_silent_for_a_day),
    ("cancelled_before_payment", cancelled_before_payment),
    ("cancelled_and_never_charged", cancelled_and_never_charged),
    ("cancelled_while_the_provider_is_silent", cancelled_while_the_provider_is_silent),
    ("cancelled_after_payment", cancelled_after_payment),
    ("cancelled_during_the_drive", cancelled_during_the_drive),
    ("cancelled_by_an_operator", cancelled_by_an_operator),
    ("ended_by_an_operator", ended_by_an_operator),
    ("cancelled_too_late", cancelled_too_late),
    ("cancellation_undecided", cancellation_undecided),
    ("refund_on_its_way", refund_on_its_way),
    ("under_way", under_way),
    ("under_way_for_a_day", under_way_for_a_day),
    ("drive_has_not_heard", drive_has_not_heard),
    ("completed_over_a_topic", completed_over_a_topic),
    ("kafka_away", || kafka_away_for(SECOND_MS)),
    ("kafka_away_for_long", || kafka_away_for(40 * SECOND_MS)),
    ("drive_has_not_read_the_topic", drive_has_not_read_the_topic),
    ("nobody_heard_from_payment", nobody_heard_from_payment),
    ("paid_and_no_drive", paid_and_no_drive),
    ("view_behind", view_behind),
    ("dead_letter", dead_letter),
    ("dead_letter_skipped", dead_letter_skipped),
    ("refund_left_out", refund_left_out),
    ("earning_left_out", earning_left_out),
    ("ending_left_out", ending_left_out),
    ("calling_off_left_out", calling_off_left_out),
    ("cancellation_of_a_ride_left_out", cancellation_of_a_ride_left_out),
    ("cancellation_left_out", cancellation_left_out),
    ("payment_and_cancellation_left_out", payment_and_cancellation_left_out),
    ("dead_answer", dead_answer),
    ("unreadable", unreadable),
    ("unreadable_with_its_state", unreadable_with_its_state),
    ("unreadable_under_way", unreadable_under_way),
    ("beside_another_call_service", beside_another_call_service),
    ("given_up_by_another_call_service", given_up_by_another_call_service),
];

fn completed() -> World {
    let mut world = World::new();
    world.call(CALL, "10", Some("card"));
    world.pass_ms(12 * MINUTE_MS);
    world.end(CALL, "driver");
    world.settle();
    world
}

fn too_far() -> World {
    let mut world = World::new();
    world.call(CALL, "150", None);
    world.pass_ms(SECOND_MS);
    world
}

fn payment_refused() -> World {
    let mut world = World::new();
    world.call(CALL, "10", Some("test:refused"));
    world
}

/// The provider hears the sixth time that it is asked, a minute after the first.
fn silent_for(duration_ms: i64) -> World {
    let mut world = World::new();
    world.call(CALL, "5", Some("test:silent"));
    world.pass_ms(duration_ms);
    world
}

/// As a payment service that was restored hears it.
fn due_before_the_provider_answers() -> World {
    let mut world = World::new();
    world.call(CALL, "10", Some("test:late=60000"));
    world.pass_ms(SECOND_MS);
    world.ride_over(CALL);
    world.pass_ms(SECOND_MS);
    world
}

fn refused_late() -> World {
    let mut world = World::slow(15_000);
    world.call(CALL, "5", Some("test:refused"));
    world.pass_ms(20 * SECOND_MS);
    world
}

fn provider_silent_for_a_day() -> World {
    let mut world = World::slow(48 * 60 * 60 * 1_000);
    world.call(CALL, "5", None);
    world.pass_ms(11 * SECOND_MS);
    for _ in 0..25 {
        world.leap_ms(HOUR_MS);
    }
    world
}

fn cancelled_before_payment() -> World {
    let mut world = World::new();
    world.call(CALL, "10", Some("test:late=5000"));
    world.cancel(CALL, "rider");
    world.pass_ms(12 * SECOND_MS);
    world
}

fn cancelled_and_never_charged() -> World {
    let mut world = World::slow(5_000);
    world.call(CALL, "10", Some("test:refused"));
    world.cancel(CALL, "rider");
    world.pass_ms(12 * SECOND_MS);
    world
}

fn cancelled_while_the_provider_is_silent() -> World {
    let mut world = World::new();
    world.call(CALL, "10", Some("test:silent"));
    world.cancel(CALL, "rider");
    world
}

/// Drive hears of the payment and of the cancellation at the same time.
fn cancelled_after_payment() -> World {
    let mut world = World::new();
    world.stop("drive");
    world.call(CALL, "10", None);
    world.cancel(CALL, "rider");
    world.go_on("drive");
    world.pass_ms(SECOND_MS);
    world
}

fn cancelled_during_the_drive() -> World {
    let mut world = World::new();
    world.call(CALL, "10", None);
    world.pass_ms(3 * MINUTE_MS);
    world.cancel(CALL, "rider");
    world.pass_ms(SECOND_MS);
    world
}

fn cancelled_by_an_operator() -> World {
    let mut world = World::new();
    world.call(CALL, "10", None);
    world.cancel(CALL, "operator");
    world.pass_ms(SECOND_MS);
    world
}

fn ended_by_an_operator() -> World {
    let mut world = World::new();
    world.call(CALL, "10", None);
    world.pass_ms(30 * MINUTE_MS);
    world.end(CALL, "operator");
    world.settle();
    world
}

/// The ride had ended, and call had not heard so when the rider cancelled.
fn cancelled_too_late() -> World {
    let mut world = World::new();
    world.call(CALL, "10", None);
    world.pass_ms(9 * MINUTE_MS);
    world.stop("call");
    world.end(CALL, "driver");
    world.cancel(CALL, "rider");
    world.go_on("call");
    world
}

fn cancellation_undecided() -> World {
    let mut world = World::new();
    world.call(CALL, "10", None);
    world.stop("drive");
    world.cancel(CALL, "rider");
    world
}

/// The provider gave the fare back, and its answer was lost.
fn refund_on_its_way() -> World {
    let mut world = World::new();
    world.call(CALL, "10", Some("test:lost"));
    world.pass_ms(3 * SECOND_MS);
    world.cancel(CALL, "rider");
    world.pass_ms(SECOND_MS);
    world
}

fn under_way() -> World {
    let mut world = World::new();
    world.call(CALL, "10", None);
    world.pass_ms(5 * MINUTE_MS);
    world
}

fn under_way_for_a_day() -> World {
    let mut world = World::new();
    world.call(CALL, "10", None);
    world.leap_ms(25 * HOUR_MS);
    world
}

fn drive_has_not_heard() -> World {
    let mut world = World::new();
    world.stop("drive");
    world.call(CALL, "10", None);
    world
}

fn over_a_topic(mut world: World, told: &[(&'static str, u64)]) -> World {
    let topic = Some(told.iter().copied().collect());
    world.lens = Some(Lens { topic, ..Lens::default() });
    world
}

fn completed_over_a_topic() -> World {
    over_a_topic(completed(), &[])
}

/// The call is stored, and nobody hears of it.
fn kafka_away_for(duration_ms: i64) -> World {
    let mut world = World::new();
    world.stop("payment");
    world.stop("view");
    world.call(CALL, "10", None);
    world.pass_ms(duration_ms);
    over_a_topic(world, &[("call", 0)])
}

fn drive_has_not_read_the_topic() -> World {
    let mut world = World::new();
    world.stop("drive");
    world.call(CALL, "10", None);
    world.pass_ms(2 * MINUTE_MS);
    over_a_topic(world, &[])
}

fn nobody_heard_from_payment() -> World {
    let mut world = World::new();
    world.stop("payment");
    world.call(CALL, "10", None);
    world.pass_ms(MINUTE_MS);
    world
}

fn paid_and_no_drive() -> World {
    let mut world = World::new();
    world.stop("drive");
    world.call(CALL, "10", None);
    world.leap_ms(10 * MINUTE_MS);
    world.go_on("drive");
    world.pass_ms(SECOND_MS);
    world
}

fn view_behind() -> World {
    let mut world = World::new();
    world.stop("view");
    world.call(CALL, "10", None);
    world
}

fn dead_letter() -> World {
    let mut world =
        World::with(Rules::default(), &Business { drive: lost_in_the_map, ..Business::default() });
    world.call(CALL, "10", None);
    world.pass_ms(MINUTE_MS);
    world.cancel(CALL, "rider");
    world
}

fn dead_letter_skipped() -> World {
    let mut world = dead_letter();
    world.skip("the map has no such street");
    world
}

/// Payment never hears that the call is off.
fn refund_left_out() -> World {
    let business = Business { payment: fails_at_calling_off, ..Business::default() };
    let mut world = World::with(Rules::default(), &business);
    world.call(CALL, "10", None);
    world.pass_ms(MINUTE_MS);
    world.cancel(CALL, "rider");
    world.skip("seen before");
    world
}

/// Payment never hears that the ride is over.
fn earning_left_out() -> World {
    let business = Business { payment: fails_at_the_end_of_the_ride, ..Business::default() };
    let mut world = World::with(Rules::default(), &business);
    world.call(CALL, "10", None);
    world.pass_ms(MINUTE_MS);
    world.end(CALL, "driver");
    world.skip("seen before");
    world
}

/// Call never hears that the ride is over.
fn ending_left_out() -> World {
    let mut world =
        World::with(Rules::default(), &Business { call: fails_at_its_end, ..Business::default() });
    world.call(CALL, "10", None);
    world.pass_ms(MINUTE_MS);
    world.end(CALL, "driver");
    world.skip("seen before");
    world
}

/// Call never hears that the ride is called off.
fn calling_off_left_out() -> World {
    let mut world =
        World::with(Rules::default(), &Business { call: fails_at_its_end, ..Business::default() });
    world.call(CALL, "10", None);
    world.pass_ms(MINUTE_MS);
    world.cancel(CALL, "rider");
    world.skip("seen before");
    world
}

/// Drive never hears that the rider wants the ride off.
fn cancellation_of_a_ride_left_out() -> World {
    let mut world =
        World::with(Rules::default(), &Business { drive: fails_at_cancelling, ..Business::default() });
    world.call(CALL, "10", None);
    world.pass_ms(MINUTE_MS);
    world.cancel(CALL, "rider");
    world.skip("seen before");
    world
}

/// The same before the fare is paid.
fn cancellation_left_out() -> World {
    let mut world =
        World::with(Rules::default(), &Business { drive: fails_at_cancelling, ..Business::default() });
    world.call(CALL, "10", Some("test:late=5000"));
    world.cancel(CALL, "rider");
    world.skip("seen before");
    world
}

/// Drive never hears of the call at all.
fn payment_and_cancellation_left_out() -> World {
    let business = Business { drive: hears_nothing, ..Business::default() };
    let mut world = World::with(Rules::default(), &business);
    world.call(CALL, "10", None);
    world.cancel(CALL, "rider");
    world.skip("seen before");
    world.skip("seen before");
    world
}

fn hears_nothing(
    _: Option<&Drive>,
    _: &drive::Command,
    _: &Context<'_>,
) -> Result<Decision<NoEffect>, drive::Refusal> {
    panic!("no such ride");
}

/// Stumbles over every cancellation.
fn fails_at_cancelling(
    state: Option<&Drive>,
    command: &drive::Command,
    ctx: &Context<'_>,
) -> Result<Decision<NoEffect>, drive::Refusal> {
    if let drive::Command::Cancel(_) = command {
        panic!("no such ride");
    }
    drive::decide(state, command, ctx)
}

/// Stumbles over whatever ends it.
fn fails_at_its_end(
    state: Option<&Call>,
    command: &call::Command,
    ctx: &Context<'_>,
) -> Result<Decision<NoEffect>, call::Refusal> {
    if let call::Command::Complete(_) | call::Command::CallOff(_) = command {
        panic!("no such call");
    }
    call::decide(state, command, ctx)
}

fn fails_at_calling_off(
    state: Option<&Payment>,
    command: &payment::Command,
    ctx: &Context<'_>,
) -> Result<Decision<payment::Effect>, payment::Refusal> {
    if let payment::Command::CallOff(_) = command {
        panic!("no such fare");
    }
    payment::decide(state, command, ctx)
}

fn fails_at_the_end_of_the_ride(
    state: Option<&Payment>,
    command: &payment::Command,
    ctx: &Context<'_>,
) -> Result<Decision<payment::Effect>, payment::Refusal> {
    if let payment::Command::RideOver(_) = command {
        panic!("no such fare");
    }
    payment::decide(state, command, ctx)
}

fn dead_answer() -> World {
    let mut world = World::with(Rules::default(), &Business { payment: cannot_count, ..Business::default() });
    world.call(CALL, "10", None);
    world.pass_ms(SECOND_MS);
    world
}

/// What is stored of it was damaged, and the view, made anew, has put it aside.
fn unreadable() -> World {
    without(completed(), &Lens { is_view_made_anew: true, ..no_payment() })
}

fn unreadable_with_its_state() -> World {
    without(completed(), &Lens { no_state_of: Some("payment"), ..no_payment() })
}

fn unreadable_under_way() -> World {
    without(under_way(), &no_payment())
}

fn no_payment() -> Lens {
    Lens { unreadable: vec!["FarePaid"], ..Lens::default() }
}

fn without(mut world: World, lens: &Lens) -> World {
    world.assembly.readers = seen_through(&world.assembly.readers, lens);
    world
}

/// It never says that the call is placed.
fn beside_another_call_service() -> World {
    let rules = Rules { callpay_beside: CallpayBeside::Original, ..Rules::default() };
    let mut world = World::with(rules, &Business::default());
    world.pay(CALL, 100_000);
    world
}

fn given_up_by_another_call_service() -> World {
    let rules = Rules { callpay_beside: CallpayBeside::Original, ..Rules::default() };
    let mut world = World::with(rules, &Business::default());
    world.stop("payment");
    world.pay(CALL, 100_000);
    world.give_up(CALL);
    world.go_on("payment");
    world.pass_ms(SECOND_MS);
    world
}

/// Knows no way anywhere.
fn lost_in_the_map(
    state: Option<&Drive>,
    command: &drive::Command,
    ctx: &Context<'_>,
) -> Result<Decision<NoEffect>, drive::Refusal> {
    if let drive::Command::Start { .. } = command {
        panic!("no such street");
    }
    drive::decide(state, command, ctx)
}

/// Stumbles over what the provider answers.
fn cannot_count(
    state: Option<&Payment>,
    command: &payment::Command,
    ctx: &Context<'_>,
) -> Result<Decision<payment::Effect>, payment::Refusal> {
    if let payment::Command::TakeAnswered { .. } = command {
        panic!("an amount that is none");
    }
    payment::decide(state, command, ctx)
}
