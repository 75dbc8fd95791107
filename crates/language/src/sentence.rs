//! Sentences with gaps, each written in every language on lines that stand together.

use crate::Language;

/// What fills a gap of a sentence.
pub trait Gap {
    fn told(&self, language: Language) -> String;

    /// One that is recognised in a sentence.
    fn sample() -> Self;
}

/// All the sentences of one enum.
pub trait Sentences: Gap + std::fmt::Debug + Sized {
    /// One of each.
    fn every() -> Vec<Self>;

    /// What each of [`Self::every`] has in its gaps, as it is told.
    fn gaps(language: Language) -> Vec<Vec<String>>;
}

/// What is the same in every language.
macro_rules! alike {
    ($($type:ty = $sample:expr;)*) => {
        $(impl Gap for $type {
            fn told(&self, _: Language) -> String {
                self.to_string()
            }

            fn sample() -> Self {
                $sample
            }
        })*
    };
}

alike! {
    &'static str = "gapText";
    String = "gapString".to_owned();
    usize = 7_919;
    u64 = 104_729;
    i64 = 15_485_863;
}

/// Forms that something can be had in, joined as each language joins them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forms(pub &'static [&'static str]);

impl Gap for Forms {
    fn told(&self, language: Language) -> String {
        self.0.join(match language {
            Language::English => " and ",
            Language::Korean => " 또는 ",
        })
    }

    fn sample() -> Self {
        Self(&["gapOne", "gapTwo"])
    }
}

/// Makes an enum of sentences: `Name(gap: Type) => "English {gap}", "한국어 {gap}";`.
///
/// A sentence without one of the languages does not compile; [`faults`] finds those that forget a gap.
#[macro_export]
macro_rules! sentences {
    (
        $(#[$about:meta])* $visibility:vis enum $name:ident {
            $($(#[$comment:meta])* $variant:ident $(($($gap:ident: $type:ty),*))? => $english:literal, $korean:literal;)*
        }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        $visibility enum $name {
            $($(#[$comment])* $variant $(($($type),*))?,)*
        }

        impl $crate::sentence::Gap for $name {
            fn told(&self, language: $crate::Language) -> String {
                match self {
                    $(Self::$variant $(($($gap),*))? => {
                        $($(let $gap = $crate::sentence::Gap::told($gap, language);)*)?
                        match language {
                            $crate::Language::English => format!($english),
                            $crate::Language::Korean => format!($korean),
                        }
                    })*
                }
            }

            fn sample() -> Self {
                <Self as $crate::sentence::Sentences>::every().swap_remove(0)
            }
        }

        impl $crate::sentence::Sentences for $name {
            fn every() -> Vec<Self> {
                vec![$(Self::$variant $(($(<$type as $crate::sentence::Gap>::sample()),*))?),*]
            }

            fn gaps(_language: $crate::Language) -> Vec<Vec<String>> {
                vec![$(vec![
                    $($($crate::sentence::Gap::told(&<$type as $crate::sentence::Gap>::sample(), _language)),*)?
                ]),*]
            }
        }
    };
}

/// What is wrong with sentences: one that is the same in both languages, is not in its own, or forgets a gap.
pub fn faults<S: Sentences>() -> Vec<String> {
    let mut faults = Vec::new();
    for language in Language::ALL {
        for (sentence, gaps) in S::every().iter().zip(S::gaps(language)) {
            let text = sentence.told(language);
            if !is_in(&text, language) {
                faults.push(format!("{sentence:?} is not in {language:?}: {text}"));
            }
            let forgotten = gaps.iter().find(|gap| !text.contains(gap.as_str()));
            if let Some(gap) = forgotten {
                faults.push(format!("{sentence:?} forgets {gap} in {language:?}: {text}"));
            }
        }
    }
    faults
}

/// Whether a text can be of a language, by its letters.
pub fn is_in(text: &str, language: Language) -> bool {
    let has_hangul = text.chars().any(|letter| ('\u{ac00}'..='\u{d7a3}').contains(&letter));
    let is_blank = text.trim().is_empty();
    !is_blank && has_hangul == (language == Language::Korean)
}

#[cfg(test)]
mod tests {
    use super::*;

    sentences! {
        enum Right {
            Plain => "it is full", "가득 찼습니다";
            Filled(name: &'static str, most: usize) => "{name} has more than {most}", "{name}은(는) {most}보다 많습니다";
            Nested(inner: Inner) => "so: {inner}", "이유: {inner}";
        }
    }

    sentences! {
        enum Inner {
            Only => "a digit is expected", "숫자가 와야 합니다";
        }
    }

    sentences! {
        enum Wrong {
            NotKorean => "it is full", "it is full";
            Forgotten(most: usize) => "more than {most}", "너무 많습니다";
        }
    }

    #[test]
    fn a_sentence_is_told_in_each_language_with_its_gaps_filled() {
        let told = Right::Filled("size", 5).told(Language::English);
        assert_eq!(told, "size has more than 5");
        assert_eq!(Right::Nested(Inner::Only).told(Language::Korean), "이유: 숫자가 와야 합니다");
        assert_eq!(faults::<Right>(), [""; 0]);
        assert_eq!(Right::Plain.told(Language::Korean), "가득 찼습니다");
    }

    #[test]
    fn forms_are_joined_by_their_language() {
        let forms = Forms(&["a/b", "c/d"]);
        assert_eq!(
            [forms.told(Language::English), forms.told(Language::Korean)],
            ["a/b and c/d", "a/b 또는 c/d"]
        );
        assert_eq!(Forms(&["a/b"]).told(Language::Korean), "a/b");
    }

    #[test]
    fn what_is_forgotten_is_found() {
        let found = faults::<Wrong>().join("\n");
        assert_eq!(found.lines().count(), 2, "{found}");
        assert!(found.contains("NotKorean is not in Korean") && found.contains("forgets 7919"), "{found}");
    }
}
