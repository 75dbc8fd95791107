//! The original: of some twenty thousand calls by 32 clients, 17 came back 201 and stayed without a status, a payment and
//! a drive for ever. Here: every call that was answered has all of them.

use crate::world::{Money, World, number, until};
use std::collections::BTreeSet;

const CLIENTS: u64 = 32;
const CALLS_EACH: u64 = 25;

#[test]
fn every_call_of_many_clients_is_paid_driven_and_seen() {
    let world = World::start();
    let numbers: Vec<u64> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(|| -> Vec<u64> {
                    (0..CALLS_EACH)
                        .map(|_| {
                            let placed = world.place(10.0).with(201);
                            assert!(placed.json()["callStatus"].is_string(), "{placed:?}");
                            number(&placed)
                        })
                        .collect()
                })
            })
            .collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let all = CLIENTS * CALLS_EACH;
    assert_eq!(numbers.iter().collect::<BTreeSet<_>>().len() as u64, all, "a number is given once");
    for (collection, status) in [
        ("calls", "callStatus=driveStart"),
        ("payments", "payStatus=paid"),
        ("drives", "driveStatus=start"),
        ("callViews", "callStatus=driveStart"),
    ] {
        until("all calls to be driven", || {
            let page = world.get(&format!("/{collection}?size=1&{status}")).with(200).json();
            (page["page"]["totalElements"] == all).then_some(())
        });
        assert_eq!(world.count(collection), all, "{collection}");
    }
    let held = i64::try_from(all).unwrap() * 100_000;
    assert_eq!(world.money(), Money { taken: held, held, earned: 0, returned: 0, at_provider: held });
}
