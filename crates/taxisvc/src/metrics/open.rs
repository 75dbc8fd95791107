//! How long calls that are open have waited for what ends them.

use engine::clock::Timestamp;
use engine::store::EntityRow;
use taxi::call::Call;
use taxi::status::CallStatus;

/// Open calls that are looked at: those whose timers run out first. What waits for a day, as rides under way and cancellations do,
/// is behind what waits for minutes, and what has waited longest before the rest.
pub(super) const LOOKED_AT_MAX: u32 = 5_000;

/// Calls that somebody waits for.
const WAITING: [CallStatus; 3] = [CallStatus::PayRequest, CallStatus::DriveRequest, CallStatus::DriveStart];

/// The oldest of those that are open, whatever their numbers are: replicas give them out in blocks. In milliseconds; 0 where
/// there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Open {
    /// How long ago a call was made, for each that is waited for.
    made_ms: [i64; WAITING.len()],
    /// How long ago a cancellation was asked for that is not concluded. By nobody: a taxi that is on its way all the same goes
    /// on, and it waits for the end of the ride.
    by_deadline_ms: i64,
    /// By the rider or an operator.
    by_person_ms: i64,
    /// There may be further calls that were not looked at.
    is_part: bool,
}

impl Open {
    /// Of calls that are open; those that this program cannot read are left out.
    pub(super) fn of(open: &[EntityRow], now: Timestamp) -> Self {
        let is_part = open.len() >= LOOKED_AT_MAX as usize;
        let mut found = Self { is_part, ..Self::default() };
        for call in open.iter().filter_map(|row| serde_json::from_str::<Call>(&row.state).ok()) {
            let (oldest, since) = match WAITING.iter().position(|status| *status == call.call_status) {
                Some(place) => (&mut found.made_ms[place], call.requested_at),
                None if call.lapsed => (&mut found.by_deadline_ms, call.updated_at),
                None => (&mut found.by_person_ms, call.updated_at),
            };
            *oldest = (now.0 - since.0).max(*oldest);
        }
        found
    }

    /// How long ago the oldest call was made, in seconds, by its status.
    pub(super) fn ages(&self) -> [([(&'static str, &'static str); 1], f64); WAITING.len()] {
        let age = |place: usize| ([("status", WAITING[place].as_str())], seconds(self.made_ms[place]));
        std::array::from_fn(age)
    }

    /// How long ago the oldest cancellation was asked for, in seconds, by who asked.
    pub(super) fn cancelling(&self) -> [([(&'static str, &'static str); 1], f64); 2] {
        // None was found, and there may be some: nobody is told that there are none.
        let age = |age_ms| if self.is_part && age_ms == 0 { f64::NAN } else { seconds(age_ms) };
        [("deadline", self.by_deadline_ms), ("person", self.by_person_ms)]
            .map(|(who, age_ms)| ([("asked_by", who)], age(age_ms)))
    }
}

fn seconds(age_ms: i64) -> f64 {
    age_ms as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::log::EntityKey;
    use std::borrow::Cow;
    use taxi::distance::Meters;
    use taxi::id::CallId;
    use taxi::money::Won;
    use taxi::rider::Rider;

    const NOW: Timestamp = Timestamp(1_000_000);

    /// An open call that was made, and since then last changed, so long ago.
    fn row(id: u64, call_status: CallStatus, (lapsed, age_ms): (bool, i64)) -> EntityRow {
        let call = Call {
            call_id: CallId::new(id).unwrap(),
            rider: Rider::new("1", "eojin").unwrap(),
            call_status,
            meters: Meters::new(7_000).unwrap(),
            fare: Won(70_000),
            payment_method: None,
            placed: true,
            cancelled: false,
            lapsed,
            settled: None,
            requested_at: taxi::time::Timestamp(NOW.0 - 2 * age_ms),
            updated_at: taxi::time::Timestamp(NOW.0 - age_ms),
        };
        EntityRow {
            key: EntityKey { kind: "call", id },
            version: 1,
            tag: Cow::Borrowed(call_status.as_str()),
            timer: None,
            effects_open: Vec::new(),
            state: serde_json::to_string(&call).unwrap(),
        }
    }

    fn ages(rows: &[EntityRow]) -> [f64; 2] {
        Open::of(rows, NOW).cancelling().map(|(_, age)| age)
    }

    #[test]
    fn a_cancellation_is_as_old_as_the_wish_for_it() {
        let (by_deadline, by_person) = ((true, 9_000), (false, 2_500));
        assert_eq!(ages(&[]), [0.0, 0.0]);
        let waiting = row(1, CallStatus::DriveRequest, (false, 600_000));
        let cancelled = row(2, CallStatus::RequestCancel, by_person);
        let later = row(3, CallStatus::RequestCancel, (false, 400));
        let lapsed = row(4, CallStatus::RequestCancel, by_deadline);
        let unread = EntityRow { state: "{}".to_owned(), ..cancelled.clone() };
        assert_eq!(ages(&[waiting.clone(), unread]), [0.0, 0.0]);
        assert_eq!(ages(&[waiting.clone(), later, cancelled, lapsed]), [9.0, 2.5]);
        let many = vec![waiting; LOOKED_AT_MAX as usize];
        assert!(ages(&many).iter().all(|age| age.is_nan()), "there may be one behind them");
    }

    /// Two replicas number calls from blocks of 40,000: the first by number is seldom the first that was made.
    #[test]
    fn the_oldest_call_is_the_one_that_was_made_first() {
        let fresh = row(17, CallStatus::DriveRequest, (false, 5));
        let stuck = row(40_001, CallStatus::DriveRequest, (false, 240_000));
        let unpaid = row(40_002, CallStatus::PayRequest, (false, 1_000));
        let ages = |rows: &[EntityRow]| Open::of(rows, NOW).ages().map(|(_, age)| age);
        assert_eq!(ages(&[]), [0.0, 0.0, 0.0]);
        assert_eq!(ages(&[fresh.clone(), unpaid, stuck.clone()]), [2.0, 480.0, 0.0]);
        assert_eq!(ages(&[stuck, fresh]), [0.0, 480.0, 0.0]);
    }
}
