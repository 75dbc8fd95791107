//! The recipes of docs/upgrade.md, carried out as they stand on a directory that lies where systemd puts it: behind a link.

use std::path::Path;
use std::process::Command;

const UPGRADE: &str = include_str!("../../../../docs/upgrade.md");
const DATA: &str = "/var/lib/taxisvc";

/// Runs the lines that make, copy and empty directories, in their order, from `from` on.
fn carry_out(folder: &Path, from: &str) {
    let data = folder.join("lib/taxisvc");
    let (_, recipe) = UPGRADE.split_once(from).unwrap();
    let recipe = recipe.split("```").nth(1).unwrap();
    let of_files = |line: &&str| ["install -d ", "cp ", "find "].iter().any(|verb| line.starts_with(verb));
    let lines: Vec<&str> =
        recipe.lines().filter_map(|line| line.strip_prefix("$ ")).filter(of_files).collect();
    assert!(!lines.is_empty(), "{recipe}");
    for line in lines {
        let line = line.replace(DATA, data.to_str().unwrap());
        let done = Command::new("sh").args(["-ec", &line]).output().unwrap();
        assert!(done.status.success(), "{line}: {done:?}");
    }
}

#[test]
fn what_is_copied_is_not_touched_by_a_new_program_and_goes_back_behind_the_link() {
    let folder = tempfile::tempdir().unwrap();
    let lib = folder.path().join("lib");
    std::fs::create_dir_all(lib.join("private/taxisvc/kept")).unwrap();
    std::os::unix::fs::symlink("private/taxisvc", lib.join("taxisvc")).unwrap();
    let (live, copy) = (lib.join("taxisvc"), lib.join("taxisvc.before"));
    std::fs::write(live.join("version"), "1\n").unwrap();
    std::fs::write(live.join("kept/a"), "a").unwrap();

    carry_out(folder.path(), "**Upgrade.**");
    std::fs::write(live.join("version"), "2\n").unwrap();
    std::fs::write(live.join("new"), "").unwrap();
    assert_eq!(
        std::fs::read_to_string(copy.join("version")).unwrap(),
        "1\n",
        "the copy is the live directory"
    );

    carry_out(folder.path(), "So going back is");
    assert!(live.symlink_metadata().unwrap().is_symlink());
    assert_eq!(std::fs::read_to_string(live.join("version")).unwrap(), "1\n");
    assert_eq!(std::fs::read_to_string(live.join("kept/a")).unwrap(), "a");
    assert!(!live.join("new").exists(), "what the new program has made is gone");
}
