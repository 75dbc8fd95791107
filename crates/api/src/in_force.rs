//! The settings that are in force, which may be changed while requests come and go.

use std::sync::{Arc, PoisonError, RwLock};

use crate::limits::RiderRates;
use crate::settings::Settings;

pub(crate) struct InForce(RwLock<Now>);

struct Now {
    settings: Arc<Settings>,
    rider_rates: Option<Arc<RiderRates>>,
}

impl InForce {
    pub(crate) fn new(settings: Settings) -> Self {
        let rider_rates = settings.rider_rate.map(|rate| Arc::new(RiderRates::new(rate)));
        Self(RwLock::new(Now { settings: Arc::new(settings), rider_rates }))
    }

    /// They stay as they are for whoever holds them.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).settings.clone()
    }

    pub(crate) fn rider_rates(&self) -> Option<Arc<RiderRates>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).rider_rates.clone()
    }

    /// Riders whose rate stays as it was are counted on.
    pub(crate) fn set(&self, settings: Settings) {
        let mut now = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if now.settings.rider_rate != settings.rider_rate {
            now.rider_rates = settings.rider_rate.map(|rate| Arc::new(RiderRates::new(rate)));
        }
        now.settings = Arc::new(settings);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::RiderRate;
    use std::num::NonZeroU32;

    fn rated(burst: Option<u32>) -> Settings {
        let rate = |burst| RiderRate { calls_per_minute: NonZeroU32::MIN, burst };
        Settings { rider_rate: burst.and_then(NonZeroU32::new).map(rate), ..Settings::default() }
    }

    #[test]
    fn a_rate_begins_changes_and_ends_and_one_that_stays_goes_on_counting() {
        let in_force = InForce::new(rated(None));
        assert!(in_force.rider_rates().is_none());
        in_force.set(rated(Some(1)));
        let is_let_in = || in_force.rider_rates().unwrap().admit("1", None).is_ok();
        assert_eq!((is_let_in(), is_let_in()), (true, false));
        in_force.set(Settings { streams_max: 3, ..rated(Some(1)) });
        assert!(!is_let_in(), "its share is used up all the same");
        assert_eq!(in_force.settings().streams_max, 3);
        in_force.set(rated(Some(2)));
        assert_eq!((is_let_in(), is_let_in(), is_let_in()), (true, true, false));
        in_force.set(rated(None));
        assert!(in_force.rider_rates().is_none());
    }
}
