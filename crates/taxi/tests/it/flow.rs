//! Who does what on hearing what.

use taxi::flow::flow;

#[test]
fn the_flow_is_the_contracts() {
    let rows: Vec<String> = flow()
        .iter()
        .filter(|row| row.service != "view")
        .map(|row| format!("{} → {} {}", row.event, row.service, row.command))
        .collect();
    let expected = [
        "CallRequested → payment Ask",
        "CallPlaced → payment NotePlaced",
        "CancelRequested → drive Cancel",
        "CallCancelled → payment CallOff",
        "FarePaid → call Place",
        "FarePaid → drive Start",
        "PaymentFailed → call GiveUp",
        "FareRefunded → drive StandDown",
        "DriveStarted → call GoUnderWay",
        "DriveNotAvailable → call CallOff",
        "DriveEnded → call Complete",
        "DriveEnded → payment RideOver",
        "DriveCancelled → call CallOff",
    ];
    assert_eq!(rows, expected);
}

#[test]
fn the_view_hears_every_published_event() {
    assert_eq!(flow().iter().filter(|row| row.service == "view").count(), 11);
}
