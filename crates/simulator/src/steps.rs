//! What may happen next: a turn, a wish, an answer, the time, a crash; chance decides.

use crate::failure::{Breach, Kind, must};
use crate::lock;
use crate::observer::to_json;
use crate::people::{Fate, Key, Submission, Watching, What};
use crate::replica::Replica;
use crate::road::{ROLES, Travel};
use crate::verdicts;
use crate::world::World;
use engine::Service;
use engine::handle::{Handle, Request};
use engine::log::{EntityKey, Origin, shard_of};
use engine::runner::Turn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use taxi::distance::Meters;
use taxi::id::CallId;
use taxi::money::Won;
use taxi::rider::Rider;
use taxi::rules::Rules;
use taxi::status::{CallStatus, DriveStatus};
use wiring::{call, drive, payment};

#[derive(Clone, Copy)]
enum Action {
    Turn,
    TurnAll,
    Request,
    Repeat,
    Misuse,
    Cancel,
    End,
    CallPay,
    Answer,
    Clock,
    Start,
    LateArrival,
    Rebuild,
    Road(Travel),
}

const ACTIONS: [(u64, Action); 13] = [
    (44, Action::Turn),
    (30, Action::TurnAll),
    (9, Action::Request),
    (4, Action::Repeat),
    (1, Action::Misuse),
    (2, Action::Cancel),
    (10, Action::End),
    (1, Action::CallPay),
    (14, Action::Answer),
    (9, Action::Clock),
    (4, Action::Start),
    (2, Action::LateArrival),
    (2, Action::Rebuild),
];

/// The same over a topic.
const ACTIONS_OVER_A_TOPIC: [(u64, Action); 20] = [
    (40, Action::Turn),
    (9, Action::Request),
    (4, Action::Repeat),
    (1, Action::Misuse),
    (2, Action::Cancel),
    (10, Action::End),
    (1, Action::CallPay),
    (14, Action::Answer),
    (9, Action::Clock),
    (4, Action::Start),
    (2, Action::LateArrival),
    (1, Action::Rebuild),
    (25, Action::Road(Travel::Relay)),
    (30, Action::Road(Travel::Consume)),
    (12, Action::Road(Travel::Rebalance)),
    (3, Action::Road(Travel::Retire)),
    (10, Action::Road(Travel::Look)),
    (5, Action::Road(Travel::Notice)),
    (1, Action::Road(Travel::MakeAnew)),
    (60, Action::Road(Travel::All)),
];

/// Of the steps of a world whose topic grows: how often that is.
const GROWS_PER_MILLE: u64 = 4;

/// A call that nobody ever made.
const NOBODY: u64 = 999_999_999;

/// How old a key may be when it is used again: well within its window.
const KEY_AGE_MS_MAX: i64 = engine::idempotency::WINDOW_MS / 2;

const METHODS: [Option<&str>; 10] = [
    None,
    None,
    Some("card"),
    Some("card"),
    Some("test:refused"),
    Some("test:silent"),
    Some("test:lost"),
    Some("test:doubled"),
    Some("test:late=400"),
    Some("test:late=15000"),
];

impl World {
    pub(crate) fn act(&mut self) -> Result<(), Breach> {
        let crashes = self.ground.plan.crashes_per_mille;
        if self.chance.per_mille(crashes)
            && let Some(place) = self.someone()
        {
            self.crash(place, "chance");
            return Ok(());
        }
        let action = if self.road.is_none() {
            self.chance.weighed(&ACTIONS)
        } else if self.chance.per_mille(GROWS_PER_MILLE) {
            Action::Road(Travel::Grow)
        } else {
            self.chance.weighed(&ACTIONS_OVER_A_TOPIC)
        };
        let Some(place) = self.someone() else {
            return self.start_one();
        };
        match action {
            Action::Turn => {
                let databases = self.ground.stores.len();
                let database = self.chance.index(databases);
                self.turn(place, database).map(|_| ())
            }
            Action::TurnAll => {
                (0..self.ground.stores.len()).try_for_each(|database| self.turn(place, database).map(|_| ()))
            }
            Action::Request => self.request(place),
            Action::Repeat => self.repeat(place, false),
            Action::Misuse => self.repeat(place, true),
            Action::Cancel => self.cancel(place),
            Action::End => self.end(place),
            Action::CallPay => self.callpay(place),
            Action::Answer => {
                self.answer(place);
                Ok(())
            }
            Action::Clock => {
                self.move_clock();
                Ok(())
            }
            Action::Start => self.start_one(),
            Action::LateArrival => {
                self.arrive();
                Ok(())
            }
            Action::Rebuild => {
                self.make_view_anew(place);
                Ok(())
            }
            Action::Road(travel) => self.travel(place, travel),
        }
    }

