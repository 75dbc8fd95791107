//! The view is the same in every order of the events of a call, doubled or not.

use taxi::event::Event;
use taxi::sample;
use taxi::status::{CallStatus, DriveStatus, PayStatus};
use taxi::time::Timestamp;
use taxi::view::{CallView, project};

fn told(names: &[&str]) -> Vec<(Event, Timestamp)> {
    let published = sample::every_event().into_iter().filter(Event::is_published);
    let timed = (1..).map(Timestamp).zip(published).map(|(at, event)| (event, at));
    timed.filter(|(event, _)| names.is_empty() || names.contains(&event.type_name())).collect()
}

fn hear(view: Option<CallView>, (event, at): &(Event, Timestamp)) -> Option<CallView> {
    project(view, event, *at)
}

fn json(view: &Option<CallView>) -> String {
    serde_json::to_string(view).unwrap()
}

/// A swap of two neighbours changes nothing, whatever was heard before: so no order of any events does.
#[test]
fn no_order_and_no_doubling_changes_the_view() {
    let events = told(&[]);
    assert_eq!(events.len(), 11);
    for heard in 0_u32..1 << events.len() {
        let chosen = events.iter().enumerate().filter(|(index, _)| heard >> index & 1 == 1);
        let view = chosen.fold(None, |view, (_, event)| hear(view, event));
        for first in &events {
            let after_first = hear(view.clone(), first);
            assert_eq!(
                json(&hear(after_first.clone(), first)),
                json(&after_first),
                "{} doubled",
                first.0.type_name()
            );
            for second in &events {
                let one_way = hear(after_first.clone(), second);
                let other_way = hear(hear(view.clone(), second), first);
                assert_eq!(
                    json(&one_way),
                    json(&other_way),
                    "{} and {}",
                    first.0.type_name(),
                    second.0.type_name()
                );
            }
        }
    }
}

#[test]
fn every_order_of_a_cancelled_ride_gives_the_same_bytes() {
    let mut events = told(&[
        "CallRequested",
        "FarePaid",
        "CallPlaced",
        "DriveStarted",
        "CancelRequested",
        "DriveCancelled",
        "CallCancelled",
        "FareRefunded",
    ]);
    let expected = json(&events.iter().fold(None, hear));
    let mut orders = 0;
    permute(&mut events, 0, &mut |order| {
        orders += 1;
        assert_eq!(json(&order.iter().fold(None, hear)), expected);
    });
    assert_eq!(orders, 40_320);
}

fn permute<T>(items: &mut [T], fixed: usize, visit: &mut impl FnMut(&[T])) {
    if fixed == items.len() {
        return visit(items);
    }
    for next in fixed..items.len() {
        items.swap(fixed, next);
        permute(items, fixed + 1, visit);
        items.swap(fixed, next);
    }
}

#[test]
fn each_story_ends_in_its_statuses() {
    let check = |names: &[&str], call: CallStatus, pay: Option<PayStatus>, drive: Option<DriveStatus>| {
        let view = told(names).iter().fold(None, hear).unwrap();
        assert_eq!(
            (view.call_status, view.pay_status, view.drive_status),
            (Some(call), pay, drive),
            "{names:?}"
        );
    };
    check(&["CallRequested"], CallStatus::PayRequest, Some(PayStatus::Asked), None);
    check(&["CallRequested", "PaymentFailed"], CallStatus::PayFail, Some(PayStatus::Failed), None);
    check(&["PaymentFailed", "FareRefunded"], CallStatus::PayFail, Some(PayStatus::Refunded), None);
    check(&["FarePaid"], CallStatus::DriveRequest, Some(PayStatus::Paid), None);
    check(&["DriveStarted"], CallStatus::DriveStart, None, Some(DriveStatus::Start));
    check(
        &["DriveStarted", "DriveEnded", "FarePaid"],
        CallStatus::DriveComplete,
        Some(PayStatus::Paid),
        Some(DriveStatus::End),
    );
    check(&["CancelRequested", "CallRequested"], CallStatus::RequestCancel, Some(PayStatus::Asked), None);
    check(&["CallCancelled", "FarePaid"], CallStatus::RequestCancel, Some(PayStatus::Refunding), None);
    check(
        &["DriveNotAvailable", "FarePaid"],
        CallStatus::RequestCancel,
        Some(PayStatus::Paid),
        Some(DriveStatus::RequestCancel),
    );
}

#[test]
fn private_events_are_not_heard() {
    for event in sample::every_event().iter().filter(|event| !event.is_published()) {
        assert_eq!(project(None, event, sample::AT), None, "{}", event.type_name());
    }
}
