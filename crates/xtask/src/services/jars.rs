//! Apache Kafka from Maven Central, and the Java that runs it.

use super::process;
use anyhow::Context;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the jars are of, and where they lie below the root: a new version has a place of its own.
const FOLDER: &str = "target/kafka-4.1.1";
/// Written last, so that a folder with it is whole.
const POM: &str = include_str!("pom.xml");
/// Java has to be at least this.
const JAVA_MIN: u32 = 17;
/// Where Debian has the Java that its packages agree on, whatever else comes first in the path.
const JAVA_OF_DEBIAN: &str = "/usr/lib/jvm/default-java/bin/java";

/// Java with a tool of Kafka's, which says what goes wrong alone; its arguments are to be added.
pub(super) fn java(root: &Path, class: &str) -> anyhow::Result<Command> {
    let mut command = machine(root, &["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"])?;
    command.arg(class);
    Ok(command)
}

/// Java with options for the machine itself, before the class.
pub(super) fn machine(root: &Path, options: &[&str]) -> anyhow::Result<Command> {
    let jars = fetched(root)?;
    let java = program().context("no Java from 17 on is there; Debian has it in default-jre-headless")?;
    let mut command = Command::new(java);
    command.args(options).arg("-Dorg.slf4j.simpleLogger.showDateTime=true");
    command.arg("-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS");
    command.arg("-cp").arg(jars.join("*"));
    Ok(command)
}

pub(super) fn is_there() -> bool {
    program().is_some()
}

fn program() -> Option<&'static str> {
    ["java", JAVA_OF_DEBIAN].into_iter().find(|java| {
        let asked = Command::new(java).arg("-version").output();
        asked.is_ok_and(|output| version(&String::from_utf8_lossy(&output.stderr)) >= Some(JAVA_MIN))
    })
}

/// `openjdk version "17.0.15" 2025-04-15`; before 9 it was `1.8.0`.
fn version(said: &str) -> Option<u32> {
    let (_, version) = said.split_once("version \"")?;
    version.split(['.', '"', '-']).next()?.parse().ok()
}

/// The jars, fetched once.
fn fetched(root: &Path) -> anyhow::Result<PathBuf> {
    let folder = root.join(FOLDER);
    let stamp = folder.join("pom.xml");
    if fs::read_to_string(&stamp).is_ok_and(|pom| pom == POM) {
        return Ok(folder);
    }
    println!("== Kafka's jars from Maven Central into {FOLDER}");
    fs::create_dir_all(root.join("target")).context("cannot make target")?;
    // Whoever does the same at this moment does it elsewhere; the first to be ready is taken.
    let own = tempfile::tempdir_in(root.join("target")).context("cannot make a directory")?;
    let jars = own.path().join("jars");
    fs::create_dir_all(&jars).context("cannot make a directory")?;
    fs::write(own.path().join("pom.xml"), POM).context("cannot write the pom")?;
    let mut maven = Command::new("mvn");
    maven.args(["--batch-mode", "--quiet", "-Dstyle.color=never", "dependency:copy-dependencies"]);
    maven.arg(format!("-DoutputDirectory={}", jars.display())).current_dir(own.path());
    process::call(&mut maven)?;
    fs::write(jars.join("pom.xml"), POM).context("cannot write the pom")?;
    match fs::rename(&jars, &folder) {
        Err(_) if stamp.exists() => {}
        renamed => renamed.with_context(|| format!("cannot make {FOLDER}"))?,
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_java_says_its_version() {
        let check = |said: &str, expected| assert_eq!(version(said), expected, "{said}");
        check("openjdk version \"17.0.15\" 2025-04-15\nmore", Some(17));
        check("openjdk version \"25\" 2025-09-16", Some(25));
        check("openjdk version \"26-ea\"", Some(26));
        check("java version \"1.8.0_401\"", Some(1));
        check("sh: java: not found", None);
    }
}
