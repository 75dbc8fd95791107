//! Events as they stand in the logs, published and private ones, with who, why and where.

mod cursor;
mod merge;
mod of_call;
pub(crate) mod order;

use crate::moment::{Moment, reader};
use crate::time::At;
use engine::bus::Tail;
use engine::log::{Recorded, ShardName, Source};
use engine::store::{Reader, Stored};
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use taxi::sample;
use wiring::{Readers, TELLING};

pub use cursor::CursorError;
pub use merge::{BeginError, Merge, Tell};
pub use of_call::of_call;

/// One recorded event.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    pub service: String,
    pub shard: u16,
    /// In the log of that shard, without a gap.
    pub position: u64,
    /// Counts what happened to the call in this service.
    pub version: u64,
    #[serde(rename = "type")]
    pub event_type: String,
    pub schema: u16,
    /// Whether other services hear of it.
    pub published: bool,
    pub at: At,
    pub actor: String,
    /// `request <id>`, `event <service>/<shard>/<position>`, `timer <name>` or `effect <name> <sequence>`.
    pub cause: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    pub call_id: u64,
    /// As it is stored; text where it is no JSON.
    pub body: Value,
}

impl Envelope {
    pub fn of(recorded: &Recorded) -> Self {
        let body = serde_json::from_str(&recorded.body);
        Self {
            service: recorded.source.service.to_string(),
            shard: recorded.source.shard,
            position: recorded.position,
            version: recorded.version,
            event_type: recorded.event_type.to_string(),
            schema: recorded.schema,
            published: recorded.published,
            at: At(recorded.at),
            actor: recorded.actor.to_string(),
            cause: recorded.cause.clone(),
            trace: recorded.trace.clone(),
            call_id: recorded.entity_id,
            body: body.unwrap_or_else(|_| Value::String(recorded.body.clone())),
        }
    }
}

/// One line: `2026-11-23T22:21:06.964Z  payment/0/17  FarePaid  call 1  rider, effect take 256  {…}`.
impl fmt::Display for Envelope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, service, shard, position, event_type, call_id, actor, cause, body, .. } = self;
        write!(
            formatter,
            "{at}  {service}/{shard}/{position}  {event_type}  call {call_id}  {actor}, {cause}  {body}"
        )
    }
}

/// A log that can be read on from a position.
pub trait Log: Send + Sync {
    fn source(&self) -> &Source;
    /// The position of its last event.
    fn last(&self) -> Stored<u64>;
    /// Events after a position in order, at most `limit`.
    fn read(&self, after: u64, limit: usize) -> Stored<Vec<Arc<Recorded>>>;
}

/// The end of a log in the process that writes it.
impl Log for Tail {
    fn source(&self) -> &Source {
        self.source()
    }

    fn last(&self) -> Stored<u64> {
        self.last()
    }

    fn read(&self, after: u64, limit: usize) -> Stored<Vec<Arc<Recorded>>> {
        self.read(after, limit)
    }
}

/// A log in a database that somebody else may be writing.
struct Kept {
    shard: ShardName,
    source: Source,
    reader: Arc<dyn Reader>,
}

impl Log for Kept {
    fn source(&self) -> &Source {
        &self.source
    }

    fn last(&self) -> Stored<u64> {
        self.reader.last_position(self.shard)
    }

    fn read(&self, after: u64, limit: usize) -> Stored<Vec<Arc<Recorded>>> {
        let events = self.reader.events_after(self.shard, after, limit)?;
        Ok(events.into_iter().map(Arc::new).collect())
    }
}

/// The logs of all services that say something, read from their databases.
pub fn logs(readers: &Readers) -> Stored<Vec<Arc<dyn Log>>> {
    let moment = Moment::take(readers)?;
    let mut logs: Vec<Arc<dyn Log>> = Vec::new();
    for service in TELLING {
        let reader = reader(readers, service);
        for index in 0..moment.shards(service) {
            let source = Source { log: reader.log(), service: Cow::Borrowed(service), shard: index };
            logs.push(Arc::new(Kept { shard: ShardName { service, index }, source, reader: reader.clone() }));
        }
    }
    Ok(logs)
}

/// Where a stream of events begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// With what happens from now on.
    Now,
    Beginning,
    /// After the cursor that came with an event.
    After(String),
    /// After a position of each log.
    Positions(Vec<u64>),
}

