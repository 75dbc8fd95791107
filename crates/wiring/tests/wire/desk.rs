//! Events as logs keep them, messages as a topic carries them, and the services that hear.

use engine::clock::Timestamp;
use engine::log::{Cause, LogId, Recorded, Source};
use engine::wire::{Packet, Place, Wire};
use engine::{Service, Unreadable};
use taxi::event::Event;
use taxi::rules::Rules;
use taxi::sample;
use wiring::business::Business;
use wiring::call::CallService;
use wiring::drive::DriveService;
use wiring::payment::PaymentService;
use wiring::view::ViewService;
use wiring::wire::{Profile, TaxiWire};

pub(crate) const TOPIC: LogId = LogId(0x70b1_c000_0000_0001);
pub(crate) const PLACE: Place = Place { topic: TOPIC, partition: 3, offset: 41 };
pub(crate) const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

pub(crate) fn published() -> Vec<Event> {
    sample::every_event().into_iter().filter(Event::is_published).collect()
}

pub(crate) fn owner(event: &Event) -> &'static str {
    match event {
        Event::Call(_) => wiring::call::NAME,
        Event::Payment(_) => wiring::payment::NAME,
        Event::Drive(_) => wiring::drive::NAME,
    }
}

/// As its service's log keeps it.
pub(crate) fn recorded(event: &Event) -> Recorded {
    let (event_type, schema, body) = event.to_stored();
    let log = LogId(0xdead_beef);
    let cause = Cause::Event { source: Source { log, service: "payment".into(), shard: 0 }, position: 16 };
    Recorded {
        source: Source { log, service: owner(event).into(), shard: 2 },
        position: 17,
        entity_kind: owner(event).into(),
        entity_id: event.call_id().get(),
        version: 4,
        event_type: event_type.into(),
        schema,
        published: event.is_published(),
        at: Timestamp(sample::AT.0),
        actor: "rider".into(),
        cause: cause.to_string(),
        trace: Some(TRACE.to_owned()),
        body,
    }
}

pub(crate) fn write(profile: Profile, event: &Recorded) -> Packet {
    TaxiWire { profile }.write(event).unwrap().unwrap_or_else(|| panic!("{} is told", event.event_type))
}

pub(crate) fn read(packet: &Packet) -> Option<Recorded> {
    TaxiWire::default().read(packet, &PLACE)
}

/// A message with these headers and this value.
pub(crate) fn message(headers: &[(&str, &str)], value: &str) -> Packet {
    let header = |(name, text): &(&str, &str)| ((*name).to_owned(), Some(text.as_bytes().to_vec()));
    Packet {
        key: None,
        headers: headers.iter().map(header).collect(),
        payload: Some(value.as_bytes().to_vec()),
        at: Some(Timestamp(1_795_472_999_000)),
    }
}

/// The same with a header more, or with another text in it.
pub(crate) fn with(mut packet: Packet, name: &str, text: &[u8]) -> Packet {
    packet.headers.retain(|(own, _)| own != name);
    packet.headers.push((name.to_owned(), Some(text.to_vec())));
    packet
}

pub(crate) fn without(mut packet: Packet, name: &str) -> Packet {
    packet.headers.retain(|(own, _)| own != name);
    packet
}

/// What each service does about an event, in words: its command, nothing, or why it cannot be read.
pub(crate) fn reactions(event: &Recorded) -> [Result<String, Unreadable>; 4] {
    let (rules, business) = (Rules::default(), Business::default());
    let words = |command: Option<String>| command.unwrap_or_default();
    let call = CallService { rules, decide: business.call }.react(event);
    let payment = PaymentService { rules, decide: business.payment }.react(event);
    let drive = DriveService { rules, decide: business.drive }.react(event);
    let view = ViewService.react(event);
    [
        call.map(|command| words(command.map(|command| format!("{command:?}")))),
        payment.map(|command| words(command.map(|command| format!("{command:?}")))),
        drive.map(|command| words(command.map(|command| format!("{command:?}")))),
        view.map(|heard| words(heard.map(|heard| format!("{:?} at {}", heard.event, heard.at.0)))),
    ]
}
