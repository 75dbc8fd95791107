//! The figures that have to be read: how many calls stand where, since when, and how large the files are.
//!
//! They are read on a thread of their own, at most once a second, however often they are asked for. A store that does not
//! answer holds up that one thread: who asks meanwhile is told what was read last, and how old it is.

use super::open::{self, Open};
use super::{tell, tell_one};
use engine::clock::{Clock, Stopwatch, Timestamp};
use engine::log::LogId;
use engine::store::{Backlog, StoreError};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use taxi::status::{CallStatus, DriveStatus, PayStatus};
use wiring::Readers;
use wiring::books::{self, Books};

/// How long what was read is told again.
const FRESH_FOR: Duration = Duration::from_secs(1);
/// How long whoever asks waits for the store.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// A timer that has run out is seen to many times a second; one that is late by so much is not seen to.
const OVERDUE_AFTER_MS: i64 = 10_000;

/// Whoever reads them.
pub(crate) struct Figures {
    /// Which log it is, the calls' where that is here.
    pub(super) log: LogId,
    look: Arc<Look>,
    state: Arc<(Mutex<State>, Condvar)>,
}

type Look = dyn Fn() -> Result<Seen, StoreError> + Send + Sync;

/// The files in which databases lie, by their names.
pub(super) type Files = Vec<(&'static str, PathBuf)>;

/// What they are read from.
struct From {
    readers: Readers,
    /// Those whose database is here.
    services: Vec<&'static str>,
    files: Files,
    clock: Arc<dyn Clock>,
    /// Where payment's database is here.
    books: Option<Mutex<Books>>,
}

#[derive(Default)]
struct State {
    read: Option<(Stopwatch, Arc<Seen>)>,
    is_reading: bool,
    /// Since the first reading was begun that did not come to an answer, if none has since.
    in_vain: Option<Stopwatch>,
}

/// What was read at one time.
#[derive(Debug, Default)]
struct Seen {
    calls: Vec<(&'static str, u64)>,
    payments: Vec<(&'static str, u64)>,
    drives: Vec<(&'static str, u64)>,
    /// Where calls are here.
    open: Option<Open>,
    backlogs: Vec<(&'static str, Backlog)>,
    /// When it was read.
    now_ms: i64,
    money: Option<books::Seen>,
    file_bytes: Vec<([(&'static str, &'static str); 2], u64)>,
}

/// What is told.
#[derive(Debug)]
pub(super) struct Told {
    /// How long it is tried already to read it anew.
    in_vain: Duration,
    /// What was read last, and how long ago.
    read: Option<(Duration, Arc<Seen>)>,
}

impl Figures {
    /// Reads of its own, so that it waits behind nobody and nobody behind it.
    pub(crate) fn new(
        readers: &Readers,
        services: &[&'static str],
        files: Files,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        let log = services.first().map_or(LogId(0), |service| readers.of(service).log());
        let readers = Readers {
            call: readers.call.apart(),
            payment: readers.payment.apart(),
            drive: readers.drive.apart(),
            view: readers.view.apart(),
        };
        let has_payments = services.contains(&wiring::payment::NAME);
        let books = has_payments.then(|| Mutex::new(Books::new(readers.payment.apart())));
        let from = From { readers, services: services.to_vec(), files, clock, books };
        Arc::new(Self::by(log, move || from.look()))
    }

    fn by(log: LogId, look: impl Fn() -> Result<Seen, StoreError> + Send + Sync + 'static) -> Self {
        Self { log, look: Arc::new(look), state: Arc::default() }
    }

    /// May take as long as [`WAIT_MAX`]; for a thread that may block.
    pub(super) fn read(&self) -> Told {
        let (state, done) = &*self.state;
        let mut known = lock(state);
        let is_fresh = known.read.as_ref().is_some_and(|(read, _)| read.elapsed() < FRESH_FOR);
        if !is_fresh && !known.is_reading {
            known.in_vain.get_or_insert_with(Stopwatch::start);
            known.is_reading = self.begin();
        }
        let waited = done.wait_timeout_while(known, WAIT_MAX, |state| state.is_reading);
        let (known, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let read = known.read.as_ref().map(|(read, seen)| (read.elapsed(), seen.clone()));
        Told { in_vain: known.in_vain.map_or(Duration::ZERO, |since| since.elapsed()), read }
    }

    /// Whether somebody reads now.
    fn begin(&self) -> bool {
        let (look, state) = (self.look.clone(), self.state.clone());
        let read = move || {
            let seen = look();
            let (state, done) = &*state;
            let mut known = lock(state);
            known.is_reading = false;
            match seen {
                Ok(seen) => {
                    known.read = Some((Stopwatch::start(), Arc::new(seen)));
                    known.in_vain = None;
                }
                Err(error) => tracing::debug!(%error, "figures cannot be read"),
            }
            done.notify_all();
        };
        std::thread::Builder::new().name("figures".to_owned()).spawn(read).is_ok()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl From {
    fn look(&self) -> Result<Seen, StoreError> {
        let now = self.clock.now();
        let overdue_before = now.plus_ms(-OVERDUE_AFTER_MS);
        let backlog = |service: &&'static str| {
            Ok((*service, self.readers.of(service).backlog(service, overdue_before)?))
        };
        let backlogs = self.services.iter().map(backlog).collect::<Result<_, StoreError>>()?;
        let payments = self.counts(wiring::payment::NAME, &PayStatus::ALL.map(PayStatus::as_str))?;
        let all = payments.iter().map(|(_, count)| count).sum();
        let books = self.books.as_ref().map(|books| books.lock().unwrap_or_else(PoisonError::into_inner));
        let money = books.map(|mut books| books.look_in_time(all)).transpose()?;
        Ok(Seen {
            calls: self.counts(wiring::call::NAME, &CallStatus::ALL.map(CallStatus::as_str))?,
            payments,
            drives: self.counts(wiring::drive::NAME, &DriveStatus::ALL.map(DriveStatus::as_str))?,
            open: self.has(wiring::call::NAME).then(|| self.open(now)).transpose()?,
            backlogs,
            now_ms: now.0,
            money,
            file_bytes: self.files.iter().flat_map(|(name, file)| sizes(name, file)).collect(),
        })
    }

    fn open(&self, now: Timestamp) -> Result<Open, StoreError> {
        let rows = self.readers.call.armed(wiring::call::NAME, open::LOOKED_AT_MAX)?;
        Ok(Open::of(&rows, now))
    }

    fn has(&self, service: &str) -> bool {
        self.services.contains(&service)
    }

    /// By status, those that nobody has included: who counts them from 0 sees the first one come.
    fn counts(
        &self,
        service: &'static str,
        statuses: &[&'static str],
    ) -> Result<Vec<(&'static str, u64)>, StoreError> {
        if !self.has(service) {
            return Ok(Vec::new());
        }
        let counted = self.readers.of(service).counts(service, service)?;
        let of = |status: &str| counted.iter().find(|(tag, _)| tag == status).map_or(0, |(_, count)| *count);
        Ok(statuses.iter().map(|status| (*status, of(status))).collect())
    }
}

/// A file that is not there has no size.
fn sizes(name: &'static str, database: &Path) -> [([(&'static str, &'static str); 2], u64); 2] {
    let mut log = database.as_os_str().to_owned();
    log.push("-wal");
    let size = |file: &Path| std::fs::metadata(file).map_or(0, |file| file.len());
    let labels = |file| [("database", name), ("file", file)];
    [(labels("db"), size(database)), (labels("wal"), size(Path::new(&log)))]
}

impl Collector for Told {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        // Also where nothing was ever read: that is the worst of it.
        let help = "How long it has been tried without an answer to read these figures from the store";
        let in_vain = ConstGauge::new(self.in_vain.as_secs_f64());
        tell_one(&mut encoder, ("figures_unanswered_seconds", help), &in_vain)?;
        let Some((age, seen)) = &self.read else { return Ok(()) };
        for (name, help, counts) in [
            ("calls", "Calls, by status", &seen.calls),
            ("payments", "Payments, by status", &seen.payments),
            ("drives", "Drives, by status; start are rides under way", &seen.drives),
        ] {
            let all: Vec<_> =
                counts.iter().map(|(status, count)| ([("status", *status)], gauge(*count))).collect();
            tell(&mut encoder, (name, help), &all)?;
        }
        if let Some(open) = &seen.open {
            let ages = open.ages().map(|(status, age)| (status, ConstGauge::new(age)));
            let help = "How long ago the oldest open call was made";
            tell(&mut encoder, ("call_oldest_age_seconds", help), &ages)?;
            let ages = open.cancelling().map(|(who, age)| (who, ConstGauge::new(age)));
            let help = "How long ago the oldest cancellation was asked for that is not concluded";
            tell(&mut encoder, ("call_cancelling_age_seconds", help), &ages)?;
        }
        seen.encode_backlogs(&mut encoder)?;
        if let Some(money) = &seen.money {
            encode_money(&mut encoder, money, *age)?;
        }
        let sizes: Vec<_> = seen.file_bytes.iter().map(|(labels, size)| (*labels, gauge(*size))).collect();
        tell(&mut encoder, ("database_file_bytes", "Sizes of the files of a database"), &sizes)?;
        let help = "How long ago these figures were read from the store";
        tell_one(&mut encoder, ("figures_age_seconds", help), &ConstGauge::new(age.as_secs_f64()))
    }
}

fn encode_money(encoder: &mut DescriptorEncoder<'_>, money: &books::Seen, read: Duration) -> fmt::Result {
    if let Some(sums) = &money.sums {
        let accounts = [
            ("taken", sums.held + sums.earned + sums.returned),
            ("held", sums.held),
            ("earned", sums.earned),
            ("returned", sums.returned),
            ("provider", sums.at_provider),
            ("in_flight", sums.in_flight),
        ];
        let all = accounts.map(|(account, won)| ([("account", account)], ConstGauge::new(won)));
        tell(encoder, ("ledger_won", "Money of all payments, by account"), &all)?;
        let help = "Payments that this program cannot read, or whose accounts it cannot";
        tell_one(encoder, ("ledger_payments_unreadable", help), &gauge(sums.unreadable))?;
    }
    let help = "Rounds over all payments that came to their end";
    tell_one(encoder, ("ledger_rounds", help), &ConstCounter::new(money.rounds))?;
    let help = "Payments that contradict themselves or the provider's book";
    tell_one(encoder, ("ledger_payments_wrong", help), &gauge(money.wrong))?;
    let help = "How long ago all payments had been compared with the provider's book";
    let age = ConstGauge::new((money.round_age + read).as_secs_f64());
    tell_one(encoder, ("ledger_round_age_seconds", help), &age)
}

type ReadBacklog = fn(&Backlog) -> u64;

const BACKLOGS: [(&str, &str, ReadBacklog); 4] = [
    ("timers_overdue", "Timers that ran out more than 10 s ago, counted up to 10,000", |backlog| {
        backlog.timers_overdue
    }),
    ("effects_open", "Effects that are not answered, counted up to 10,000", |backlog| backlog.effects_open),
    ("dead_letters_waiting", "Dead letters that wait", |backlog| backlog.letters_waiting),
    ("dead_letters_skipped", "Dead letters that an operator passed over and that are kept", |backlog| {
        backlog.letters_skipped
    }),
];

impl Seen {
    fn encode_backlogs(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        for (name, help, read) in BACKLOGS {
            let all = self
                .backlogs
                .iter()
                .map(|(service, backlog)| ([("service", *service)], gauge(read(backlog))));
            tell(encoder, (name, help), &all.collect::<Vec<_>>())?;
        }
        let age = |backlog: &Backlog| {
            backlog.effect_oldest.map_or(0, |at| (self.now_ms - at.0).max(0)) as f64 / 1e3
        };
        let all = self.backlogs.iter();
        let all = all.map(|(service, backlog)| ([("service", *service)], ConstGauge::new(age(backlog))));
        let help = "How long ago the oldest effect that is not answered was wanted";
        tell(encoder, ("effect_oldest_age_seconds", help), &all.collect::<Vec<_>>())
    }
}

fn gauge(value: u64) -> ConstGauge<i64> {
    ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::mpsc::channel;

    /// Whoever asks is told nothing at first, and later what was read last; one thread at most hangs in the store. How long it
    /// does is told from the first.
    #[test]
    fn a_store_that_does_not_answer_holds_up_nobody() {
        let (answer, answers) = channel();
        let answers = Mutex::new(answers);
        let looks = Arc::new(AtomicU64::new(0));
        let counted = looks.clone();
        let figures = Figures::by(LogId(1), move || {
            counted.fetch_add(1, Ordering::SeqCst);
            answers.lock().unwrap().recv().unwrap_or_else(|_| Err(StoreError::Unavailable("gone".into())))
        });
        for waits in 1..=2 {
            let told = figures.read();
            assert!(told.read.is_none() && told.in_vain >= waits * WAIT_MAX, "{told:?}");
        }
        assert_eq!(looks.load(Ordering::SeqCst), 1);
        let calls = vec![("driveStart", 7)];
        answer.send(Ok(Seen { calls: calls.clone(), ..Seen::default() })).unwrap();
        let told = loop {
            let told = figures.read();
            if told.read.is_some() {
                break told;
            }
        };
        assert_eq!((told.read.unwrap().1.calls.clone(), told.in_vain), (calls.clone(), Duration::ZERO));
        // From now on it cannot be read, and what was read is told again.
        drop(answer);
        while looks.load(Ordering::SeqCst) < 3 {
            assert_eq!(figures.read().read.unwrap().1.calls, calls);
        }
        let before = figures.read().in_vain;
        assert!(
            before > Duration::ZERO && figures.read().in_vain > before,
            "each is in vain, and all of them are"
        );
    }
}
