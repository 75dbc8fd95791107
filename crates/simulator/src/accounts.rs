//! The money of every payment, beside the provider's book.

use crate::failure::{Breach, Kind, must, readable};
use crate::observer::Observer;
use engine::log::EntityKey;
use engine::store::EntityRow;
use provider::book::{Account, balance};
use taxi::payment::{Errand, Payment, check};
use wiring::provider::{ACCOUNT, NAME};

/// The ledger adds up, and as many effects are out as there are errands.
pub(crate) fn check_payment(payment: &Payment, row: &EntityRow) -> Result<(), Breach> {
    check(payment).map_err(|what| Breach { kind: Kind::Ledger, what })?;
    let out = usize::from(payment.take == Errand::Out) + usize::from(payment.back == Errand::Out);
    must(row.effects_open.len() == out, Kind::Effects, || {
        format!("{} has {out} errands out, and effects {:?}", row.key, row.effects_open)
    })
}

/// What the provider took and did not give back, in won.
pub(crate) fn book_balance(observer: &Observer, id: u64) -> Result<i64, Breach> {
    let key = EntityKey { kind: ACCOUNT, id };
    let row = readable(observer.readers().payment.get(NAME, key))?;
    let account = row.map(|row| serde_json::from_str::<Account>(&row.state)).transpose();
    let account = account
        .map_err(|error| Breach { kind: Kind::Book, what: format!("{key} cannot be read: {error}") })?;
    Ok(account.as_ref().map_or(0, balance))
}

/// While an errand is out the book may be ahead of the payment; otherwise they agree.
pub(crate) fn check_book(observer: &Observer, id: u64) -> Result<(), Breach> {
    let Some(payment) = observer.payment.known.get(&id).and_then(|known| known.state.as_ref()) else {
        return Ok(());
    };
    let balance = book_balance(observer, id)?;
    let is_open = payment.take == Errand::Out || payment.back == Errand::Out;
    let agrees = if is_open {
        balance == 0 || balance == payment.fare.0
    } else {
        balance == -payment.accounts.rider.0
    };
    must(agrees, Kind::Book, || {
        format!("the provider's book says {balance} won of payment {id}: {payment:?}")
    })
}
