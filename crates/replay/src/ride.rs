//! Takes one trip from its call to its end, as its rider and its driver would.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::answer::{Call, CallStatus, Drive, DriveStatus, Outcome, View};
use crate::client::{Answer, Away, Client};
use crate::tally::{End, Step, Tally};
use crate::trips::Trip;

const POLL_DELAY_MIN: Duration = Duration::from_millis(1);
const POLL_DELAY_MAX: Duration = Duration::from_millis(50);
/// A drive that does not come may have its reason in the call; so often is the call asked instead.
const CALL_ASKED_EVERY: u32 = 4;
/// The weight of one start in the running mean is one part in so many.
const START_MEAN_PARTS: u64 = 16;

/// What all trips of a run share.
pub(crate) struct Rides {
    pub(crate) client: Client,
    pub(crate) tally: Arc<Tally>,
    pub(crate) city: &'static str,
    pub(crate) run_name: String,
    /// Whether the read model is asked how each trip ended.
    pub(crate) ends_wanted: bool,
    /// One permit per client that may talk with the server.
    pub(crate) clients: Arc<Semaphore>,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) start_mean: StartMean,
}

/// Why a trip did not come to its end.
enum Unfinished {
    Away(Away),
    StoodStill(&'static str),
    Stopped,
    NotUnderstood(String),
}

enum Placed {
    Call(Call),
    Refused(String),
}

impl Rides {
    /// `ends_at` is when the driver ends the drive; none means as soon as it has started.
    pub(crate) async fn ride(&self, trip: Trip, ends_at: Option<Instant>, client: OwnedSemaphorePermit) {
        let end = match self.to_its_end(&trip, ends_at, client).await {
            Ok(end) => end,
            Err(unfinished) => {
                if let Unfinished::Away(_) = unfinished {
                    // Patience was meant for the server, not for this trip: the others need not wait as long again.
                    self.client.give_up();
                    self.stop.send_replace(true);
                }
                End::LeftOpen(unfinished.reason())
            }
        };
        self.tally.trip_ended(trip.number, trip.notes, end);
    }

    async fn to_its_end(
        &self,
        trip: &Trip,
        ends_at: Option<Instant>,
        client: OwnedSemaphorePermit,
    ) -> Result<End, Unfinished> {
        let placed_at = Instant::now();
        let call = match self.place(trip).await? {
            Placed::Call(call) => call,
            Placed::Refused(problem) => return Ok(End::Refused(problem)),
        };
        if self.drive_starts(&call, placed_at).await? {
            let _client = self.sit_in_the_taxi(ends_at, client).await?;
            let ended = self.end_drive(trip, call.call_id).await?;
            if ended && !self.ends_wanted {
                return Ok(End::Over(Outcome::Completed, View::default()));
            }
            return self.over(call.call_id).await;
        }
        self.over(call.call_id).await
    }

    async fn place(&self, trip: &Trip) -> Result<Placed, Unfinished> {
        let (city, number) = (self.city, trip.number);
        let body = format!(
            r#"{{"userId":"{city}-{number}","userName":"rider {number}","distance":"{}"}}"#,
            trip.distance.to_kilometres()
        );
        let asked_at = Instant::now();
        let answer = self.client.post("/calls", &self.key(number, "call"), body).await?;
        self.tally.took(Step::Call, asked_at.elapsed());
        if !answer.status.is_success() {
            return Ok(Placed::Refused(answer.problem()));
        }
        self.tally.called(answer.is_replayed);
        Ok(Placed::Call(answer.parse()?))
    }

    /// Waits until the drive has started, or until it is clear that there is none.
    async fn drive_starts(&self, call: &Call, placed_at: Instant) -> Result<bool, Unfinished> {
        if call.call_status == CallStatus::PayFail {
            return Ok(false);
        }
        let path = format!("/drives/{}", call.call_id);
        let called_at = Instant::now();
        let mut waiting = Waiting::new("the drive did not start", self.client.patience());
        if call.call_status != CallStatus::DriveStart {
            sleep_if_any(self.start_mean.first_poll_after()).await;
        }
        loop {
            let answer = self.client.get(&path).await?;
            if let Some(drive) = found::<Drive>(&answer)? {
                self.start_mean.learn(called_at.elapsed());
                let started = match drive.drive_status {
                    DriveStatus::Start | DriveStatus::End => true,
                    DriveStatus::RequestCancel | DriveStatus::Cancel => false,
                };
                if started {
                    self.tally.took(Step::DriveStart, placed_at.elapsed());
                }
                return Ok(started);
            }
            if waiting.polls % CALL_ASKED_EVERY == CALL_ASKED_EVERY - 1
                && self.call_is_off(call.call_id).await?
            {
                return Ok(false);
            }
            waiting.pause(answer.repeated).await?;
        }
    }

    async fn call_is_off(&self, call_id: u64) -> Result<bool, Unfinished> {
        let answer = self.client.get(&format!("/calls/{call_id}")).await?;
        Ok(found::<Call>(&answer)?.is_some_and(|call| match call.call_status {
            CallStatus::PayFail | CallStatus::RequestCancel => true,
            CallStatus::PayRequest
            | CallStatus::DriveRequest
            | CallStatus::DriveStart
            | CallStatus::DriveComplete => false,
        }))
    }

