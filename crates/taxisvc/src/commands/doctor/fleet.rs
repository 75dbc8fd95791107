//! Services that run by themselves: their databases, and how far each of them has told the topic and read it.

use super::Findings;
use super::data;
use crate::config::Config;
use crate::config::secret::without_password;
use crate::{databases, kafka};
use engine::clock::{Clock, SystemClock, Timestamp};
use engine::log::ShardName;
use engine::store::{Reader, Stored};
use engine::topic::{is_told_key, read_key};
use engine_kafka::inspect::{self as topic, InspectError};
use engine_postgres::inspect::{self as server, Inspection};
use std::collections::BTreeSet;
use wiring::{Layout, Readers, TELLING, call, drive, payment, view};

/// Clocks that are further apart than this make deadlines late, and events look older than what led to them.
const SKEW_MS_MAX: i64 = 1_000;
/// Of the connections that a server takes; above it the next replica may find none.
const CONNECTIONS_USED_PERCENT_MAX: u64 = 80;
/// What waits longer to be told is held up by something.
const UNTOLD_MS_MAX: i64 = 10_000;
/// Events that are looked through for the oldest that is not told.
const UNTOLD_LOOKED_AT: usize = 1_000;
/// What is further behind is not just about to read it.
const UNREAD_MAX: u64 = 10_000;

/// Looks at everything but the processes themselves. The databases, if all of them can be read.
pub(super) fn look(config: &Config, findings: &mut Findings) -> Option<Readers> {
    let mut servers = BTreeSet::new();
    let mut are_all_there = true;
    for (name, services) in Layout::Apart.groups() {
        are_all_there &= database(config, (name, &services), &mut servers, findings);
    }
    let readers = are_all_there.then(|| databases::look(config)).and_then(|readers| match readers {
        Ok(readers) => Some(readers),
        Err(error) => {
            findings.wrong("databases", format!("{error:#}"), "see above");
            None
        }
    });
    if let Some(readers) = &readers {
        data::work(readers, Some(SystemClock.now()), findings);
    }
    topic(config, readers.as_ref(), findings);
    readers
}

