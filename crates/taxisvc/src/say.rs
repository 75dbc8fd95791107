//! What a server says on standard output when it starts, whether or not anybody reads it.

use crate::config::Config;
use crate::data_dir::listening::reached_at;
use crate::data_dir::token::Token;
use crate::disk::Disk;
use crate::servers::Port;
use engine::clock::Stopwatch;
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::path::Path;

/// Nobody may be reading; that is no reason not to serve.
fn say(text: impl Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Once, and to a terminal alone: what else takes a service's output keeps it, and shows it to others.
pub(crate) fn token(token: &Token, data: &Path) {
    if let Some(text) = of_token(token, data, std::io::stdout().is_terminal()) {
        say(text);
    }
}

fn of_token(token: &Token, data: &Path, is_terminal: bool) -> Option<String> {
    let file = token.file.as_ref().filter(|_| token.is_new)?.display();
    Some(if is_terminal {
        format!("The operator's token, shown this once and kept in {file}: {}\n", token.text)
    } else {
        format!(
            "The operator's token is kept in {file}; `taxisvc token --data {}` prints it\n",
            data.display()
        )
    })
}

/// Of a process that has one port.
pub(crate) fn listens(port: &Port) {
    let Port { name, address, .. } = port;
    tracing::info!(%address, "the {name} listens");
    say(format!("taxisvc {name} listens on http://{address}"));
}

pub(crate) fn hello(config: &Config, ports: &[Port], stopwatch: Stopwatch) {
    let ready_ms = stopwatch.elapsed().as_millis();
    let mut text =
        format!("taxisvc is ready after {ready_ms} ms; its data is in {}\n\n", config.data.display());
    for port in ports {
        text.push_str(&format!("  {:<8} http://{}\n", port.name, port.address));
    }
    let gateway = ports.first().map(|port| reached_at(port.address).to_string()).unwrap_or_default();
    text.push_str(&of_pages(&gateway, &config.data));
    text.push_str(&format!(
        "\nCall a taxi, look, and end the ride:\n\n  \
         curl {gateway}/calls -H 'content-type: application/json' -d '{{\"userId\":\"1\",\"userName\":\"eojin\",\"distance\":10}}'\n  \
         curl {gateway}/callViews\n  \
         curl {gateway}/drives/end -H 'content-type: application/json' -d '{{\"driveId\":1}}'\n  \
         curl -N '{gateway}/events?from=0'\n"
    ));
    say(text);
}

fn of_pages(gateway: &str, data: &Path) -> String {
    let data = data.display();
    format!(
        "\nIn a browser, the operator with the token that `taxisvc token --data {data}` prints:\n\n  \
         rider    http://{gateway}/\n  \
         driver   http://{gateway}/driver\n  \
         operator http://{gateway}/console\n"
    )
}

/// What has to be known at once, beside the log.
pub(crate) fn warning(disk: &Disk) {
    if let Some(warning) = disk.warning() {
        say(format!("Warning: {warning}\n"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_shown_once_and_to_a_terminal_alone() {
        let new = Token { text: "s3cret".into(), file: Some("data/operator-token".into()), is_new: true };
        let said = |token: &Token, is_terminal| of_token(token, Path::new("data"), is_terminal);
        assert!(said(&new, true).unwrap().contains("data/operator-token: s3cret"));
        let elsewhere = said(&new, false).unwrap();
        assert!(elsewhere.contains("`taxisvc token --data data`") && !elsewhere.contains("s3cret"));
        assert_eq!(said(&Token { is_new: false, ..new.clone() }, true), None);
        assert_eq!(said(&Token { file: None, ..new }, true), None);
    }

    #[test]
    fn whoever_starts_it_is_told_where_the_pages_are() {
        let said = of_pages("127.0.0.1:8088", Path::new("data"));
        for words in [
            "rider    http://127.0.0.1:8088/\n",
            "driver   http://127.0.0.1:8088/driver\n",
            "operator http://127.0.0.1:8088/console\n",
            "`taxisvc token --data data`",
        ] {
            assert!(said.contains(words), "{said}");
        }
    }
}