    /// While the taxi drives nobody talks with the server, so the client is free for another trip.
    async fn sit_in_the_taxi(
        &self,
        ends_at: Option<Instant>,
        client: OwnedSemaphorePermit,
    ) -> Result<OwnedSemaphorePermit, Unfinished> {
        if ends_at.is_none() {
            return Ok(client);
        }
        drop(client);
        self.wait_until(ends_at).await;
        if self.are_stopped() {
            return Err(Unfinished::Stopped);
        }
        Ok(self.free_client().await)
    }

    /// Waits for a moment to come or for the run to be stopped.
    pub(crate) async fn wait_until(&self, moment: Option<Instant>) {
        let Some(moment) = moment.filter(|moment| *moment > Instant::now()) else {
            return;
        };
        let mut stop = self.stop.subscribe();
        tokio::select! {
            () = sleep_until(moment) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    pub(crate) async fn free_client(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.clients).acquire_owned().await.expect("the clients are never closed")
    }

    pub(crate) fn are_stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// Whether the drive was ended; the reason why not is counted.
    async fn end_drive(&self, trip: &Trip, drive_id: u64) -> Result<bool, Unfinished> {
        let body = format!(r#"{{"driveId":{drive_id}}}"#);
        let asked_at = Instant::now();
        let answer = self.client.post("/drives/end", &self.key(trip.number, "end"), body).await?;
        self.tally.took(Step::End, asked_at.elapsed());
        let ended = answer.status.is_success();
        if !ended {
            self.tally.end_refused(answer.problem());
        }
        Ok(ended)
    }

    /// Waits until nothing about the trip will change any more, money included.
    async fn over(&self, call_id: u64) -> Result<End, Unfinished> {
        let path = format!("/callViews/{call_id}");
        let mut waiting =
            Waiting::new("the call did not come to its end in the view", self.client.patience());
        loop {
            let answer = self.client.get(&path).await?;
            let view = found::<View>(&answer)?.unwrap_or_default();
            if let Some(outcome) = view.outcome() {
                return Ok(End::Over(outcome, view));
            }
            waiting.pause(answer.repeated).await?;
        }
    }

    /// The draft makes the key a structured field, and that is a string in quotes.
    fn key(&self, number: u64, order: &str) -> String {
        format!("\"{}-{number}-{order}\"", self.run_name)
    }
}

impl Unfinished {
    fn reason(self) -> String {
        match self {
            Self::Away(away) => format!("the server was away: {}", away.trouble),
            Self::StoodStill(what) => what.to_owned(),
            Self::Stopped => "the run was stopped during the ride".to_owned(),
            Self::NotUnderstood(what) => what,
        }
    }
}

impl From<Away> for Unfinished {
    fn from(away: Away) -> Self {
        Self::Away(away)
    }
}

impl From<String> for Unfinished {
    fn from(what: String) -> Self {
        Self::NotUnderstood(what)
    }
}

/// What a read found; none where it is not there yet.
fn found<'a, T: serde::Deserialize<'a>>(answer: &'a Answer) -> Result<Option<T>, String> {
    match answer.status {
        StatusCode::OK => answer.parse().map(Some),
        StatusCode::NOT_FOUND => Ok(None),
        _ => Err(format!("a read was refused: {}", answer.problem())),
    }
}

async fn sleep_if_any(delay: Duration) {
    if !delay.is_zero() {
        sleep(delay).await;
    }
}

/// Polls with growing pauses, for as long as patience lasts while the server is there.
struct Waiting {
    what: &'static str,
    patience: Duration,
    since: Instant,
    delay: Duration,
    polls: u32,
}

impl Waiting {
    fn new(what: &'static str, patience: Duration) -> Self {
        Self { what, patience, since: Instant::now(), delay: POLL_DELAY_MIN, polls: 0 }
    }

    async fn pause(&mut self, server_was_away: bool) -> Result<(), Unfinished> {
        if server_was_away {
            self.since = Instant::now();
        }
        if self.since.elapsed() > self.patience {
            return Err(Unfinished::StoodStill(self.what));
        }
        sleep(self.delay).await;
        self.delay = (self.delay * 2).min(POLL_DELAY_MAX);
        self.polls += 1;
        Ok(())
    }
}

/// How long drives have lately taken to start, so that the first look comes neither in vain nor late.
#[derive(Default)]
pub(crate) struct StartMean(AtomicU64);

impl StartMean {
    /// Well before the mean: the wait itself is part of what is learnt, and must not keep itself up.
    fn first_poll_after(&self) -> Duration {
        let micros = self.0.load(Ordering::Relaxed) / 2;
        let delay = Duration::from_micros(micros).min(POLL_DELAY_MAX);
        if delay < POLL_DELAY_MIN { Duration::ZERO } else { delay }
    }

    /// A lost update costs nothing but a little accuracy.
    fn learn(&self, took: Duration) {
        let took = u64::try_from(took.as_micros().min(POLL_DELAY_MAX.as_micros())).unwrap_or(0);
        let mean = self.0.load(Ordering::Relaxed);
        self.0.store((mean * (START_MEAN_PARTS - 1) + took) / START_MEAN_PARTS, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_look_follows_the_starts_and_does_not_keep_itself_up() {
        let mean = StartMean::default();
        assert_eq!(mean.first_poll_after(), Duration::ZERO);
        for _ in 0..200 {
            mean.learn(Duration::from_millis(20));
        }
        let waited = mean.first_poll_after();
        assert!(waited > Duration::from_millis(5) && waited <= Duration::from_millis(10), "{waited:?}");
        for _ in 0..200 {
            mean.learn(mean.first_poll_after());
        }
        assert_eq!(mean.first_poll_after(), Duration::ZERO);
    }
}
