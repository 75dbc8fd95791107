//! Writes how each trip ended, in the order of the file, without ids and times: runs that ended alike write the same.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use crate::answer::{CallStatus, DriveStatus, PayStatus};

/// One line of the file. `noted` is what only the file of trips shows; `refused` the type of the server's problem.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EndRow {
    pub(crate) trip: u64,
    pub(crate) noted: String,
    pub(crate) call_status: Option<CallStatus>,
    pub(crate) pay_status: Option<PayStatus>,
    pub(crate) drive_status: Option<DriveStatus>,
    pub(crate) fare: Option<u64>,
    pub(crate) refused: Option<String>,
}

/// Trips end in another order than they were called in; what comes early is held back until it is its turn.
pub(crate) struct Ends {
    writer: csv::Writer<BufWriter<File>>,
    next_trip: u64,
    early: BTreeMap<u64, EndRow>,
    failure: Option<csv::Error>,
}

impl Ends {
    pub(crate) fn create(path: &Path) -> anyhow::Result<Self> {
        let file =
            File::create(path).with_context(|| format!("cannot write the ends to {}", path.display()))?;
        let writer = csv::Writer::from_writer(BufWriter::new(file));
        Ok(Self { writer, next_trip: 1, early: BTreeMap::new(), failure: None })
    }

    /// Takes a row; a failure to write is kept for `finish`, so that the trips under way come to their ends.
    pub(crate) fn push(&mut self, row: EndRow) {
        self.early.insert(row.trip, row);
        while let Some(row) = self.early.remove(&self.next_trip) {
            self.write(&row);
            self.next_trip += 1;
        }
    }

    pub(crate) fn finish(mut self) -> anyhow::Result<()> {
        for row in std::mem::take(&mut self.early).into_values() {
            self.write(&row);
        }
        if let Some(failure) = self.failure {
            return Err(failure).context("the ends could not be written");
        }
        self.writer.flush().context("the ends could not be written")
    }

    fn write(&mut self, row: &EndRow) {
        if self.failure.is_none() {
            self.failure = self.writer.serialize(row).err();
        }
    }
}
