//! The documents: how long the first ones may be, and whether their links lead anywhere.

use anyhow::Context;
use std::fs;
use std::path::{Path, PathBuf};

const LINES_MAX: [(&str, usize); 2] = [("ARCHITECTURE.md", 250), ("README.md", 140)];

/// Where documents lie.
const FOLDERS: [&str; 4] = ["", "docs", "docs/decisions", "docs/runbook"];

pub(super) fn faults(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut faults = Vec::new();
    for (name, lines_max) in LINES_MAX {
        match fs::read_to_string(root.join(name)) {
            Ok(text) if text.lines().count() <= lines_max => {}
            Ok(text) => {
                faults.push(format!("{name} has {} lines, {lines_max} at most", text.lines().count()))
            }
            Err(error) => faults.push(format!("{name}: {error}")),
        }
    }
    for path in documents(root)? {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let folder = path.parent().unwrap_or(root);
        let name = path.strip_prefix(root).unwrap_or(&path).display();
        for link in links(&text).into_iter().filter(|link| !leads_somewhere(folder, &text, link)) {
            faults.push(format!("{name} links to {link}, which is not there"));
        }
    }
    Ok(faults)
}

fn documents(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in FOLDERS.map(|folder| root.join(folder)) {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The targets of links and images, but not of those in examples.
fn links(text: &str) -> Vec<&str> {
    let mut links = Vec::new();
    for (place, prose) in text.split("```").enumerate() {
        if place % 2 == 0 {
            let ends = prose.split("](").skip(1);
            links.extend(ends.filter_map(|end| Some(end.split_once(')')?.0)));
        }
    }
    links
}

fn leads_somewhere(folder: &Path, text: &str, link: &str) -> bool {
    if link.contains("://") || link.starts_with("mailto:") {
        return true;
    }
    let (path, heading) = link.split_once('#').unwrap_or((link, ""));
    if path.is_empty() {
        return has_heading(text, heading);
    }
    let target = folder.join(path);
    match fs::read_to_string(&target) {
        Ok(other) if !heading.is_empty() => has_heading(&other, heading),
        Ok(_) | Err(_) => target.exists(),
    }
}

/// As GitHub names headings in addresses.
fn has_heading(text: &str, wanted: &str) -> bool {
    text.lines().filter(|line| line.starts_with('#')).any(|line| {
        let words = line.trim_start_matches('#').trim().to_lowercase();
        let kept = words.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
        kept.map(|letter| if letter == ' ' { '-' } else { letter }).eq(wanted.chars())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = "# What is\n\nSee [a](Cargo.toml), ![b](src/none.png), [c](#what-is), [d](#else),\n\
                    [e](https://a.example/x), [f](src/main.rs#x).\n```\n[g](nowhere)\n```\n";
        assert_eq!(links(text).len(), 6);
        let dead: Vec<&str> =
            links(text).into_iter().filter(|link| !leads_somewhere(here, text, link)).collect();
        assert_eq!(dead, ["src/none.png", "#else", "src/main.rs#x"]);
    }
}
