//! How fast the engine is by itself: commands in memory in, commits on a real disk, replies out.

use anyhow::Context;
use engine::clock::{Stopwatch, SystemClock};
use engine::effect::NoPerformer;
use engine::handle::{Handle, Reply, Request};
use engine::idempotency::{Idempotency, RequestKey};
use engine::lane::LaneSettings;
use engine::log::{LogId, Origin};
use engine::runner::{Parts, Runner};
use engine_sqlite::Database;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;
use taxi::call::{Command, Request as CallRequest};
use taxi::distance::Meters;
use taxi::id::CallId;
use taxi::money::Won;
use taxi::rider::Rider;
use taxi::status::CallStatus;
use wiring::call::CallService;
use wiring::provider::Delay;
use wiring::{Layout, Options};

use crate::measured::Measured;

const COMMANDS: u64 = 400_000;
const TRIPS: u64 = 60_000;
/// One by one a commit waits for the disk each time, so fewer are enough.
const SINGLE_COMMANDS: u64 = 10_000;
/// Commands under way at once: more than the largest batch, so that one is gathered while one is committed.
const IN_FLIGHT: usize = 4_096;

/// New calls, each with an idempotency key, on the call service alone: in batches, and beside it one by one.
pub(crate) fn commands() -> anyhow::Result<Vec<Measured>> {
    let batch_max = LaneSettings::default().batch_max;
    let batched = commands_in(batch_max, COMMANDS)?;
    let single = commands_in(1, SINGLE_COMMANDS)?;
    let beside = format!("batches of up to {batch_max} beside one commit per command, one after the other");
    let times = Measured::new("engine, of one by one", (batched.value / single.value, "×"), beside);
    let single = Measured { name: "engine, one by one".to_owned(), ..single };
    Ok(vec![batched, single, times])
}

fn commands_in(batch_max: usize, count: u64) -> anyhow::Result<Measured> {
    let directory = tempfile::tempdir_in(".").context("a directory on this disk")?;
    let schemas = [wiring::schema(wiring::call::NAME, 1)];
    let file = directory.path().join("bench.db");
    let database = Database::create_or_open(&file, &schemas, LogId(1), 1).context("a new database")?;
    let store = database.store().context("the writer of a new database")?;
    let bus = Arc::new(engine::bus::Bus::default());
    let mut runner = Runner::new(Parts {
        store,
        bus,
        clock: Arc::new(SystemClock),
        replica: 1,
        settings: LaneSettings { batch_max, ..LaneSettings::default() },
    });
    let service = CallService { rules: taxi::rules::Rules::default(), decide: taxi::call::decide };
    let handle = runner.add(service, schemas[0], |_| Box::new(NoPerformer));
    let stats = runner.stats();
    let (stop, stopwatch) = (Arc::new(AtomicBool::new(false)), Stopwatch::start());
    let thread = std::thread::spawn({
        let stop = stop.clone();
        move || runner.run(&stop, Duration::from_secs(5))
    });
    let stored = place_calls(&handle, count)?;
    let seconds = stopwatch.elapsed().as_secs_f64();
    stop.store(true, Ordering::SeqCst);
    thread.join().map_err(|_| anyhow::anyhow!("the engine panicked"))??;
    let counts = database.reader().counts(wiring::call::NAME, wiring::call::NAME)?;
    let counted: u64 = counts.iter().map(|(_, count)| count).sum();
    anyhow::ensure!(stored == count && counted == count, "{stored} answered, {counted} stored");
    let commits = stats.commits.load(Ordering::Relaxed);
    let commit_seconds = stats.commit_micros.load(Ordering::Relaxed) as f64 / 1e6;
    let how = format!(
        "{count} new calls with keys in {seconds:.2} s, of which {commit_seconds:.2} s in {commits} commits, \
         SQLite synchronous=FULL, one file, 1 shard, batches of up to {batch_max}, without HTTP"
    );
    Ok(Measured::new("engine", (count as f64 / seconds, "commands/s"), how))
}

