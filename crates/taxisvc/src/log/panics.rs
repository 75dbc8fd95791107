//! Panics in the log, as a line like any other: where, and what of it cannot be somebody's name.

use engine::dead_letter::outline;
use std::any::Any;

/// From now on.
pub(super) fn log_them() {
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        let what = outline(text(panic.payload()));
        tracing::error!(at, thread = thread.name().unwrap_or_default(), what, "a panic");
    }));
}

fn text(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&'static str>().copied()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_made_and_texts_that_are_not_are_read() {
        assert_eq!(text(&"a literal"), "a literal");
        assert_eq!(text(&format!("{} is not", "it")), "it is not");
    }
}
