//! Who listens on a port of this machine, where the system tells: on Linux, in /proc.

use std::fs;
use std::path::Path;

/// The state "listening" in the tables of connections.
const LISTENING: &str = "0A";

/// `nginx (process 812)`; nothing where that cannot be known.
pub(super) fn holder(port: u16) -> Option<String> {
    let tables =
        ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| fs::read_to_string(table).unwrap_or_default());
    let socket = tables.iter().find_map(|table| inode(table, port))?;
    let link = format!("socket:[{socket}]");
    let processes = fs::read_dir("/proc").ok()?.flatten().map(|entry| entry.path());
    let process = processes.filter(|process| is_process(process)).find(|process| has_open(process, &link))?;
    let name = fs::read_to_string(process.join("comm")).ok()?;
    Some(format!("{} (process {})", name.trim(), process.file_name()?.to_str()?))
}

/// The inode of the socket that listens on the port.
fn inode(table: &str, port: u16) -> Option<String> {
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        let (_, number) = local.rsplit_once(':')?;
        let is_it = *state == LISTENING && u16::from_str_radix(number, 16) == Ok(port);
        is_it.then(|| (*inode).to_owned())
    })
}

fn is_process(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.bytes().all(|byte| byte.is_ascii_digit())
}

/// Those of other users do not tell.
fn has_open(process: &Path, link: &str) -> bool {
    let open = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    open.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|target| target == Path::new(link))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_connections_is_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
             0: 0100007F:1F98 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1\n   \
             1: 0100007F:1F99 0100007F:1F98 01 00000000:00000000 00:00000000 00000000     0        0 4712 1\n";
        assert_eq!(inode(table, 8088).as_deref(), Some("4711"));
        assert_eq!(inode(table, 8089), None, "it is connected, and nobody listens");
        assert_eq!(inode("", 8088), None);
    }
}
