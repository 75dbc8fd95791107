//! The real server: the release binary beside this one, on ports of its own, over a data directory on this disk.

use anyhow::Context;
use engine::clock::Stopwatch;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

use crate::client::Connection;

const PORTS: [&str; 6] = ["gateway", "call", "payment", "drive", "view", "web"];
/// A tick of the processor time that Linux tells, whatever the machine.
const TICK_MS: f64 = 10.0;

/// A server process; it is killed, not stopped, so that only what is on the disk can be found afterwards.
pub(crate) struct Server {
    child: Child,
    addresses: Vec<(String, SocketAddr)>,
    /// From the start of the process to the first 200 of `/health/ready`.
    pub(crate) ready_after: Duration,
    /// Open for as long as the server may write to it.
    _stdout: BufReader<ChildStdout>,
}

pub(crate) fn new_data() -> anyhow::Result<TempDir> {
    tempfile::Builder::new().prefix(".bench-").tempdir_in(".").context("a directory on this disk")
}

impl Server {
    pub(crate) async fn start(data: &Path) -> anyhow::Result<Self> {
        let program = std::env::current_exe()?.with_file_name("taxisvc");
        let data = data.canonicalize()?;
        let mut command = Command::new(&program);
        command.args(["--log", "warn", "--data"]).arg(data.join("data")).arg("up");
        // A file of settings that happens to lie here is not what is measured.
        command.current_dir(&data).stdin(Stdio::null()).stdout(Stdio::piped());
        for port in PORTS {
            command.env(format!("TAXISVC_PORTS_{}", port.to_uppercase()), "0");
        }
        let stopwatch = Stopwatch::start();
        let mut child =
            command.spawn().with_context(|| format!("cannot start {}: is it built?", program.display()))?;
        let mut stdout = BufReader::new(child.stdout.take().context("the server's output")?);
        let addresses = read_addresses(&mut stdout, PORTS.len());
        let mut server = Self { child, addresses: addresses?, ready_after: Duration::ZERO, _stdout: stdout };
        let mut connection = Connection::open(server.address("gateway")?).await?;
        while connection.get("/health/ready").await?.status != 200 {
            tokio::task::yield_now().await;
        }
        server.ready_after = stopwatch.elapsed();
        Ok(server)
    }

    /// A server that stores nothing, for the most that this machine and this client could reach.
    pub(crate) fn start_bare() -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--serve-bare").stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start this program again")?;
        let mut stdout = BufReader::new(child.stdout.take().context("the server's output")?);
        let addresses = read_addresses(&mut stdout, 1)?;
        Ok(Self { child, addresses, ready_after: Duration::ZERO, _stdout: stdout })
    }

    pub(crate) fn address(&self, port: &str) -> anyhow::Result<SocketAddr> {
        let found = self.addresses.iter().find(|(name, _)| name == port);
        found.map(|(_, address)| *address).with_context(|| format!("the server told no port for {port}"))
    }

    pub(crate) fn processor_ms(&self) -> anyhow::Result<f64> {
        processor_ms(self.child.id())
    }

    pub(crate) fn resident_mb(&self) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .context("memory is read from /proc, on Linux only")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let kilobytes: f64 = kilobytes.context("the form of /proc/*/status")?.trim().parse()?;
        Ok(kilobytes * 1024.0 / 1e6)
    }
}

/// Processor time of all threads of a process, its own and the system's for it.
pub(crate) fn processor_ms(process: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))
        .context("processor time is read from /proc, on Linux only")?;
    let (_, after_name) = stat.rsplit_once(") ").context("the form of /proc/*/stat")?;
    // Counted from the state, which follows the name: user and system time are the 12th and 13th.
    let ticks = after_name.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap_or(0.0));
    Ok(ticks.sum::<f64>() * TICK_MS)
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have died by itself; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lines of a name and an address, as the server greets with.
fn read_addresses(stdout: &mut impl BufRead, count: usize) -> anyhow::Result<Vec<(String, SocketAddr)>> {
    let mut addresses = Vec::new();
    let mut line = String::new();
    while addresses.len() < count {
        line.clear();
        anyhow::ensure!(stdout.read_line(&mut line)? > 0, "the server ended before it listened");
        if let Some((name, address)) = line.trim().split_once(" http://") {
            addresses.push((name.trim().to_owned(), address.parse().context("an address")?));
        }
    }
    Ok(addresses)
}
