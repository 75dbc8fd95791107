//! A service with two kinds of entity: rides, and the drivers who can have one at a time.

use engine::clock::Timestamp;
use engine::effect::{Effect, NewEffect};
use engine::log::{Encoded, EntityKey, Recorded};
use engine::timer::TimerChange;
use engine::{Change, Context, Decision, Entities, Service, Unreadable};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) const RIDE: &str = "ride";
pub(crate) const DRIVER: &str = "driver";
pub(crate) const RIDE_MAX_MS: i64 = 60_000;

pub(crate) struct Rank {
    /// Whether gibberish is understood by now, as by a program that was mended.
    pub(crate) understands_gibberish: Arc<AtomicBool>,
    /// Whether a timer that runs out makes the code fail.
    pub(crate) fails_on_timers: Arc<AtomicBool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum State {
    Ride { driver: u64, over: bool },
    Driver { ride: Option<u64> },
}

#[derive(Debug, Clone)]
pub(crate) enum Command {
    Give {
        ride: u64,
        driver: u64,
    },
    Finish {
        ride: u64,
        driver: u64,
    },
    TimeOut {
        ride: u64,
    },
    Told {
        ride: u64,
    },
    /// Changes a driver that it does not name.
    Sneak {
        ride: u64,
        driver: u64,
    },
    Panic {
        ride: u64,
    },
    BreakInvariant {
        ride: u64,
    },
    ForgetTimer {
        ride: u64,
    },
    /// Is decided well, and panics in what it does to the ride.
    PanicLater {
        ride: u64,
    },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Event {
    RideGiven { driver: u64 },
    RideOver,
    DriverTaken { ride: u64 },
    DriverFreed,
    RiderTold,
    Unheard,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Refusal {
    DriverIsBusy,
    RideIsOver,
    NoSuchRide,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self:?}")
    }
}

fn ride_key(id: u64) -> EntityKey {
    EntityKey { kind: RIDE, id }
}

fn driver_key(id: u64) -> EntityKey {
    EntityKey { kind: DRIVER, id }
}

fn alone(key: EntityKey, event: Event) -> Decision<Rank> {
    Decision { changes: vec![Change::Event(key, event)], ..Decision::default() }
}

impl Rank {
    fn give(
        entities: &Entities<'_, State>,
        (ride, driver): (u64, u64),
        now: Timestamp,
    ) -> Result<Decision<Self>, Refusal> {
        match (entities.get(ride_key(ride)), entities.get(driver_key(driver))) {
            (Some(State::Ride { over: true, .. }), _) => Err(Refusal::RideIsOver),
            (Some(_), _) => Ok(Decision::default()),
            (None, Some(State::Driver { ride: Some(_) })) => Err(Refusal::DriverIsBusy),
            (None, _) => Ok(Decision {
                changes: vec![
                    Change::Event(ride_key(ride), Event::RideGiven { driver }),
                    Change::Event(driver_key(driver), Event::DriverTaken { ride }),
                ],
                timers: vec![(
                    ride_key(ride),
                    TimerChange::Arm { name: "ride", due: now.plus_ms(RIDE_MAX_MS) },
                )],
                effects: vec![NewEffect { key: ride_key(ride), name: "tell", body: String::new() }],
            }),
        }
    }

    fn finish(entities: &Entities<'_, State>, ride: u64, driver: u64) -> Result<Decision<Self>, Refusal> {
        match entities.get(ride_key(ride)) {
            None => Err(Refusal::NoSuchRide),
            Some(State::Ride { over: true, .. }) => Ok(Decision::default()),
            Some(_) => Ok(Decision {
                changes: vec![
                    Change::Event(ride_key(ride), Event::RideOver),
                    Change::Event(driver_key(driver), Event::DriverFreed),
                ],
                timers: vec![(ride_key(ride), TimerChange::Disarm)],
                effects: vec![NewEffect { key: ride_key(ride), name: "thank", body: String::new() }],
            }),
        }
    }
}

impl Service for Rank {
    type State = State;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn name(&self) -> &'static str {
        "rank"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[RIDE, DRIVER]
    }

    fn is_lasting(&self, refusal: &Refusal) -> bool {
        *refusal != Refusal::NoSuchRide
    }

    fn is_alarm(&self, event_type: &str) -> bool {
        event_type == "RideOver"
    }

