//! What goes wrong with PostgreSQL, in the words of the engine's port.

use crate::OpenError;
use engine::store::{Commit, StoreError};
use tokio_postgres::error::{DbError, Severity, SqlState};

/// What the statements of a commit raise themselves: something was not as it was when the batch was decided.
pub(crate) const CONFLICT: &str = "EN001";
/// An inbox row stood elsewhere.
pub(crate) const FENCED: &str = "EN002";

/// The columns that hold an answer and an entity are unique; one that is there already is another writer's.
const ANSWER_KEY: &str = "_idempotency_key";
const ENTITY_KEY: &str = "_entity_key";

/// Why something was not read or not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    Conflict,
    Fenced,
    /// The data cannot be stored, however often it is tried.
    Refused(String),
    /// What stands in the database is not what was ever written, or the program asks for what it did not declare.
    Broken(String),
    /// Nothing was changed; later it may work.
    Busy(String),
    /// The server has ended the connection before it did what was asked.
    Ended(String),
    /// There is no connection any more, and no answer; what was asked may have been done.
    Lost(String),
}

pub(crate) type Answer<T> = Result<T, Failure>;

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(told) => of_server(told),
            // What the driver cannot write is the data's fault; what it cannot read is what nobody ever wrote.
            None if error.to_string().starts_with("error serializing") => Self::Refused(error.to_string()),
            None if error.to_string().starts_with("error deserializing") => Self::Broken(error.to_string()),
            None => Self::Lost(words_of(&error)),
        }
    }
}

/// How the server's own words are to be taken.
pub(crate) fn of_server(told: &DbError) -> Failure {
    let code = told.code();
    let why = format!("{} (SQLSTATE {})", told.message(), code.code());
    match code.code() {
        CONFLICT => return Failure::Conflict,
        FENCED => return Failure::Fenced,
        _ => {}
    }
    if *code == SqlState::UNIQUE_VIOLATION {
        let by = told.constraint().unwrap_or_default();
        let is_race = by.ends_with(ANSWER_KEY) || by.ends_with(ENTITY_KEY);
        return if is_race { Failure::Conflict } else { Failure::Refused(why) };
    }
    // A statement that was prepared before the tables changed, or that a pooler between has lost, is prepared anew. A server
    // that only lets read is a standby, or was made one: who connects again may come to the one that is in charge now.
    let is_stale = matches!(code.code(), "0A000" | "26000" | "25006");
    if is_stale || matches!(told.parsed_severity(), Some(Severity::Fatal | Severity::Panic)) {
        return Failure::Ended(why);
    }
    match &code.code()[..2] {
        // The data, its size, or what it would break.
        "22" | "23" | "54" => Failure::Refused(why),
        // A table, a column or a right that is not there: the database is not ours, or not ours any more.
        "42" | "3F" => Failure::Broken(why),
        // Damage that the server has found in its own files.
        "XX" if *code != SqlState::INTERNAL_ERROR => Failure::Broken(why),
        _ => Failure::Busy(why),
    }
}

/// The error with its cause, which says more than it does.
fn words_of(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

impl Failure {
    pub(crate) fn into_commit(self) -> Commit {
        match self {
            Self::Conflict => Commit::Conflict,
            Self::Fenced => Commit::Fenced,
            Self::Refused(why) => Commit::Refused(why),
            Self::Broken(why) => Commit::Fatal(why),
            Self::Busy(why) | Self::Ended(why) => Commit::Unavailable(why),
            Self::Lost(_) => Commit::Unknown,
        }
    }

    pub(crate) fn into_store_error(self) -> StoreError {
        match self {
            Self::Conflict | Self::Fenced => StoreError::Unavailable("another writer was faster".into()),
            Self::Refused(why) | Self::Broken(why) => StoreError::Fatal(why),
            Self::Busy(why) | Self::Ended(why) | Self::Lost(why) => StoreError::Unavailable(why),
        }
    }

    /// The connection can be used no more; another may do.
    pub(crate) fn is_of_connection(&self) -> bool {
        matches!(self, Self::Ended(_) | Self::Lost(_))
    }

    /// The same for who has certainly changed nothing.
    pub(crate) fn into_nothing_done(self) -> Self {
        match self {
            Self::Lost(why) => Self::Busy(why),
            other @ (Self::Conflict
            | Self::Fenced
            | Self::Refused(_)
            | Self::Broken(_)
            | Self::Busy(_)
            | Self::Ended(_)) => other,
        }
    }
}

/// What opening a database makes of it.
impl From<Failure> for OpenError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(why) | Failure::Broken(why) => Self::Refused(why),
            Failure::Busy(why) | Failure::Ended(why) | Failure::Lost(why) => Self::Unavailable(why),
            Failure::Conflict | Failure::Fenced => Self::Unavailable("another was faster".into()),
        }
    }
}
