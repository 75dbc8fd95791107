//! Projections: services whose state follows from others' events alone, and can be dropped and read anew.

use crate::store::{Store, Stored};

/// Drops a projection, so that its lane reads every log from the beginning again. The lane must not be running.
pub fn reset(store: &mut dyn Store, service: &'static str) -> Stored<()> {
    store.drop_projection(service)
}
