//! The languages in which people are spoken to, how a sentence is kept in all of them, and the types of problems.

pub mod problem;
pub mod sentence;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Language {
    #[default]
    #[serde(rename = "en")]
    English,
    #[serde(rename = "ko")]
    Korean,
}

impl Language {
    pub const ALL: [Self; 2] = [Self::English, Self::Korean];

    /// The tag of BCP 47.
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Korean => "ko",
        }
    }

    /// What those who speak it call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Korean => "한국어",
        }
    }

    pub fn tagged(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(tag))
    }

    /// The same for a header that may come more than once.
    pub fn wanted_of<'h>(accepted: impl Iterator<Item = &'h str>) -> Self {
        Self::wanted(&accepted.collect::<Vec<_>>().join(","))
    }

    /// The one of ours that a header `Accept-Language` (RFC 9110, 12.5.4) likes best; English where it likes none.
    pub fn wanted(accepted: &str) -> Self {
        let mut best = (0, Self::default());
        for range in accepted.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let primary = parts.next().unwrap_or_default().split('-').next().unwrap_or_default();
            let quality = parts.find_map(weight).map_or(Some(1_000), per_mille);
            let language = match primary.to_ascii_lowercase().as_str() {
                "en" | "*" => Self::English,
                "ko" => Self::Korean,
                _ => continue,
            };
            if let Some(quality) = quality.filter(|quality| *quality > best.0) {
                best = (quality, language);
            }
        }
        best.1
    }
}

/// What a parameter gives as its weight; its name is one in any case.
fn weight(parameter: &str) -> Option<&str> {
    let (name, value) = parameter.split_once('=')?;
    name.eq_ignore_ascii_case("q").then_some(value)
}

/// `0.8` as 800; nothing when it is no quality.
fn per_mille(text: &str) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_quality = matches!(whole, "0" | "1")
        && fraction.len() <= 3
        && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let thousandths = format!("{whole}{fraction:0<3}").parse().ok()?;
    (is_quality && thousandths <= 1_000).then_some(thousandths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_that_is_liked_best_is_spoken() {
        for (accepted, language) in [
            ("", Language::English),
            ("ko", Language::Korean),
            ("ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7", Language::Korean),
            ("en-GB, ko;q=0.5", Language::English),
            ("de, ko;q=0.2", Language::Korean),
            ("*, ko;q=0.5", Language::English),
            ("ko;q=0, de", Language::English),
            ("ko;q=much, en;q=0.001", Language::English),
            ("KO", Language::Korean),
            ("ko;Q=0.1, en;q=0.9", Language::English),
            ("en;Q=0.1, ko; Q=0.9", Language::Korean),
        ] {
            assert_eq!(Language::wanted(accepted), language, "{accepted}");
        }
    }
}
