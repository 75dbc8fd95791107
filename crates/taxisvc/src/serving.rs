//! Answering on the ports of a process until it is told to stop or has to, and draining them then.

use crate::config::Config;
use crate::edge::server_settings;
use crate::servers::{self, Port};
use anyhow::Context;
use gateway::server::{ServerSettings, Shutdown, Switch};
use sd_notify::NotifyState;
use std::pin::pin;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// How long requests may take to hear of it, once the engine has failed.
const DRAIN_AFTER_FAILURE: Duration = Duration::from_secs(1);
/// What the ports may take beyond their own limit before they are left.
const DRAIN_MARGIN: Duration = Duration::from_secs(1);

/// How a process comes to its end.
pub(crate) struct Ending {
    signals: StopSignals,
    settings: ServerSettings,
    switch: Switch,
    shutdown: Shutdown,
}

impl Ending {
    /// From now on whoever stops the process finds it draining, not dead: to be made before it says that it listens.
    pub(crate) fn prepare(config: &Config) -> anyhow::Result<Self> {
        let (switch, shutdown) = Switch::new();
        Ok(Self { signals: StopSignals::listen()?, settings: server_settings(config), switch, shutdown })
    }

    pub(crate) fn shutdown(&self) -> Shutdown {
        self.shutdown.clone()
    }

    /// Answers until a signal comes or there is a failure; then `stopping` turns true, what `announced` is taken back, and
    /// what is under way is finished.
    pub(crate) async fn serve<A>(
        self,
        ports: Vec<Port>,
        stopping: &watch::Sender<bool>,
        mut failed: watch::Receiver<Option<String>>,
        announced: A,
    ) {
        let Self { mut signals, settings, switch, shutdown } = self;
        tell_supervisor(NotifyState::Ready);
        let mut serving = pin!(servers::run(ports, &settings, &shutdown));
        let has_failed = tokio::select! {
            () = &mut serving => false,
            () = signals.received() => false,
            // Nobody is left who could fail where the sender is gone.
            failed = failed.wait_for(Option::is_some) => failed.is_ok(),
        };
        drop(announced);
        tell_supervisor(NotifyState::Stopping);
        stopping.send_replace(true);
        switch.turn_off();
        let patience =
            if has_failed { DRAIN_AFTER_FAILURE } else { settings.drain_grace + settings.drain_max };
        tracing::info!(?patience, "stopping; whoever asks again is not waited for");
        tokio::select! {
            () = &mut serving => {}
            () = tokio::time::sleep(patience + DRAIN_MARGIN) => {}
            () = signals.received() => tracing::warn!("asked again: what was under way is cut off"),
        }
    }
}

/// The signals that ask the process to stop. They are listened to before it says that it listens: whoever stops it right
/// after that finds it draining, not dead.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen to the signals that stop a process");
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    /// Until one comes.
    async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Whoever started this process may wait until it serves, as systemd does.
fn tell_supervisor(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "whoever started this process could not be told how it is");
    }
}
