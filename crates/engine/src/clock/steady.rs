//! A clock that does not leap: it never goes back, and moves towards the wall clock slowly enough for durations to stay right.
//!
//! The wall clock is the machine's idea of the date, which people and time servers set. What is armed on it is put off
//! when it is set back, and all due at once when it is set forward. Why it is done so: docs/decisions/0011-a-steady-clock.md.

use crate::clock::{Clock, SystemClock, Timestamp};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What of the time that passes is used to come closer to the wall clock: durations are wrong by no more than this part.
const SLEW_PART: i64 = 10;
/// A wall clock that moves by so much more or less than the time that has passed was set.
const LEAP_US_MIN: i64 = 1_000_000;
/// How far ahead of the wall clock the last process may have been, for this one to go on from there. It would take ten
/// times as long until the wall clock has caught up.
pub const AHEAD_MAX: Duration = Duration::from_secs(3_600);

/// What the machine says at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Microseconds since 1970-01-01T00:00:00Z, as the clock is set.
    pub wall_us: i64,
    /// Time since some moment that stays the same, by a clock that nobody can set.
    pub elapsed: Duration,
}

/// Where a clock began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    AtTheWall,
    /// At what was recorded last, which is ahead of the wall clock.
    Ahead(Duration),
    /// At the wall clock, though what was recorded last is ahead of it: by too much to wait for.
    Behind(Duration),
}

/// What a look at the clock has shown besides the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// The wall clock was set; it is ahead of this one now by so much.
    Leapt { by_ms: i64, ahead_ms: i64 },
    /// This clock and the wall clock say the same again.
    CaughtUp,
}

/// The time that is told, computed from readings alone.
#[derive(Debug)]
pub struct Steady {
    told_us: i64,
    last: Reading,
    is_away: bool,
}

impl Steady {
    /// Begins at the wall clock, or at the last moment that was recorded or told when that is a little ahead of it:
    /// within one data directory, time does not go back.
    pub fn begin(first: Reading, recorded: Option<Timestamp>) -> (Self, Begun) {
        let recorded_us = recorded.map_or(i64::MIN, |recorded| recorded.0.saturating_mul(1_000));
        let ahead = Duration::from_micros(recorded_us.saturating_sub(first.wall_us).try_into().unwrap_or(0));
        let begun = match ahead {
            Duration::ZERO => Begun::AtTheWall,
            ahead if ahead <= AHEAD_MAX => Begun::Ahead(ahead),
            ahead => Begun::Behind(ahead),
        };
        let told_us = if matches!(begun, Begun::Ahead(_)) { recorded_us } else { first.wall_us };
        let is_away = (told_us - first.wall_us) >= LEAP_US_MIN;
        (Self { told_us, last: first, is_away }, begun)
    }

    /// Goes on to the moment of a reading.
    pub fn look(&mut self, reading: Reading) -> Option<Notice> {
        let passed = reading.elapsed.saturating_sub(self.last.elapsed);
        let passed_us = i64::try_from(passed.as_micros()).unwrap_or(i64::MAX);
        let leapt_us = reading.wall_us.saturating_sub(self.last.wall_us).saturating_sub(passed_us);
        let undisturbed_us = self.told_us.saturating_add(passed_us);
        let away_us = reading.wall_us.saturating_sub(undisturbed_us);
        let slew_us_max = passed_us / SLEW_PART;
        self.told_us = undisturbed_us.saturating_add(away_us.clamp(-slew_us_max, slew_us_max));
        self.last = reading;
        if leapt_us.saturating_abs() >= LEAP_US_MIN {
            self.is_away = true;
            return Some(Notice::Leapt { by_ms: leapt_us / 1_000, ahead_ms: self.wall_ahead_ms() });
        }
        let has_caught_up = self.is_away && self.wall_ahead_ms() == 0;
        self.is_away &= !has_caught_up;
        has_caught_up.then_some(Notice::CaughtUp)
    }

