//! Riders, drivers and whoever asks for money directly: what they said, under which key, and what they were told.

use crate::lock;
use crate::observer::to_json;
use engine::Service;
use engine::handle::{Reply, ReplyTo};
use engine::idempotency::{Idempotency, RequestKey};
use engine::log::Position;
use engine::progress::Reading;
use serde::Serialize;
use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use taxi::distance::Meters;

/// What somebody wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Request { meters: Meters, payment_method: Option<&'static str> },
    Cancel(u64),
    End(u64),
    PayNow { call: u64, fare: i64 },
    GiveUp(u64),
}

/// What was answered, with everything in it as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Done {
        service: &'static str,
        id: u64,
        state: Option<String>,
        position: Position,
        repeated: bool,
    },
    Refused {
        refusal: String,
        repeated: bool,
    },
    KeyReused,
    NotStored(String),
    Bug(String),
    /// Nobody will answer any more.
    Dropped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Waiting,
    Answered,
    /// Its replica died.
    Lost,
}

/// One request as it was sent to one replica.
#[derive(Debug)]
pub(crate) struct Submission {
    /// Which start of a replica it was sent to.
    pub(crate) start: u64,
    pub(crate) what: What,
    pub(crate) key: Option<usize>,
    /// It used a key that had come with another body.
    pub(crate) is_misuse: bool,
    /// What it is about was stored before it was sent.
    pub(crate) was_known: bool,
    pub(crate) fate: Fate,
}

/// Somebody who wants to read a view that is at least as new as what was written.
#[derive(Debug)]
pub(crate) struct Wish {
    pub(crate) start: u64,
    pub(crate) call: u64,
    /// The state of the call that was written.
    pub(crate) written: String,
    pub(crate) position: Position,
    pub(crate) is_told: bool,
}

/// Somebody who waits at a replica for a call to come further.
#[derive(Debug)]
pub(crate) struct Watching {
    pub(crate) start: u64,
    pub(crate) call: u64,
    pub(crate) has_seen: Arc<AtomicBool>,
}

/// An idempotency key and what was answered under it.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) what: What,
    pub(crate) first_at: i64,
    /// The id of what it was about, or the refusal.
    pub(crate) verdict: Option<Result<u64, String>>,
    /// How often it was answered as something new.
    pub(crate) fresh: u32,
    /// The ids that requests under it drew: one of them at most becomes a call.
    pub(crate) drawn: Vec<u64>,
    /// The window is over: it may mean something new.
    pub(crate) is_expired: bool,
}

pub(crate) type Mailbox = Arc<Mutex<Vec<(usize, Answer)>>>;

#[derive(Default)]
pub(crate) struct People {
    pub(crate) submissions: Vec<Submission>,
    pub(crate) keys: Vec<Key>,
    pub(crate) mailbox: Mailbox,
    /// Calls that somebody was told of.
    pub(crate) calls: Vec<u64>,
    pub(crate) wishes: Vec<Wish>,
    /// What keeps the wishes open.
    pub(crate) readings: Vec<Reading>,
    /// Wishes that came true just now.
    pub(crate) told: Arc<Mutex<Vec<usize>>>,
    pub(crate) watching: Vec<Watching>,
    /// States that watchers saw.
    pub(crate) watched: Arc<Mutex<Vec<(u64, String)>>>,
}

impl People {
    /// Where the answer to the next submission goes, once.
    pub(crate) fn reply<S: Service>(&self, service: &'static str) -> ReplyTo<S> {
        let mut waiting =
            Waiting { mailbox: self.mailbox.clone(), submission: self.submissions.len(), is_told: false };
        Box::new(move |reply| waiting.tell(answer(service, reply)))
    }

    pub(crate) fn idempotency(&self, key: usize, is_misuse: bool) -> Idempotency {
        let mut fingerprint = [0; 16];
        fingerprint[0] = u8::from(is_misuse);
        Idempotency {
            request: RequestKey { route: self.keys[key].what.route(), key: format!("key {key}") },
            fingerprint,
        }
    }

    /// All that arrived since the last time.
    pub(crate) fn take_mail(&self) -> Vec<(usize, Answer)> {
        std::mem::take(&mut *lock(&self.mailbox))
    }

    /// A replica died: whoever waits there waits in vain.
    pub(crate) fn lose(&mut self, start: u64) -> u64 {
        let lost = self
            .submissions
            .iter_mut()
            .filter(|submission| submission.start == start && submission.fate == Fate::Waiting);
        lost.map(|submission| submission.fate = Fate::Lost).count() as u64
    }

    /// Keys older than the window may mean something new, also to those who still wait.
    pub(crate) fn expire_keys(&mut self, now: i64) {
        for key in &mut self.keys {
            key.is_expired |= now - key.first_at >= engine::idempotency::WINDOW_MS;
        }
    }
}

impl What {
    pub(crate) fn route(&self) -> &'static str {
        match self {
            Self::Request { .. } => "POST /calls",
            Self::Cancel(_) => "POST /calls/cancel",
            Self::End(_) => "POST /drives/end",
            Self::PayNow { .. } | Self::GiveUp(_) => "POST /callpay",
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done { service, id, state, position, repeated } => {
                let again = if *repeated { "again " } else { "" };
                write!(
                    formatter,
                    "{again}done, {service}/{id} at {position}: {}",
                    state.as_deref().unwrap_or("-")
                )
            }
            Self::Refused { refusal, repeated } => {
                let again = if *repeated { "again " } else { "" };
                write!(formatter, "{again}refused: {refusal}")
            }
            Self::KeyReused => formatter.write_str("the key is taken"),
            Self::NotStored(why) => write!(formatter, "not stored: {why}"),
            Self::Bug(why) => write!(formatter, "failed: {why}"),
            Self::Dropped => formatter.write_str("nothing, for ever"),
        }
    }
}

/// Tells when it is dropped without having been called.
struct Waiting {
    mailbox: Mailbox,
    submission: usize,
    is_told: bool,
}

impl Waiting {
    fn tell(&mut self, answer: Answer) {
        self.is_told = true;
        lock(&self.mailbox).push((self.submission, answer));
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.is_told {
            self.tell(Answer::Dropped);
        }
    }
}

fn answer<S: Serialize, R: Serialize>(service: &'static str, reply: Reply<S, R>) -> Answer {
    match reply {
        Reply::Done { key, state, position, repeated } => {
            Answer::Done { service, id: key.id, state: state.as_ref().map(to_json), position, repeated }
        }
        Reply::Refused { refusal, repeated } => Answer::Refused { refusal: to_json(&refusal), repeated },
        Reply::KeyReused => Answer::KeyReused,
        Reply::NotStored(why) => Answer::NotStored(why),
        Reply::NoRoom => Answer::NotStored("no room".to_owned()),
        Reply::Bug(why) => Answer::Bug(why),
    }
}
