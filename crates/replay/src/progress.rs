//! A progress bar on a terminal, and nothing anywhere else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::JoinHandle;

use crate::tally::Tally;

const REFRESH_INTERVAL: Duration = Duration::from_millis(200);
const TEMPLATE: &str = "{percent:>3}% {bar:30} {elapsed_precise} {msg}";

/// How far the reading has come: rows where a limit is set, else the file's bytes.
pub(crate) struct Extent {
    pub(crate) rows_max: Option<u64>,
    pub(crate) bytes_read: Arc<AtomicU64>,
    pub(crate) bytes_total: u64,
}

pub(crate) struct Progress {
    bar: ProgressBar,
    refresher: Option<JoinHandle<()>>,
}

impl Progress {
    pub(crate) fn start(quiet: bool, extent: Extent, tally: Arc<Tally>) -> Self {
        let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(Some(extent.rows_max.unwrap_or(extent.bytes_total)), target);
        if bar.is_hidden() {
            return Self { bar, refresher: None };
        }
        bar.set_style(
            ProgressStyle::with_template(TEMPLATE).expect("the template is a constant that parses"),
        );
        let refresher = tokio::spawn(refresh(bar.clone(), extent, tally));
        Self { bar, refresher: Some(refresher) }
    }

    pub(crate) fn finish(self) {
        if let Some(refresher) = self.refresher {
            refresher.abort();
        }
        self.bar.finish_and_clear();
    }
}

async fn refresh(bar: ProgressBar, extent: Extent, tally: Arc<Tally>) {
    let mut interval = tokio::time::interval(REFRESH_INTERVAL);
    let mut ended_before = 0;
    loop {
        interval.tick().await;
        let now = tally.glance();
        let position =
            if extent.rows_max.is_some() { now.read } else { extent.bytes_read.load(Ordering::Relaxed) };
        let rate = (now.ended - ended_before) as f64 / REFRESH_INTERVAL.as_secs_f64();
        ended_before = now.ended;
        bar.set_position(position);
        bar.set_message(format!(
            "{} trips ended, {} under way, {rate:.0}/s{}",
            now.ended,
            now.read - now.ended,
            if now.repeated > 0 { format!(", {} requests repeated", now.repeated) } else { String::new() }
        ));
    }
}
