//! Whether two folders hold the same files, byte by byte.

use anyhow::{Context, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// So many are named; who mends one mends all.
const NAMED_MAX: usize = 10;

type Files = BTreeMap<String, Vec<u8>>;

pub(super) fn ensure_same(committed: &Path, built: &Path) -> anyhow::Result<()> {
    let differences = differences(&files(committed)?, &files(built)?);
    if differences.is_empty() {
        return Ok(());
    }
    let named = differences.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join("\n  ");
    bail!("{} file(s) differ:\n  {named}", differences.len())
}

/// All files below a folder, by their names from there; none where the folder is not there.
pub(super) fn files(folder: &Path) -> anyhow::Result<Files> {
    let mut found = Files::new();
    let mut folders = if folder.exists() { vec![folder.to_owned()] } else { Vec::new() };
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).with_context(|| format!("cannot read {}", next.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let name = path.strip_prefix(folder).expect("it lies below the folder that was read");
            found.insert(name.display().to_string(), bytes);
        }
    }
    Ok(found)
}

fn differences(committed: &Files, built: &Files) -> Vec<String> {
    let names: BTreeSet<&String> = committed.keys().chain(built.keys()).collect();
    let told = names.into_iter().filter_map(|name| match (committed.get(name), built.get(name)) {
        (Some(committed), Some(built)) if committed == built => None,
        (Some(_), Some(_)) => Some(format!("{name} differs")),
        (None, Some(_)) => Some(format!("{name} is missing")),
        (Some(_), None) => Some(format!("{name} is built by nothing")),
        (None, None) => unreachable!("a name comes from one of the two"),
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn every_difference_is_told_and_nothing_else() {
        let built = folder(&[("index.html", "page"), ("assets/a.js", "a"), ("assets/b.js", "b")]);
        let check = |committed: &[(&str, &str)], expected: &[&str]| {
            let committed = folder(committed);
            let told = differences(&files(committed.path()).unwrap(), &files(built.path()).unwrap());
            assert_eq!(told, expected);
            let is_same = ensure_same(committed.path(), built.path()).is_ok();
            assert_eq!(is_same, expected.is_empty());
        };
        let same = [("index.html", "page"), ("assets/a.js", "a"), ("assets/b.js", "b")];
        check(&same, &[]);
        check(&[("index.html", "page "), same[1], same[2]], &["index.html differs"]);
        check(&[same[0], same[1]], &["assets/b.js is missing"]);
        check(&[same[0], same[1], same[2], ("assets/c.js", "c")], &["assets/c.js is built by nothing"]);
        check(&[("a.js", "a"), same[1], same[2]], &["a.js is built by nothing", "index.html is missing"]);
    }

    #[test]
    fn a_folder_that_is_not_there_has_no_files() {
        let built = folder(&[("index.html", "page")]);
        let told = ensure_same(&built.path().join("none"), built.path()).unwrap_err().to_string();
        assert!(told.contains("index.html is missing"), "{told}");
    }
}
