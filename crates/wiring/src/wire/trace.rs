//! The trace to which a message belongs, as W3C or as B3 writes it.

use super::headers::Headers;
use super::name::{B3, TRACEPARENT};

/// A `traceparent`; one that is made of a `b3` where there is no other.
pub(super) fn trace(headers: Headers<'_>) -> Option<String> {
    headers.get(TRACEPARENT).and_then(w3c).or_else(|| b3(&headers.unquoted(B3)?))
}

/// `00-<trace>-<parent>-<flags>`, or what a later version puts first.
fn w3c(text: &str) -> Option<String> {
    let mut parts = text.split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_valid = is_hex(version, 2)
        && version != "ff"
        && is_id(trace, 32)
        && is_id(parent, 16)
        && is_hex(flags, 2)
        && (version != "00" || parts.next().is_none());
    is_valid.then(|| format!("{version}-{trace}-{parent}-{flags}"))
}

/// `<trace>-<span>-<sampled>-<parent>`, the last two not always there. A lone `0` says that there is no trace.
fn b3(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let parts: Vec<&str> = text.split('-').collect();
    let (trace, span, sampled) = match parts[..] {
        [trace, span] => (trace, span, "0"),
        [trace, span, sampled] => (trace, span, sampled),
        [trace, span, sampled, parent] if is_id(parent, 16) => (trace, span, sampled),
        _ => return None,
    };
    let flags = match sampled {
        "1" | "d" => "01",
        "0" => "00",
        _ => return None,
    };
    // A trace of 64 bits is one of 128 whose first half is zero.
    let is_valid = (is_id(trace, 16) || is_id(trace, 32)) && is_id(span, 16);
    is_valid.then(|| format!("00-{trace:0>32}-{span}-{flags}"))
}

fn is_id(text: &str, length: usize) -> bool {
    is_hex(text, length) && text.bytes().any(|byte| byte != b'0')
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_b3_header_is_a_traceparent() {
        let check =
            |text: &str, expected: Option<&str>| assert_eq!(b3(text).as_deref(), expected, "{text:?}");
        check(
            "f0822d011502e179-713eea59bf2e94cb-1",
            Some("00-0000000000000000f0822d011502e179-713eea59bf2e94cb-01"),
        );
        check(
            "80F198EE56343BA864FE8B2A57D3EFF7-e457b5a2e4d86bd1-d-05e3ac9a4f6e3b90",
            Some("00-80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-01"),
        );
        check(
            "f0822d011502e179-713eea59bf2e94cb",
            Some("00-0000000000000000f0822d011502e179-713eea59bf2e94cb-00"),
        );
        check(
            "f0822d011502e179-713eea59bf2e94cb-0",
            Some("00-0000000000000000f0822d011502e179-713eea59bf2e94cb-00"),
        );
        for wrong in [
            "",
            "0",
            "1",
            "d",
            "f0822d011502e179",
            "f0822d011502e179-713eea59bf2e94cb-2",
            "f0822d011502e179-713eea59bf2e94cb-1-",
            "f0822d011502e179-713eea59bf2e94cb-1-05e3ac9a4f6e3b90-more",
            "0000000000000000-713eea59bf2e94cb-1",
            "f0822d011502e179-0000000000000000-1",
            "f0822d011502e17-713eea59bf2e94cb-1",
            "f0822d011502e17é-713eea59bf2e94cb-1",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn only_a_valid_traceparent_is_kept() {
        let kept = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(w3c(kept).as_deref(), Some(kept));
        for wrong in [
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        ] {
            assert_eq!(w3c(wrong), None, "{wrong}");
        }
    }
}
