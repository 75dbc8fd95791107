//! The ride of a call: drive alone decides whether there is one, and says so once.

pub mod policy;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::decision::Decision;
use crate::event::{DriveBody, DriveEvent, Event};
use crate::id::{CallId, DriveId};
use crate::money::Won;
use crate::rules::Context;
use crate::status::DriveStatus;
use crate::time::Timestamp;

/// One drive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Drive {
    pub drive_id: DriveId,
    pub driver_name: String,
    pub call_id: CallId,
    pub drive_status: DriveStatus,
    pub taxi_num: String,
    /// 0 where the call was cancelled before its fare was heard of.
    pub fare: Won,
    /// When it was first heard of.
    pub opened_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What a drive can be told.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// The fare is paid: send a taxi.
    Start { call_id: CallId, fare: Won },
    /// The call is to be cancelled.
    Cancel(CallId),
    /// A deadline of the call has passed: it is to be cancelled unless a taxi is on its way.
    Lapse(CallId),
    /// The fare went back: nobody pays for this ride.
    StandDown(CallId),
    /// The driver says that the ride is over.
    End(CallId),
    /// Its timer rang.
    TimerDue { call_id: CallId, timer: String },
}

/// Why a command is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// There is no such drive.
    Unknown,
    /// There was no ride that could end.
    NotUnderWay { status: DriveStatus },
}

/// Waits for the end of the ride; the only timer of a drive.
pub const OVERDUE: &str = "overdue";

/// Every call id times this has at least four digits, and the first of them number the taxi.
const TAXI_NUM_FACTOR: u128 = 1_111;
const TAXI_NUM_DIGITS: usize = 4;

pub fn decide(state: Option<&Drive>, command: &Command, ctx: &Context<'_>) -> Result<Decision, Refusal> {
    match (state, command) {
        (None, Command::Start { call_id, fare }) => Ok(dispatch(*call_id, *fare, ctx)),
        (None, Command::Cancel(call_id) | Command::Lapse(call_id)) => Ok(cancel_unheard(*call_id)),
        (None, Command::End(_)) => Err(Refusal::Unknown),
        (Some(drive), Command::Cancel(_) | Command::StandDown(_)) => Ok(drive.cancel()),
        (Some(drive), Command::End(_)) => drive.end(),
        (Some(drive), Command::TimerDue { timer, .. }) => Ok(drive.timer_due(timer, ctx)),
        // No clock ends a ride, and a call may not have heard yet that it has one.
        (Some(_), Command::Start { .. } | Command::Lapse(_))
        | (None, Command::StandDown(_) | Command::TimerDue { .. }) => Ok(Decision::nothing()),
    }
}

pub fn evolve(state: Option<Drive>, event: &Event, at: Timestamp) -> Option<Drive> {
    let event = match event {
        Event::Drive(event) => event,
        Event::Call(_) | Event::Payment(_) => return state,
    };
    let body = match event {
        DriveEvent::DriveStarted(body)
        | DriveEvent::DriveNotAvailable(body)
        | DriveEvent::DriveEnded(body)
        | DriveEvent::DriveCancelled(body)
        | DriveEvent::DriveOverdue(body) => body,
    };
    Some(Drive {
        drive_id: body.drive_id,
        driver_name: body.driver_name.clone(),
        call_id: body.call_id,
        drive_status: body.drive_status,
        taxi_num: body.taxi_num.clone(),
        fare: body.fare,
        opened_at: state.map_or(at, |drive| drive.opened_at),
        updated_at: at,
    })
}

/// The status, in the word that clients read.
pub fn tag(drive: &Drive) -> &'static str {
    drive.drive_status.as_str()
}

/// Whether something is still waited for; an open drive has an armed timer, a closed one has none.
pub fn is_open(drive: &Drive) -> bool {
    match drive.drive_status {
        DriveStatus::Start => true,
        DriveStatus::RequestCancel | DriveStatus::Cancel | DriveStatus::End => false,
    }
}

fn dispatch(call_id: CallId, fare: Won, ctx: &Context<'_>) -> Decision {
    if ctx.rules.tariff.is_too_far(fare) {
        let body = new_body(call_id, fare, DriveStatus::RequestCancel);
        return Decision::say(DriveEvent::DriveNotAvailable(body));
    }
    Decision::say(DriveEvent::DriveStarted(new_body(call_id, fare, DriveStatus::Start))).arm(
        OVERDUE,
        ctx.now,
        ctx.rules.deadlines.report_after,
    )
}

/// A call that is cancelled before it was heard of: a fare that is paid later starts nothing.
fn cancel_unheard(call_id: CallId) -> Decision {
    Decision::say(DriveEvent::DriveCancelled(new_body(call_id, Won::ZERO, DriveStatus::Cancel)))
}

fn new_body(call_id: CallId, fare: Won, drive_status: DriveStatus) -> DriveBody {
    let mut taxi_num = (u128::from(call_id.get()) * TAXI_NUM_FACTOR).to_string();
    taxi_num.truncate(TAXI_NUM_DIGITS);
    DriveBody {
        drive_id: DriveId::of(call_id),
        driver_name: format!("driver{taxi_num}"),
        call_id,
        drive_status,
        taxi_num,
        fare,
    }
}

impl Drive {
    fn cancel(&self) -> Decision {
        match self.drive_status {
            DriveStatus::Start => {
                Decision::say(DriveEvent::DriveCancelled(self.body(DriveStatus::Cancel))).disarm()
            }
            DriveStatus::RequestCancel | DriveStatus::Cancel | DriveStatus::End => Decision::nothing(),
        }
    }

    fn end(&self) -> Result<Decision, Refusal> {
        match self.drive_status {
            DriveStatus::Start => {
                Ok(Decision::say(DriveEvent::DriveEnded(self.body(DriveStatus::End))).disarm())
            }
            DriveStatus::End => Ok(Decision::nothing()),
            DriveStatus::RequestCancel | DriveStatus::Cancel => {
                Err(Refusal::NotUnderWay { status: self.drive_status })
            }
        }
    }

    /// A clock reports a long ride; it never ends one.
    fn timer_due(&self, timer: &str, ctx: &Context<'_>) -> Decision {
        if !is_open(self) || timer != OVERDUE {
            return Decision::nothing();
        }
        Decision::say(DriveEvent::DriveOverdue(self.body(self.drive_status))).arm(
            OVERDUE,
            ctx.now,
            ctx.rules.deadlines.report_after,
        )
    }

    fn body(&self, drive_status: DriveStatus) -> DriveBody {
        DriveBody {
            drive_id: self.drive_id,
            driver_name: self.driver_name.clone(),
            call_id: self.call_id,
            drive_status,
            taxi_num: self.taxi_num.clone(),
            fare: self.fare,
        }
    }
}

impl Command {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Start { .. } => "Start",
            Self::Cancel(_) => "Cancel",
            Self::Lapse(_) => "Lapse",
            Self::StandDown(_) => "StandDown",
            Self::End(_) => "End",
            Self::TimerDue { .. } => "TimerDue",
        }
    }

    pub fn call_id(&self) -> CallId {
        match self {
            Self::Cancel(call_id)
            | Self::Lapse(call_id)
            | Self::StandDown(call_id)
            | Self::End(call_id)
            | Self::Start { call_id, .. }
            | Self::TimerDue { call_id, .. } => *call_id,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => formatter.write_str("there is no such drive"),
            Self::NotUnderWay { status } => write!(formatter, "the drive is not under way: {status}"),
        }
    }
}

impl std::error::Error for Refusal {}
