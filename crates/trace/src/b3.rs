//! A trace context as B3 writes it (openzipkin/b3-propagation), which the original and older meshes send.

use crate::context::{Traceparent, hex};

/// `b3`, or `X-B3-TraceId` and what goes with it.
pub(crate) fn of_headers<'h>(header: impl Fn(&str) -> Option<&'h str>) -> Option<Traceparent> {
    if let Some(text) = header("b3") {
        return single(text.trim());
    }
    let flags = header("x-b3-flags").map(str::trim);
    let sampled = if flags == Some("1") { Some("d") } else { header("x-b3-sampled").map(str::trim) };
    // Some of the first to write it wrote words.
    let sampled = match sampled {
        Some("true") => "1",
        Some("false") | None => "0",
        Some(other) => other,
    };
    context(header("x-b3-traceid")?.trim(), header("x-b3-spanid")?.trim(), sampled)
}

/// Whether a context is there and leaves it to whoever gets it whether spans are kept.
pub(crate) fn is_undecided<'h>(header: impl Fn(&str) -> Option<&'h str>) -> bool {
    match header("b3") {
        Some(text) => text.trim().split('-').count() == 2,
        None => header("x-b3-sampled").is_none() && header("x-b3-flags").map(str::trim) != Some("1"),
    }
}

/// `<trace>-<span>-<sampled>-<parent>`, the last two not always there. A lone `0` says that there is no trace.
fn single(text: &str) -> Option<Traceparent> {
    let parts: Vec<&str> = text.split('-').collect();
    match parts[..] {
        [trace, span] => context(trace, span, "0"),
        [trace, span, sampled] => context(trace, span, sampled),
        [trace, span, sampled, parent] => {
            hex(&parent.to_ascii_lowercase(), 16).filter(|parent| *parent != 0)?;
            context(trace, span, sampled)
        }
        _ => None,
    }
}

/// A trace id of 64 bits is one of 128 whose first half is zero.
fn context(trace: &str, span: &str, sampled: &str) -> Option<Traceparent> {
    let (trace, span) = (trace.to_ascii_lowercase(), span.to_ascii_lowercase());
    let trace_id = hex(&trace, 16).or_else(|| hex(&trace, 32))?;
    let is_sampled = match sampled {
        "1" | "d" => true,
        "0" => false,
        _ => return None,
    };
    Traceparent::new(trace_id, u64::try_from(hex(&span, 16)?).ok()?, is_sampled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(context: Option<Traceparent>) -> Option<String> {
        context.map(|context| context.to_string())
    }

    #[test]
    fn a_single_header_is_a_traceparent() {
        let check = |given: &str, expected: Option<&str>| {
            assert_eq!(text(single(given)).as_deref(), expected, "{given:?}")
        };
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
    fn who_says_nothing_of_sampling_leaves_it_open() {
        let is_undecided = |headers: &[(&str, &'static str)]| {
            super::is_undecided(|name| {
                headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
            })
        };
        let several = [("x-b3-traceid", "f0822d011502e179"), ("x-b3-spanid", "713eea59bf2e94cb")];
        assert!(is_undecided(&[("b3", "f0822d011502e179-713eea59bf2e94cb")]) && is_undecided(&several));
        for decided in
            [("b3", "f0822d011502e179-713eea59bf2e94cb-0"), ("x-b3-sampled", "0"), ("x-b3-flags", "1")]
        {
            assert!(!is_undecided(&[several[0], several[1], decided]), "{decided:?}");
        }
    }

    #[test]
    fn several_headers_are_one_too_where_there_is_no_better() {
        let read = |headers: &[(&str, &'static str)]| {
            let find = |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
            text(Traceparent::of_headers(find))
        };
        let several = [("x-b3-traceid", "F0822D011502E179"), ("x-b3-spanid", "713eea59bf2e94cb")];
        let expected =
            |flags: &str| Some(format!("00-0000000000000000f0822d011502e179-713eea59bf2e94cb-{flags}"));
        assert_eq!(read(&several), expected("00"));
        for (name, value, flags) in [
            ("x-b3-sampled", "1", "01"),
            ("x-b3-sampled", "true", "01"),
            ("x-b3-sampled", "0", "00"),
            ("x-b3-flags", "1", "01"),
        ] {
            assert_eq!(read(&[several[0], several[1], (name, value)]), expected(flags), "{name}: {value}");
        }
        assert_eq!(read(&[several[0], several[1], ("x-b3-sampled", "perhaps")]), None);
        assert_eq!(read(&several[..1]), None);
        let w3c = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(read(&[several[0], several[1], ("traceparent", w3c)]).as_deref(), Some(w3c));
        assert_eq!(read(&[several[0], several[1], ("traceparent", "00-none")]), expected("00"));
    }
}
