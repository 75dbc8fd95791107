//! The nine things that the original does to its riders, measured there; each shown not to happen here.

mod a_fare_told_twice_is_driven_twice;
mod a_finished_ride_is_cancelled;
mod a_refund_is_a_line_in_a_log;
mod a_restart_forgets_every_ride;
mod a_slow_first_call_is_failed_and_charged;
mod a_wrong_field_shows_the_parser;
mod calls_stay_without_a_status;
mod impossible_distances_are_taken;
mod the_view_falls_behind;
