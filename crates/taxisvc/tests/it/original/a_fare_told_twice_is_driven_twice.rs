//! The original: a `FarePaid` that is delivered again makes a second drive for the same call, and turns a finished call
//! back to `driveStart`. Here: nothing happens, with the inbox and without it.

use crate::world::by_hand::{ByHand, Setup};
use engine::bus::{Delivery, Tail};
use engine::log::{Recorded, ShardName};
use engine::store::Stored;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Delivers payment's whole log again to everybody who reads it while `times` is above zero.
struct Redelivered(Arc<AtomicUsize>);

impl Delivery for Redelivered {
    fn deliver(&self, _: ShardName, tail: &Tail, after: u64, limit: usize) -> Stored<Vec<Arc<Recorded>>> {
        let is_again = tail.shard().service == "payment"
            && self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |times| times.checked_sub(1)).is_ok();
        tail.read(if is_again { 0 } else { after }, limit)
    }
}

#[test]
fn a_fare_that_is_told_again_starts_nothing() {
    for deduplicate in [true, false] {
        let times = Arc::new(AtomicUsize::new(0));
        let road = times.clone();
        let setup = Setup { deduplicate, ..Setup::default() };
        let mut system = ByHand::on(setup, Box::new(move || Box::new(Redelivered(road.clone()))));
        system.place(1, "10", None);
        system.place(2, "10", None);
        system.settle();
        system.end(1).unwrap();
        system.cancel(2).unwrap();
        system.settle();
        let told = [system.told(1), system.told(2)];
        let (call, drive) = (system.call(1), system.drive(1));

        times.store(30, Ordering::SeqCst);
        system.settle();
        assert_eq!(times.load(Ordering::SeqCst), 0, "it was told again");
        system.assert_standing(1, ["driveComplete", "paid", "end"]);
        system.assert_standing(2, ["requestCancel", "refunded", "cancel"]);
        assert_eq!((system.call(1), system.drive(1)), (call, drive));
        assert_eq!([system.told(1), system.told(2)], told);
        assert_eq!(system.audit().earned, 100_000);
    }
}
