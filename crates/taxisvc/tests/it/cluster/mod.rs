//! Several of each service over the real Kafka and PostgreSQL: what riders see, and what breaks without their seeing it.

mod answered_while_kafka_is_away;
mod day;
mod flow;
mod monitoring;
mod moved;
mod moving_over;
mod operators;
mod restored;
mod rolling;
mod scaling;
mod secured;
mod seen_from_outside;
mod settings_change;
mod the_topic_changes;
mod the_topic_on_the_command_line;
mod traces;
mod while_the_database_is_away;
