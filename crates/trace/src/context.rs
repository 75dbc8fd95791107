//! A trace context as W3C writes it in `traceparent` (Trace Context, Level 2).

use std::fmt;

/// Which trace a message belongs to, and which span of it sent the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Traceparent {
    trace_id: u128,
    span_id: u64,
    flags: u8,
}

const SAMPLED: u8 = 1;

impl Traceparent {
    /// None where an id is zero, which is none.
    pub fn new(trace_id: u128, span_id: u64, is_sampled: bool) -> Option<Self> {
        (trace_id != 0 && span_id != 0).then_some(Self { trace_id, span_id, flags: u8::from(is_sampled) })
    }

    /// Reads `00-<trace>-<parent>-<flags>`; of a later version, what it has in common with this one.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let version = u8::try_from(hex(version, 2)?).ok().filter(|version| *version != 0xff)?;
        if version == 0 && parts.next().is_some() {
            return None;
        }
        let (trace_id, span_id) = (hex(trace, 32)?, u64::try_from(hex(parent, 16)?).ok()?);
        let flags = u8::try_from(hex(flags, 2)?).ok()?;
        (trace_id != 0 && span_id != 0).then_some(Self { trace_id, span_id, flags })
    }

    /// What a request or a message says of its trace: `traceparent`, else B3 in one header, else in several. `header` gives
    /// the one of that name.
    pub fn of_headers<'h>(header: impl Fn(&str) -> Option<&'h str>) -> Option<Self> {
        Self::of_headers_or(header, |_| false)
    }

    /// The same; where it is left open whether spans are kept, which B3 may do, `is_sampled` decides by the trace's id.
    pub fn of_headers_or<'h>(
        header: impl Fn(&str) -> Option<&'h str>,
        is_sampled: impl FnOnce(u128) -> bool,
    ) -> Option<Self> {
        if let Some(w3c) = header("traceparent").and_then(|text| Self::parse(text.trim())) {
            return Some(w3c);
        }
        let read = crate::b3::of_headers(&header)?;
        let is_sampled = read.is_sampled() || (crate::b3::is_undecided(header) && is_sampled(read.trace_id));
        Some(Self { flags: if is_sampled { SAMPLED } else { 0 }, ..read })
    }

    pub fn trace_id(&self) -> u128 {
        self.trace_id
    }

    pub fn span_id(&self) -> u64 {
        self.span_id
    }

    /// Whether somebody up the road has spans of this trace kept.
    pub fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The same trace, from another span.
    #[must_use]
    pub fn child(self, span_id: u64) -> Self {
        Self { span_id: span_id.max(1), ..self }
    }

    /// The same trace, from a span that is told apart from its siblings by `salt`: whoever makes it again makes the same.
    #[must_use]
    pub fn descendant(self, salt: &[u64]) -> Self {
        let mixed = salt.iter().fold(self.span_id ^ self.trace_id as u64, |mixed, part| mix(mixed ^ part));
        self.child(mix(mixed))
    }
}

impl fmt::Display for Traceparent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}

/// A number of exactly so many hex digits, none of them capital.
pub(crate) fn hex(text: &str, length: usize) -> Option<u128> {
    let is_hex = text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_hex.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

/// The generator of Steele, Lea and Flood's SplitMix64: one step and its finalizer.
pub fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_is_valid_is_read_and_written_alike() {
        let read = Traceparent::parse(KEPT).unwrap();
        assert_eq!(read.to_string(), KEPT);
        assert!(read.is_sampled());
        assert!(!Traceparent::parse(&KEPT.replace("-01", "-00")).unwrap().is_sampled());
    }

    #[test]
    fn of_a_later_version_is_read_what_this_one_has() {
        let later = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes";
        assert_eq!(Traceparent::parse(later).unwrap().to_string(), KEPT);
    }

    #[test]
    fn what_is_not_valid_is_nothing() {
        for wrong in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-+1",
        ] {
            assert_eq!(Traceparent::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn descendants_are_the_same_again_and_differ_from_each_other() {
        let parent = Traceparent::parse(KEPT).unwrap();
        let first = parent.descendant(&[7, 1]);
        assert_eq!(first, parent.descendant(&[7, 1]));
        assert_eq!((first.trace_id(), first.is_sampled()), (parent.trace_id(), true));
        for other in
            [parent.descendant(&[7, 2]), parent.descendant(&[1, 7]), first.descendant(&[7, 1]), parent]
        {
            assert_ne!(first, other);
        }
    }
}
