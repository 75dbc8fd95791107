//! One service at its desk: it is told commands, keeps its state and its one timer, and says what it did in words.

use std::fmt::Display;

use taxi::decision::{Decision, TimerChange};
use taxi::distance::Meters;
use taxi::event::Event;
use taxi::id::CallId;
use taxi::rider::Rider;
use taxi::rules::{Context, Rules};
use taxi::time::Timestamp;

pub(crate) const NOW: Timestamp = Timestamp(1_000_000);

type Decide<S, C, E, R> = fn(Option<&S>, &C, &Context<'_>) -> Result<Decision<E>, R>;
type Evolve<S> = fn(Option<S>, &Event, Timestamp) -> Option<S>;

/// A service, as its four functions.
pub(crate) struct Service<S, C, E, R> {
    pub(crate) decide: Decide<S, C, E, R>,
    pub(crate) evolve: Evolve<S>,
    pub(crate) is_open: fn(&S) -> bool,
    pub(crate) effect_name: fn(&E) -> &'static str,
}

/// What an engine keeps of an entity.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entity<S> {
    pub(crate) state: Option<S>,
    pub(crate) timer: Option<&'static str>,
}

impl<S> Entity<S> {
    pub(crate) fn absent() -> Self {
        Self { state: None, timer: None }
    }
}

impl<S: Clone, C, E, R: Display> Service<S, C, E, R> {
    /// Commits the command's decision, and hands it out.
    pub(crate) fn tell(&self, entity: &mut Entity<S>, command: &C, rules: &Rules) -> Result<Decision<E>, R> {
        let decision = (self.decide)(entity.state.as_ref(), command, &Context { now: NOW, rules })?;
        for event in &decision.events {
            entity.state = (self.evolve)(entity.state.take(), event, NOW);
        }
        match decision.timer {
            TimerChange::Keep => {}
            TimerChange::Arm { name, .. } => entity.timer = Some(name),
            TimerChange::Disarm => entity.timer = None,
        }
        let is_open = entity.state.as_ref().is_some_and(self.is_open);
        assert_eq!(is_open, entity.timer.is_some(), "an open entity has a timer, a closed one has none");
        Ok(decision)
    }

    pub(crate) fn after(&self, commands: &[C], rules: &Rules) -> Entity<S> {
        let mut entity = Entity::absent();
        for command in commands {
            if let Err(refusal) = self.tell(&mut entity, command, rules) {
                panic!("a state is made of commands that are done: {refusal}");
            }
        }
        entity
    }

    /// Events, effects and timer in words; `-` for nothing at all.
    pub(crate) fn outcome(&self, entity: &Entity<S>, command: &C, rules: &Rules) -> String {
        let decision = match self.tell(&mut entity.clone(), command, rules) {
            Ok(decision) => decision,
            Err(refusal) => return format!("refused: {refusal}"),
        };
        let mut words: Vec<String> =
            decision.events.iter().map(|event| event.type_name().to_owned()).collect();
        words.extend(decision.effects.iter().map(|effect| format!("+{}", (self.effect_name)(effect))));
        match decision.timer {
            TimerChange::Keep => {}
            TimerChange::Arm { name, due } => words.push(format!("@{name} {}s", due.since(NOW).0 / 1_000)),
            TimerChange::Disarm => words.push("@none".to_owned()),
        }
        if words.is_empty() { "-".to_owned() } else { words.join(" ") }
    }

    /// Tries every state with every command: a pair that the table does not name must do nothing.
    pub(crate) fn check_every_pair(
        &self,
        states: &[(&str, Entity<S>)],
        commands: &[(&str, C)],
        table: &[(&str, &str, &str)],
        rules: &Rules,
    ) {
        for (state, command, _) in table {
            assert!(states.iter().any(|(name, _)| name == state), "no state is called {state}");
            assert!(commands.iter().any(|(name, _)| name == command), "no command is called {command}");
        }
        for (state_name, entity) in states {
            for (command_name, command) in commands {
                let named = table.iter().find(|row| row.0 == *state_name && row.1 == *command_name);
                let expected = named.map_or("-", |row| row.2);
                assert_eq!(
                    self.outcome(entity, command, rules),
                    expected,
                    "{command_name} told to {state_name}"
                );
            }
        }
    }
}

pub(crate) fn call_id() -> CallId {
    CallId::new(1).unwrap()
}

/// A call over so many kilometres at the default tariff.
pub(crate) fn request(kilometers: &str) -> taxi::call::Request {
    let meters = Meters::parse(kilometers).unwrap();
    taxi::call::Request {
        call_id: call_id(),
        rider: Rider::new("1", "eojin").unwrap(),
        meters,
        fare: Rules::default().tariff.fare(meters),
        payment_method: None,
    }
}

pub(crate) fn calls()
-> Service<taxi::call::Call, taxi::call::Command, taxi::decision::NoEffect, taxi::call::Refusal> {
    Service {
        decide: taxi::call::decide,
        evolve: taxi::call::evolve,
        is_open: taxi::call::is_open,
        effect_name: |effect| match *effect {},
    }
}

pub(crate) fn payments()
-> Service<taxi::payment::Payment, taxi::payment::Command, taxi::payment::Effect, taxi::payment::Refusal> {
    Service {
        decide: taxi::payment::decide,
        evolve: taxi::payment::evolve,
        is_open: taxi::payment::is_open,
        effect_name: taxi::payment::Effect::name,
    }
}

pub(crate) fn drives()
-> Service<taxi::drive::Drive, taxi::drive::Command, taxi::decision::NoEffect, taxi::drive::Refusal> {
    Service {
        decide: taxi::drive::decide,
        evolve: taxi::drive::evolve,
        is_open: taxi::drive::is_open,
        effect_name: |effect| match *effect {},
    }
}
