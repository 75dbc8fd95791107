//! Recorded times as moments of this run.

use std::time::Duration;

use tokio::time::Instant;

use crate::options::Speed;

/// Nothing is waited for longer; a recorded gap of years is a fault of the file.
const DELAY_MAX: Duration = Duration::from_secs(366 * 86_400);

/// The first trip is called when the run begins; all other times follow from the speed.
pub(crate) struct Pace {
    speed: Speed,
    first_recorded: i64,
    began: Instant,
}

impl Pace {
    pub(crate) fn new(speed: Speed, first_recorded: i64, began: Instant) -> Self {
        Self { speed, first_recorded, began }
    }

    /// When a recorded time comes; none when the clock is not waited for.
    pub(crate) fn due(&self, recorded: i64) -> Option<Instant> {
        match self.speed {
            Speed::Max => None,
            Speed::Times(factor) => {
                Some(self.began + delay(recorded.saturating_sub(self.first_recorded), factor))
            }
        }
    }
}

fn delay(recorded_seconds: i64, factor: f64) -> Duration {
    let recorded = Duration::from_secs(u64::try_from(recorded_seconds).unwrap_or(0));
    Duration::try_from_secs_f64(recorded.as_secs_f64() / factor)
        .map_or(DELAY_MAX, |delay| delay.min(DELAY_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_seconds_are_scaled() {
        for (recorded, factor, expected) in [
            (0, 60.0, Duration::ZERO),
            (60, 60.0, Duration::from_secs(1)),
            (90, 60.0, Duration::from_millis(1500)),
            (90, 1.0, Duration::from_secs(90)),
            (-5, 1.0, Duration::ZERO),
            (i64::MAX, 1e-300, DELAY_MAX),
            (i64::MAX, 1.0, DELAY_MAX),
        ] {
            assert_eq!(delay(recorded, factor), expected, "{recorded} at {factor}");
        }
    }

    #[test]
    fn at_full_speed_nothing_is_waited_for() {
        let began = Instant::now();
        assert_eq!(Pace::new(Speed::Max, 0, began).due(1000), None);
        let due = Pace::new(Speed::Times(10.0), 1000, began).due(1100);
        assert_eq!(due, Some(began + Duration::from_secs(10)));
    }
}
