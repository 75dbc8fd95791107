//! What an operator has passed over, for as long as something is missing because of it and nothing else makes up for it.

use super::story::Story;
use super::waits::{Kind, Wait};
use crate::letters::{Letter, Message};
use crate::time::At;
use crate::words::Words;
use taxi::event::{CallEvent, DriveEvent, Event};
use taxi::payment::Stage;
use taxi::status::DriveStatus;
use wiring::{call, drive, payment};

/// What does not come any more by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// The fare's way back, though the call is off.
    Refund,
    /// The fare's booking as earned, though the ride is over.
    Earning,
    /// The call's end, though the ride is over.
    Ending,
    /// The call's end and the fare's way back, though there is no ride.
    CallingOff,
    /// The end of a ride that the rider wants off.
    Stop,
    /// Drive's word on a cancellation, where there is no ride.
    Word,
}

/// Where the fare is that nobody moves any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fare {
    Held,
    /// The payment provider may take it yet.
    Asked,
    Nowhere,
}

impl Loss {
    #[cfg(test)]
    pub(super) const ALL: [Self; 6] =
        [Self::Refund, Self::Earning, Self::Ending, Self::CallingOff, Self::Stop, Self::Word];

    /// Whether nobody ever gets what is waited for.
    fn makes_vain(self, wait: Kind) -> bool {
        match self {
            Self::Refund | Self::Earning => wait == Kind::Fare,
            Self::Ending => matches!(wait, Kind::Ride | Kind::Cancellation),
            Self::CallingOff | Self::Word => matches!(wait, Kind::Fare | Kind::Cancellation),
            Self::Stop => wait == Kind::Cancellation,
        }
    }
}

impl Story {
    pub(super) fn left_out(&self) -> impl Iterator<Item = (&Letter, Loss)> {
        let skipped = self.letters.iter().filter(|letter| letter.skipped.is_some());
        skipped.filter_map(|letter| Some((letter, self.loss(letter)?)))
    }

    /// What is missing because of a letter, unless the call has come on without it.
    fn loss(&self, letter: &Letter) -> Option<Loss> {
        let Message::Event { service, shard, position, .. } = &letter.message else {
            // Deadlines run out again, and the provider is asked again.
            return None;
        };
        let event = self.told[self.place(service, *shard, *position)?].event.as_ref()?;
        match (letter.service, event) {
            (payment::NAME, Event::Call(CallEvent::CallCancelled(_))) => {
                (self.unmoved() != Fare::Nowhere).then_some(Loss::Refund)
            }
            (payment::NAME, Event::Drive(DriveEvent::DriveEnded(_))) => {
                (self.unmoved() != Fare::Nowhere).then_some(Loss::Earning)
            }
            (call::NAME, Event::Drive(DriveEvent::DriveEnded(_))) => self.is_open().then_some(Loss::Ending),
            (call::NAME, Event::Drive(DriveEvent::DriveCancelled(_) | DriveEvent::DriveNotAvailable(_))) => {
                self.is_open().then_some(Loss::CallingOff)
            }
            (drive::NAME, Event::Call(CallEvent::CancelRequested(_))) => self.uncalled_off(),
            _ => None,
        }
    }

    /// The fare, as long as payment waits for a word on whose it is.
    pub(super) fn unmoved(&self) -> Fare {
        match self.payment.as_ref().map(|payment| payment.state.stage) {
            Some(Stage::Paid | Stage::Placed) => Fare::Held,
            Some(Stage::Asked) => Fare::Asked,
            Some(
                Stage::Due
                | Stage::Late
                | Stage::Failed
                | Stage::Unwanted
                | Stage::Returning
                | Stage::Refunded
                | Stage::Voided
                | Stage::Earned,
            )
            | None => Fare::Nowhere,
        }
    }

    fn is_open(&self) -> bool {
        self.call.as_ref().is_some_and(|call| taxi::call::is_open(&call.state))
    }

    fn uncalled_off(&self) -> Option<Loss> {
        match self.drive.as_ref().map(|drive| drive.state.drive_status) {
            None => Some(Loss::Word),
            Some(DriveStatus::Start) => Some(Loss::Stop),
            Some(DriveStatus::RequestCancel | DriveStatus::Cancel | DriveStatus::End) => None,
        }
    }

    pub(super) fn waits_in_vain(&self, wait: Kind) -> bool {
        self.left_out().any(|(_, loss)| loss.makes_vain(wait))
    }

    /// An operator is waited for who settles by hand what was left out.
    pub(super) fn waits_to_settle(&self) -> impl Iterator<Item = Wait> {
        self.left_out().map(|(letter, loss)| Wait {
            service: letter.service,
            kind: Kind::Operator,
            since: letter.skipped.as_ref().map_or(At(self.now), |skipped| skipped.at),
            until: None,
            step: None,
            words: super::speech::left_out::wait(self, letter, loss),
        })
    }

    /// The same for the rider.
    pub(super) fn left_out_words(&self) -> Words {
        let told = self.left_out().map(|(_, loss)| super::speech::left_out::closing(self, loss));
        told.fold(Words::new("", ""), |all, words| all.and(&words))
    }
}