/// Which events somebody wants to hear of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Nothing for all.
    pub types: Option<Vec<String>>,
    /// Nothing for all.
    pub services: Option<Vec<String>>,
    /// Nothing for all.
    pub call_ids: Option<BTreeSet<u64>>,
    /// Private notes of the services as well.
    pub with_private: bool,
}

impl Filter {
    pub fn takes(&self, event: &Recorded) -> bool {
        let among = |wanted: &Option<Vec<String>>, name: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted.iter().any(|wanted| wanted == name))
        };
        (event.published || self.with_private)
            && self.call_ids.as_ref().is_none_or(|wanted| wanted.contains(&event.entity_id))
            && among(&self.types, &event.event_type)
            && among(&self.services, &event.source.service)
    }
}

/// The types of event that there are, in the order of the services.
pub fn known_types(with_private: bool) -> Vec<&'static str> {
    let events = sample::every_event();
    let wanted = events.iter().filter(|event| with_private || event.is_published());
    wanted.map(|event| event.type_name()).collect()
}

/// The event that led to another: `event <service>/<shard>/<position>`.
pub(crate) fn cause_of(text: &str) -> Option<(&str, u16, u64)> {
    let mut parts = text.strip_prefix("event ")?.split('/');
    let (service, shard, position) = (parts.next()?, parts.next()?, parts.next()?);
    Some((service, shard.parse().ok()?, position.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::clock::Timestamp;
    use engine::log::{Cause, LogId};

    fn recorded() -> Recorded {
        let source = Source { log: LogId(1), service: "payment".into(), shard: 3 };
        let cause = Cause::Event { source: source.clone(), position: 42 };
        Recorded {
            source,
            position: 17,
            entity_kind: "payment".into(),
            entity_id: 5,
            version: 2,
            event_type: "FarePaid".into(),
            schema: 1,
            published: true,
            at: Timestamp(1_795_472_466_964),
            actor: "rider".into(),
            cause: cause.to_string(),
            trace: None,
            body: r#"{"payId":5}"#.into(),
        }
    }

    #[test]
    fn a_cause_is_read_as_the_engine_writes_it() {
        assert_eq!(cause_of(&recorded().cause), Some(("payment", 3, 42)));
        assert_eq!(cause_of(&Cause::Request("event".into()).to_string()), None);
    }

    #[test]
    fn the_envelope_is_golden() {
        let envelope = Envelope::of(&recorded());
        let golden = r#"{"service":"payment","shard":3,"position":17,"version":2,"type":"FarePaid","schema":1,"published":true,"at":"2026-11-23T22:21:06.964Z","actor":"rider","cause":"event payment/3/42","callId":5,"body":{"payId":5}}"#;
        assert_eq!(serde_json::to_string(&envelope).unwrap(), golden);
        let line = r#"2026-11-23T22:21:06.964Z  payment/3/17  FarePaid  call 5  rider, event payment/3/42  {"payId":5}"#;
        assert_eq!(envelope.to_string(), line);
        let odd = Recorded { body: "no json".into(), ..recorded() };
        assert_eq!(Envelope::of(&odd).body, Value::String("no json".into()));
    }

    #[test]
    fn a_filter_takes_what_is_wanted() {
        let event = recorded();
        let some = |name: &str| Some(vec![name.to_owned()]);
        let check = |filter: Filter, takes: bool| assert_eq!(filter.takes(&event), takes, "{filter:?}");
        check(Filter::default(), true);
        check(Filter { types: some("FarePaid"), services: some("payment"), ..Filter::default() }, true);
        check(Filter { types: some("FareAsked"), ..Filter::default() }, false);
        check(Filter { services: some("call"), ..Filter::default() }, false);
        let of_calls = |ids: &[u64]| Some(ids.iter().copied().collect());
        check(Filter { call_ids: of_calls(&[5]), ..Filter::default() }, true);
        check(Filter { call_ids: of_calls(&[4, 5]), ..Filter::default() }, true);
        check(Filter { call_ids: of_calls(&[4, 6]), ..Filter::default() }, false);
        check(Filter { call_ids: of_calls(&[]), ..Filter::default() }, false);
        let private = Recorded { published: false, ..recorded() };
        assert!(!Filter::default().takes(&private));
        assert!(Filter { with_private: true, ..Filter::default() }.takes(&private));
        assert_eq!((known_types(false).len(), known_types(true).len()), (11, 26));
    }
}
