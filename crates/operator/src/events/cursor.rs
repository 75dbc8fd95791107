//! How far a stream has come in every log, as one opaque text.
//!
//! It names the logs, so that a stream never goes on in another one. In bytes: a version, the count of logs and their
//! ids; then for each tail the place of its log among them, its service's name with its length, its shard, its position.

use super::Log;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use engine::log::LogId;
use std::sync::Arc;

const VERSION: u8 = 1;
/// Longer than any that was ever written.
const TEXT_LENGTH_MAX: usize = 64 * 1024;

/// Why a text is no place to go on from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CursorError {
    Malformed,
    /// It names a log that is not here, or a place that this log has not reached.
    OtherLog,
}

pub(super) fn write(tails: &[Arc<dyn Log>], positions: impl Iterator<Item = u64>) -> String {
    let mut logs: Vec<LogId> = tails.iter().map(|tail| tail.source().log).collect();
    logs.sort_unstable();
    logs.dedup();
    let mut bytes = vec![VERSION];
    put(&mut bytes, logs.len() as u64);
    for LogId(log) in &logs {
        bytes.extend_from_slice(&log.to_le_bytes());
    }
    for (tail, position) in tails.iter().zip(positions) {
        let source = tail.source();
        let place = logs.partition_point(|log| *log < source.log);
        put(&mut bytes, place as u64);
        put(&mut bytes, source.service.len() as u64);
        bytes.extend_from_slice(source.service.as_bytes());
        put(&mut bytes, u64::from(source.shard));
        put(&mut bytes, position);
    }
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The position in each tail; a tail that the text does not name is read from its beginning.
pub(super) fn read(text: &str, tails: &[Arc<dyn Log>]) -> Result<Vec<u64>, CursorError> {
    if text.len() > TEXT_LENGTH_MAX {
        return Err(CursorError::Malformed);
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError::Malformed)?;
    let mut reader = Bytes(&bytes);
    if reader.take(1) != Some(&[VERSION]) {
        return Err(CursorError::Malformed);
    }
    let named = named(&mut reader).ok_or(CursorError::Malformed)?;
    let mut positions = vec![0; tails.len()];
    for place in named {
        let tail = tails.iter().position(|tail| {
            let source = tail.source();
            source.log == place.log && source.service == place.service && source.shard == place.shard
        });
        positions[tail.ok_or(CursorError::OtherLog)?] = place.position;
    }
    Ok(positions)
}

struct Place {
    log: LogId,
    service: String,
    shard: u16,
    position: u64,
}

fn named(reader: &mut Bytes<'_>) -> Option<Vec<Place>> {
    let mut logs = Vec::new();
    for _ in 0..reader.number()? {
        let log = reader.take(8)?.first_chunk().copied()?;
        logs.push(LogId(u64::from_le_bytes(log)));
    }
    let mut places = Vec::new();
    while !reader.0.is_empty() {
        let log = *logs.get(usize::try_from(reader.number()?).ok()?)?;
        let length = usize::try_from(reader.number()?).ok()?;
        let service = String::from_utf8(reader.take(length)?.to_vec()).ok()?;
        places.push(Place {
            log,
            service,
            shard: u16::try_from(reader.number()?).ok()?,
            position: reader.number()?,
        });
    }
    Some(places)
}

/// A number in as few groups of seven bits as it needs, the lowest first.
fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

struct Bytes<'b>(&'b [u8]);

impl<'b> Bytes<'b> {
    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number: u64 = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = *self.take(1)?.first()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_size_are_read_back() {
        for number in [0, 1, 127, 128, 300, 16_384, u64::from(u32::MAX), u64::MAX] {
            let mut bytes = Vec::new();
            put(&mut bytes, number);
            assert_eq!(Bytes(&bytes).number(), Some(number));
        }
        assert_eq!(Bytes(&[0x80]).number(), None);
        assert_eq!(Bytes(&[0xff; 11]).number(), None);
    }

    #[test]
    fn what_is_no_cursor_is_malformed() {
        for wrong in ["", "1", "*", "AA", "AQ==", "AQE", "AgAA", "AQH_____________________AAEB"] {
            assert_eq!(read(wrong, &[]), Err(CursorError::Malformed), "{wrong}");
        }
        assert_eq!(read("AQA", &[]), Ok(vec![]));
    }
}
