//! What an operator does: takes a dead letter up again, passes one over, makes the view anew. The outcome is data, and said.

use crate::letters::Letter;
use crate::words::Words;
use engine::Service;
use engine::handle::Handle;
use engine::letters::{Retried, Skipped};
use engine::projection::Rebuilt;
use serde::Serialize;
use wiring::{Handles, call, drive, payment, provider, view};

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CameOf {
    pub outcome: Outcome,
    pub words: Words,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The message was carried out, and is gone.
    CarriedOut,
    /// The message was understood and changes nothing, and is gone.
    NotWanted,
    /// It fails as before, or waits behind one that does, and is where it was.
    StillWaits,
    /// It was passed over just now.
    Skipped,
    /// It had been passed over before, and stays so.
    AlreadySkipped,
    NoSuchLetter,
    /// The view is being made anew from now on.
    Begun,
    /// The view was being made anew already.
    UnderWay,
    /// Nothing was done: the engine is busy, stopping, or its store is away.
    NotNow,
}

impl CameOf {
    fn new(outcome: Outcome, english: impl Into<String>, korean: impl Into<String>) -> Self {
        Self { outcome, words: Words::new(english, korean) }
    }

    fn not_now(why: &str) -> Self {
        Self::new(
            Outcome::NotNow,
            format!("Not now: {why}. Ask again later."),
            format!("지금은 할 수 없습니다: {why}. 나중에 다시 시도하십시오."),
        )
    }

    fn no_such_letter() -> Self {
        Self::new(Outcome::NoSuchLetter, "There is no such dead letter.", "그런 보류 메시지가 없습니다.")
    }
}

/// Takes a dead letter up again; `tell` is called once, after the commit.
pub fn retry(handles: &Handles, letter: &Letter, tell: impl FnOnce(CameOf) + Send + 'static) {
    let tell = |retried: Retried| tell(of_retry(retried));
    let (shard, number) = (letter.shard, letter.number);
    match letter.service {
        call::NAME => handles.call.retry_dead_letter(shard, number, tell),
        payment::NAME => handles.payment.retry_dead_letter(shard, number, tell),
        provider::NAME => handles.provider.retry_dead_letter(shard, number, tell),
        drive::NAME => handles.drive.retry_dead_letter(shard, number, tell),
        view::NAME => handles.view.retry_dead_letter(shard, number, tell),
        unknown => unreachable!("{unknown:?} is none of the services"),
    }
}

/// Passes a dead letter over for good; `tell` is called once, after the commit.
pub fn skip(
    handles: &Handles,
    letter: &Letter,
    (by_whom, reason): (&str, &str),
    tell: impl FnOnce(CameOf) + Send + 'static,
) {
    fn on<S: Service>(
        handle: &Handle<S>,
        letter: &Letter,
        (by_whom, reason): (&str, &str),
        tell: impl FnOnce(CameOf) + Send + 'static,
    ) {
        let tell = |skipped: Skipped| tell(of_skip(skipped));
        handle.skip_dead_letter((letter.shard, letter.number), by_whom, reason, tell);
    }
    let said = (by_whom, reason);
    match letter.service {
        call::NAME => on(&handles.call, letter, said, tell),
        payment::NAME => on(&handles.payment, letter, said, tell),
        provider::NAME => on(&handles.provider, letter, said, tell),
        drive::NAME => on(&handles.drive, letter, said, tell),
        view::NAME => on(&handles.view, letter, said, tell),
        unknown => unreachable!("{unknown:?} is none of the services"),
    }
}

/// Makes the view anew; `tell` is called once it has begun.
pub fn rebuild_view(handles: &Handles, tell: impl FnOnce(CameOf) + Send + 'static) {
    handles.view.rebuild(|rebuilt| tell(of_rebuild(rebuilt)));
}

/// How far the making anew of the view is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// Nothing is missing in the view.
    pub is_whole: bool,
    /// Events read, of so many; both 0 while what was there is being dropped.
    pub read: u64,
    pub to_read: u64,
}

pub fn view_progress(handles: &Handles) -> Progress {
    let rebuilding = handles.view.rebuilding();
    let (read, to_read) = rebuilding.map_or((0, 0), |rebuilding| (rebuilding.read, rebuilding.to_read));
    Progress { is_whole: rebuilding.is_none(), read, to_read }
}

