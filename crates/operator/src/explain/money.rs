//! Where the fare is, from what happened; where that cannot be read, from what payment has on record.

use super::story::{Story, Told};
use super::{Account, Agreement, Book, Figures, Money, speech, steps};
use crate::words::Words;
use provider::book::{TakeAnswer, balance};
use taxi::money::Won;
use taxi::payment::{Payment, Stage};
use wiring::payment;

/// Taken = held + earned + returned.
#[derive(Clone, Copy, Default)]
struct Sums {
    taken: Won,
    held: Won,
    earned: Won,
    returned: Won,
}

impl Story {
    /// What happened and cannot be read.
    pub(super) fn unread(&self) -> impl Iterator<Item = (usize, &Told)> {
        self.told.iter().enumerate().filter(|(_, told)| told.event.is_none())
    }

    /// `FarePaid (step 3)`.
    pub(super) fn numbered(&self, place: usize) -> Words {
        let (name, step) = (&self.told[place].recorded.event_type, place + 1);
        Words::new(format!("{name} (step {step})"), format!("{name}({step}번)"))
    }

    pub(super) fn money(&self) -> Money {
        let unread: Vec<usize> = self
            .unread()
            .filter(|(_, told)| told.recorded.source.service == payment::NAME)
            .map(|(place, _)| place)
            .collect();
        let payment = self.payment.as_ref().map(|payment| &payment.state);
        let (figures, sums) = match payment {
            _ if unread.is_empty() => (Figures::Events, self.sums()),
            Some(payment) => (Figures::Record, on_record(payment)),
            None => (Figures::None, Sums::default()),
        };
        let book = self.account.as_ref();
        let at_provider = Won(book.map_or(0, balance));
        let owed = sums.held + sums.earned;
        let agrees = if figures != Figures::Events {
            Agreement::Differs
        } else if at_provider == owed {
            Agreement::Agrees
        } else if self.effects.is_empty() {
            Agreement::Differs
        } else {
            Agreement::OnTheWay
        };
        let words = if unread.is_empty() {
            speech::money(agrees, (owed, at_provider), book.is_some())
        } else {
            let unread: Vec<Words> = unread.iter().map(|place| self.numbered(*place)).collect();
            speech::money_unread(&unread, figures, at_provider)
        };
        Money {
            fare: self.fare(),
            figures,
            taken: sums.taken,
            held: sums.held,
            earned: sums.earned,
            returned: sums.returned,
            provider: book.map(book_of),
            agrees,
            words,
        }
    }

    /// What stays is what payment says, so that a sum that does not add up shows.
    fn sums(&self) -> Sums {
        let mut sums = Sums::default();
        for moved in self.told.iter().filter_map(|told| steps::moved(told.event.as_ref()?)) {
            match (moved.from, moved.to) {
                (Account::Rider, _) => sums.taken = sums.taken + moved.won,
                (_, Account::Rider) => sums.returned = sums.returned + moved.won,
                (Account::Held | Account::Earned, _) => sums.earned = sums.earned + moved.won,
            }
        }
        match &self.payment {
            Some(payment) => {
                let accounts = payment.state.accounts;
                Sums { held: accounts.held, earned: accounts.earned, ..sums }
            }
            None => Sums { held: sums.taken - sums.earned - sums.returned, ..sums },
        }
    }
}

fn on_record(payment: &Payment) -> Sums {
    let (held, earned) = (payment.accounts.held, payment.accounts.earned);
    let returned = if payment.stage == Stage::Refunded { payment.fare } else { Won::ZERO };
    Sums { taken: held + earned + returned, held, earned, returned }
}

fn book_of(book: &provider::book::Account) -> Book {
    Book {
        take: book.take.map(|answer| match answer {
            TakeAnswer::Taken => "taken",
            TakeAnswer::Refused => "refused",
        }),
        back: book.back,
        balance: Won(balance(book)),
        takes_heard: book.takes_heard,
        backs_heard: book.backs_heard,
    }
}
