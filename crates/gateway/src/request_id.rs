//! The id under which a request is found again in logs and answers.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderValue;
use http::header::HeaderName;

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is kept.
const LENGTH_MAX: usize = 128;

/// Makes ids that do not repeat, and small random numbers from the same source.
pub(crate) struct Ids {
    seed: u64,
    next: AtomicU64,
}

impl Ids {
    pub(crate) fn new(seed: u128) -> Ids {
        Ids { seed: (seed >> 64) as u64, next: AtomicU64::new(seed as u64) }
    }

    /// A number that looks random, cheaply: this is Steele, Lea and Flood's SplitMix64.
    pub(crate) fn number(&self) -> u64 {
        let mut mixed = self.next.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// The id the client gave, if it is one, or a new one.
    pub(crate) fn keep_or_make(&self, given: Option<&HeaderValue>) -> HeaderValue {
        match given {
            Some(given) if is_well_formed(given.as_bytes()) => given.clone(),
            Some(_) | None => self.make(),
        }
    }

    fn make(&self) -> HeaderValue {
        let mut text = String::with_capacity(32);
        write!(text, "{:016x}{:016x}", self.seed, self.number()).expect("writing to a string cannot fail");
        HeaderValue::try_from(text).expect("hexadecimal digits are a header value")
    }
}

fn is_well_formed(id: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:+/=".contains(byte);
    (1..=LENGTH_MAX).contains(&id.len()) && id.iter().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_well_formed_id_is_kept_and_any_other_replaced() {
        let ids = Ids::new(7);
        let kept = |given: &'static str| ids.keep_or_make(Some(&HeaderValue::from_static(given))) == given;
        assert!(kept("a1-B2_c.3"));
        assert!(kept("0af7651916cd43dd8448eb211c80319c"));
        for wrong in ["", "two words", "<script>", "\"quoted\""] {
            assert!(!kept(wrong), "{wrong}");
        }
        let long = "x".repeat(LENGTH_MAX + 1);
        assert_ne!(ids.keep_or_make(Some(&HeaderValue::try_from(&long).unwrap())), long);
        assert_ne!(ids.keep_or_make(None), ids.keep_or_make(None));
    }
}
