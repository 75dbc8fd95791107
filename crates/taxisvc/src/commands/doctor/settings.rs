//! Settings that make sense by themselves and should be meant.

use super::Findings;
use crate::config::Config;
use crate::config::sources::InForce;
use crate::data_dir::token::{self, Token};
use crate::live::Live;
use crate::version::VERSION;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A token with fewer different characters is one that somebody made up.
const CHARACTERS_MIN: usize = 8;

pub(super) fn look(in_force: &InForce, findings: &mut Findings) {
    let config = &in_force.config;
    findings.ok("program", format!("taxisvc {}", VERSION));
    match &in_force.file {
        Some(file) => findings.ok("settings", format!("{} is read", file.display())),
        None => findings.ok("settings", "no file is read: what is not in the environment is the default"),
    }
    listening(config, findings);
    provider(config, findings);
    if ["debug", "trace"].iter().any(|level| config.log.contains(level)) {
        let to_do =
            "set it to info when you have seen enough; `taxisvc log` changes it while the server runs";
        findings.warn("log", format!("{:?} writes much", config.log), to_do);
    }
    operator_token(config, findings);
}

/// What came of the file since the process was started.
pub(super) fn of_process(live: &Live, findings: &mut Findings) {
    let is_refused = live.status().refused.is_some();
    for (index, warning) in live.warnings().into_iter().enumerate() {
        if is_refused && index == 0 {
            findings.wrong("settings", warning, "correct it; it is looked at again within seconds");
        } else {
            findings.warn("settings", warning, "restart it when it suits, or take the change back");
        }
    }
}

fn listening(config: &Config, findings: &mut Findings) {
    let listen = config.listen;
    if listen.is_loopback() {
        return findings.ok("listen", format!("{listen}: this machine alone"));
    }
    findings.warn(
        "listen",
        format!("{listen}: others reach every port, the services' own too, and nobody has to log in"),
        "let only a proxy or a firewall's chosen few through to it, or listen on 127.0.0.1",
    );
}

fn provider(config: &Config, findings: &mut Findings) {
    let provider = &config.provider;
    if provider.obey_test_methods {
        findings.warn(
            "provider",
            "riders can ask for refusals and silence by paymentMethod (provider.obey_test_methods)",
            "switch it off where calls are meant",
        );
    }
    let vices = [
        ("refuse_per_mille", provider.refuse_per_mille),
        ("silent_per_mille", provider.silent_per_mille),
        ("lost_per_mille", provider.lost_per_mille),
        ("double_per_mille", provider.double_per_mille),
    ];
    let set: Vec<_> = vices.iter().filter(|(_, share)| *share > 0).map(|(name, _)| *name).collect();
    if !set.is_empty() {
        let says =
            format!("the simulated provider misbehaves on purpose: provider.{}", set.join(", provider."));
        findings.warn("provider", says, "unset them where calls are meant");
    }
}

fn operator_token(config: &Config, findings: &mut Findings) {
    const CHECK: &str = "operator token";
    match token::find(config) {
        Err(error) => findings.wrong(CHECK, format!("{error:#}"), "see to the file, or set operator.token"),
        Ok(None) => findings.ok(CHECK, "the first start draws it"),
        Ok(Some(Token { text, file, .. })) => {
            let different: BTreeSet<char> = text.chars().collect();
            match file {
                Some(file) if is_open(&file) => findings.wrong(
                    CHECK,
                    format!("{} can be read by others", file.display()),
                    "chmod 600 it, and draw another: taxisvc token --renew",
                ),
                _ if different.len() < CHARACTERS_MIN => findings.warn(
                    CHECK,
                    "it can be guessed: it has few different characters",
                    "take a random one, or none: then one is drawn",
                ),
                Some(file) => findings.ok(CHECK, format!("kept in {}", file.display())),
                None => findings.ok(CHECK, "operator.token is set"),
            }
        }
    }
}

fn is_open(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}
