//! How a call stands now, for its rider: what is still open, until when, and what becomes of the money.

use super::left_out::Fare;
use super::standing::Standing;
use super::story::Story;
use crate::words::{Words, by, won};
use engine::clock::Timestamp;
use provider::book::balance;
use taxi::event::{Event, PaymentEvent};
use taxi::money::Won;
use taxi::payment::Stage;
use taxi::{call, payment};

impl Story {
    pub(super) fn closing(&self) -> Words {
        let fare = won(self.fare().unwrap_or(Won::ZERO));
        match self.standing() {
            Standing::HeldUp => self.uncharged().and(&Words::new(
                "Something about this call could not be processed, and it is held up until an operator has looked at it.",
                "이 호출의 처리 과정에 문제가 생겨, 운영자가 확인할 때까지 멈춰 있습니다.",
            )).and(&self.held(Words::new(
                format!("The {} that you paid are held until then.", fare.english),
                format!("결제하신 {}은 그때까지 보관됩니다.", fare.korean),
            ))),
            Standing::LeftOut => self.left_out_words(),
            Standing::AwaitingPayment => self.awaiting_payment(&fare),
            Standing::AwaitingTaxi => self.awaiting_taxi(&fare),
            Standing::UnderWay => Words::new(
                "The ride is under way, and ends when the driver says so.",
                "지금 운행 중이며, 기사님이 운행을 마치면 끝납니다.",
            ),
            Standing::Cancelling => self.uncharged().and(&Words::new(
                "We are finding out whether the ride can still be called off.",
                "운행을 취소할 수 있는지 확인하고 있습니다.",
            )).and(&self.held(Words::new(
                format!("If it can, the whole fare of {} goes back to you.", fare.english),
                format!("취소할 수 있으면 요금 {} 전액을 돌려 드립니다.", fare.korean),
            ))),
            Standing::Settling => self.settling(&fare),
            Standing::Completed | Standing::PaymentFailed | Standing::Cancelled | Standing::Compensated => {
                Words::new("", "")
            }
        }
    }

    /// Whether the provider, which may know more than has been heard of it, has charged nothing either.
    fn is_uncharged(&self) -> bool {
        let is_open = match self.payment.as_ref().map(|payment| payment.state.stage) {
            None | Some(Stage::Asked | Stage::Due | Stage::Late | Stage::Unwanted) => true,
            Some(
                Stage::Paid
                | Stage::Placed
                | Stage::Failed
                | Stage::Returning
                | Stage::Refunded
                | Stage::Voided
                | Stage::Earned,
            ) => false,
        };
        is_open && self.unread().next().is_none() && self.account.as_ref().map_or(0, balance) == 0
    }

    fn uncharged(&self) -> Words {
        if !self.is_uncharged() {
            return Words::new("", "");
        }
        Words::new("Nothing has been charged so far.", "지금까지 결제된 금액은 없습니다.")
    }

    /// What is said only while the fare is held.
    fn held(&self, words: Words) -> Words {
        if self.unmoved() == Fare::Held { words } else { Words::new("", "") }
    }

    fn awaiting_payment(&self, fare: &Words) -> Words {
        let said = self.uncharged().and(&Words::new(
            format!("We are waiting to hear whether the fare of {} is paid.", fare.english),
            format!("요금 {}이 결제되었는지 확인을 기다리고 있습니다.", fare.korean),
        ));
        let Some(due) = self.payment_due() else { return said };
        let then = if self.is_uncharged() {
            Words::new("if it does not come through, you pay nothing", "결제되지 않으면 내실 금액은 없습니다")
        } else {
            Words::new(
                "if it does not come through, you get all of it back",
                "결제가 확인되지 않으면 전액 돌려 드립니다",
            )
        };
        if due <= self.now {
            return said.and(&Words::new(
                format!("It is decided in a moment; {}.", then.english),
                format!("곧 결정되며, {}.", then.korean),
            ));
        }
        let due = by(due, self.now);
        said.and(&Words::new(
            format!("It is decided by {} at the latest; {}.", due.english, then.english),
            format!("늦어도 {}까지는 결정되며, {}.", due.korean, then.korean),
        ))
    }

    /// By then payment has decided, or the call has by itself.
    fn payment_due(&self) -> Option<Timestamp> {
        let payment = self.payment.as_ref().and_then(|payment| payment.row.timer.as_ref());
        let call = self.call.as_ref().and_then(|call| call.row.timer.as_ref());
        let by_payment = payment.filter(|timer| timer.name == payment::Wait::Provider.name());
        let by_call = call.filter(|timer| timer.name == call::Wait::Unpaid.name());
        by_payment.or(by_call).map(|timer| timer.due)
    }

    fn awaiting_taxi(&self, fare: &Words) -> Words {
        let said = Words::new("A taxi is being looked for.", "택시를 찾고 있습니다.");
        let armed = self.call.as_ref().and_then(|call| call.row.timer.as_ref());
        let Some(timer) = armed.filter(|timer| timer.name == call::Wait::Undriven.name()) else {
            return said;
        };
        let due = by(timer.due, self.now);
        said.and(&Words::new(
            format!(
                "If none sets off by {}, the call is cancelled and the whole fare of {} goes back to you.",
                due.english, fare.english
            ),
            format!(
                "{}까지 출발하는 택시가 없으면 호출을 취소하고 요금 {} 전액을 돌려 드립니다.",
                due.korean, fare.korean
            ),
        ))
    }

    /// Then it was said already that the fare is ordered back.
    fn has_surfaced(&self) -> bool {
        self.told
            .iter()
            .any(|told| matches!(&told.event, Some(Event::Payment(PaymentEvent::FareSurfaced(_)))))
    }

    fn settling(&self, fare: &Words) -> Words {
        match self.payment.as_ref().map(|payment| payment.state.stage) {
            Some(Stage::Returning) if self.has_surfaced() => Words::new(
                "The payment provider has not answered yet, and is asked again until it does.",
                "결제사가 아직 응답하지 않아, 응답할 때까지 계속 다시 요청합니다.",
            ),
            Some(Stage::Returning) => Words::new(
                format!(
                    "The refund of the whole {} is ordered, and the payment provider is asked again until it answers.",
                    fare.english
                ),
                format!(
                    "요금 {} 전액의 환불을 요청했으며, 결제사가 응답할 때까지 계속 다시 요청합니다.",
                    fare.korean
                ),
            ),
            Some(Stage::Asked | Stage::Late | Stage::Unwanted) | None => self.uncharged().and(&Words::new(
                format!("If the {} are charged late, all of it goes back to you.", fare.english),
                format!("만약 {}이 뒤늦게 결제되더라도 전액 돌려 드립니다.", fare.korean),
            )),
            Some(
                Stage::Due
                | Stage::Paid
                | Stage::Placed
                | Stage::Failed
                | Stage::Refunded
                | Stage::Voided
                | Stage::Earned,
            ) => Words::new("The rest follows in a moment.", "나머지 처리는 곧 이어집니다."),
        }
    }
}