    fn entities(&self, command: &Command) -> Vec<EntityKey> {
        match command {
            Command::Give { ride, driver } | Command::Finish { ride, driver } => {
                vec![ride_key(*ride), driver_key(*driver)]
            }
            // Who drives a ride is known only from the ride: in this test a ride and its driver share a number.
            Command::TimeOut { ride } => vec![ride_key(*ride), driver_key(*ride)],
            Command::Sneak { ride, .. }
            | Command::Told { ride }
            | Command::Panic { ride }
            | Command::BreakInvariant { ride }
            | Command::ForgetTimer { ride }
            | Command::PanicLater { ride } => vec![ride_key(*ride)],
        }
    }

    fn decide(
        &self,
        entities: &Entities<'_, State>,
        command: &Command,
        context: &Context<'_>,
    ) -> Result<Decision<Self>, Refusal> {
        match command {
            Command::Give { ride, driver } => Self::give(entities, (*ride, *driver), context.now),
            Command::Finish { ride, driver } => Self::finish(entities, *ride, *driver),
            Command::TimeOut { ride } => Self::finish(entities, *ride, *ride),
            Command::Told { ride } => Ok(alone(ride_key(*ride), Event::RiderTold)),
            Command::Sneak { driver, .. } => Ok(alone(driver_key(*driver), Event::DriverTaken { ride: 1 })),
            Command::Panic { ride } => panic!("ride {ride} is poison"),
            Command::BreakInvariant { ride } => Ok(Decision {
                timers: vec![(ride_key(*ride), TimerChange::Arm { name: "ride", due: context.now })],
                ..alone(ride_key(*ride), Event::RideGiven { driver: 0 })
            }),
            Command::PanicLater { ride } => Ok(alone(ride_key(*ride), Event::Unheard)),
            Command::ForgetTimer { ride } => Ok(alone(ride_key(*ride), Event::RideGiven { driver: 1 })),
        }
    }

    fn evolve(&self, _: EntityKey, state: Option<State>, event: &Event, _: Timestamp) -> Option<State> {
        Some(match event {
            Event::RideGiven { driver } => State::Ride { driver: *driver, over: false },
            Event::RideOver => State::Ride { driver: 0, over: true },
            Event::DriverTaken { ride } => State::Driver { ride: Some(*ride) },
            Event::DriverFreed => State::Driver { ride: None },
            Event::RiderTold => return state,
            Event::Unheard => panic!("an event that nobody ever heard of"),
        })
    }

    fn react(&self, event: &Recorded) -> Result<Option<Command>, Unreadable> {
        match &*event.event_type {
            "RideWanted" => Ok(Some(Command::Give { ride: event.entity_id, driver: event.entity_id })),
            "Gibberish" if self.understands_gibberish.load(Ordering::SeqCst) => {
                Ok(Some(Command::Give { ride: event.entity_id, driver: event.entity_id }))
            }
            "Cursed" => Ok(Some(Command::PanicLater { ride: event.entity_id })),
            "Gibberish" => Err(Unreadable("gibberish".into())),
            _ => Ok(None),
        }
    }

    fn due(&self, key: EntityKey, _: &str) -> Command {
        assert!(!self.fails_on_timers.load(Ordering::SeqCst), "time is out of joint");
        Command::TimeOut { ride: key.id }
    }

    fn answered(&self, effect: &Effect, outcome: &str) -> Result<Command, Unreadable> {
        if outcome == "gibberish" && !self.understands_gibberish.load(Ordering::SeqCst) {
            return Err(Unreadable("gibberish".into()));
        }
        Ok(Command::Told { ride: effect.key.id })
    }

    fn encode(&self, event: &Event) -> Encoded {
        let event_type = match event {
            Event::RideGiven { .. } => "RideGiven",
            Event::RideOver => "RideOver",
            Event::DriverTaken { .. } => "DriverTaken",
            Event::DriverFreed => "DriverFreed",
            Event::RiderTold => "RiderTold",
            Event::Unheard => "Unheard",
        };
        let body = serde_json::to_string(event).expect("an event is plain data");
        Encoded { event_type, schema: 1, published: true, body }
    }

    fn decode(&self, event: &Recorded) -> Result<Event, Unreadable> {
        serde_json::from_str(&event.body).map_err(|error| Unreadable(error.to_string()))
    }

    fn tag(&self, state: &State) -> &'static str {
        match state {
            State::Ride { over: false, .. } => "underWay",
            State::Ride { over: true, .. } => "over",
            State::Driver { ride: Some(_) } => "busy",
            State::Driver { ride: None } => "free",
        }
    }

    fn is_open(&self, state: &State) -> bool {
        matches!(state, State::Ride { over: false, .. })
    }

    fn check(&self, state: &State) -> Result<(), String> {
        match state {
            State::Ride { driver: 0, over: false } => Err("a ride under way has a driver".into()),
            State::Ride { .. } | State::Driver { .. } => Ok(()),
        }
    }
}
