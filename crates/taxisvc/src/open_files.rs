//! How many files and connections the system lets this process have open at once.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// With fewer, clients may be kept at the door that the settings would let in.
pub(crate) const ENOUGH: u64 = 16_384;

/// Raises what is allowed to what may be allowed: many systems begin at a thousand, which a busy gateway needs alone.
pub(crate) fn raise_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        tracing::debug!(%error, "the limit of open files cannot be raised");
    }
    // No number is no limit.
    if let Some(allowed) = getrlimit(Resource::Nofile).current
        && allowed < ENOUGH
    {
        tracing::warn!(
            allowed,
            "few files may be open at once, and every connection is one: see `ulimit -n`, or LimitNOFILE= of systemd"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_allowed_is() {
        raise_limit();
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        assert_eq!(current, maximum);
    }
}
