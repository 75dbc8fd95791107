//! PostgreSQL from the distribution's packages, as the user it wants: never root.

use super::notes::{DATABASES, PostgresNote, with_database};
use super::{expect_free, process};
use anyhow::{Context, bail};
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Older ones lack what our migrations say.
const VERSION_MIN: u32 = 15;
const PORT_DEFAULT: u16 = 5432;
/// Where Debian has its versions.
const VERSIONS: &str = "/usr/lib/postgresql";
/// Whose the server is when root asks for it, as in the distribution's packages.
const OWNER: &str = "postgres";
const ROLE: &str = "taxisvc";
/// What the server is set to, besides its port. A commit is on the disk, as in production.
const SETTINGS: &str = "unix_socket_directories = ''
max_connections = 400
fsync = on
synchronous_commit = on
";

/// Who comes over a network that this machine is on itself is let in as one on this machine is.
const NEIGHBOURS: &str = "host all all samenet trust\n";

pub(super) struct Postgres {
    folder: PathBuf,
    note: PostgresNote,
    /// Whom its programs are run as, when it is not whoever runs this.
    owner: Option<&'static str>,
}

impl Postgres {
    pub(super) fn of(folder: &Path, note: Option<PostgresNote>) -> anyhow::Result<Self> {
        let note = note.unwrap_or(PostgresNote {
            host: Ipv4Addr::LOCALHOST,
            port: PORT_DEFAULT,
            data: PathBuf::new(),
        });
        Ok(Self { folder: folder.join("postgres"), note, owner: owner()? })
    }

    /// What is to be noted before it is started: what was noted, while it runs or its port stays.
    pub(super) fn note(
        folder: &Path,
        before: Option<&PostgresNote>,
        (host, port): (Ipv4Addr, u16),
    ) -> anyhow::Result<PostgresNote> {
        let Some(PostgresNote { host: host_before, port: port_before, data }) = before else {
            expect_free((host, port), "--postgres-port")?;
            return Ok(PostgresNote { host, port, data: place(folder, port)? });
        };
        let note = PostgresNote { host: *host_before, port: *port_before, data: data.clone() };
        let is_running = Self::of(folder, Some(note))?.is_running()?;
        if is_running && (host, port) != (*host_before, *port_before) {
            bail!("PostgreSQL runs there already, at {host_before}:{port_before}; `services down` ends it");
        }
        if !is_running {
            expect_free((host, port), "--postgres-port")?;
        }
        Ok(PostgresNote { host, port, data: data.clone() })
    }

    pub(super) fn url(&self) -> String {
        format!("postgres://{ROLE}@{}:{}/postgres", self.note.host, self.note.port)
    }

    fn is_running(&self) -> anyhow::Result<bool> {
        if !self.note.data.join("PG_VERSION").exists() {
            return Ok(false);
        }
        let mut command = self.program("pg_ctl")?;
        let output = command.args(["status", "-D"]).arg(&self.note.data).output();
        Ok(output.context("cannot start pg_ctl")?.status.success())
    }

    /// Starts it and waits until it answers; one that runs is left alone.
    pub(super) fn start(&self) -> anyhow::Result<()> {
        if self.is_running()? {
            return Ok(());
        }
        expect_free((self.note.host, self.note.port), "--postgres-port")?;
        if !self.note.data.join("PG_VERSION").exists() {
            self.make()?;
        }
        let mut command = self.program("pg_ctl")?;
        command.args(["start", "--wait", "--silent", "-D"]).arg(&self.note.data).arg("-l").arg(self.log());
        command.arg("-o").arg(format!("-p {} -h {}", self.note.port, self.note.host));
        let started = process::call(&mut command);
        started.with_context(|| format!("PostgreSQL does not start:\n{}", process::tail(&self.log())))
    }

    /// Beside its data, where the server may write.
    fn log(&self) -> PathBuf {
        self.note.data.with_extension("log")
    }

