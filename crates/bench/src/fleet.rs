//! Each service as a process of its own, over Kafka and PostgreSQL, behind a gateway: one of each.

use anyhow::{Context, bail};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio_postgres::NoTls;

use crate::client::Connection;
use crate::server::processor_ms;

pub(crate) const ROLES: [&str; 4] = ["call", "payment", "drive", "view"];
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// A process that is not ready after so many looks will not be.
const LOOKS_MAX: u32 = 12_000;

/// What the processes run on.
#[derive(Debug, Clone)]
pub(crate) struct Outside {
    pub(crate) kafka: String,
    /// A database of it, for making others.
    pub(crate) postgres: String,
}

/// A topic and databases of one run.
pub(crate) struct Place {
    outside: Outside,
    name: String,
    folder: TempDir,
}

impl Place {
    pub(crate) async fn make(outside: &Outside) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("bench").tempdir().context("a temporary directory")?;
        let name = folder.path().file_name().context("a directory has a name")?;
        let name = format!("{}_{}", name.to_string_lossy().to_lowercase(), std::process::id());
        let place = Self { outside: outside.clone(), name, folder };
        for role in ROLES {
            place.sql(&format!("CREATE DATABASE {}_{role}", place.name)).await?;
        }
        Ok(place)
    }

    /// Gives the disk back; the topic goes with the Kafka.
    pub(crate) async fn remove(self) -> anyhow::Result<()> {
        for role in ROLES {
            self.sql(&format!("DROP DATABASE {}_{role} WITH (FORCE)", self.name)).await?;
        }
        Ok(())
    }

    async fn sql(&self, statement: &str) -> anyhow::Result<()> {
        let (client, connection) = tokio_postgres::connect(&self.outside.postgres, NoTls).await?;
        let talk = tokio::spawn(connection);
        client.batch_execute(statement).await.with_context(|| statement.to_owned())?;
        drop(client);
        Ok(talk.await??)
    }

    fn database(&self, role: &str) -> anyhow::Result<String> {
        let (server, _) = self.outside.postgres.rsplit_once('/').context("an address of a database")?;
        Ok(format!("{server}/{}_{role}", self.name))
    }

    /// A process of a service, on a port that is free, with the brokers that it is to believe in.
    pub(crate) fn start(&self, role: &'static str, brokers: Option<&str>) -> anyhow::Result<Process> {
        let mut command = self.command(role)?;
        let port = free_port()?;
        command.env(format!("TAXISVC_PORTS_{}", role.to_uppercase()), port.to_string());
        if let Some(brokers) = brokers {
            command.env("TAXISVC_KAFKA_BROKERS", brokers);
        }
        Process::start(command, role, port)
    }

    fn command(&self, role: &str) -> anyhow::Result<Command> {
        let program = std::env::current_exe()?.with_file_name("taxisvc");
        let mut command = Command::new(program);
        command.args(["--log", "warn", role]).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.env("TAXISVC_STORE_KIND", "postgres").env("TAXISVC_OPERATOR_TOKEN", "bench-operator-token");
        command.env("TAXISVC_KAFKA_BROKERS", &self.outside.kafka).env("TAXISVC_KAFKA_TOPIC", &self.name);
        for role in ROLES {
            command.env(format!("TAXISVC_POSTGRES_{}", role.to_uppercase()), self.database(role)?);
        }
        Ok(command)
    }
}

/// One process; it is killed in the end, so that only what is stored can be found afterwards.
pub(crate) struct Process {
    pub(crate) role: &'static str,
    pub(crate) address: SocketAddr,
    child: Child,
}

impl Process {
    fn start(mut command: Command, role: &'static str, port: u16) -> anyhow::Result<Self> {
        let child = command.spawn().with_context(|| format!("cannot start {role}: is it built?"))?;
        Ok(Self { role, address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)), child })
    }

    pub(crate) async fn ready(&mut self) -> anyhow::Result<()> {
        for _ in 0..LOOKS_MAX {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended by itself: {status}", self.role);
            }
            if let Ok(mut connection) = Connection::open(self.address).await
                && connection.get("/health/ready").await.is_ok_and(|answer| answer.status == 200)
            {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        bail!("{} does not become ready", self.role)
    }

    pub(crate) fn processor_ms(&self) -> anyhow::Result<f64> {
        processor_ms(self.child.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have died by itself; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All five processes.
pub(crate) struct Fleet {
    pub(crate) services: Vec<Process>,
    pub(crate) gateway: Process,
}

impl Fleet {
    pub(crate) async fn start(place: &Place) -> anyhow::Result<Self> {
        let mut services = Vec::new();
        for role in ROLES {
            services.push(place.start(role, None)?);
        }
        for service in &mut services {
            service.ready().await?;
        }
        let mut command = place.command("gateway")?;
        for service in &services {
            let name = format!("TAXISVC_UPSTREAMS_{}", service.role.to_uppercase());
            command.env(name, service.address.to_string());
        }
        let port = free_port()?;
        command.env("TAXISVC_PORTS_GATEWAY", port.to_string());
        let mut gateway = Process::start(command, "gateway", port)?;
        gateway.ready().await?;
        Ok(Self { services, gateway })
    }

    /// Processor time by process, in milliseconds.
    pub(crate) fn processor_ms(&self) -> anyhow::Result<Vec<(&'static str, f64)>> {
        let all = self.services.iter().chain([&self.gateway]);
        all.map(|process| Ok((process.role, process.processor_ms()?))).collect()
    }
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
