//! Settings that are not understood: the process says which and why, and does not start.

use crate::world::World;
use crate::world::process::{run, settings, taxisvc};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

#[track_caller]
fn check(arguments: &[&str], pairs: &[(&str, &str)], file: &str, words: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    if !file.is_empty() {
        std::fs::write(folder.path().join("taxisvc.toml"), file).unwrap();
    }
    let ended = run(folder.path(), &settings(pairs), arguments);
    assert!(ended.code.is_some_and(|code| code != 0), "{ended:?}");
    for word in words {
        assert!(ended.stderr.contains(word), "{word:?} is not said: {ended:?}");
    }
    let made = ["taxisvc-data", ".local", "Library"].map(|name| folder.path().join(name).exists());
    assert_eq!(made, [false; 3], "nothing was made");
}

#[test]
fn what_the_environment_says_wrongly_is_named() {
    check(&[], &[("PORTS_GATEWAY", "many")], "", &["TAXISVC_PORTS_GATEWAY", "many"]);
    check(&[], &[("PORTS_GATEWAY", "70000")], "", &["TAXISVC_PORTS_GATEWAY"]);
    check(&[], &[("PROTS_GATEWAY", "1")], "", &["TAXISVC_PROTS_GATEWAY is not a setting"]);
    check(&[], &[("STORE_SHARDS", "0")], "", &["store.shards", "1 to 64"]);
    check(&[], &[("STORE_LAYOUT", "sideways")], "", &["sideways"]);
    check(&[], &[("DEADLINES_CALL_UNPAID_MS", "10")], "", &["deadlines.call_unpaid_ms", "longer"]);
    check(&[], &[("TARIFF_WON_PER_KM", "-1")], "", &["tariff.won_per_km"]);
    check(&[], &[("LISTEN", "everywhere")], "", &["TAXISVC_LISTEN"]);
    check(&[], &[("LOG", "loud=loud=loud")], "", &["loud"]);
    check(&[], &[("GATEWAY_TRUSTED_PROXIES", "10.0.0.0/99")], "", &["trusted_proxies"]);
    check(&[], &[("GATEWAY_CORS_CREDENTIALS", "true")], "", &["cors_credentials"]);
}

#[test]
fn what_a_file_says_wrongly_is_named() {
    check(&[], &[], "ports = ", &["taxisvc.toml", "TOML"]);
    check(&[], &[], "prots = 1", &["taxisvc.toml", "prots"]);
    check(&[], &[], "[ports]\ngateway = \"x\"", &["taxisvc.toml"]);
    check(&["--config", "nowhere.toml"], &[], "", &["nowhere.toml"]);
}

/// A mistake is told by its place, and never by the line it is in: that may be a secret.
#[test]
fn a_mistake_in_a_file_does_not_show_what_is_secret() {
    let refused = |file: &str, words: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("taxisvc.toml"), file).unwrap();
        for command in [&["up"][..], &["config"], &["token"]] {
            let ended = run(folder.path(), &settings(&[]), command);
            assert_eq!(ended.code, Some(1), "{ended:?}");
            for word in [words, &["taxisvc.toml"]].concat() {
                assert!(ended.stderr.contains(word), "{word:?} is not said of {file:?}: {ended:?}");
            }
            let said = format!("{ended:?}");
            assert!(!said.contains("s3cret") && !said.contains("31415926"), "{file:?}: {ended:?}");
        }
    };
    refused("[operator]\ntoken = s3cret-of-the-file\n", &["line 2, column 9"]);
    refused("[operator]\ntoken = \"s3cret-of-the-file\nlog = 1\n", &["line 2, column "]);
    refused("[operator]\ntoken = \"s3cret-of-the-file\"\ntoken = \"s3cret\"\n", &["line 3, column 1"]);
    refused("[operator]\ntoken = \"s3cret-of-the-file\" \"s3cret\"\n", &["line 2, column "]);
    refused("[operator]\ntoken = 31415926535897932\n", &["line 2, column 9", "operator.token"]);
    refused("[operator]\ntoken = [\"s3cret-of-the-file\"]\n", &["line 2, column 9", "operator.token"]);
    refused("[operator]\ntoken = { of = \"s3cret\" }\n", &["line 2, column 9", "operator.token"]);
    refused("operator = \"s3cret-of-the-file\"\n", &["line 1, column 12", "operator"]);
    refused("operator = [[\"s3cret-of-the-file\"]]\n", &["line 1, column 13", "operator"]);
    refused("[operator]\ntokn = \"s3cret-of-the-file\"\n", &["line 2, column 1", "tokn"]);
    refused("token = \"s3cret-of-the-file\"\n", &["line 1, column 1", "token"]);
    refused("[ports]\ngateway = \"many\"\n", &["line 2, column 11", "many"]);
}

/// Names and values of others are none of our business; those of ours are read as text.
#[test]
fn what_is_no_text_in_the_environment_is_passed_over_or_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let odd = || OsStr::from_bytes(b"\xff\xfe");
    let ended = |name: &OsStr, value: &OsStr| {
        let output = taxisvc(folder.path(), &settings(&[]), &["config"]).env(name, value).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(ended("OF_SOMEBODY_ELSE".as_ref(), odd()), (Some(0), String::new()));
    assert_eq!(ended(odd(), "1".as_ref()), (Some(0), String::new()));
    let (code, stderr) = ended("TAXISVC_DATA".as_ref(), odd());
    assert!(code == Some(1) && stderr.contains("what TAXISVC_DATA says is not UTF-8"), "{code:?} {stderr}");
    let name = [b"TAXISVC_", odd().as_bytes()].concat();
    let (code, stderr) = ended(OsStr::from_bytes(&name), "1".as_ref());
    assert!(code == Some(1) && stderr.contains("TAXISVC_"), "{code:?} {stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[test]
fn what_the_command_says_wrongly_is_named() {
    check(&["fly"], &[], "", &["fly"]);
    check(&["--listen", "everywhere"], &[], "", &["everywhere"]);
    check(&["gateway"], &[("UPSTREAMS_CALL", "not a host")], "", &["upstreams.call"]);
}

#[test]
fn a_port_in_use_is_named() {
    let world = World::start();
    let taken = world.address("gateway").port().to_string();
    let folder = tempfile::tempdir().unwrap();
    let pairs = [("PORTS_GATEWAY", taken.as_str())];
    let ended = run(folder.path(), &settings(&pairs), &["up"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("ports.gateway") && ended.stderr.contains(&taken), "{ended:?}");
}

/// The environment is stronger than the file, a flag than both; the original's name for the log level is honoured.
#[test]
fn the_stronger_word_counts() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("taxisvc.toml"), "data = \"from-the-file\"\n").unwrap();
    let audited = |pairs: &[(&str, &str)], arguments: &[&str]| {
        run(folder.path(), &settings(pairs), &[&["audit"], arguments].concat()).stderr
    };
    assert!(audited(&[], &[]).contains("from-the-file"));
    assert!(audited(&[("DATA", "from-the-environment")], &[]).contains("from-the-environment"));
    assert!(audited(&[("DATA", "from-the-environment")], &["--data", "from-a-flag"]).contains("from-a-flag"));
}