    /// Made aside and put in its place when it is whole: what was broken off on the way is not taken for a database.
    fn make(&self) -> anyhow::Result<()> {
        let parent = self.note.data.parent().context("the data has a place")?;
        fs::create_dir_all(parent).context("cannot make a directory for PostgreSQL")?;
        if let Some(owner) = self.owner {
            process::ask(Command::new("chown").arg(owner).arg(parent))?;
        }
        let unfinished = self.note.data.with_extension("unfinished");
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).context("cannot remove what was broken off")?;
        }
        let mut command = self.program("initdb")?;
        command.arg("-D").arg(&unfinished).args(["--username", ROLE, "--auth", "trust"]);
        process::ask(command.args(["--encoding", "UTF8", "--locale", "C.UTF-8"]))?;
        let path = unfinished.join("postgresql.conf");
        let written = OpenOptions::new().append(true).open(&path);
        let written = written.and_then(|mut file| file.write_all(SETTINGS.as_bytes()));
        written.with_context(|| format!("cannot write {}", path.display()))?;
        if self.note.host != Ipv4Addr::LOCALHOST {
            let path = unfinished.join("pg_hba.conf");
            let written = OpenOptions::new().append(true).open(&path);
            let written = written.and_then(|mut file| file.write_all(NEIGHBOURS.as_bytes()));
            written.with_context(|| format!("cannot write {}", path.display()))?;
        }
        fs::rename(&unfinished, &self.note.data).context("cannot put PostgreSQL's data in its place")
    }

    pub(super) fn stop(&self, immediate: bool) -> anyhow::Result<()> {
        if !self.is_running()? {
            return Ok(());
        }
        let mut command = self.program("pg_ctl")?;
        command.args(["stop", "--wait", "--silent", "-D"]).arg(&self.note.data);
        let stopped = process::call(command.args(["-m", if immediate { "immediate" } else { "fast" }]));
        // One that has just ended by itself is as good.
        if self.is_running()? { stopped } else { Ok(()) }
    }

    pub(super) fn remove(&self) -> anyhow::Result<()> {
        self.stop(true)?;
        // The directory that the data lies in was made for it, wherever it is.
        let places = [self.note.data.parent(), Some(self.folder.as_path())];
        for place in places.into_iter().flatten().filter(|place| place.exists()) {
            fs::remove_dir_all(place).with_context(|| format!("cannot remove {}", place.display()))?;
        }
        Ok(())
    }

    fn program(&self, name: &str) -> anyhow::Result<Command> {
        run_as(self.owner, &programs()?.join(name))
    }
}

/// Makes the databases that are not there, and says so when the server is too old.
pub(super) fn make_databases(url: &str) -> anyhow::Result<()> {
    let psql = |database: &str, statement: &str| {
        let mut command = Command::new(programs_of_client()?.join("psql"));
        command.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"]);
        process::ask(command.args(["--dbname", database, "--command", statement]))
    };
    let version = psql(url, "SHOW server_version_num")?;
    let version: u32 = version.trim().parse().context("PostgreSQL says no version")?;
    if version / 10_000 < VERSION_MIN {
        bail!("PostgreSQL is {}, and {VERSION_MIN} is the least", version / 10_000);
    }
    let there = psql(url, "SELECT datname FROM pg_database")?;
    for database in DATABASES.iter().filter(|database| !there.lines().any(|name| name == **database)) {
        psql(url, &format!("CREATE DATABASE {database}"))?;
    }
    psql(&with_database(url, DATABASES[0]), "SELECT 1")?;
    Ok(())
}

pub(super) fn server_is_there() -> bool {
    programs().is_ok()
}

pub(super) fn client_is_there() -> bool {
    programs_of_client().is_ok()
}

/// Where the programs of the newest version are that is new enough.
fn programs() -> anyhow::Result<PathBuf> {
    folder_with("initdb").context("no PostgreSQL from 15 on is there; Debian has it in postgresql")
}

fn programs_of_client() -> anyhow::Result<PathBuf> {
    folder_with("psql").context("no psql from 15 on is there; Debian has it in postgresql-client")
}

fn folder_with(program: &str) -> Option<PathBuf> {
    let versions = fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    let numbers = versions.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let folders = numbers.map(|version| (version, Path::new(VERSIONS).join(version.to_string()).join("bin")));
    let usable = folders.filter(|(version, bin)| *version >= VERSION_MIN && bin.join(program).exists());
    usable.max().map(|(_, bin)| bin)
}

/// PostgreSQL refuses to run as root; then it is the user's of the distribution's packages.
fn owner() -> anyhow::Result<Option<&'static str>> {
    let id = process::ask(Command::new("id").arg("-u"))?;
    Ok((id.trim() == "0").then_some(OWNER))
}

fn run_as(owner: Option<&str>, program: &Path) -> anyhow::Result<Command> {
    let mut command = match owner {
        None => Command::new(program),
        Some(owner) => {
            let mut command = Command::new("runuser");
            command.args(["-u", owner, "--"]).arg(program);
            command
        }
    };
    // Whoever it is may not look into the folder that this runs in.
    command.current_dir("/");
    Ok(command)
}

/// Where the data goes: into the folder, or, when its owner could not get there, into the machine's place for such.
fn place(folder: &Path, port: u16) -> anyhow::Result<PathBuf> {
    let inside = folder.join("postgres/data");
    let Some(owner) = owner()? else { return Ok(inside) };
    let reached = run_as(Some(owner), Path::new("test"))?.arg("-x").arg(folder).status();
    if reached.context("cannot start runuser")?.success() {
        return Ok(inside);
    }
    let outside = std::env::temp_dir().join(format!("taxisvc-postgres-{port}"));
    match fs::create_dir(&outside) {
        Ok(()) => Ok(outside.join("data")),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{} is in the way: of a run that was not ended by `services down`?", outside.display())
        }
        Err(error) => Err(error).with_context(|| format!("cannot make {}", outside.display())),
    }
}
