//! Stands between a store and its server, and does to a commit what a network, or a process that stops, does.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// How the end of a transaction is sent.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    Pass,
    /// A commit arrives, and its answer does not.
    LoseAnswer,
    /// Of a commit everything arrives except its end, as when its process stands still in the middle of sending it.
    HoldEnd,
    /// A commit is kept back, and its sender hears that the connection is gone.
    KeepBack,
}

#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    to_server: Option<TcpStream>,
}

struct Shared {
    rule: Mutex<Rule>,
    kept: Mutex<Kept>,
}

pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxy {
    /// Its threads end with their connections, and the one that accepts with the process.
    pub(crate) fn to(server: (String, u16)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let shared = Arc::new(Shared { rule: Mutex::new(Rule::Pass), kept: Mutex::default() });
        let accepting = shared.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let to_server = TcpStream::connect(&server).expect("the server is up");
                let from_server = to_server.try_clone().expect("it can be shared");
                let to_client = client.try_clone().expect("it can be shared");
                let shared = accepting.clone();
                thread::spawn(move || up(client, to_server, &shared));
                thread::spawn(move || down(from_server, to_client));
            }
        });
        Self { port, shared }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn set(&self, rule: Rule) {
        *lock(&self.shared.rule) = rule;
    }

    /// Lets what was kept back arrive, and waits until the server has done with it.
    pub(crate) fn let_go(&self) {
        let Kept { bytes, to_server } = std::mem::take(&mut *lock(&self.shared.kept));
        let mut server = to_server.expect("something was kept back");
        server.write_all(&bytes).expect("the server still listens");
        server.shutdown(Shutdown::Write).expect("the server still listens");
        let mut rest = Vec::new();
        server.read_to_end(&mut rest).expect("the server ends it");
    }
}

fn is_commit(bytes: &[u8]) -> bool {
    bytes.ends_with(COMMIT)
}

/// From the client to the server.
fn up(mut client: TcpStream, mut server: TcpStream, shared: &Shared) {
    let mut buffer = vec![0; 1 << 20];
    while let Ok(length) = client.read(&mut buffer) {
        let bytes = &buffer[..length];
        let rule = *lock(&shared.rule);
        let sent = match rule {
            _ if length == 0 => break,
            Rule::LoseAnswer if is_commit(bytes) => {
                let _ = client.shutdown(Shutdown::Both);
                let _ = server.write_all(bytes);
                break;
            }
            Rule::HoldEnd if is_commit(bytes) => server.write_all(&bytes[..length - COMMIT.len()]),
            Rule::KeepBack if is_commit(bytes) => {
                *lock(&shared.kept) = Kept { bytes: bytes.to_vec(), to_server: server.try_clone().ok() };
                let _ = client.shutdown(Shutdown::Both);
                return;
            }
            Rule::Pass | Rule::LoseAnswer | Rule::HoldEnd | Rule::KeepBack => server.write_all(bytes),
        };
        if sent.is_err() {
            break;
        }
    }
    let _ = server.shutdown(Shutdown::Write);
}

/// From the server to the client; what cannot be delivered is dropped, and the server never waits for it.
fn down(mut server: TcpStream, mut client: TcpStream) {
    let mut buffer = vec![0; 1 << 20];
    while let Ok(length) = server.read(&mut buffer) {
        if length == 0 {
            break;
        }
        let _ = client.write_all(&buffer[..length]);
    }
    let _ = client.shutdown(Shutdown::Both);
}