    /// The time of the last look.
    pub fn now(&self) -> Timestamp {
        Timestamp(self.told_us.div_euclid(1_000))
    }

    /// How far the wall clock was ahead of this one at the last look; below zero, behind it.
    pub fn wall_ahead_ms(&self) -> i64 {
        self.last.wall_us.saturating_sub(self.told_us) / 1_000
    }
}

type Read = Box<dyn Fn() -> Reading + Send + Sync>;

/// [`Steady`] over the machine's clocks, for all who share it.
pub struct SteadyClock {
    read: Read,
    steady: Mutex<Steady>,
}

impl SteadyClock {
    /// `recorded` is the last moment that stands in the logs or was told; `elapsed` the time since some moment that
    /// stays the same.
    pub fn begin(
        recorded: Option<Timestamp>,
        elapsed: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> (Self, Begun) {
        let read = move || Reading { wall_us: SystemClock::now_us(), elapsed: elapsed() };
        let (steady, begun) = Steady::begin(read(), recorded);
        (Self { read: Box::new(read), steady: Mutex::new(steady) }, begun)
    }

    /// How far the wall clock is ahead of this one; below zero, behind it.
    pub fn wall_ahead_ms(&self) -> i64 {
        self.look(Steady::wall_ahead_ms)
    }

    fn look<T>(&self, see: impl FnOnce(&Steady) -> T) -> T {
        let mut steady = self.steady.lock().unwrap_or_else(PoisonError::into_inner);
        // Read under the lock, or a reading could come after a later one.
        let notice = steady.look((self.read)());
        let seen = see(&steady);
        drop(steady);
        match notice {
            Some(Notice::Leapt { by_ms, ahead_ms }) => tracing::warn!(
                by_ms,
                wall_ahead_ms = ahead_ms,
                "the machine's clock was set; this process follows it slowly, by a tenth of the time that passes"
            ),
            Some(Notice::CaughtUp) => tracing::info!("the machine's clock and this process agree again"),
            None => {}
        }
        seen
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        self.look(Steady::now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON_US: i64 = 1_795_608_000_000_000;

    /// A machine whose clock can be set.
    struct Machine {
        reading: Reading,
    }

    impl Machine {
        fn new() -> Self {
            Self { reading: Reading { wall_us: NOON_US, elapsed: Duration::from_secs(9) } }
        }

        fn pass(&mut self, ms: u64) -> Reading {
            self.reading.elapsed += Duration::from_millis(ms);
            self.reading.wall_us += i64::try_from(ms).unwrap() * 1_000;
            self.reading
        }

        fn set(&mut self, by_s: i64) {
            self.reading.wall_us += by_s * 1_000_000;
        }
    }

    fn ms_since_noon(steady: &Steady) -> i64 {
        steady.now().0 - NOON_US / 1_000
    }

    /// Passes the time second by second until both agree, and checks every step; how many seconds it took.
    fn seconds_until_they_agree(machine: &mut Machine, steady: &mut Steady) -> u64 {
        for second in 1..1_000_000 {
            let before = steady.now().0;
            let notice = steady.look(machine.pass(1_000));
            let passed = steady.now().0 - before;
            assert!((899..=1_101).contains(&passed), "a second took {passed} ms");
            match notice {
                Some(Notice::CaughtUp) => return second,
                None => {}
                Some(Notice::Leapt { .. }) => panic!("it leaps by itself: {notice:?}"),
            }
        }
        panic!("they never agree: {steady:?}")
    }

    #[test]
    fn undisturbed_it_is_the_wall_clock() {
        let mut machine = Machine::new();
        let (mut steady, begun) = Steady::begin(machine.reading, None);
        assert_eq!(begun, Begun::AtTheWall);
        for ms in [0, 1, 50, 3_600_000] {
            assert_eq!(steady.look(machine.pass(ms)), None);
            assert_eq!((steady.now().0 * 1_000, steady.wall_ahead_ms()), (machine.reading.wall_us, 0));
        }
    }

    #[test]
    fn set_back_it_goes_on_and_waits_for_the_wall_clock() {
        let mut machine = Machine::new();
        let (mut steady, _) = Steady::begin(machine.reading, None);
        machine.set(-600);
        let notice = steady.look(machine.pass(1_000));
        assert_eq!(notice, Some(Notice::Leapt { by_ms: -600_000, ahead_ms: -599_900 }));
        assert_eq!(ms_since_noon(&steady), 900);
        assert_eq!(seconds_until_they_agree(&mut machine, &mut steady), 5_999);
    }

    #[test]
    fn set_forward_nothing_is_due_at_once() {
        let mut machine = Machine::new();
        let (mut steady, _) = Steady::begin(machine.reading, None);
        machine.set(600);
        let notice = steady.look(machine.pass(1_000));
        assert_eq!(notice, Some(Notice::Leapt { by_ms: 600_000, ahead_ms: 599_900 }));
        assert_eq!(ms_since_noon(&steady), 1_100);
        assert_eq!(seconds_until_they_agree(&mut machine, &mut steady), 5_999);
    }

    /// What rounds away, when it is looked at every few microseconds, only makes it a little slower.
    #[test]
    fn looked_at_often_it_comes_closer_all_the_same() {
        let mut machine = Machine::new();
        let (mut steady, _) = Steady::begin(machine.reading, None);
        machine.set(2);
        for _ in 0..200_000 {
            machine.reading.elapsed += Duration::from_micros(65);
            machine.reading.wall_us += 65;
            steady.look(machine.reading);
        }
        assert_eq!(steady.wall_ahead_ms(), 800, "1.2 s of the 13 s that passed");
    }

    #[test]
    fn a_clock_set_to_and_fro_never_makes_it_go_back() {
        let mut machine = Machine::new();
        let (mut steady, _) = Steady::begin(machine.reading, None);
        let mut before = steady.now();
        for by_s in [5, -86_400 * 400, 3, 86_400 * 20_000, -1, -3_600, 3_600] {
            for ms in [0, 1, 40_000] {
                machine.set(by_s);
                steady.look(machine.pass(ms));
                assert!(steady.now() >= before, "{by_s} s, {ms} ms");
                before = steady.now();
            }
        }
    }

    #[test]
    fn it_begins_no_earlier_than_what_was_recorded_last() {
        let machine = Machine::new();
        let recorded = |ahead_s: i64| Some(Timestamp(NOON_US / 1_000 + ahead_s * 1_000));
        let begin = |ahead_s| {
            let (steady, begun) = Steady::begin(machine.reading, recorded(ahead_s));
            (ms_since_noon(&steady), begun)
        };
        let seconds = Duration::from_secs;
        assert_eq!(begin(-7), (0, Begun::AtTheWall));
        assert_eq!(begin(0), (0, Begun::AtTheWall));
        assert_eq!(begin(7), (7_000, Begun::Ahead(seconds(7))));
        assert_eq!(begin(3_600), (3_600_000, Begun::Ahead(AHEAD_MAX)));
        assert_eq!(begin(3_601), (0, Begun::Behind(seconds(3_601))), "that would take a day and more");
    }

    #[test]
    fn begun_ahead_it_waits_for_the_wall_clock() {
        let mut machine = Machine::new();
        let recorded = Timestamp(NOON_US / 1_000 + 60_000);
        let (mut steady, _) = Steady::begin(machine.reading, Some(recorded));
        assert_eq!(seconds_until_they_agree(&mut machine, &mut steady), 600);
    }

    #[test]
    fn the_machines_clocks_are_read() {
        let (clock, begun) = SteadyClock::begin(None, || Duration::ZERO);
        assert_eq!((begun, clock.now()), (Begun::AtTheWall, clock.now()), "no time passes by that clock");
    }
}
