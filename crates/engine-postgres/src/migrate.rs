//! How a database gets from one version of its tables to the next, while programs of the older one go on running.
//!
//! A version only ever adds what the one before does not mind (*expand*). What nobody needs any more is dropped by a later
//! version (*contract*), which names the oldest one whose programs can still use the tables.

use crate::ddl;
use crate::failure::Answer;
use crate::session::Session;

/// One step. Each is run once for a database, in one transaction with the note that it was.
pub(crate) struct Migration {
    pub(crate) version: u32,
    /// The oldest version whose programs can use the tables afterwards.
    pub(crate) oldest_reader: u32,
    pub(crate) common: &'static str,
    pub(crate) service: fn(&str) -> String,
    pub(crate) kind: fn(&str, &str) -> String,
}

/// All steps in their order; a new database takes all of them. A step that was released is never changed.
pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    oldest_reader: 1,
    common: ddl::COMMON,
    service: ddl::of_service,
    kind: ddl::of_kind,
}];

/// The version that a program knows which has these steps.
pub(crate) fn known(steps: &[Migration]) -> u32 {
    steps.last().map_or(0, |step| step.version)
}

/// Takes the tables of what is there already through the steps that they lack.
pub(crate) fn upgrade(
    session: &Session,
    (steps, from): (&[Migration], u32),
    services: &[(String, Vec<String>)],
) -> Answer<()> {
    for step in steps.iter().filter(|step| step.version > from) {
        session.run(step.common)?;
        for (service, kinds) in services {
            session.run(&(step.service)(service))?;
            for kind in kinds {
                session.run(&(step.kind)(service, kind))?;
            }
        }
        let Migration { version, oldest_reader, .. } = step;
        session.run(&format!(
            "DELETE FROM engine.schema_version; \
             INSERT INTO engine.schema_version (version, oldest_reader) VALUES ({version}, {oldest_reader})"
        ))?;
    }
    Ok(())
}

/// Makes the tables of a service that is new, as all steps together leave them.
pub(crate) fn add_service(session: &Session, steps: &[Migration], service: &str) -> Answer<()> {
    steps.iter().try_for_each(|step| session.run(&(step.service)(service)))
}

pub(crate) fn add_kind(session: &Session, steps: &[Migration], (service, kind): (&str, &str)) -> Answer<()> {
    steps.iter().try_for_each(|step| session.run(&(step.kind)(service, kind)))
}
