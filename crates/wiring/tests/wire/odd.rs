//! What no service of ours would send: passed over, put aside with a reason, or read for what it is; never a panic.

use crate::desk::{TOPIC, message, published, reactions, read, recorded, with, without, write};
use engine::clock::Timestamp;
use engine::log::{Recorded, Source};
use engine::wire::{Packet, Place, Wire};
use wiring::wire::{Profile, TaxiWire};

fn ours() -> Packet {
    let paid = published().into_iter().find(|event| event.type_name() == "FarePaid").unwrap();
    write(Profile::CloudEvents, &recorded(&paid))
}

fn with_value(packet: Packet, value: Option<&[u8]>) -> Packet {
    Packet { payload: value.map(<[u8]>::to_vec), ..packet }
}

/// Why it was put aside, for who hears it.
fn fault(packet: &Packet) -> String {
    let read = read(packet).expect("it is of a known type");
    let reasons = reactions(&read);
    let fault = reasons[3].clone().expect_err("the view cannot read it").0;
    assert_eq!(reasons[2], Err(engine::Unreadable(fault.clone())), "drive would have acted on it");
    assert_eq!(reasons[1], Ok(String::new()), "payment has nothing to do with it");
    let place = "the FarePaid at offset 41 of partition 3 cannot be read: ";
    fault.strip_prefix(place).unwrap_or_else(|| panic!("{fault}")).to_owned()
}

