//! Panics in the log, as a line like any other: where, and what of it cannot be somebody's name.

use std::any::Any;

/// From now on.
pub(super) fn log_them() {
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        let what = beginning(panic.payload());
        tracing::error!(at, thread = thread.name().unwrap_or_default(), what, "a panic");
    }));
}

/// Values stand after the colon, and may be of people.
fn beginning(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&'static str>().copied()).unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    line.split_once(": ").map_or(line, |(before, _)| before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_panic_was_about_stays_out_of_the_log() {
        let said = |text: &str| beginning(&text.to_owned() as &(dyn Any + Send)).to_owned();
        assert_eq!(
            said("called `Option::unwrap()` on a `None` value"),
            "called `Option::unwrap()` on a `None` value"
        );
        assert_eq!(said("it is written: Rider { name: \"eojin\" }"), "it is written");
        assert_eq!(said("assertion failed\n  left: \"eojin\""), "assertion failed");
        assert_eq!(beginning(&"a literal"), "a literal");
    }
}