/// Whole trips through call, payment, provider, drive and view, all on one file.
pub(crate) fn flow() -> anyhow::Result<Measured> {
    let directory = tempfile::tempdir_in(".").context("a directory on this disk")?;
    let mut databases = Vec::new();
    for (name, services) in Layout::Together.groups() {
        let schemas: Vec<_> = services.iter().map(|service| wiring::schema(service, 1)).collect();
        let file = directory.path().join(format!("{name}.db"));
        let database = Database::create_or_open(&file, &schemas, LogId(1), 1).context("a new database")?;
        let store = database.store().context("the writer of a new database")?;
        databases.push(wiring::Database { services, store, reader: database.reader() });
    }
    let options = Options {
        rules: taxi::rules::Rules::default(),
        provider: provider::settings::Settings::default(),
        lane: LaneSettings::default(),
        shards: 1,
        first_call: 1,
        replica: 1,
        clock: Arc::new(SystemClock),
        delay: Arc::new(NoDelay),
    };
    let assembly = wiring::assemble(databases, &options)?;
    let (stop, stopwatch) = (Arc::new(AtomicBool::new(false)), Stopwatch::start());
    let threads: Vec<_> = assembly
        .runners
        .into_iter()
        .map(|runner| {
            let stop = stop.clone();
            std::thread::spawn(move || runner.run(&stop, Duration::from_secs(5)))
        })
        .collect();
    let (ended, all_ended) = mpsc::channel();
    for id in 1..=TRIPS {
        let (drive, ended) = (assembly.handles.drive.clone(), ended.clone());
        let key = engine::log::EntityKey { kind: wiring::call::NAME, id };
        let mut told = false;
        let watch = assembly.handles.call.watch(key, move |call| {
            if call.call_status == CallStatus::DriveStart && !told {
                told = true;
                end(&drive, id);
            }
            if call.call_status == CallStatus::DriveComplete {
                return ended.send(id).is_ok();
            }
            false
        });
        std::mem::forget(watch);
    }
    place_calls(&assembly.handles.call, TRIPS)?;
    for _ in 0..TRIPS {
        all_ended.recv_timeout(Duration::from_secs(60)).context("a trip did not end")?;
    }
    let seconds = stopwatch.elapsed().as_secs_f64();
    stop.store(true, Ordering::SeqCst);
    for thread in threads {
        thread.join().map_err(|_| anyhow::anyhow!("the engine panicked"))??;
    }
    let how = format!(
        "{TRIPS} trips in {seconds:.2} s, all services, one file, SQLite synchronous=FULL, without HTTP"
    );
    Ok(Measured::new("flow", (TRIPS as f64 / seconds, "trips/s"), how))
}

fn end(drive: &Handle<wiring::drive::DriveService>, id: u64) {
    let Ok(call_id) = CallId::new(id) else { return };
    let command = taxi::drive::Command::End(call_id);
    let request = Request {
        command,
        origin: Origin::request("driver", id.to_string()),
        idempotency: None,
        reply: Box::new(|_| ()),
    };
    // A full queue shows as a trip that does not end.
    let _ = drive.submit(request);
}

fn place_calls(handle: &Handle<CallService>, count: u64) -> anyhow::Result<u64> {
    let in_flight = Arc::new(AtomicUsize::new(0));
    let stored = Arc::new(AtomicU64::new(0));
    let (done, all_done) = mpsc::channel();
    let producer = std::thread::current();
    for id in 1..=count {
        while in_flight.load(Ordering::Acquire) >= IN_FLIGHT {
            std::thread::park();
        }
        in_flight.fetch_add(1, Ordering::AcqRel);
        let (in_flight, stored, done, producer) =
            (in_flight.clone(), stored.clone(), done.clone(), producer.clone());
        let reply = Box::new(move |reply: Reply<_, _>| {
            if matches!(reply, Reply::Done { .. }) && stored.fetch_add(1, Ordering::Relaxed) + 1 == count {
                let _ = done.send(());
            }
            if in_flight.fetch_sub(1, Ordering::AcqRel) == IN_FLIGHT / 2 {
                producer.unpark();
            }
        });
        let command = Command::Request(CallRequest {
            call_id: CallId::new(id).map_err(|_| anyhow::anyhow!("a call's number"))?,
            rider: Rider::new(&id.to_string(), "rider").map_err(|_| anyhow::anyhow!("a rider"))?,
            meters: Meters::new(10_000).map_err(|_| anyhow::anyhow!("a distance"))?,
            fare: Won(100_000),
            payment_method: None,
        });
        let request = RequestKey { route: "POST /calls", key: format!("bench-{id}") };
        let idempotency = Some(Idempotency { request, fingerprint: [0; 16] });
        let origin = Origin::request("rider", id.to_string());
        let submitted = handle.submit(Request { command, origin, idempotency, reply });
        submitted.map_err(|why| anyhow::anyhow!("{why:?}"))?;
    }
    all_done.recv_timeout(Duration::from_secs(120)).context("not every call was stored")?;
    Ok(stored.load(Ordering::Relaxed))
}

struct NoDelay;

impl Delay for NoDelay {
    fn after(&self, _: u64, then: Box<dyn FnOnce() + Send>) {
        then();
    }
}