    /// One of the replicas that are up.
    fn someone(&mut self) -> Option<usize> {
        let up = self.replicas.iter().enumerate();
        let up: Vec<usize> = up.filter_map(|(place, replica)| replica.as_ref().map(|_| place)).collect();
        (!up.is_empty()).then(|| self.chance.pick(&up))
    }

    /// Returns whether there was something to do.
    pub(crate) fn turn(&mut self, place: usize, database: usize) -> Result<bool, Breach> {
        let Some(replica) = self.replicas[place].as_mut() else {
            return Ok(false);
        };
        let runner = match replica.line {
            None => database,
            Some(_) if database == place % ROLES => 0,
            Some(_) => return Ok(false),
        };
        let turned = replica.assembly.runners[runner].turn();
        let faults = lock(&self.ground.fate).take_recent();
        let service = self.ground.stores[database].0[0];
        let letters = replica.assembly.runners[runner].stats();
        let letters = letters.dead_letters.load(Ordering::Relaxed);
        if turned != Ok(Turn::Idle) {
            let told = format!("replica {place} turns {service}…: {turned:?} {faults:?}");
            self.trace(|| told);
        }
        must(letters == 0, Kind::DeadLetter, || self.dead_letters())?;
        match turned {
            Ok(turn) => Ok(turn == Turn::Worked),
            Err(fatal) => {
                must(fatal.0.contains("planned"), Kind::Store, || fatal.to_string())?;
                self.crash(place, "its store");
                Ok(true)
            }
        }
    }

    pub(crate) fn start(&mut self, place: usize) -> Result<(), Breach> {
        self.starts += 1;
        let replica = Replica::start(&self.ground, place, self.starts, &mut self.chance)?;
        self.replicas[place] = Some(replica);
        let start = self.starts;
        self.trace(|| format!("replica {place} starts as number {start}"));
        Ok(())
    }

    fn start_one(&mut self) -> Result<(), Breach> {
        let down = self.replicas.iter().position(Option::is_none);
        down.map_or(Ok(()), |place| self.start(place))
    }

    fn crash(&mut self, place: usize, why: &str) {
        let Some(replica) = self.replicas[place].take() else {
            return;
        };
        self.tally.merge(&lock(&replica.courier).tally);
        self.tally.add("crashes of a replica", 1);
        let lost = self.people.lose(replica.start);
        self.tally.add("requests lost in a crash", lost);
        self.trace(|| format!("replica {place} is crashed by {why}"));
    }

    fn request(&mut self, place: usize) -> Result<(), Breach> {
        let made = self.people.submissions.iter();
        let made = made.filter(|sent| matches!(sent.what, What::Request { .. })).count();
        if made >= self.ground.plan.calls * 3 || self.people.calls.len() >= self.ground.plan.calls {
            return Ok(());
        }
        let is_far = self.chance.per_mille(150);
        let meters =
            if is_far { self.chance.between(100_001, 300_000) } else { self.chance.between(1, 100_000) };
        let meters = u32::try_from(meters).ok().and_then(|meters| Meters::new(meters).ok());
        let what = What::Request {
            meters: meters.expect("some metres to some hundred kilometres are a distance"),
            payment_method: self.chance.pick(&METHODS),
        };
        let key = self.chance.per_mille(800).then(|| self.new_key(what));
        self.say(place, what, key)
    }

    fn new_key(&mut self, what: What) -> usize {
        self.people.keys.push(Key {
            what,
            first_at: self.now().0,
            verdict: None,
            fresh: 0,
            drawn: Vec::new(),
            is_expired: false,
        });
        self.people.keys.len() - 1
    }

