//! What is to be logged, as people write it: a level, and levels by module.

use tracing_subscriber::EnvFilter;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// What operators do is logged whatever the level, unless the level names it.
const ALWAYS: (&str, &str) = ("operator", "info");

/// The filter. By itself it would take a word that is no level for the name of a module, and say everything of that.
pub(super) fn filter(directives: &str) -> Result<EnvFilter, String> {
    let wrong = |directive: &str| {
        format!(
            "{directive:?} is not a log level: error, warn, info, debug or trace, or off; \
             by module, info,engine=debug"
        )
    };
    let mut all = vec![format!("{}={}", ALWAYS.0, ALWAYS.1)];
    for directive in directives.split(',').map(str::trim) {
        let (module, level) = directive.split_once('=').unwrap_or(("", directive));
        let is_level = LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level));
        let is_alone = !directive.contains('=');
        if !is_level || !(is_alone || is_module(module)) {
            return Err(wrong(directive));
        }
        all.push(directive.to_owned());
    }
    all.join(",").parse().map_err(|_| wrong(directives))
}

fn is_module(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':';
    !name.is_empty() && name.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_and_levels_by_module_are_taken() {
        for right in
            ["info", "TRACE", "off", "warn,request=info", " info , engine::runner=debug ", "engine=off"]
        {
            assert!(filter(right).is_ok(), "{right}");
        }
    }

    #[test]
    fn what_is_no_level_is_refused() {
        for wrong in
            ["", "loud", "info,loud", "engine=loud", "=info", "info,", "a=b=info", "engine[span]=info"]
        {
            let why = filter(wrong).unwrap_err();
            assert!(why.contains("is not a log level"), "{wrong}: {why}");
        }
    }

    #[test]
    fn what_operators_do_is_told_unless_it_is_named() {
        assert!(filter("error").unwrap().to_string().contains("operator=info"));
        let named = filter("error,operator=off").unwrap().to_string();
        assert!(named.contains("operator=off") && !named.contains("operator=info"), "{named}");
    }
}
