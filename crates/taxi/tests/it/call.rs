//! Every state of a call, told every command.

use taxi::call::{Call, Command};
use taxi::rules::Rules;
use taxi::status::CallStatus;

use crate::desk::{Entity, call_id, calls, request};

fn timer(name: &str) -> Command {
    Command::TimerDue { call_id: call_id(), timer: name.to_owned() }
}

fn commands() -> Vec<(&'static str, Command)> {
    vec![
        ("Request", Command::Request(request("10"))),
        ("Cancel", Command::Cancel(call_id())),
        ("Place", Command::Place(call_id())),
        ("GiveUp", Command::GiveUp(call_id())),
        ("GoUnderWay", Command::GoUnderWay(call_id())),
        ("Complete", Command::Complete(call_id())),
        ("CallOff", Command::CallOff(call_id())),
        ("unpaid rings", timer("unpaid")),
        ("undriven rings", timer("undriven")),
        ("overdue rings", timer("overdue")),
        ("cancelling rings", timer("cancelling")),
        ("nonsense rings", timer("nonsense")),
    ]
}

/// A requested call that was then told these.
fn after(names: &[&str]) -> Entity<Call> {
    let told = |name: &&str| commands().into_iter().find(|(known, _)| known == name).unwrap().1;
    let told: Vec<Command> = ["Request"].iter().chain(names).map(told).collect();
    calls().after(&told, &Rules::default())
}

fn states() -> Vec<(&'static str, Entity<Call>)> {
    vec![
        ("absent", Entity::absent()),
        ("payRequest", after(&[])),
        ("driveRequest", after(&["Place"])),
        ("driveStart", after(&["Place", "GoUnderWay"])),
        ("payFail", after(&["GiveUp"])),
        ("cancelling unplaced", after(&["Cancel"])),
        ("cancelling placed", after(&["Place", "Cancel"])),
        ("cancelled", after(&["Cancel", "CallOff"])),
        ("lapsing", after(&["unpaid rings"])),
        ("lapsed", after(&["unpaid rings", "CallOff"])),
        ("driveComplete", after(&["Place", "GoUnderWay", "Complete"])),
    ]
}

#[test]
fn every_command_is_answered_in_every_state() {
    let cancelled = "CancelRequested @cancelling 86400s";
    let table = [
        ("absent", "Request", "CallRequested @unpaid 60s"),
        ("absent", "Cancel", "refused: there is no such call"),
        ("payRequest", "Cancel", cancelled),
        ("payRequest", "Place", "CallPlaced @undriven 600s"),
        ("payRequest", "GiveUp", "CallUnpaid @none"),
        ("payRequest", "GoUnderWay", "CallPlaced CallUnderWay @overdue 86400s"),
        ("payRequest", "Complete", "CallPlaced CallCompleted @none"),
        ("payRequest", "CallOff", "CallCancelled @none"),
        ("payRequest", "unpaid rings", cancelled),
        ("driveRequest", "Cancel", cancelled),
        ("driveRequest", "GoUnderWay", "CallUnderWay @overdue 86400s"),
        ("driveRequest", "Complete", "CallCompleted @none"),
        ("driveRequest", "CallOff", "CallCancelled @none"),
        ("driveRequest", "undriven rings", cancelled),
        ("driveStart", "Cancel", cancelled),
        ("driveStart", "Complete", "CallCompleted @none"),
        ("driveStart", "CallOff", "CallCancelled @none"),
        ("driveStart", "overdue rings", "CallOverdue @overdue 86400s"),
        ("payFail", "Cancel", "refused: the call is over: payFail"),
        ("payFail", "Place", cancelled),
        ("lapsing", "Cancel", cancelled),
        ("lapsing", "Complete", "CallPlaced CallCompleted @none"),
        ("lapsing", "CallOff", "CallCancelled @none"),
        ("lapsing", "cancelling rings", "CallOverdue @cancelling 86400s"),
        ("cancelling unplaced", "Complete", "CallPlaced CallCompleted @none"),
        ("cancelling unplaced", "CallOff", "CallCancelled @none"),
        ("cancelling unplaced", "cancelling rings", "CallOverdue @cancelling 86400s"),
        ("cancelling placed", "Complete", "CallCompleted @none"),
        ("cancelling placed", "CallOff", "CallCancelled @none"),
        ("cancelling placed", "cancelling rings", "CallOverdue @cancelling 86400s"),
        ("driveComplete", "Cancel", "refused: the call is over: driveComplete"),
    ];
    calls().check_every_pair(&states(), &commands(), &table, &Rules::default());
}

#[test]
fn the_waiting_rider_is_told_the_first_status_after_the_request() {
    let check = |names: &[&str], expected: Option<CallStatus>| {
        assert_eq!(after(names).state.unwrap().settled, expected, "{names:?}");
    };
    check(&[], None);
    check(&["Place"], Some(CallStatus::DriveRequest));
    check(&["GoUnderWay", "Complete"], Some(CallStatus::DriveRequest));
    check(&["GiveUp"], Some(CallStatus::PayFail));
    check(&["Cancel", "Complete"], Some(CallStatus::RequestCancel));
}

#[test]
fn a_status_only_rises() {
    for (_, entity) in states() {
        let Some(before) = &entity.state else { continue };
        for (name, command) in commands() {
            let mut told = entity.clone();
            if calls().tell(&mut told, &command, &Rules::default()).is_ok() {
                let after = told.state.unwrap();
                assert!(after.call_status >= before.call_status, "{name} told to {before:?}");
            }
        }
    }
}
