//! Acting on someone's behalf: as the rider or the driver would, and recorded as the operator's doing.

use axum::body::Body;
use taxi::actor::Actor;

use crate::asked::{Answered, Asked};
use crate::{call, drive};

/// `POST /operator/calls/cancel`.
pub(super) async fn cancel_call(asked: Asked, body: Body) -> Answered {
    call::cancel_by(asked, body, (Actor::Operator, "POST /operator/calls/cancel")).await
}

/// `POST /operator/drives/end`.
pub(super) async fn end_drive(asked: Asked, body: Body) -> Answered {
    drive::end_by(asked, body, (Actor::Operator, "POST /operator/drives/end")).await
}
