//! What goes wrong in SQLite, in the words of the engine's port.

use engine::store::{Commit, StoreError};
use rusqlite::ErrorCode;

/// Why something was not read or not written.
#[derive(Debug)]
pub(crate) enum Failure {
    Conflict,
    Fenced,
    /// The data cannot be stored, however often it is tried.
    Refused(String),
    /// What stands in the file is not what was ever written, or the program asks for what it did not declare.
    Broken(String),
    /// Too many others are at it; nothing was changed.
    Busy(String),
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

/// How an error of SQLite is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    /// Nothing was changed; later it may work.
    Passing,
    /// It lies with the data.
    Data,
    /// Neither the file nor what was said of it can be relied on: a retried fsync proves nothing.
    Fatal,
}

pub(crate) fn severity(error: &rusqlite::Error) -> Severity {
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::OutOfMemory
            | ErrorCode::OperationInterrupted,
        ) => Severity::Passing,
        Some(ErrorCode::TooBig | ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch) => Severity::Data,
        // SQLite's list of errors grows; what is not known to be harmless is not. That its index of the WAL cannot grow
        // on a full disk (IOERR_SHMSIZE) is not: the commit stands in the WAL by then, and would be there after a crash.
        _ => Severity::Fatal,
    }
}

/// What happened, for whoever has to do something about it, before what SQLite says of it.
fn words(error: &rusqlite::Error) -> String {
    let what = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "the disk is full, and nothing of it was stored",
        Some(ErrorCode::ReadOnly) => "the file or its file system has become read-only",
        Some(ErrorCode::SystemIoFailure) => "the disk failed",
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => "the file is damaged",
        Some(ErrorCode::CannotOpen) => "the file, or one beside it, cannot be opened any more",
        _ => return error.to_string(),
    };
    // The code tells apart what the text does not: which of the operations on the disk it was that failed.
    let code = error.sqlite_error().map_or(0, |error| error.extended_code);
    format!("{what} ({error}, SQLite's code {code})")
}

impl Failure {
    pub(crate) fn into_commit(self) -> Commit {
        match self {
            Self::Conflict => Commit::Conflict,
            Self::Fenced => Commit::Fenced,
            Self::Refused(why) => Commit::Refused(why),
            Self::Broken(why) => Commit::Fatal(why),
            Self::Busy(why) => Commit::Unavailable(why),
            Self::Sql(error) => match severity(&error) {
                Severity::Passing => Commit::Unavailable(words(&error)),
                Severity::Data => Commit::Refused(words(&error)),
                Severity::Fatal => Commit::Fatal(words(&error)),
            },
        }
    }

    pub(crate) fn into_store_error(self) -> StoreError {
        match self {
            Self::Conflict | Self::Fenced => StoreError::Unavailable("another writer was faster".into()),
            Self::Refused(why) | Self::Broken(why) => StoreError::Fatal(why),
            Self::Busy(why) => StoreError::Unavailable(why),
            Self::Sql(error) => match severity(&error) {
                Severity::Passing => StoreError::Unavailable(words(&error)),
                Severity::Data | Severity::Fatal => StoreError::Fatal(words(&error)),
            },
        }
    }
}

/// A number as SQLite keeps it.
pub(crate) fn integer(number: u64) -> Result<i64, Failure> {
    i64::try_from(number).map_err(|_| Failure::Refused(format!("{number} is above what can be stored")))
}

/// A number as it was kept.
pub(crate) fn number(row: &rusqlite::Row<'_>, column: usize) -> Result<u64, Failure> {
    let stored: i64 = row.get(column)?;
    u64::try_from(stored).map_err(|_| Failure::Broken(format!("a negative number is stored: {stored}")))
}

/// A small number as it was kept.
pub(crate) fn small<T: TryFrom<i64>>(row: &rusqlite::Row<'_>, column: usize) -> Result<T, Failure> {
    let stored: i64 = row.get(column)?;
    T::try_from(stored).map_err(|_| Failure::Broken(format!("a number out of range is stored: {stored}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::ffi;

    #[test]
    fn what_sqlite_says_is_taken_for_what_it_means() {
        for (code, expected) in [
            (ffi::SQLITE_FULL, Severity::Passing),
            (ffi::SQLITE_BUSY, Severity::Passing),
            (ffi::SQLITE_BUSY_SNAPSHOT, Severity::Passing),
            (ffi::SQLITE_NOMEM, Severity::Passing),
            (ffi::SQLITE_TOOBIG, Severity::Data),
            (ffi::SQLITE_CONSTRAINT_UNIQUE, Severity::Data),
            (ffi::SQLITE_IOERR, Severity::Fatal),
            (ffi::SQLITE_IOERR_FSYNC, Severity::Fatal),
            (ffi::SQLITE_IOERR_WRITE, Severity::Fatal),
            (ffi::SQLITE_IOERR_SHMSIZE, Severity::Fatal),
            (ffi::SQLITE_READONLY_DBMOVED, Severity::Fatal),
            (ffi::SQLITE_CORRUPT, Severity::Fatal),
            (ffi::SQLITE_NOTADB, Severity::Fatal),
            (ffi::SQLITE_READONLY, Severity::Fatal),
            (ffi::SQLITE_CANTOPEN, Severity::Fatal),
            (ffi::SQLITE_MISUSE, Severity::Fatal),
            (ffi::SQLITE_ERROR, Severity::Fatal),
        ] {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            assert_eq!(severity(&error), expected, "{error}");
        }
    }

    #[test]
    fn whoever_has_to_do_something_is_told_what_happened() {
        for (code, expected) in [
            (ffi::SQLITE_FULL, "the disk is full"),
            (ffi::SQLITE_READONLY, "read-only"),
            (ffi::SQLITE_IOERR_FSYNC, "the disk failed"),
            (ffi::SQLITE_IOERR_FSYNC, "code 1034"),
            (ffi::SQLITE_CORRUPT, "damaged"),
        ] {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            let told = words(&error);
            assert!(told.contains(expected), "{told}");
        }
    }
}