fn of_retry(retried: Retried) -> CameOf {
    match retried {
        Retried::CarriedOut => CameOf::new(
            Outcome::CarriedOut,
            "It was carried out, and is gone; what waited behind it goes on.",
            "처리되어 사라졌습니다. 뒤에서 기다리던 메시지도 이어서 처리됩니다.",
        ),
        Retried::NotWanted(why) => CameOf::new(
            Outcome::NotWanted,
            format!("It was understood and changes nothing ({why}); it is gone."),
            format!("내용을 확인했으나 바뀌는 것이 없어({why}) 사라졌습니다."),
        ),
        Retried::OfThePast => CameOf::new(
            Outcome::NotWanted,
            "What it was about is over; it is gone.",
            "이미 끝난 일에 관한 것이어서 사라졌습니다.",
        ),
        Retried::StillWaits(why) => CameOf::new(
            Outcome::StillWaits,
            format!("It cannot be carried out yet, and is where it was: {why}."),
            format!("아직 처리할 수 없어 그대로 남았습니다: {why}."),
        ),
        Retried::NoSuchLetter => CameOf::no_such_letter(),
        Retried::WasSkipped(skip) => CameOf::new(
            Outcome::AlreadySkipped,
            format!("It was passed over before by {}: {:?}. It stays so.", skip.by, skip.reason),
            format!("이미 {}이(가) 건너뛰었습니다: {:?}. 그대로 둡니다.", skip.by, skip.reason),
        ),
        Retried::NotNow(why) => CameOf::not_now(&why),
    }
}

fn of_skip(skipped: Skipped) -> CameOf {
    match skipped {
        Skipped::Done(_) => CameOf::new(
            Outcome::Skipped,
            "It is passed over, with your reason on record; what waits behind it goes on once nothing earlier about the call is left.",
            "사유를 기록하고 건너뛰었습니다. 뒤에서 기다리던 메시지는 앞에 남은 것이 없으면 이어서 처리됩니다.",
        ),
        Skipped::Already(letter) => {
            let (by, reason) = letter.skipped.map(|skip| (skip.by, skip.reason)).unwrap_or_default();
            CameOf::new(
                Outcome::AlreadySkipped,
                format!("It was passed over before by {by}: {reason:?}. That stands."),
                format!("이미 {by}이(가) 건너뛰었습니다: {reason:?}. 그 기록을 그대로 둡니다."),
            )
        }
        Skipped::NoSuchLetter => CameOf::no_such_letter(),
        Skipped::NotNow(why) => CameOf::not_now(&why),
    }
}

fn of_rebuild(rebuilt: Rebuilt) -> CameOf {
    match rebuilt {
        Rebuilt::Begun => CameOf::new(
            Outcome::Begun,
            "The view is being made anew from the events; until it is done it is not whole.",
            "이벤트로부터 조회 화면을 새로 만들기 시작했습니다. 끝날 때까지는 온전하지 않습니다.",
        ),
        Rebuilt::UnderWay => CameOf::new(
            Outcome::UnderWay,
            "The view is being made anew already, and goes on.",
            "조회 화면을 이미 새로 만들고 있으며, 계속합니다.",
        ),
        Rebuilt::NoProjection => unreachable!("the view is a projection"),
        Rebuilt::NotNow(why) => CameOf::not_now(&why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::speech::assert_said;
    use engine::clock::Timestamp;
    use engine::dead_letter::Skip;

    #[test]
    fn every_outcome_is_said() {
        let skip = Skip { by: "operator".into(), reason: "known bug".into(), at: Timestamp(0) };
        let retried = [
            Retried::CarriedOut,
            Retried::NotWanted("it is over".into()),
            Retried::OfThePast,
            Retried::StillWaits("unreadable".into()),
            Retried::NoSuchLetter,
            Retried::WasSkipped(skip),
            Retried::NotNow("the disk is full".into()),
        ];
        for came_of in retried.into_iter().map(of_retry) {
            assert_said(&came_of.words);
        }
        for came_of in [Rebuilt::Begun, Rebuilt::UnderWay, Rebuilt::NotNow("busy".into())].map(of_rebuild) {
            assert_said(&came_of.words);
        }
        for came_of in [Skipped::NoSuchLetter, Skipped::NotNow("busy".into())].map(of_skip) {
            assert_said(&came_of.words);
        }
    }
}
