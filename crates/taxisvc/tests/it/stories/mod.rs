//! A story for every situation that a rider, a driver or an operator can get into.

mod a_ride_under_way_is_reported_and_never_ended_by_a_clock;
mod crash_after_every_step;
mod drive_down_for_a_while;
mod each_compensation_failed_at_every_step_and_run_twice;
mod every_message_doubled;
mod every_order_of_one_calls_events;
mod no_driver_available;
mod nobody_hears_from_payment;
mod paid_but_no_drive;
mod payment_answers_after_its_deadline;
mod payment_refused;
mod payment_silent;
mod ride_completed;
mod rider_cancels_after_payment;
mod rider_cancels_after_the_end;
mod rider_cancels_at_the_moment_of_its_end;
mod rider_cancels_before_payment;
mod rider_cancels_during_the_drive;
mod void_and_take_crossing;
