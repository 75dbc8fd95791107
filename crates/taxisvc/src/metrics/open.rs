//! How long calls that are open have waited for what ends them.

use engine::clock::Timestamp;
use engine::store::EntityRow;
use taxi::call::Call;
use taxi::status::CallStatus;

/// Open calls that are looked at: those whose timers run out first. What waits for a day is behind what waits for minutes, and
/// what has waited longest before the rest.
pub(super) const LOOKED_AT_MAX: u32 = 5_000;

/// How long ago the oldest cancellation was asked for that is not concluded, in milliseconds; 0 where there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Cancelling {
    /// By nobody: a taxi that is on its way all the same goes on, and the cancellation waits for the end of the ride.
    by_deadline_ms: i64,
    /// By the rider or an operator.
    by_person_ms: i64,
}

impl Cancelling {
    /// Of calls that are open; those that this program cannot read are left out.
    pub(super) fn of(open: &[EntityRow], now: Timestamp) -> Self {
        let calls = open.iter().filter_map(|row| serde_json::from_str::<Call>(&row.state).ok());
        let mut found = Self::default();
        for call in calls.filter(|call| call.call_status == CallStatus::RequestCancel) {
            let oldest = if call.lapsed { &mut found.by_deadline_ms } else { &mut found.by_person_ms };
            *oldest = (now.0 - call.updated_at.0).max(*oldest);
        }
        found
    }

    /// In seconds, by who asked.
    pub(super) fn ages(&self) -> [([(&'static str, &'static str); 1], f64); 2] {
        [("deadline", self.by_deadline_ms), ("person", self.by_person_ms)]
            .map(|(who, age_ms)| ([("asked_by", who)], age_ms as f64 / 1e3))
    }
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

    /// An open call that last changed so long ago.
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
            requested_at: taxi::time::Timestamp(0),
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
        Cancelling::of(rows, NOW).ages().map(|(_, age)| age)
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
        assert_eq!(ages(&[waiting, later, cancelled, lapsed]), [9.0, 2.5]);
    }
}
