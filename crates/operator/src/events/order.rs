//! The logs of one call put in the order in which one thing led to the other.

use engine::log::Recorded;
use std::collections::VecDeque;

/// Merges the logs: each in its own order, among each other by time, and no event before the one that led to it.
pub(crate) fn in_order(mut logs: Vec<VecDeque<Recorded>>) -> Vec<Recorded> {
    let mut ordered: Vec<Recorded> = Vec::new();
    while let Some(next) = next_log(&logs, &ordered) {
        ordered.extend(logs[next].pop_front());
    }
    ordered
}

fn next_log(logs: &[VecDeque<Recorded>], ordered: &[Recorded]) -> Option<usize> {
    let heads = logs.iter().enumerate().filter_map(|(place, log)| Some((place, log.front()?)));
    let waits = |event: &Recorded| {
        let cause = super::cause_of(&event.cause);
        cause.is_some_and(|cause| {
            let is_told = ordered.iter().any(|told| is_at(told, cause));
            !is_told && logs.iter().flatten().any(|other| is_at(other, cause))
        })
    };
    let by_time = |(place, event): &(usize, &Recorded)| (waits(event), event.at, *place);
    heads.min_by_key(by_time).map(|(place, _)| place)
}

pub(crate) fn is_at(event: &Recorded, (service, shard, position): (&str, u16, u64)) -> bool {
    event.source.service == service && event.source.shard == shard && event.position == position
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::clock::Timestamp;
    use engine::log::{LogId, Source};

    fn event(service: &'static str, position: u64, at: i64, cause: &str) -> Recorded {
        Recorded {
            source: Source { log: LogId(1), service: service.into(), shard: 0 },
            position,
            entity_kind: service.into(),
            entity_id: 7,
            version: position,
            event_type: "Said".into(),
            schema: 1,
            published: true,
            at: Timestamp(at),
            actor: "rider".into(),
            cause: cause.to_owned(),
            trace: None,
            body: "{}".into(),
        }
    }

    fn told(logs: [Vec<Recorded>; 3]) -> Vec<String> {
        let ordered = in_order(logs.into_iter().map(VecDeque::from).collect());
        ordered.iter().map(|event| format!("{} {}", event.source.service, event.position)).collect()
    }

    #[test]
    fn a_cause_comes_before_what_it_led_to_whatever_the_clocks_say() {
        let call = vec![
            event("call", 1, 10, "request a"),
            event("call", 2, 10, "event drive/0/1"),
            event("call", 3, 5, "request b"),
        ];
        let payment = vec![event("payment", 1, 8, "event call/0/1")];
        let drive = vec![event("drive", 1, 10, "event payment/0/1")];
        let expected = ["call 1", "payment 1", "drive 1", "call 2", "call 3"];
        assert_eq!(told([call, payment, drive]), expected);
    }

    #[test]
    fn an_event_whose_cause_is_not_here_is_told_all_the_same() {
        let call = vec![event("call", 4, 10, "event payment/0/9")];
        let drive = vec![event("drive", 2, 20, "event call/0/3")];
        assert_eq!(told([call, Vec::new(), drive]), ["call 4", "drive 2"]);
    }
}
