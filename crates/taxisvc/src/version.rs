//! Which version this program is, and what it does as the next one in the rehearsal of an upgrade.

pub(crate) const VERSION: &str = if cfg!(feature = "next") {
    concat!(env!("CARGO_PKG_VERSION"), "+next")
} else {
    env!("CARGO_PKG_VERSION")
};

/// By which the next version is told that nobody is left who cannot read its events.
#[cfg(feature = "next")]
const WRITES_NEXT: &str = "REHEARSAL_WRITES_NEXT";

/// To be called before anything is written.
pub(crate) fn rehearse() {
    #[cfg(feature = "next")]
    if crate::config::sources::environment(WRITES_NEXT).is_some() {
        taxi::event::next::write();
    }
}
