//! Who does what on hearing what: computed by asking the policies, so that it cannot be out of date.

use crate::event::Event;
use crate::sample;
use crate::{call, drive, payment, view};

/// One line of the flow: on this event, this service does this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub event: &'static str,
    pub service: &'static str,
    pub command: &'static str,
}

/// Every published event and what it makes each service do.
pub fn flow() -> Vec<Row> {
    sample::every_event().iter().filter(|event| event.is_published()).flat_map(rows).collect()
}

fn rows(event: &Event) -> Vec<Row> {
    let heard = [
        ("call", call::policy::policy(event).map(|command| command.name())),
        ("payment", payment::policy::policy(event).map(|command| command.name())),
        ("drive", drive::policy::policy(event).map(|command| command.name())),
        ("view", view::project(None, event, sample::AT).map(|_| "Project")),
    ];
    let row = |(service, command): (&'static str, Option<&'static str>)| {
        command.map(|command| Row { event: event.type_name(), service, command })
    };
    heard.into_iter().filter_map(row).collect()
}
