//! Every state of a drive, told every command.

use taxi::drive::{Command, Drive};
use taxi::id::CallId;
use taxi::money::Won;
use taxi::rules::Rules;

use crate::desk::{Entity, call_id, drives};

fn timer(name: &str) -> Command {
    Command::TimerDue { call_id: call_id(), timer: name.to_owned() }
}

fn start(won: i64) -> Command {
    Command::Start { call_id: call_id(), fare: Won(won) }
}

fn commands() -> Vec<(&'static str, Command)> {
    vec![
        ("Start", start(100_000)),
        ("Start as far as it goes", start(1_000_000)),
        ("Start too far", start(1_000_001)),
        ("Cancel", Command::Cancel(call_id())),
        ("Lapse", Command::Lapse(call_id())),
        ("StandDown", Command::StandDown(call_id())),
        ("End", Command::End(call_id())),
        ("overdue rings", timer("overdue")),
        ("nonsense rings", timer("nonsense")),
    ]
}

fn states() -> Vec<(&'static str, Entity<Drive>)> {
    let after = |told: &[Command]| drives().after(told, &Rules::default());
    vec![
        ("absent", Entity::absent()),
        ("start", after(&[start(100_000)])),
        ("requestCancel", after(&[start(1_000_001)])),
        ("cancel", after(&[start(100_000), Command::Cancel(call_id())])),
        ("cancel unheard", after(&[Command::Cancel(call_id())])),
        ("end", after(&[start(100_000), Command::End(call_id())])),
    ]
}

#[test]
fn every_command_is_answered_in_every_state() {
    let table = [
        ("absent", "Start", "DriveStarted @overdue 86400s"),
        ("absent", "Start as far as it goes", "DriveStarted @overdue 86400s"),
        ("absent", "Start too far", "DriveNotAvailable"),
        ("absent", "Cancel", "DriveCancelled"),
        ("absent", "Lapse", "DriveCancelled"),
        ("absent", "End", "refused: there is no such drive"),
        ("start", "Cancel", "DriveCancelled @none"),
        ("start", "StandDown", "DriveCancelled @none"),
        ("start", "End", "DriveEnded @none"),
        ("start", "overdue rings", "DriveOverdue @overdue 86400s"),
        ("requestCancel", "End", "refused: the drive is not under way: requestCancel"),
        ("cancel", "End", "refused: the drive is not under way: cancel"),
        ("cancel unheard", "End", "refused: the drive is not under way: cancel"),
    ];
    drives().check_every_pair(&states(), &commands(), &table, &Rules::default());
}

#[test]
fn the_taxi_is_numbered_by_its_call() {
    let check = |id: u64, taxi_num: &str| {
        let start = Command::Start { call_id: CallId::new(id).unwrap(), fare: Won(10) };
        let drive = drives().after(&[start], &Rules::default()).state.unwrap();
        assert_eq!((drive.taxi_num.as_str(), drive.driver_name), (taxi_num, format!("driver{taxi_num}")));
    };
    check(1, "1111");
    check(9, "9999");
    check(10, "1111");
    check(38_983, "4331");
    check(CallId::MAX, "1024");
}
