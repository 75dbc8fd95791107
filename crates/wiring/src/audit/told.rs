//! What is on its way between the services, and over a topic: what its log says was told, and what was not told yet.

use super::Moment;
use crate::TELLING;
use engine::audit::Check;
use engine::store::Stored;
use engine::topic::is_told_key;
use serde::Serialize;
use std::collections::BTreeMap;

/// What one service has said and another has not heard yet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Transit {
    pub from: &'static str,
    pub to: &'static str,
    pub events: u64,
    /// Those of them that the topic has not been told yet.
    pub untold: u64,
    /// For how long the oldest of them is on its way.
    pub oldest_ms: i64,
}

/// All that is on its way, by who said it and who is to hear it.
#[derive(Default)]
pub(super) struct OnTheWay(BTreeMap<(&'static str, &'static str), Transit>);

impl OnTheWay {
    pub(super) fn note(&mut self, from: &'static str, to: &'static str, (age_ms, is_told): (i64, bool)) {
        let new = || Transit { from, to, oldest_ms: age_ms, ..Transit::default() };
        let transit = self.0.entry((from, to)).or_insert_with(new);
        transit.events += 1;
        transit.untold += u64::from(!is_told);
        transit.oldest_ms = transit.oldest_ms.max(age_ms);
    }

    pub(super) fn into_all(self) -> Vec<Transit> {
        self.0.into_values().collect()
    }
}

/// No topic was told more than there is: else the database is an older one than that which told it.
pub(super) fn within_the_logs(moment: &Moment<'_>) -> Stored<Vec<Check>> {
    let mut checks = Vec::new();
    for service in TELLING {
        let mut check = Check::new(service, "told within the log");
        let snapshot = moment.of(service);
        for shard in moment.shards(service) {
            let last = snapshot.last_position(shard)?;
            for (key, told) in snapshot.inbox(shard)? {
                if !is_told_key(&key) {
                    continue;
                }
                let what = format!("{shard} has told topic {} to {told}", key.source.log);
                check.expect(told <= last, what, || format!("its log ends at {last}"));
            }
        }
        checks.push(check);
    }
    Ok(checks)
}