#[test]
fn what_nobody_knows_is_passed_over() {
    let value = r#"{"eventType":"TaxiWashed","timestamp":1,"callId":1}"#;
    for packet in [
        message(&[("type", "TaxiWashed")], value),
        message(&[], value),
        message(&[], "{}"),
        message(&[], "no json"),
        message(&[], ""),
        // A service's own note.
        message(&[("type", "FareAsked")], value),
        message(&[("type", "java.lang.String")], r#"{"eventType":"FarePaid","callId":1,"fare":1}"#),
        // A tombstone.
        with_value(message(&[], ""), None),
        Packet::default(),
        with(message(&[], "\u{1}"), "type", b"\xff\xfe"),
    ] {
        assert_eq!(read(&packet), None, "{packet:?}");
    }
}

#[test]
fn what_is_known_and_cannot_be_understood_says_why_and_where() {
    let check = |value: Option<&[u8]>, expected: &str| {
        let packet = with_value(ours(), value);
        assert_eq!(fault(&packet), expected);
        let read = read(&packet).unwrap();
        assert_eq!((read.entity_id, read.position, read.schema), (1, 17, 0), "its key tells its call");
        assert_eq!(read.at, recorded(&published()[0]).at, "its header tells its time");
    };
    check(None, "there is no value");
    check(Some(b""), "there is no value");
    check(Some(b"\xff\xfe{}"), "the value is no UTF-8 text");
    check(Some(b"eojin"), "the value is no JSON object, as line 1, column 1 shows");
    check(Some(b"\"eojin\""), "the value is no JSON object, as line 1, column 7 shows");
    check(Some(b"{\"callId\":1}{"), "the value is no JSON object, as line 1, column 13 shows");
    check(Some(b"{}"), "callId: it is missing");
    check(Some(br#"{"callId":1}"#), "fare: it is missing");
    check(Some(br#"{"callId":true,"fare":1}"#), "callId: it is neither a text nor a number");
    let id = "an id is a whole number from 1 to 9223372036854775807";
    check(Some(br#"{"callId":0,"fare":1}"#), &format!("callId: {id}"));
    check(Some(br#"{"callId":1,"payId":-1,"fare":1}"#), &format!("payId: {id}"));
    check(Some(br#"{"callId":1,"fare":"lots"}"#), "fare: the fare is not a number");
    check(Some(br#"{"eventType":"DrivieEnded","callId":1,"fare":1}"#), "eventType: it says DriveEnded");
    let later = with(ours(), "ce_type", b"taxisvc.FarePaid.v2");
    assert_eq!(fault(&later), "it is of version 2, and known here is 1");
}

#[test]
fn what_was_put_aside_is_all_there_and_can_be_read_again() {
    let packet = with(with_value(ours(), Some(b"\x00\xff")), "odd\0", b"\x00");
    let read = read(&packet).unwrap();
    let body: serde_json::Value = serde_json::from_str(&read.body).unwrap();
    assert_eq!(body["value"]["hex"], "00ff");
    assert_eq!(body["key"]["text"], "1");
    assert_eq!((&body["partition"], &body["offset"]), (&3.into(), &41.into()));
    assert!(read.body.contains(r#"["ce_id",{"text":"17"}]"#), "{}", read.body);
    assert!(!has_nul(&body), "no store chokes on it: {body}");

    // As a later program would find what this one could not read.
    let mended = read.body.replace(r#"{"hex":"00ff"}"#, r#"{"text":"{\"callId\":1,\"fare\":100000}"}"#);
    let mended = Recorded { body: mended, ..read };
    assert_eq!(reactions(&mended)[2], Ok("Start { call_id: CallId(1), fare: Won(100000) }".to_owned()));
    let broken = Recorded { body: "{}".into(), ..mended };
    assert_eq!(wiring::decode(&broken).unwrap_err().0, "FarePaid as it came is no message");
}

#[test]
fn a_value_too_long_to_be_kept_is_put_aside_by_its_place() {
    let longest = vec![b'x'; 16 * 1_024];
    assert!(read(&with_value(ours(), Some(&longest))).unwrap().body.len() > longest.len());
    let read = read(&with_value(ours(), Some(&[longest, vec![b'x']].concat()))).unwrap();
    assert!(read.body.len() < 2_000, "{}", read.body.len());
    let fault = wiring::decode(&read).unwrap_err().0;
    assert_eq!(
        fault,
        "the FarePaid at offset 41 of partition 3 is 16385 bytes long, and is kept there alone"
    );
}

#[test]
fn a_message_without_a_call_is_put_aside_all_the_same() {
    let packet = message(&[("type", "FarePaid")], "{}");
    assert_eq!(read(&packet).unwrap().entity_id, 0);
    let in_header = with(packet, "ce_partitionkey", b"7");
    assert_eq!(read(&in_header).unwrap().entity_id, 7);
    let in_key = Packet { key: Some(b"8".to_vec()), ..in_header };
    assert_eq!(read(&in_key).unwrap().entity_id, 8);
    let in_value = with_value(in_key, Some(br#"{"callId":9}"#));
    assert_eq!(read(&in_value).unwrap().entity_id, 9);
}

/// The headers of somebody else's CloudEvents do not say where it stands in a log of ours.
#[test]
fn an_event_that_is_not_from_a_log_of_ours_is_told_apart_by_its_place() {
    let by_place = (Source { log: TOPIC, service: "payment".into(), shard: 0 }, 42);
    for (name, text) in [
        ("ce_id", "A234-1234-1234"),
        ("ce_id", "-1"),
        ("ce_id", "0"),
        ("ce_id", "9223372036854775808"),
        ("ce_source", "https://example.org/billing"),
        ("ce_source", "/billing/00000000deadbeef/0"),
        ("ce_source", "/drive/00000000deadbeef/0"),
        ("ce_source", "/payment/beef/0"),
        ("ce_source", "/payment/00000000deadbeef/65536"),
        ("ce_source", "/payment/00000000deadbeef/0/more"),
        ("ce_source", "/payment"),
        ("ce_source", ""),
        ("ce_type", "taxisvc.FareRefunded.v1"),
        ("ce_type", "org.example.FarePaid"),
        // Made of one of ours, whose other headers came along.
        ("type", "FareRefunded"),
    ] {
        let read = read(&with(ours(), name, text.as_bytes())).unwrap();
        assert_eq!((read.source, read.position), by_place, "{name}: {text}");
    }
    for name in ["ce_id", "ce_source"] {
        let read = read(&without(ours(), name)).unwrap();
        assert_eq!((read.source, read.position), by_place, "without {name}");
    }
}

#[test]
fn headers_that_say_nothing_leave_what_the_value_says() {
    let plain = read(&ours()).unwrap();
    let check = |name: &str, text: &[u8], expected: Recorded| {
        assert_eq!(read(&with(ours(), name, text)), Some(expected), "{name}");
    };
    check("ce_time", b"yesterday", plain.clone());
    check(
        "ce_time",
        b"2026-11-24T07:21:07+09:00",
        Recorded { at: Timestamp(1_795_472_467_000), ..plain.clone() },
    );
    check("ce_specversion", b"\xff", plain.clone());
    check("taxisvc-actor", b"a burglar", Recorded { actor: "system".into(), ..plain.clone() });
    let unknown = Recorded { cause: "message 3/41".into(), ..plain.clone() };
    check("taxisvc-cause", b"", unknown.clone());
    check("taxisvc-cause", b"line\nline", unknown.clone());
    check("taxisvc-cause", "x".repeat(301).as_bytes(), unknown);
    check("traceparent", b"no trace", Recorded { trace: None, ..plain.clone() });
    check("unknown", b"\xff", plain.clone());
    let untyped = without(ours(), "type");
    assert_eq!(read(&untyped).as_ref(), Some(&plain), "ce_type says it as well");
    assert_eq!(read(&without(untyped, "ce_type")), Some(plain), "and so does the value");
}

#[test]
fn without_any_time_it_is_the_time_of_the_message() {
    let value = r#"{"eventType":"FarePaid","callId":1,"fare":1}"#;
    assert_eq!(read(&message(&[], value)).unwrap().at, Timestamp(1_795_472_999_000));
    let odd = value.replace('{', r#"{"timestamp":9000000000000000000,"#);
    assert_eq!(read(&message(&[], &odd)).unwrap().at, Timestamp(1_795_472_999_000));
    let timeless = Packet { at: None, ..message(&[], value) };
    assert_eq!(read(&timeless).unwrap().at, Timestamp(0));
}

#[test]
fn fields_that_nobody_knows_are_passed_over() {
    let value = String::from_utf8(ours().payload.unwrap()).unwrap();
    let more = value.replacen('{', r#"{"later":{"deep":[1,null,"x"]},"#, 1);
    assert_eq!(read(&with_value(ours(), Some(more.as_bytes()))), read(&ours()));
}

#[test]
fn the_ends_of_what_can_be_counted_are_no_end() {
    let packet = message(&[], r#"{"eventType":"FarePaid","callId":9223372036854775807,"fare":1}"#);
    let place = Place { topic: TOPIC, partition: u32::MAX, offset: u64::MAX };
    let read = TaxiWire::default().read(&packet, &place).unwrap();
    assert_eq!((read.position, read.entity_id), (i64::MAX as u64, i64::MAX as u64));
}

/// Deeper than any reader follows.
#[test]
fn a_value_without_bottom_is_put_aside() {
    let deep = format!(r#"{{"callId":1,"fare":1,"more":{}"#, "[".repeat(10_000));
    assert!(fault(&with_value(ours(), Some(deep.as_bytes()))).starts_with("the value is no JSON object"));
}

/// Changes a few bytes of everything that a message is made of.
#[test]
fn whatever_comes_is_read_without_a_panic() {
    let mut state: u64 = 1;
    let mut draw = |end: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % end
    };
    let seeds: Vec<Packet> = Profile::ALL
        .into_iter()
        .flat_map(|profile| published().into_iter().map(move |event| write(profile, &recorded(&event))))
        .collect();
    let (mut understood, mut aside, mut passed) = (0, 0, 0);
    for round in 0..40_000 {
        let mut packet = seeds[round % seeds.len()].clone();
        for _ in 0..=draw(3) {
            let headers = packet.headers.len();
            let target = match draw(headers + 6) {
                0 => &mut packet.key,
                index if index <= headers => &mut packet.headers[index - 1].1,
                _ => &mut packet.payload,
            };
            mutate(target, &mut draw);
        }
        let Some(read) = read(&packet) else {
            passed += 1;
            continue;
        };
        assert!((1..=i64::MAX as u64).contains(&read.position) && read.entity_id <= i64::MAX as u64);
        let reactions = reactions(&read);
        let body: serde_json::Value = serde_json::from_str(&read.body).unwrap();
        assert!(!has_nul(&body), "a text that not every store takes: {read:?}");
        if reactions[3].is_ok() {
            understood += 1;
            assert_eq!(read.schema, 1, "{read:?}");
        } else {
            aside += 1;
            assert_eq!(read.schema, 0, "{read:?}");
        }
    }
    let all = [understood, aside, passed];
    assert!(all.iter().all(|count| *count > 1_000), "each happens: {all:?}");
}

fn has_nul(value: &serde_json::Value) -> bool {
    use serde_json::Value;
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn mutate(bytes: &mut Option<Vec<u8>>, draw: &mut impl FnMut(usize) -> usize) {
    const ODD: [&[u8]; 10] =
        [b"\"", b"{", b"}", b"\0", b"\xff", b"-", b"1e400", b"null", b"\\u0000", b"99999999999999999999"];
    let Some(known) = bytes else {
        *bytes = Some(Vec::new());
        return;
    };
    let place = draw(known.len() + 1);
    let end = place + draw(known.len() - place + 1).min(1 + draw(8));
    match draw(6) {
        0 if draw(4) == 0 => *bytes = None,
        1 => known.truncate(place),
        2 => drop(known.drain(place..end)),
        3 => {
            let again = known[place..end].to_vec();
            known.splice(place..place, again);
        }
        4 => drop(known.splice(place..end, ODD[draw(ODD.len())].iter().copied())),
        _ => {
            if let Some(byte) = known.get_mut(place) {
                *byte = u8::try_from(draw(256)).unwrap();
            }
        }
    }
}
