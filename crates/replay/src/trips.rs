//! Reads a file of recorded trips row by row: plain or gzipped, in the formats recognised by their header.

mod chicago;
mod local_time;
mod new_york;

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, bail};
use flate2::read::MultiGzDecoder;

use crate::distance::Miles;

const LINE_BYTES_MAX: u64 = 64 * 1024;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// One recorded trip.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Trip {
    /// The row's number in the file, 1 being the first below the header.
    pub(crate) number: u64,
    /// In seconds of the file's own clock.
    pub(crate) pickup_at: i64,
    pub(crate) dropoff_at: Option<i64>,
    pub(crate) distance: Miles,
    pub(crate) notes: Notes,
}

/// What only the file shows to be wrong with a trip; the server cannot know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    NegativeFare,
    UnknownZone,
    NoPlace,
    DropoffNotAfterPickup,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Notes(u8);

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Row {
    Trip(Trip),
    Unreadable(Unreadable),
}

/// A row that is no trip, and why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) number: u64,
    pub(crate) line: u64,
    pub(crate) reason: String,
}

/// The formats known, each with the places of the columns it needs.
enum Format {
    NewYork(new_york::Columns),
    Chicago(chicago::Columns),
}

pub(crate) struct TripReader {
    input: Box<dyn BufRead + Send>,
    format: Format,
    column_count: usize,
    buffer: Vec<u8>,
    lines_read: u64,
    bytes_read: Arc<AtomicU64>,
    bytes_total: u64,
}

impl TripReader {
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        Self::open_file(path).with_context(|| format!("cannot read the trips in {}", path.display()))
    }

    fn open_file(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path)?;
        let bytes_total = file.metadata()?.len();
        let bytes_read = Arc::new(AtomicU64::new(0));
        let counted = Counted { file, bytes_read: Arc::clone(&bytes_read) };
        let named_gzip = path.extension().is_some_and(|extension| extension == "gz");
        let mut input = decompressed(BufReader::new(counted), named_gzip)?;
        let mut buffer = Vec::new();
        if read_line(&mut input, &mut buffer).map_err(|error| unreadable_file(1, &error))? == Line::End {
            bail!("the file is empty; its first line should name the columns");
        }
        let header = String::from_utf8_lossy(&buffer).into_owned();
        let names: Vec<&str> = header.trim_start_matches('\u{feff}').split(',').map(str::trim).collect();
        let format = Format::recognise(&names)?;
        let column_count = names.len();
        Ok(Self { input, format, column_count, buffer, lines_read: 1, bytes_read, bytes_total })
    }

    /// The next row, or none at the end. An error is the file's own (damaged gzip, disk), not a row's.
    pub(crate) fn next(&mut self) -> anyhow::Result<Option<Row>> {
        let line = self.lines_read + 1;
        let read =
            read_line(&mut self.input, &mut self.buffer).map_err(|error| unreadable_file(line, &error))?;
        if read == Line::End {
            return Ok(None);
        }
        self.lines_read = line;
        let number = line - 1;
        let row = match read {
            Line::TooLong => Err(format!("is longer than {LINE_BYTES_MAX} bytes")),
            Line::Whole | Line::End => self.parse(number),
        };
        Ok(Some(match row {
            Ok(trip) => Row::Trip(trip),
            Err(reason) => Row::Unreadable(Unreadable { number, line, reason }),
        }))
    }

    fn parse(&self, number: u64) -> Result<Trip, String> {
        let text = str::from_utf8(&self.buffer).map_err(|_| "is not UTF-8".to_owned())?;
        if text.is_empty() {
            return Err("is empty".to_owned());
        }
        let fields = split_fields(text)?;
        if fields.len() != self.column_count {
            return Err(format!("has {} fields where the header has {}", fields.len(), self.column_count));
        }
        match &self.format {
            Format::NewYork(columns) => columns.trip(number, &fields),
            Format::Chicago(columns) => columns.trip(number, &fields),
        }
    }

    /// A short name of the recorded city, which the riders' names begin with.
    pub(crate) fn city(&self) -> &'static str {
        match self.format {
            Format::NewYork(_) => "nyc",
            Format::Chicago(_) => "chicago",
        }
    }

    /// How much of the file, as it lies on the disk, has been read.
    pub(crate) fn bytes_read(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.bytes_read)
    }

    pub(crate) fn bytes_total(&self) -> u64 {
        self.bytes_total
    }
}