/// Whether it is there and can be read.
fn database(
    config: &Config,
    (name, services): (&str, &[&'static str]),
    servers: &mut BTreeSet<String>,
    findings: &mut Findings,
) -> bool {
    let check = format!("database {name}");
    let options = databases::options(config, services);
    let address = without_password(&options.url);
    let inspection = match server::inspect(&options, &SystemClock) {
        Ok(inspection) => inspection,
        Err(error) => {
            let to_do = databases::to_do(name, &error);
            findings.wrong(&check, format!("{address}: {error}"), &to_do);
            return false;
        }
    };
    // Databases of one server have its settings and its clock in common.
    if servers.insert(address.rsplit_once('/').map_or(address.clone(), |(server, _)| server.to_owned())) {
        of_server(&inspection, findings);
    }
    let Inspection { version, tables: Some(tables), sessions, .. } = &inspection else {
        let says = format!("{address}: PostgreSQL {}; there are no tables in it yet", inspection.version);
        findings.warn(&check, says, &format!("taxisvc {name}: its first start makes them"));
        return false;
    };
    match engine_postgres::Database::open_read_only(&options) {
        Ok(database) => {
            let log = database.log();
            let says = format!(
                "{address}: PostgreSQL {version}, tables of version {tables}, log {log}; connections of taxisvc: {sessions}"
            );
            findings.ok(&check, says);
            true
        }
        Err(error) => {
            let to_do = databases::to_do(name, &error);
            findings.wrong(&check, format!("{address}: {error}"), &to_do);
            false
        }
    }
}

fn of_server(inspection: &Inspection, findings: &mut Findings) {
    let off: Vec<&str> =
        inspection.durable.iter().filter(|(_, value)| value == "off").map(|(name, _)| *name).collect();
    match off.as_slice() {
        [] => findings.ok("durability", "PostgreSQL keeps what it has acknowledged"),
        // Every session of ours that writes sets it on.
        ["synchronous_commit"] => {
            findings.ok("durability", "synchronous_commit is off at PostgreSQL, and on for taxisvc");
        }
        off => findings.wrong(
            "durability",
            format!("a power cut loses what was acknowledged: {} is off at PostgreSQL", off.join(" and ")),
            "set it on in postgresql.conf, and load that anew",
        ),
    }
    let (ahead, off_by) = (inspection.ahead_ms, inspection.off_ms);
    let says = if ahead < 0 {
        format!("PostgreSQL's is {} ms behind this machine's, give or take {off_by}", -ahead)
    } else {
        format!("PostgreSQL's is {ahead} ms ahead of this machine's, give or take {off_by}")
    };
    if ahead.abs() > SKEW_MS_MAX + off_by {
        findings.warn("clocks", says, "keep both by NTP: deadlines and turns of replicas rest on them");
    } else {
        findings.ok("clocks", says);
    }
    let (used, most) = inspection.connections;
    let says = format!("PostgreSQL has {used} of {most}");
    if used * 100 > most * CONNECTIONS_USED_PERCENT_MAX {
        findings.warn(
            "connections",
            says,
            "raise max_connections of PostgreSQL, or lower postgres.connections_max: a replica has two more than that",
        );
    } else {
        findings.ok("connections", says);
    }
}

fn topic(config: &Config, readers: Option<&Readers>, findings: &mut Findings) {
    const CHECK: &str = "kafka";
    let (brokers, name) = (&config.kafka.brokers, &config.kafka.topic);
    match topic::inspect(&kafka::settings(config, "doctor")) {
        Err(InspectError::Settings(error)) => {
            findings.wrong(CHECK, error.to_string(), "see kafka.* in the settings");
        }
        Err(error @ InspectError::Unavailable(_)) => {
            let to_do = "see that Kafka runs there, or set kafka.brokers; until it answers, what happens is stored, and told then";
            findings.wrong(CHECK, format!("{brokers}: {error}"), to_do);
        }
        Ok(None) => {
            findings.ok(CHECK, format!("{brokers} answers"));
            let says = format!("there is no topic {name:?} yet");
            findings.warn("topic", says, "start a service: the first one makes it");
        }
        Ok(Some(inspection)) => {
            findings.ok(CHECK, format!("{brokers} answers"));
            of_topic(config, &inspection, findings);
            readers.into_iter().for_each(|readers| reading(readers, &inspection, config, findings));
        }
    }
    readers.into_iter().for_each(|readers| telling(readers, config, findings));
}

fn of_topic(config: &Config, inspection: &topic::Inspection, findings: &mut Findings) {
    const CHECK: &str = "topic";
    let (name, kafka) = (&config.kafka.topic, &config.kafka);
    let topic::Inspection { partitions, replicas, forgets, in_sync_min, id, .. } = inspection;
    let in_sync = in_sync_min.map_or_else(String::new, |least| format!(", {least} of them to acknowledge"));
    let says = format!("{name:?} ({id}) has {partitions} partitions, {replicas} copies of each{in_sync}");
    if *partitions != kafka.partitions {
        let to_do = "set kafka.partitions to what it has; operations.md says what it takes to raise it";
        findings.warn(CHECK, format!("{says}; configured are {} partitions", kafka.partitions), to_do);
    } else if *replicas < u32::from(kafka.replication) {
        let to_do = "give it more copies with Kafka's tools, or set kafka.replication to what it has";
        findings.warn(CHECK, format!("{says}; configured are {} copies", kafka.replication), to_do);
    } else {
        findings.ok(CHECK, says);
    }
    match forgets {
        None => findings.ok("retention", "the topic keeps everything"),
        Some(forgets) => findings.warn(
            "retention",
            format!("the topic does not keep everything ({forgets}): the view cannot be made anew from it for ever"),
            "set retention.ms=-1, retention.bytes=-1 and cleanup.policy=delete for it",
        ),
    }
}

/// Of each service that hears the topic, what it has not read of it.
fn reading(readers: &Readers, inspection: &topic::Inspection, config: &Config, findings: &mut Findings) {
    for (service, reader) in readers_of(readers) {
        match unread(&**reader, service, (inspection, config.store.shards)) {
            Err(error) => {
                findings.wrong(&format!("reads {service}"), error.to_string(), "see its database above")
            }
            Ok(unread) => {
                let is_empty = inspection.ends.values().all(|end| *end == 0);
                of_reading(service, if is_empty { Some(0) } else { unread }, findings);
            }
        }
    }
}

/// What a service has not read of a topic; nothing where it has read nothing of it.
fn of_reading(service: &str, unread: Option<u64>, findings: &mut Findings) {
    let check = format!("reads {service}");
    match unread {
        None => findings.warn(
            &check,
            "it has read nothing of the topic yet",
            &format!("see that {service} runs, what it logs, and that it may read the topic and its group"),
        ),
        Some(0) => findings.ok(&check, "it has read all of the topic"),
        Some(unread) if unread <= UNREAD_MAX => {
            findings.ok(&check, format!("it has {unread} messages of the topic before it"));
        }
        Some(unread) => findings.warn(
            &check,
            format!("it is {unread} messages of the topic behind"),
            &format!("see that {service} runs, and what it logs; it catches up by itself, and faster with more replicas"),
        ),
    }
}

fn unread(
    reader: &dyn Reader,
    service: &'static str,
    (inspection, shards): (&topic::Inspection, u16),
) -> Stored<Option<u64>> {
    let mut least: Option<u64> = None;
    for index in 0..shards {
        let rows = reader.inbox(ShardName { service, index })?;
        let next = |partition: u32| {
            let key = read_key(inspection.id, partition);
            rows.iter().find(|(known, _)| *known == key).map(|(_, next)| *next)
        };
        let has_read = inspection.ends.keys().any(|partition| next(*partition).is_some());
        let left =
            inspection.ends.iter().map(|(partition, end)| end.saturating_sub(next(*partition).unwrap_or(0)));
        let left: u64 = left.sum();
        if has_read {
            least = least.max(Some(left));
        }
    }
    Ok(least)
}

/// Of each service that tells the topic, what it has not told yet.
fn telling(readers: &Readers, config: &Config, findings: &mut Findings) {
    let now = SystemClock.now();
    for (service, reader) in readers_of(readers).into_iter().filter(|(name, _)| TELLING.contains(name)) {
        let check = format!("tells {service}");
        match untold(&**reader, service, config.store.shards) {
            Err(error) => findings.wrong(&check, error.to_string(), "see its database above"),
            Ok(None) => findings.ok(&check, "the topic has been told everything"),
            Ok(Some((count, oldest))) => {
                let age_ms = (now.0 - oldest.0).max(0);
                let says =
                    format!("{count} events are not told to the topic, the oldest for {} s", age_ms / 1_000);
                if age_ms > UNTOLD_MS_MAX {
                    let to_do = format!(
                        "see Kafka, and that a replica of {service} runs; then they are told by themselves"
                    );
                    findings.warn(&check, says, &to_do);
                } else {
                    findings.ok(&check, says);
                }
            }
        }
    }
}

/// How many published events are not told, and when the oldest of them happened.
fn untold(reader: &dyn Reader, service: &'static str, shards: u16) -> Stored<Option<(u64, Timestamp)>> {
    let mut found: Option<(u64, Timestamp)> = None;
    for index in 0..shards {
        let shard = ShardName { service, index };
        let rows = reader.inbox(shard)?;
        let of_relay = rows.iter().filter(|(key, _)| is_told_key(key));
        let told = of_relay.map(|(_, told)| *told).max().unwrap_or(0);
        let events = reader.events_after(shard, told, UNTOLD_LOOKED_AT)?;
        for event in events.iter().filter(|event| event.published) {
            let (count, oldest) = found.unwrap_or((0, event.at));
            found = Some((count + 1, oldest.min(event.at)));
        }
    }
    Ok(found)
}

fn readers_of(readers: &Readers) -> [(&'static str, &std::sync::Arc<dyn Reader>); 4] {
    [
        (call::NAME, &readers.call),
        (payment::NAME, &readers.payment),
        (drive::NAME, &readers.drive),
        (view::NAME, &readers.view),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;
    use engine::log::LogId;

    fn of(inspection: &Inspection) -> Vec<(String, State)> {
        let mut findings = Findings::default();
        of_server(inspection, &mut findings);
        findings.findings.into_iter().map(|finding| (finding.check, finding.state)).collect()
    }

    #[test]
    fn a_server_that_forgets_or_has_another_time_or_no_room_is_told_of() {
        let on = |name| (name, "on".to_owned());
        let well = Inspection {
            version: "15.14".to_owned(),
            tables: Some(1),
            durable: [on("fsync"), on("full_page_writes"), on("synchronous_commit")],
            ahead_ms: -999,
            off_ms: 1,
            sessions: 3,
            sessions_for_ms: None,
            others: 3,
            connections: (80, 100),
        };
        let states =
            |inspection: &Inspection| of(inspection).into_iter().map(|(_, state)| state).collect::<Vec<_>>();
        assert_eq!(states(&well), [State::Ok, State::Ok, State::Ok]);
        let mut lax = well;
        lax.durable[2].1 = "off".to_owned();
        assert_eq!(states(&lax), [State::Ok, State::Ok, State::Ok], "our sessions set it");
        lax.durable[0].1 = "off".to_owned();
        let late = Inspection { ahead_ms: -1_002, connections: (81, 100), ..lax };
        assert_eq!(states(&late), [State::Wrong, State::Warn, State::Warn]);
        assert_eq!(of(&late)[1].0, "clocks");
    }

    #[test]
    fn a_service_that_does_not_read_is_told_of() {
        let state = |unread| {
            let mut findings = Findings::default();
            of_reading("drive", unread, &mut findings);
            findings.findings.pop().map(|finding| (finding.check, finding.state))
        };
        let of = |state| Some(("reads drive".to_owned(), state));
        assert_eq!(state(None), of(State::Warn), "its group may not read, say");
        assert_eq!(state(Some(0)), of(State::Ok));
        assert_eq!(state(Some(UNREAD_MAX)), of(State::Ok));
        assert_eq!(state(Some(UNREAD_MAX + 1)), of(State::Warn));
    }

    #[test]
    fn a_topic_that_is_not_as_configured_is_told_of() {
        let config = Config::default();
        let states = |inspection: &topic::Inspection| {
            let mut findings = Findings::default();
            of_topic(&config, inspection, &mut findings);
            findings.findings.into_iter().map(|finding| finding.state).collect::<Vec<_>>()
        };
        let well = topic::Inspection {
            id: LogId(7),
            partitions: config.kafka.partitions,
            replicas: u32::from(config.kafka.replication),
            forgets: None,
            in_sync_min: Some(1),
            ends: std::collections::BTreeMap::new(),
        };
        assert_eq!(states(&well), [State::Ok, State::Ok]);
        let other = topic::Inspection { partitions: well.partitions + 1, ..well.clone() };
        assert_eq!(states(&other), [State::Warn, State::Ok]);
        let few = topic::Inspection { replicas: 0, forgets: Some("retention.ms=1".to_owned()), ..well };
        assert_eq!(states(&few), [State::Warn, State::Warn]);
    }
}
