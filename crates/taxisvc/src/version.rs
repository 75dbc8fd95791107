//! Which version this program is, and what it does as the next one in the rehearsal of an upgrade.

pub(crate) const VERSION: &str = if cfg!(feature = "next") {
    concat!(env!("CARGO_PKG_VERSION"), "+next")
} else {
    env!("CARGO_PKG_VERSION")
};

/// Whoever has the next version by mistake is not to make its tables.
#[cfg(feature = "next")]
const REHEARSAL: &str = "REHEARSAL";
/// By which the next version is told that nobody is left who cannot read its events.
#[cfg(feature = "next")]
const WRITES_NEXT: &str = "REHEARSAL_WRITES_NEXT";

/// To be called before anything is read or written.
#[cfg(not(feature = "next"))]
pub(crate) fn rehearse() -> anyhow::Result<()> {
    Ok(())
}

#[cfg(feature = "next")]
pub(crate) fn rehearse() -> anyhow::Result<()> {
    use crate::config::sources::environment;
    if environment(REHEARSAL).is_none() {
        anyhow::bail!(
            "this is no release: it was built with the feature `next`, for rehearsals of an upgrade alone"
        );
    }
    if environment(WRITES_NEXT).is_some() {
        taxi::event::next::write();
    }
    Ok(())
}