impl Format {
    fn recognise(names: &[&str]) -> anyhow::Result<Self> {
        if let Some(columns) = new_york::Columns::find(names) {
            return Ok(Self::NewYork(columns));
        }
        if let Some(columns) = chicago::Columns::find(names) {
            return Ok(Self::Chicago(columns));
        }
        if names.contains(&"pickup_latitude") && !names.contains(&"trip_miles") {
            bail!(
                "the file has coordinates but no column trip_miles; a distance is not made up from coordinates, \
                 which the city rounds to the centre of an area"
            );
        }
        bail!(
            "the first line names no format known. Expected are the columns {} (New York), or {} (Chicago). \
             Found: {}",
            new_york::NAMES.join(","),
            chicago::NAMES.join(","),
            names.join(",")
        );
    }
}

/// Where each of the names stands in the header, if all of them do.
fn find_columns<const N: usize>(wanted: [&str; N], names: &[&str]) -> Option<[usize; N]> {
    let mut places = [0; N];
    for (place, wanted) in places.iter_mut().zip(wanted) {
        *place = names.iter().position(|name| *name == wanted)?;
    }
    Some(places)
}

/// Whether a sum of money is below zero; one that is not written is not.
fn is_negative(column: &str, text: &str) -> Result<bool, String> {
    if text.is_empty() {
        return Ok(false);
    }
    let amount: f64 = text.parse().map_err(|_| format!("{column} `{text}` is no sum of money"))?;
    Ok(amount < 0.0)
}

fn decompressed(mut input: BufReader<Counted>, named_gzip: bool) -> anyhow::Result<Box<dyn BufRead + Send>> {
    if input.fill_buf()?.starts_with(&GZIP_MAGIC) {
        return Ok(Box::new(BufReader::new(MultiGzDecoder::new(input))));
    }
    if named_gzip {
        bail!("the file is named .gz and is not gzip");
    }
    Ok(Box::new(input))
}

fn unreadable_file(line: u64, error: &io::Error) -> anyhow::Error {
    let what = error.kind();
    if what == io::ErrorKind::UnexpectedEof {
        return anyhow::anyhow!("line {line}: the gzip data breaks off");
    }
    if what == io::ErrorKind::InvalidInput || what == io::ErrorKind::InvalidData {
        return anyhow::anyhow!("line {line}: the gzip data is damaged ({error})");
    }
    anyhow::anyhow!("line {line}: {error}")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Whole,
    TooLong,
    End,
}

fn read_line(input: &mut dyn BufRead, buffer: &mut Vec<u8>) -> io::Result<Line> {
    buffer.clear();
    let read = input.take(LINE_BYTES_MAX).read_until(b'\n', buffer)?;
    if read == 0 {
        return Ok(Line::End);
    }
    if buffer.ends_with(b"\n") {
        buffer.pop();
        if buffer.ends_with(b"\r") {
            buffer.pop();
        }
        return Ok(Line::Whole);
    }
    if (read as u64) < LINE_BYTES_MAX {
        return Ok(Line::Whole);
    }
    input.skip_until(b'\n')?;
    Ok(Line::TooLong)
}

/// The fields of one line. A row is a line here, always: a quote that is never closed must not swallow, as it would
/// in full CSV, every row below it.
fn split_fields(line: &str) -> Result<Vec<Cow<'_, str>>, String> {
    if !line.contains('"') {
        return Ok(line.split(',').map(Cow::Borrowed).collect());
    }
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            }
        };
        fields.push(Cow::Owned(field));
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None if after.is_empty() => return Ok(fields),
            None => return Err("has text after a closing quote".to_owned()),
        }
    }
}

/// What stands up to the closing quote, and what comes after it.
fn unquote(text: &str) -> Result<(String, &str), String> {
    let mut field = String::new();
    let mut rest = text;
    loop {
        let Some((before, after)) = rest.split_once('"') else {
            return Err("has a quote that is not closed".to_owned());
        };
        field.push_str(before);
        match after.strip_prefix('"') {
            Some(next) => {
                field.push('"');
                rest = next;
            }
            None => return Ok((field, after)),
        }
    }
}

struct Counted {
    file: File,
    bytes_read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.bytes_read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl Note {
    pub(crate) const ALL: [Self; 4] =
        [Self::NegativeFare, Self::UnknownZone, Self::NoPlace, Self::DropoffNotAfterPickup];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NegativeFare => "negativeFare",
            Self::UnknownZone => "unknownZone",
            Self::NoPlace => "noPlace",
            Self::DropoffNotAfterPickup => "dropoffNotAfterPickup",
        }
    }

    fn bit(self) -> u8 {
        1 << (self as u8)
    }
}

impl Notes {
    pub(crate) fn note_if(&mut self, condition: bool, note: Note) {
        if condition {
            self.0 |= note.bit();
        }
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Note> {
        Note::ALL.into_iter().filter(move |note| self.0 & note.bit() != 0)
    }
}

impl fmt::Display for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.iter().map(Note::name).collect();
        f.write_str(&names.join("+"))
    }
}

#[cfg(test)]
mod tests;
