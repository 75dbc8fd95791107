//! How an event is kept in its service's log: a type, a schema version and a JSON body.

use std::fmt;

use super::{CallEvent, DriveEvent, Event, PaymentEvent};

/// The schema version written now; every version ever written can still be read.
pub const SCHEMA: u16 = 1;

/// Whether events of this schema version can be read.
pub fn is_known(schema: u16) -> bool {
    #[cfg(feature = "next")]
    if schema == super::next::SCHEMA {
        return true;
    }
    schema == SCHEMA
}

/// Why a stored event cannot be read.
#[derive(Debug)]
pub enum Unreadable {
    UnknownType(String),
    UnknownSchema { type_name: String, schema: u16 },
    BadBody { type_name: String, source: serde_json::Error },
}

impl Event {
    /// Type, schema version and body, as they are stored.
    pub fn to_stored(&self) -> (&'static str, u16, String) {
        let body = match self {
            Self::Call(event) => event.body_json(),
            Self::Payment(event) => event.body_json(),
            Self::Drive(event) => event.body_json(),
        };
        let body = body.expect("a body has only text keys and finite numbers");
        #[cfg(feature = "next")]
        if super::next::is_written() {
            return (self.type_name(), super::next::SCHEMA, super::next::wrap(&body));
        }
        (self.type_name(), SCHEMA, body)
    }

    pub fn from_stored(type_name: &str, schema: u16, body: &str) -> Result<Self, Unreadable> {
        #[cfg(feature = "next")]
        let (schema, body) = super::next::unwrap(schema, body);
        if schema != SCHEMA {
            return Err(Unreadable::UnknownSchema { type_name: type_name.to_owned(), schema });
        }
        let read = CallEvent::read(type_name, body)
            .map(|event| event.map(Self::Call))
            .or_else(|| PaymentEvent::read(type_name, body).map(|event| event.map(Self::Payment)))
            .or_else(|| DriveEvent::read(type_name, body).map(|event| event.map(Self::Drive)));
        match read {
            Some(Ok(event)) => Ok(event),
            Some(Err(source)) => Err(Unreadable::BadBody { type_name: type_name.to_owned(), source }),
            None => Err(Unreadable::UnknownType(type_name.to_owned())),
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownType(type_name) => write!(formatter, "no event is called {type_name}"),
            Self::UnknownSchema { type_name, schema } => {
                write!(formatter, "{type_name} has schema {schema}, known is {SCHEMA}")
            }
            Self::BadBody { type_name, .. } => write!(formatter, "the body of a {type_name} cannot be read"),
        }
    }
}

impl std::error::Error for Unreadable {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::BadBody { source, .. } => Some(source),
            Self::UnknownType(_) | Self::UnknownSchema { .. } => None,
        }
    }
}
