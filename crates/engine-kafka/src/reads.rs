//! Which topic a client reads from, as it says itself.
//!
//! A client that reads a topic which is deleted and made anew goes over to the new one by itself and reads on at the
//! offset where it was, past all that stands before it there. It says so in a line for whoever looks for faults, before
//! anything of the new topic comes. Whoever does not find that line can still ask a broker.

use engine::log::LogId;

/// The part of a client's own log that has the line.
pub(crate) const DEBUG: &str = "metadata";
const FACILITY: &str = "METADATA";
const CHANGED: &str = " changed id from ";
const TO: &str = " to ";

/// The id to which a client has gone over, if that is what the line says.
pub(crate) fn gone_over(facility: &str, line: &str) -> Option<LogId> {
    if facility != FACILITY {
        return None;
    }
    let (_, ids) = line.split_once(CHANGED)?;
    let (_, id) = ids.split_once(TO)?;
    first_half(id.trim())
}

/// The first 64 of the 128 bits that are written in base 64.
fn first_half(text: &str) -> Option<LogId> {
    let digits: Option<Vec<u128>> = text.bytes().map(digit).collect();
    let digits = digits.filter(|digits| digits.len() == 22)?;
    // Eleven digits have 66 bits.
    let bits = digits[..11].iter().fold(0, |bits, digit| bits << 6 | digit);
    u64::try_from(bits >> 2).ok().map(LogId)
}

fn digit(byte: u8) -> Option<u128> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(u128::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_the_id_and_no_other_line_does() {
        // As `uuid.uuid4().bytes` in base 64: 0x0123456789abcdef and then eight bytes of no interest.
        let line =
            "[thrd:main]: Topic taxisvc changed id from AAAAAAAAAAAAAAAAAAAAAA to ASNFZ4mrze//////////8A";
        assert_eq!(gone_over("METADATA", line), Some(LogId(0x0123_4567_89ab_cdef)));
        for (facility, line) in [
            ("METADATA", "[thrd:main]: Topic taxisvc [0] Leader 1 Epoch 0"),
            ("METADATA", "[thrd:main]: Topic taxisvc changed id from AAAA to"),
            ("METADATA", "[thrd:main]: Topic taxisvc changed id from AAAA to short"),
            ("OFFSET", line),
        ] {
            assert_eq!(gone_over(facility, line), None, "{line}");
        }
    }
}
