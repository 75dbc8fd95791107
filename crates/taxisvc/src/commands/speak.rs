//! The language in which a command speaks to people: as asked, else as the one who runs it has set it.

use crate::config::sources::environment;
use clap::ValueEnum;
use operator::language::Language;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Spoken {
    En,
    Ko,
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Speak {
    /// The language of what is said [default: that of `LC_ALL`, `LC_MESSAGES` or `LANG`, else English]
    #[arg(long, global = true, value_enum)]
    lang: Option<Spoken>,
}

impl Speak {
    pub(crate) fn language(&self) -> Language {
        match self.lang {
            Some(Spoken::En) => Language::English,
            Some(Spoken::Ko) => Language::Korean,
            None => of_locale(["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(environment)),
        }
    }
}

/// `ko_KR.UTF-8` is Korean.
fn of_locale(locale: Option<String>) -> Language {
    let locale = locale.unwrap_or_default();
    let language = locale.split(['_', '.', '@', '-']).next().unwrap_or_default();
    if language.eq_ignore_ascii_case("ko") { Language::Korean } else { Language::English }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_names_its_language() {
        for (locale, language) in [
            ("ko_KR.UTF-8", Language::Korean),
            ("ko", Language::Korean),
            ("kok_IN", Language::English),
            ("en_US.UTF-8", Language::English),
            ("C.UTF-8", Language::English),
        ] {
            assert_eq!(of_locale(Some(locale.to_owned())), language, "{locale}");
        }
        assert_eq!(of_locale(None), Language::English);
    }
}
