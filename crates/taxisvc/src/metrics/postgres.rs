//! The figures of the connections to PostgreSQL.

use super::tell;
use engine_postgres::connections::Counted;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use std::fmt;

/// To the database of this name.
#[derive(Debug)]
pub(super) struct Told(pub(super) &'static str, pub(super) Counted);

impl Collector for Told {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Self(database, Counted { open, opened, failed }) = self;
        let labels = [("database", *database)];
        let open = ConstGauge::new(i64::try_from(*open).unwrap_or(i64::MAX));
        let help = "Connections to a database that are open";
        tell(&mut encoder, ("database_connections", help), &[(labels, open)])?;
        let help = "Connections opened since the start, those again that were lost";
        tell(&mut encoder, ("database_connections_opened", help), &[(labels, ConstCounter::new(*opened))])?;
        let help = "Connections that could not be opened";
        tell(&mut encoder, ("database_connections_failed", help), &[(labels, ConstCounter::new(*failed))])
    }
}
