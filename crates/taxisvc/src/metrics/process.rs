//! The process as the system sees it, under the names that every program gives these figures.

use super::{tell, tell_one};
use crate::version::VERSION;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::fmt;

/// Which program it is.
pub(super) fn register_build(registry: &mut Registry) {
    let labels = [("version", VERSION)];
    registry.register_collector(Box::new(Build(labels)));
}

#[derive(Debug)]
struct Build([(&'static str, &'static str); 1]);

impl Collector for Build {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Always 1; the label says which program it is.";
        tell(&mut encoder, ("build_info", help), &[(self.0, ConstGauge::new(1_i64))])
    }
}

#[derive(Debug)]
pub(super) struct Process;

/// What the system knows of this process.
struct Seen {
    cpu_seconds: f64,
    resident_bytes: u64,
    open_files: u64,
    open_files_max: u64,
    threads: u64,
    started_at_seconds: f64,
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        // Where the system does not tell, nothing is told.
        let Some(seen) = look() else { return Ok(()) };
        let cpu = ConstCounter::new(seen.cpu_seconds);
        tell_one(&mut encoder, ("process_cpu_seconds", "Time on processors"), &cpu)?;
        let gauges = [
            ("process_resident_memory_bytes", "Memory in use", seen.resident_bytes as f64),
            ("process_open_fds", "Open files, connections included", seen.open_files as f64),
            ("process_max_fds", "Files that may be open", seen.open_files_max as f64),
            ("process_threads", "Threads", seen.threads as f64),
            ("process_start_time_seconds", "When it was started, since 1970", seen.started_at_seconds),
        ];
        for (name, help, value) in gauges {
            tell_one(&mut encoder, (name, help), &ConstGauge::new(value))?;
        }
        Ok(())
    }
}

#[cfg(target_os = "linux")]
fn look() -> Option<Seen> {
    use procfs::process::{LimitValue, Process};
    let process = Process::myself().ok()?;
    let stat = process.stat().ok()?;
    let ticks = procfs::ticks_per_second() as f64;
    let files_max = match process.limits().ok()?.max_open_files.soft_limit {
        LimitValue::Value(files) => files,
        LimitValue::Unlimited => u64::MAX,
    };
    Some(Seen {
        cpu_seconds: (stat.utime + stat.stime) as f64 / ticks,
        resident_bytes: stat.rss * procfs::page_size(),
        open_files: process.fd_count().ok()? as u64,
        open_files_max: files_max,
        threads: u64::try_from(stat.num_threads).ok()?,
        started_at_seconds: procfs::boot_time_secs().ok()? as f64 + stat.starttime as f64 / ticks,
    })
}

#[cfg(not(target_os = "linux"))]
fn look() -> Option<Seen> {
    None
}
