//! The binary as a process: started on ports of its own, awaited until it listens, killed when nobody needs it any more.

use super::until;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// A process that has not said that it listens by then never will.
const START_MAX: Duration = Duration::from_secs(60);

/// Names of settings, without their prefix, and what they are set to.
pub(crate) type Settings = Vec<(String, String)>;

pub(crate) fn settings(pairs: &[(&str, &str)]) -> Settings {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The binary with its arguments, in a folder of its own.
pub(crate) fn taxisvc(folder: &Path, settings: &Settings, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taxisvc"));
    command.args(arguments);
    set(&mut command, folder, settings);
    command
}

/// Has a command run in a folder, with settings; nothing that the developer has set reaches it.
pub(crate) fn set(command: &mut Command, folder: &Path, settings: &Settings) {
    command.current_dir(folder).env_remove("ORDER_LOG_LEVEL");
    // Where the platform would have the data lies in the folder too, and what is said is English.
    command.env("HOME", folder).env_remove("XDG_DATA_HOME").env_remove("LC_ALL").env("LANG", "C.UTF-8");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"TAXISVC_"))
    {
        command.env_remove(name);
    }
    for (name, value) in settings {
        command.env(format!("TAXISVC_{name}"), value);
    }
}

/// Runs a command to its end.
pub(crate) fn run(folder: &Path, settings: &Settings, arguments: &[&str]) -> Ended {
    ended(&mut taxisvc(folder, settings, arguments))
}

pub(crate) fn ended(command: &mut Command) -> Ended {
    let output = command.output().expect("the binary can be started");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A process that serves.
pub(crate) struct Server {
    child: Child,
    addresses: BTreeMap<String, SocketAddr>,
    stderr: Stderr,
    is_ended: bool,
}

impl Server {
    /// Starts it and waits until it listens on all its ports.
    #[track_caller]
    pub(crate) fn start(command: Command) -> Self {
        Self::try_start(command).unwrap_or_else(|ended| panic!("the server does not start: {ended:?}"))
    }

    /// Starts it on ports that the last process may not have let go of yet.
    #[track_caller]
    pub(crate) fn start_where_it_was(command: impl Fn() -> Command) -> Self {
        until("the process to start", || {
            let ended = match Self::try_start(command()) {
                Ok(server) => return Some(server),
                Err(ended) => ended,
            };
            assert!(ended.stderr.contains("cannot listen on"), "the process does not start: {ended:?}");
            None
        })
    }

    pub(crate) fn try_start(mut command: Command) -> Result<Self, Ended> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary can be started");
        let lines = lines_of(child.stdout.take().expect("it is piped"));
        let stderr = collect(child.stderr.take().expect("it is piped"));
        let mut server = Self { child, addresses: BTreeMap::new(), stderr, is_ended: false };
        let mut stdout = String::new();
        while let Ok(line) = lines.recv_timeout(START_MAX) {
            stdout.push_str(&line);
            if let Some((before, address)) = line.split_once("http://")
                && let Ok(address) = address.trim().parse()
            {
                let name = before.trim().trim_start_matches("taxisvc ").split(' ').next().unwrap_or_default();
                server.addresses.insert(name.to_owned(), address);
            }
            if line.contains("/events?from=0") || line.contains(" listens on http://") {
                return Ok(server);
            }
        }
        let status = server.ended();
        Err(Ended { code: status.code(), stdout, stderr: server.said() })
    }

    /// Starts it with a standard output that nobody reads, as behind `| true`.
    pub(crate) fn unread(mut command: Command) -> Self {
        let (reader, writer) = std::io::pipe().expect("there are pipes");
        drop(reader);
        let command = command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary can be started");
        let stderr = collect(child.stderr.take().expect("it is piped"));
        Self { child, addresses: BTreeMap::new(), stderr, is_ended: false }
    }

    /// Waits until it has written these words to standard error.
    #[track_caller]
    pub(crate) fn says(&mut self, words: &str) {
        until(words, || {
            self.assert_lives();
            self.said().contains(words).then_some(())
        });
    }

    #[track_caller]
    pub(crate) fn address(&self, name: &str) -> SocketAddr {
        let found = self.addresses.get(name).copied();
        found.unwrap_or_else(|| panic!("no port is called {name}: {:?}", self.addresses))
    }

    /// What it wrote to standard error so far.
    pub(crate) fn said(&self) -> String {
        self.stderr.text.lock().unwrap().clone()
    }

    /// As if the power went.
    pub(crate) fn kill(mut self) {
        self.assert_lives();
        self.child.kill().expect("it runs");
        self.child.wait().expect("it was killed");
        self.is_ended = true;
    }

    /// Asks it to stop.
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &id]).status();
        assert!(sent.expect("there is a shell").success());
    }

    /// Waits until it has ended by itself.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        self.is_ended = true;
        let status = until("the process to end", || self.child.try_wait().expect("it is ours"));
        if let Some(collecting) = self.stderr.collecting.take() {
            collecting.join().expect("reading does not fail");
        }
        status
    }

    /// Fails the test when the process is gone though nobody ended it.
    pub(crate) fn assert_lives(&mut self) {
        if let Some(status) = self.child.try_wait().expect("it is ours") {
            self.is_ended = true;
            panic!("the server died by itself: {status}\n{}", self.said());
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- what the server said:\n{}---", self.said());
        } else if !self.is_ended {
            self.assert_lives();
        }
        if !self.is_ended {
            // A process that cannot be killed is gone already.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn lines_of(stdout: impl Read + Send + 'static) -> Receiver<String> {
    let (tell, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // Nobody listens once it serves; the pipe is emptied all the same.
            let _ = tell.send(format!("{line}\n"));
        }
    });
    lines
}

/// What a process writes to standard error, collected while it runs.
struct Stderr {
    text: Arc<Mutex<String>>,
    collecting: Option<JoinHandle<()>>,
}

fn collect(stderr: impl Read + Send + 'static) -> Stderr {
    let text = Arc::new(Mutex::new(String::new()));
    let into = text.clone();
    let collecting = std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let mut into = into.lock().unwrap();
            into.push_str(&line);
            into.push('\n');
        }
    });
    Stderr { text, collecting: Some(collecting) }
}
