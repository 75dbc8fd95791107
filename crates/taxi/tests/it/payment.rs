//! Every state of a payment, told every command, beside our call service and beside the original's.

use taxi::money::Won;
use taxi::payment::{Accounts, Ask, Command, Effect, Payment, TakeAnswer, check};
use taxi::rules::{CallpayBeside, Rules};

use crate::desk::{Entity, call_id, payments};

const FARE: Won = Won(100_000);

fn timer(name: &str) -> Command {
    Command::TimerDue { call_id: call_id(), timer: name.to_owned() }
}

fn answered(answer: TakeAnswer) -> Command {
    Command::TakeAnswered { call_id: call_id(), answer }
}

fn commands() -> Vec<(&'static str, Command)> {
    vec![
        ("Ask", Command::Ask(Ask { call_id: call_id(), fare: FARE, payment_method: None })),
        ("PayNow", Command::PayNow { call_id: call_id(), fare: FARE }),
        ("PayNow other", Command::PayNow { call_id: call_id(), fare: Won(1) }),
        ("GiveUp", Command::GiveUp(call_id())),
        ("Taken", answered(TakeAnswer::Taken)),
        ("Refused", answered(TakeAnswer::Refused)),
        ("BackAnswered", Command::BackAnswered(call_id())),
        ("NotePlaced", Command::NotePlaced(call_id())),
        ("CallOff", Command::CallOff(call_id())),
        ("RideOver", Command::RideOver(call_id())),
        ("provider rings", timer("provider")),
        ("overdue rings", timer("overdue")),
        ("placed rings", timer("placed")),
        ("held rings", timer("held")),
        ("returning rings", timer("returning")),
        ("nonsense rings", timer("nonsense")),
    ]
}

fn beside(callpay_beside: CallpayBeside) -> Rules {
    Rules { callpay_beside, ..Rules::default() }
}

fn after(names: &[&str], rules: &Rules) -> Entity<Payment> {
    let told = |name: &&str| commands().into_iter().find(|(known, _)| known == name).unwrap().1;
    let told: Vec<Command> = names.iter().map(told).collect();
    payments().after(&told, rules)
}

fn states(rules: &Rules) -> Vec<(&'static str, Entity<Payment>)> {
    let after = |names: &[&str]| after(names, rules);
    vec![
        ("absent", Entity::absent()),
        ("asked", after(&["Ask"])),
        ("paid", after(&["Ask", "Taken"])),
        ("late", after(&["Ask", "provider rings"])),
        ("given up", after(&["Ask", "GiveUp"])),
        ("refused", after(&["Ask", "Refused"])),
        ("closed", after(&["Ask", "provider rings", "Refused"])),
        ("unwanted", after(&["Ask", "CallOff"])),
        ("surfaced", after(&["Ask", "CallOff", "Taken"])),
        ("returning", after(&["Ask", "Taken", "CallOff"])),
        ("refunded", after(&["Ask", "Taken", "CallOff", "BackAnswered"])),
        ("voided", after(&["Ask", "CallOff", "Refused"])),
        ("voided unasked", after(&["CallOff"])),
        ("earned", after(&["Ask", "Taken", "RideOver"])),
        ("due", after(&["Ask", "RideOver"])),
        ("earned late", after(&["Ask", "RideOver", "Taken"])),
    ]
}

/// What is the same beside either call service.
fn common_table() -> Vec<(&'static str, &'static str, &'static str)> {
    let other_fare = "refused: the fare of this call is 100000 won";
    let mut table = vec![
        ("absent", "Ask", "FareAsked +take @provider 10s"),
        ("absent", "CallOff", "FareVoided"),
        ("asked", "GiveUp", "PaymentFailed @overdue 86400s"),
        ("asked", "Refused", "PaymentFailed @none"),
        ("asked", "CallOff", "FareUnwanted @overdue 86400s"),
        ("asked", "RideOver", "FareDue @overdue 86400s"),
        ("due", "Taken", "FarePaid FareEarned @none"),
        ("due", "Refused", "PaymentFailed @none"),
        ("due", "overdue rings", "PaymentOverdue @overdue 86400s"),
        ("asked", "provider rings", "PaymentFailed @overdue 86400s"),
        ("paid", "CallOff", "FareReturning +back @returning 86400s"),
        ("paid", "RideOver", "FareEarned @none"),
        ("paid", "placed rings", "FareReturning +back @returning 86400s"),
        ("paid", "held rings", "PaymentOverdue @held 86400s"),
    ];
    for state in ["late", "given up"] {
        table.push((state, "Taken", "FareSurfaced +back @returning 86400s"));
        table.push((state, "Refused", "TakeClosed @none"));
        table.push((state, "overdue rings", "PaymentOverdue @overdue 86400s"));
    }
    table.push(("unwanted", "Taken", "FareSurfaced +back @returning 86400s"));
    table.push(("unwanted", "Refused", "FareVoided @none"));
    table.push(("unwanted", "overdue rings", "PaymentOverdue @overdue 86400s"));
    for state in ["surfaced", "returning"] {
        table.push((state, "BackAnswered", "FareRefunded @none"));
        table.push((state, "returning rings", "PaymentOverdue @returning 86400s"));
    }
    for (state, _) in states(&Rules::default()) {
        if state != "absent" && state != "voided unasked" {
            table.push((state, "PayNow other", other_fare));
        }
    }
    table
}

