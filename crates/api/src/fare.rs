//! `GET /fares`: what a ride would cost, before anyone calls.

use http::StatusCode;
use serde::Serialize;
use taxi::money::Won;

use crate::asked::{Answered, Asked};
use crate::call::meters;
use crate::detail::Detail;
use crate::hal::{respond, to_json};
use crate::problem::Problem;

const CURRENCY: &str = "KRW";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Fare {
    distance: f64,
    fare: Won,
    currency: &'static str,
    /// No taxi goes that far.
    too_far: bool,
}

/// `GET /fares?distance=10`.
pub(crate) async fn quote(asked: Asked) -> Answered {
    let form = asked.form()?;
    let query = asked.query()?;
    let text = query
        .get("distance")?
        .ok_or_else(|| Problem::malformed(Detail::Missing("distance")).of_field("distance"))?;
    let meters = meters(text)?;
    let tariff = &asked.api.handles.payment.service().rules.tariff;
    let fare = tariff.fare(meters);
    let quoted =
        Fare { distance: meters.kilometers(), fare, currency: CURRENCY, too_far: tariff.is_too_far(fare) };
    Ok(respond(StatusCode::OK, form, to_json(&quoted)))
}
