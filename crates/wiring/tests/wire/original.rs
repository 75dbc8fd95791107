//! The original's own bytes: what is read of them, and what each of our services does about them.

use crate::desk::{PLACE, TOPIC, message, published, reactions, read, recorded, with, without, write};
use engine::log::{Recorded, Source};
use engine::wire::Packet;
use wiring::wire::Profile;

/// Its headers, measured on its topic.
const CONTENT_TYPE: (&str, &str) = ("contentType", "\"application/json\"");
const B3: (&str, &str) = ("b3", "f0822d011502e179-713eea59bf2e94cb-1");
const NATIVE: (&str, &str) = ("nativeHeaders", r#"{"b3":["f0822d011502e179-713eea59bf2e94cb-1"]}"#);
const HEADER_TYPES: (&str, &str) = (
    "spring_json_header_types",
    r#"{"b3":"java.lang.String","nativeHeaders":"org.springframework.util.LinkedMultiValueMap","type":"java.lang.String","contentType":"java.lang.String"}"#,
);
const TRACE: &str = "00-0000000000000000f0822d011502e179-713eea59bf2e94cb-01";

const FARE_PAID: &str =
    r#"{"eventType":"FarePaid","timestamp":1795472466964,"payId":1,"callId":1,"fare":100000.0}"#;
const CALL_PLACED: &str = r#"{"eventType":"CallPlaced","timestamp":1795472555467,"callId":2,"userId":"2","userName":"u2","callStatus":"driveRequest","distance":10.0}"#;
const DRIVE_STARTED: &str = r#"{"eventType":"DriveStarted","timestamp":1795472467931,"driveId":1,"driverName":"driver1111","callId":1,"driveStatus":"start","taxiNum":"1111"}"#;
const DRIVE_ENDED: &str = r#"{"eventType":"DrivieEnded","timestamp":1795472473542,"driveId":1,"driverName":"driver1111","callId":1,"driveStatus":"end","taxiNum":"1111"}"#;
const DRIVE_NOT_AVAILABLE: &str = r#"{"eventType":"DriveNotAvailavled","timestamp":1795472913798,"driveId":38966,"driverName":"driver4331","callId":38983,"driveStatus":"requestCancel","taxiNum":"4331"}"#;
const CALL_CANCELLED: &str = r#"{"eventType":"CallCancelled","timestamp":1795472913839,"callId":38983,"userId":"9","userName":"far","callStatus":"requestCancel","distance":150.0}"#;

/// One of its messages, and what is to come of it.
struct Case {
    type_name: &'static str,
    value: &'static str,
    is: &'static str,
    of: &'static str,
    call_id: u64,
    at: i64,
    body: &'static str,
    /// What call, payment and drive do.
    commands: [&'static str; 3],
}

const CASES: [Case; 6] = [
    Case {
        type_name: "FarePaid",
        value: FARE_PAID,
        is: "FarePaid",
        of: "payment",
        call_id: 1,
        at: 1_795_472_466_964,
        body: r#"{"payId":1,"callId":1,"fare":100000,"payStatus":"paid"}"#,
        commands: ["Place(CallId(1))", "", "Start { call_id: CallId(1), fare: Won(100000) }"],
    },
    Case {
        type_name: "CallPlaced",
        value: CALL_PLACED,
        is: "CallPlaced",
        of: "call",
        call_id: 2,
        at: 1_795_472_555_467,
        body: r#"{"callId":2,"userId":{"plain":"2"},"userName":{"plain":"u2"},"callStatus":"driveRequest","meters":10000}"#,
        commands: ["", "NotePlaced(CallId(2))", ""],
    },
    Case {
        type_name: "DriveStarted",
        value: DRIVE_STARTED,
        is: "DriveStarted",
        of: "drive",
        call_id: 1,
        at: 1_795_472_467_931,
        body: r#"{"driveId":1,"driverName":"driver1111","callId":1,"driveStatus":"start","taxiNum":"1111","fare":0}"#,
        commands: ["GoUnderWay(CallId(1))", "", ""],
    },
    Case {
        type_name: "DrivieEnded",
        value: DRIVE_ENDED,
        is: "DriveEnded",
        of: "drive",
        call_id: 1,
        at: 1_795_472_473_542,
        body: r#"{"driveId":1,"driverName":"driver1111","callId":1,"driveStatus":"end","taxiNum":"1111","fare":0}"#,
        commands: ["Complete(CallId(1))", "RideOver(CallId(1))", ""],
    },
    Case {
        type_name: "DriveNotAvailavled",
        value: DRIVE_NOT_AVAILABLE,
        is: "DriveNotAvailable",
        of: "drive",
        call_id: 38_983,
        at: 1_795_472_913_798,
        body: r#"{"driveId":38966,"driverName":"driver4331","callId":38983,"driveStatus":"requestCancel","taxiNum":"4331","fare":0}"#,
        commands: ["CallOff(CallId(38983))", "", ""],
    },
    Case {
        type_name: "CallCancelled",
        value: CALL_CANCELLED,
        is: "CallCancelled",
        of: "call",
        call_id: 38_983,
        at: 1_795_472_913_839,
        body: r#"{"callId":38983,"userId":{"plain":"9"},"userName":{"plain":"far"},"callStatus":"requestCancel","meters":150000}"#,
        commands: ["", "CallOff(CallId(38983))", ""],
    },
];

/// As it stands on the original's topic: no key, and its five headers.
fn as_sent(case: &Case) -> Packet {
    message(&[("type", case.type_name), CONTENT_TYPE, B3, NATIVE, HEADER_TYPES], case.value)
}

fn expected(case: &Case) -> Recorded {
    Recorded {
        source: Source { log: TOPIC, service: case.of.into(), shard: 0 },
        position: PLACE.offset + 1,
        entity_kind: case.of.into(),
        entity_id: case.call_id,
        version: 0,
        event_type: case.is.into(),
        schema: 1,
        published: true,
        at: engine::clock::Timestamp(case.at),
        actor: "system".into(),
        cause: "message 3/41".into(),
        trace: Some(TRACE.to_owned()),
        body: case.body.into(),
    }
}

#[test]
fn its_messages_are_read_and_acted_upon() {
    for case in &CASES {
        let read = read(&as_sent(case)).unwrap_or_else(|| panic!("{} is passed over", case.type_name));
        assert_eq!(read, expected(case));
        let [call, payment, drive, view] = reactions(&read).map(Result::unwrap);
        assert_eq!([call, payment, drive], case.commands, "{}", case.type_name);
        assert!(view.contains(case.is) && view.ends_with(&format!(" at {}", case.at)), "{view}");
    }
}

#[test]
fn with_quotes_or_without_with_a_key_or_without_it_is_the_same() {
    for case in &CASES {
        let (sent, expected) = (as_sent(case), expected(case));
        let quoted = format!("\"{}\"", case.type_name);
        let quoted_trace = format!("\"{}\"", B3.1);
        let ours = case.is.as_bytes();
        let with_key = |key: &[u8]| Packet { key: Some(key.to_vec()), ..sent.clone() };
        for (how, packet) in [
            ("quoted", with(sent.clone(), "type", quoted.as_bytes())),
            ("a quoted trace", with(sent.clone(), "b3", quoted_trace.as_bytes())),
            ("in our spelling", with(sent.clone(), "type", ours)),
            ("without the header", without(sent.clone(), "type")),
            ("with an empty header", with(sent.clone(), "type", b"")),
            ("with a key", with_key(case.call_id.to_string().as_bytes())),
            ("with a key that is none of ours", with_key(b"\xff\x00")),
            ("with nothing but its trace", message(&[B3], case.value)),
        ] {
            assert_eq!(read(&packet).as_ref(), Some(&expected), "{} {how}", case.type_name);
        }
        let untraced = Recorded { trace: None, ..expected };
        for (how, packet) in [
            ("without a trace", without(sent.clone(), "b3")),
            ("with a trace that is not kept", with(sent.clone(), "b3", b"0")),
            ("with a trace that is none", with(sent.clone(), "b3", b"f0822d011502e179")),
        ] {
            assert_eq!(read(&packet).as_ref(), Some(&untraced), "{} {how}", case.type_name);
        }
    }
}

#[test]
fn our_own_trace_goes_before_theirs() {
    let both = with(as_sent(&CASES[0]), "traceparent", crate::desk::TRACE.as_bytes());
    assert_eq!(read(&both).unwrap().trace.as_deref(), Some(crate::desk::TRACE));
}

/// The view shows the drive's own number, by which the original's drive service ends it.
#[test]
fn the_view_shows_the_drive_as_the_original_numbers_it() {
    let mut view = None;
    for case in &CASES[4..] {
        let event = wiring::decode(&read(&as_sent(case)).unwrap()).unwrap();
        view = taxi::view::project(view, &event, taxi::time::Timestamp(case.at));
    }
    let view = view.unwrap();
    assert_eq!(view.drive_id.unwrap().call().get(), 38_966);
    assert_eq!((view.call_id.get(), view.user_name.unwrap().as_str()), (38_983, "far"));
}

/// Figures as Java writes them.
#[test]
fn fares_and_ids_are_read_however_they_are_written() {
    let fare = |written: &str| {
        let value = FARE_PAID.replace("100000.0", written);
        let read = read(&message(&[], &value)).unwrap();
        wiring::decode(&read).map(|_| read.body).map_err(|unreadable| unreadable.0)
    };
    let paid = |won: &str| Ok(format!(r#"{{"payId":1,"callId":1,"fare":{won},"payStatus":"paid"}}"#));
    for (written, won) in [
        ("100000.0", "100000"),
        ("100000", "100000"),
        ("1.0E7", "10000000"),
        ("1E+5", "100000"),
        ("\"100000.0\"", "100000"),
        // What 1.13 km come to in floating point.
        ("11299.999999999998", "11300"),
        ("100000.5000", "100001"),
        ("0.0", "0"),
    ] {
        assert_eq!(fare(written), paid(won), "{written}");
    }
    let fault =
        |what: &str| Err(format!("the FarePaid at offset 41 of partition 3 cannot be read: fare: {what}"));
    assert_eq!(fare("-50000.0"), fault("a fare is not negative"));
    assert_eq!(fare("\"Infinity\""), fault("the fare is not a number"));
    assert_eq!(fare("1e400"), fault("the fare has too many digits"));
    assert_eq!(fare("null"), fault("it is missing"));
    assert_eq!(fare("[1]"), fault("it is neither a text nor a number"));

    let ids = FARE_PAID.replace(r#""payId":1,"callId":1"#, r#""payId":"38966","callId":"38983""#);
    let read = read(&message(&[], &ids)).unwrap();
    assert_eq!((read.entity_id, wiring::decode(&read).is_ok()), (38_983, true));
}

/// Each of them was placed with the original, and none may hold up what is still to come of its call.
#[test]
fn calls_that_ours_would_refuse_are_followed_all_the_same() {
    let body = |distance: &str, user: &str| {
        let value =
            CALL_CANCELLED.replace("150.0", distance).replace(r#""userId":"9","userName":"far","#, user);
        let read = read(&message(&[("type", "CallCancelled")], &value)).unwrap();
        assert_eq!(reactions(&read)[1], Ok("CallOff(CallId(38983))".to_owned()), "{value}");
        read.body
    };
    let told = |user: &str, meters: u32| {
        format!(
            r#"{{"callId":38983,"userId":{{"plain":"{user}"}},"userName":{{"plain":"{user}"}},"callStatus":"requestCancel","meters":{meters}}}"#
        )
    };
    let nobody = r#""userId":null,"userName":null,"#;
    assert_eq!(body("10.0", nobody), told("", 10_000));
    assert_eq!(body("10.0", ""), told("", 10_000));
    for (distance, meters) in [
        ("-5.0", 1),
        ("0.0", 1),
        ("null", 1),
        ("\"Infinity\"", 20_000_000),
        ("25000.0", 20_000_000),
        ("1.0E-4", 1),
        ("1.2345", 1_235),
    ] {
        assert_eq!(body(distance, nobody), told("", meters), "{distance}");
    }
    let odd = r#""userId":"\u0000\n","userName":"\u0000\n","#;
    assert_eq!(body("10.0", odd), told("\u{fffd}\u{fffd}", 10_000));
    let long = "어".repeat(101);
    let cut = "어".repeat(100);
    assert_eq!(body("10.0", &format!(r#""userId":"{long}","userName":"{long}","#)), told(&cut, 10_000));
}

/// What its consumers were seen to need: a header `type`, and one that names it as a text of Java.
#[test]
fn what_is_written_for_the_original_is_what_it_needs() {
    for event in published() {
        let event = recorded(&event);
        let packet = write(Profile::SpringCloudStream, &event);
        let header = |name: &str| {
            let (_, value) = packet.headers.iter().find(|(own, _)| own == name).unwrap();
            String::from_utf8(value.clone().unwrap()).unwrap()
        };
        let theirs = match &*event.event_type {
            "DriveNotAvailable" => "DriveNotAvailavled",
            "DriveEnded" => "DrivieEnded",
            same => same,
        };
        assert_eq!(header("type"), theirs);
        let types: serde_json::Value = serde_json::from_str(&header("spring_json_header_types")).unwrap();
        assert_eq!(types, serde_json::json!({"type": "java.lang.String"}));
        assert_eq!(header("ce_type"), format!("taxisvc.{}.v1", event.event_type));
        let value: serde_json::Value = serde_json::from_slice(&packet.payload.unwrap()).unwrap();
        assert_eq!(value["eventType"], theirs);
        let ours: serde_json::Value =
            serde_json::from_slice(&write(Profile::CloudEvents, &event).payload.unwrap()).unwrap();
        let mut same = value;
        same["eventType"] = ours["eventType"].clone();
        assert_eq!(same, ours, "nothing else is written otherwise");
    }
}

/// Every field that the original reads of an event is there, of the type that it has there.
#[test]
fn our_values_have_the_fields_of_the_originals() {
    for case in &CASES {
        let event = published().into_iter().find(|event| event.type_name() == case.is).unwrap();
        let ours = write(Profile::SpringCloudStream, &recorded(&event)).payload.unwrap();
        let ours: serde_json::Value = serde_json::from_slice(&ours).unwrap();
        let theirs: serde_json::Value = serde_json::from_str(case.value).unwrap();
        for (field, value) in theirs.as_object().unwrap() {
            let ours = &ours[field];
            let is_alike = ours.is_string() == value.is_string() && ours.is_number() == value.is_number();
            assert!(is_alike, "{}: {field} is {ours}, and theirs {value}", case.is);
        }
        assert_eq!(ours["eventType"], theirs["eventType"]);
    }
}