#[test]
fn every_command_is_answered_in_every_state_beside_our_call_service() {
    let rules = beside(CallpayBeside::Ours);
    let mut table = common_table();
    table.extend([
        ("absent", "PayNow", "refused: payment has not heard of this call"),
        ("absent", "PayNow other", "refused: payment has not heard of this call"),
        ("asked", "Taken", "FarePaid @held 86400s"),
    ]);
    payments().check_every_pair(&states(&rules), &commands(), &table, &rules);
}

#[test]
fn every_command_is_answered_in_every_state_beside_the_originals_call_service() {
    let rules = beside(CallpayBeside::Original);
    let mut states = states(&rules);
    states.push(("placed", after(&["PayNow", "Taken", "NotePlaced"], &rules)));
    let mut table = common_table();
    table.extend([
        ("absent", "PayNow", "FareAsked +take @provider 10s"),
        ("absent", "PayNow other", "FareAsked +take @provider 10s"),
        ("asked", "Taken", "FarePaid @placed 60s"),
        ("paid", "NotePlaced", "FarePlaced @held 86400s"),
        ("placed", "PayNow other", "refused: the fare of this call is 100000 won"),
        ("placed", "CallOff", "FareReturning +back @returning 86400s"),
        ("placed", "RideOver", "FareEarned @none"),
        ("placed", "held rings", "PaymentOverdue @held 86400s"),
    ]);
    payments().check_every_pair(&states, &commands(), &table, &rules);
}

#[test]
fn the_money_of_every_state_adds_up() {
    let rules = Rules::default();
    let check_money = |state: &str, rider: i64, held: i64, earned: i64| {
        let (_, entity) = states(&rules).into_iter().find(|(name, _)| *name == state).unwrap();
        let payment = entity.state.unwrap();
        let expected = Accounts { rider: Won(rider), held: Won(held), earned: Won(earned) };
        assert_eq!(payment.accounts, expected, "{state}");
        assert_eq!(check(&payment), Ok(()), "{state}");
    };
    for state in [
        "asked",
        "due",
        "late",
        "given up",
        "refused",
        "closed",
        "unwanted",
        "refunded",
        "voided",
        "voided unasked",
    ] {
        check_money(state, 0, 0, 0);
    }
    for state in ["paid", "surfaced", "returning"] {
        check_money(state, -100_000, 100_000, 0);
    }
    for state in ["earned", "earned late"] {
        check_money(state, -100_000, 0, 100_000);
    }
}

#[test]
fn a_payment_that_does_not_add_up_is_found() {
    let rules = Rules::default();
    let check_fault = |names: &[&str], spoil: fn(&mut Payment), expected: &str| {
        let mut payment = after(names, &rules).state.unwrap();
        spoil(&mut payment);
        assert_eq!(check(&payment), Err(format!("payment 1: {expected}")));
    };
    check_fault(
        &["Ask", "Taken"],
        |payment| payment.accounts.rider = Won(0),
        "its postings do not sum to zero",
    );
    check_fault(
        &["Ask", "Taken"],
        |payment| payment.accounts = Accounts { rider: Won(-1), held: Won(1), earned: Won(0) },
        "it holds neither nothing nor the fare",
    );
    check_fault(
        &["Ask", "Refused"],
        |payment| payment.accounts = Accounts { rider: Won(-100_000), held: Won(100_000), earned: Won(0) },
        "it holds what its stage does not",
    );
    check_fault(
        &["Ask", "Refused"],
        |payment| payment.take = taxi::payment::Errand::Out,
        "it is final and its take is unanswered",
    );
}

#[test]
fn the_provider_is_told_whose_money_and_from_where() {
    let ask = Ask { call_id: call_id(), fare: FARE, payment_method: Some("card".to_owned()) };
    let mut entity = Entity::absent();
    let decision = payments().tell(&mut entity, &Command::Ask(ask), &Rules::default()).unwrap();
    let json = r#"{"take":{"payId":1,"fare":100000,"paymentMethod":"card"}}"#;
    assert_eq!(serde_json::to_string(&decision.effects[0]).unwrap(), json);
    assert_eq!(serde_json::from_str::<Effect>(json).unwrap(), decision.effects[0]);
}