    /// An impatient client says the same again; a careless one uses the key for something else.
    fn repeat(&mut self, place: usize, is_misuse: bool) -> Result<(), Breach> {
        let now = self.now().0;
        let keys = self.people.keys.iter().enumerate().filter(|(_, key)| {
            let is_young = now - key.first_at < KEY_AGE_MS_MAX && !key.is_expired;
            is_young && (!is_misuse || key.verdict.is_some())
        });
        let keys: Vec<usize> = keys.map(|(place, _)| place).collect();
        if keys.is_empty() {
            return Ok(());
        }
        let key = self.chance.pick(&keys);
        let what = self.people.keys[key].what;
        self.tally.add("requests repeated under their key", 1);
        self.submit(place, what, Some(key), is_misuse)
    }

    fn cancel(&mut self, place: usize) -> Result<(), Breach> {
        let call = self.some_call();
        let what = What::Cancel(call);
        let key = self.chance.per_mille(400).then(|| self.new_key(what));
        self.say(place, what, key)
    }

    /// Most ends are said by a driver who is under way; some drivers never say it.
    fn end(&mut self, place: usize) -> Result<(), Breach> {
        let under_way: Vec<u64> = self.under_way();
        let on_time: Vec<u64> = under_way.into_iter().filter(|id| shard_of(*id, 5) > 0).collect();
        let drive = if on_time.is_empty() || self.chance.per_mille(150) {
            self.some_call()
        } else {
            self.chance.pick(&on_time)
        };
        let what = What::End(drive);
        let key = self.chance.per_mille(300).then(|| self.new_key(what));
        self.say(place, what, key)
    }

    pub(crate) fn under_way(&self) -> Vec<u64> {
        let drives = self.observer.drive.known.iter().filter(|(_, drive)| {
            drive.state.as_ref().is_some_and(|drive| drive.drive_status == DriveStatus::Start)
        });
        drives.map(|(id, _)| *id).collect()
    }

    fn callpay(&mut self, place: usize) -> Result<(), Breach> {
        let call = self.some_call();
        let known = self.observer.call.known.get(&call).and_then(|known| known.state.as_ref());
        let fare = known.map_or(1, |call| call.fare.0);
        let what = if self.chance.per_mille(300) { What::GiveUp(call) } else { What::PayNow { call, fare } };
        self.say(place, what, None)
    }

    fn some_call(&mut self) -> u64 {
        if self.people.calls.is_empty() || self.chance.per_mille(30) {
            return NOBODY;
        }
        self.chance.pick(&self.people.calls)
    }

    /// Says it here, and now and then somewhere else at once.
    fn say(&mut self, place: usize, what: What, key: Option<usize>) -> Result<(), Breach> {
        let is_doubled = self.chance.per_mille(150);
        // Without a key, to ask twice is to want two calls.
        let may_double = key.is_some() || !matches!(what, What::Request { .. });
        if is_doubled
            && may_double
            && let Some(other) = self.someone()
        {
            self.tally.add("requests said twice at once", 1);
            self.submit(other, what, key, false)?;
        }
        self.submit(place, what, key, false)
    }

    pub(crate) fn submit(
        &mut self,
        place: usize,
        what: What,
        key: Option<usize>,
        is_misuse: bool,
    ) -> Result<(), Breach> {
        let service = match what {
            What::Request { .. } | What::Cancel(_) => call::NAME,
            What::End(_) => drive::NAME,
            What::PayNow { .. } | What::GiveUp(_) => payment::NAME,
        };
        let Some(place) = self.place_of(service, place) else { return Ok(()) };
        let number = self.people.submissions.len();
        self.trace(|| format!("submission {number} to replica {place} under {key:?}: {what:?}"));
        let Some(start) = self.replicas[place].as_ref().map(|replica| replica.start) else {
            return Ok(());
        };
        self.tally.add("requests", 1);
        let about = verdicts::about(&what);
        let submission = Submission {
            was_known: about.is_some_and(|(service, id)| !self.observer.history(service, id).is_empty()),
            start,
            what,
            key,
            is_misuse,
            fate: Fate::Waiting,
        };
        match what {
            What::Request { meters, payment_method } => {
                self.submit_request(place, submission, (meters, payment_method))
            }
            What::Cancel(call) => {
                let command = taxi::call::Command::Cancel(call_id(call));
                self.hand_over(place, submission, call::NAME, |replica| {
                    (replica.assembly.handles.call.clone(), command)
                })
            }
            What::End(drive) => {
                let command = taxi::drive::Command::End(call_id(drive));
                self.hand_over(place, submission, drive::NAME, |replica| {
                    (replica.assembly.handles.drive.clone(), command)
                })
            }
            What::PayNow { call, fare } => {
                let command = taxi::payment::Command::PayNow { call_id: call_id(call), fare: Won(fare) };
                self.hand_over(place, submission, payment::NAME, |replica| {
                    (replica.assembly.handles.payment.clone(), command)
                })
            }
            What::GiveUp(call) => {
                let command = taxi::payment::Command::GiveUp(call_id(call));
                self.hand_over(place, submission, payment::NAME, |replica| {
                    (replica.assembly.handles.payment.clone(), command)
                })
            }
        }
    }

    fn submit_request(
        &mut self,
        place: usize,
        submission: Submission,
        (meters, payment_method): (Meters, Option<&'static str>),
    ) -> Result<(), Breach> {
        let Some(replica) = self.replicas[place].as_mut() else {
            return Ok(());
        };
        let handle = replica.assembly.handles.call.clone();
        let Some(number) = handle.draw_number() else {
            return Ok(());
        };
        if let Some(key) = submission.key {
            self.people.keys[key].drawn.push(number);
        }
        if self.chance.per_mille(300) {
            let (watched, key) = (self.people.watched.clone(), EntityKey { kind: call::NAME, id: number });
            let watching = Watching { start: submission.start, call: number, has_seen: Arc::default() };
            let has_seen = watching.has_seen.clone();
            self.people.watching.push(watching);
            let watch = handle.watch(key, move |call| {
                lock(&watched).push((number, to_json(call)));
                let has_come = call.call_status > CallStatus::PayRequest;
                has_seen.fetch_or(has_come, Ordering::SeqCst);
                has_come
            });
            replica.watches.extend(watch);
        }
        let rider = Rider::new("1", "eojin").expect("both texts are short and plain");
        let command = taxi::call::Command::Request(taxi::call::Request {
            call_id: call_id(number),
            rider,
            meters,
            fare: Rules::default().tariff.fare(meters),
            payment_method: payment_method.map(str::to_owned),
        });
        self.hand_over(place, submission, call::NAME, |_| (handle, command))
    }

    fn hand_over<S: Service>(
        &mut self,
        place: usize,
        submission: Submission,
        service: &'static str,
        to: impl FnOnce(&Replica) -> (Handle<S>, S::Command),
    ) -> Result<(), Breach> {
        let Some(replica) = self.replicas[place].as_ref() else {
            return Ok(());
        };
        let (handle, command) = to(replica);
        let key = submission.key.map(|key| (key, submission.is_misuse));
        let request = Request {
            command,
            origin: Origin::request("rider", format!("{}", self.people.submissions.len())),
            idempotency: key.map(|(key, is_misuse)| self.people.idempotency(key, is_misuse)),
            reply: self.people.reply::<S>(service),
        };
        self.people.submissions.push(submission);
        let handed = handle.submit(request);
        must(handed.is_ok(), Kind::Unanswered, || format!("turned away: {handed:?}"))
    }

    fn answer(&mut self, place: usize) {
        let Some(place) = self.place_of(payment::NAME, place) else { return };
        let Some(delays) = self.replicas[place].as_ref().map(|replica| replica.delays.clone()) else {
            return;
        };
        let due = delays.due();
        if due > 0 {
            self.trace(|| format!("the provider answers replica {place}"));
            delays.arrive(self.chance.index(due));
        }
    }
}

fn call_id(number: u64) -> CallId {
    CallId::new(number).expect("numbers are drawn from 1 upwards")
}
