//! The command lines of the documents are those that this program understands: in the runbook all of them, elsewhere those that
//! are shown as typed.

use crate::Arguments;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use std::path::{Path, PathBuf};

const RUNBOOK: &str = "docs/runbook";

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("a crate lies in the workspace").to_owned()
}

fn pages(folder: &str) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(root().join(folder)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let pages = paths.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.map(|path| (path.display().to_string(), std::fs::read_to_string(&path).unwrap())).collect()
}

/// Lines of blocks that begin with a prompt, without it; what goes on in the next line belongs to it.
fn typed(text: &str) -> Vec<String> {
    let text = text.replace("\\\n", " ");
    let mut is_block = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_block = !is_block;
        } else if let Some(typed) = line.trim_start().strip_prefix("$ ").filter(|_| is_block) {
            lines.push(typed.to_owned());
        }
    }
    lines
}

/// What stands between back quotes outside of blocks, also where it is broken over two lines.
fn inline(text: &str) -> Vec<String> {
    let blocks = text.split("```").step_by(2);
    let paragraphs = blocks.flat_map(|block| block.split("\n\n"));
    let spans = paragraphs.flat_map(|paragraph| paragraph.split('`').skip(1).step_by(2));
    spans.map(|span| span.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// The words of a command of ours, up to where a shell sees its end; a placeholder stands for a number.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for letter in line.chars() {
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (None, '"' | '\'') => quote = Some(letter),
            (None, '|' | '>' | ';' | '&' | '#' | ')') => break,
            (None, ' ') => words.push(String::new()),
            (Some(_) | None, _) => words.last_mut().expect("it begins with one").push(letter),
        }
    }
    words.retain(|word| !word.is_empty());
    let is_placeholder =
        |word: &String| word.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_');
    words.iter_mut().filter(|word| is_placeholder(word)).for_each(|word| *word = "1".to_owned());
    (words.first().map(String::as_str) == Some("taxisvc")).then_some(words)
}

/// Why it is not understood.
fn fault(line: &str) -> Option<String> {
    let error = Arguments::try_parse_from(words(line)?).err()?;
    let is_asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    (!is_asked_for).then(|| format!("`{line}`: {}", error.to_string().lines().next().unwrap_or_default()))
}

/// Whether it names a command and tells nobody to type it.
fn is_name(line: &str) -> bool {
    let Some(words) = words(line) else { return false };
    let mut command = Arguments::command();
    words[1..].iter().all(|word| {
        let found = command.find_subcommand(word).cloned();
        found.map(|found| command = found).is_some()
    })
}

#[test]
fn what_a_runbook_has_somebody_type_is_understood() {
    let pages = pages(RUNBOOK);
    let faults = pages.iter().flat_map(|(page, text)| {
        let inline = inline(text).into_iter().filter(|line| !is_name(line));
        let lines = typed(text).into_iter().chain(inline);
        lines.filter_map(|line| fault(&line)).map(move |fault| format!("{page}: {fault}"))
    });
    let faults: Vec<String> = faults.collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn what_is_shown_as_typed_is_understood() {
    let mut pages = pages("docs");
    pages.extend(self::pages("."));
    let lines = pages.iter().flat_map(|(page, text)| typed(text).into_iter().map(move |line| (page, line)));
    let faults = lines.filter_map(|(page, line)| Some(format!("{page}: {}", fault(&line)?)));
    let faults: Vec<String> = faults.collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn a_command_is_found_wherever_it_stands() {
    let text = "`taxisvc doctor` or\n\n```\n$ taxisvc events \\\n  --json | jq .\n$ ls\ntaxisvc says\n```\n\nthen `taxisvc\nlog debug`.\n";
    assert_eq!(inline(text), ["taxisvc doctor", "taxisvc log debug"]);
    assert_eq!(typed(text), ["taxisvc events    --json | jq .", "ls"]);
    assert_eq!(
        words("taxisvc events    --json | jq ."),
        Some(vec!["taxisvc".into(), "events".into(), "--json".into()])
    );
    let spoken = words("taxisvc dead-letters skip view/1 --reason 'it is no event'   # said").unwrap();
    assert_eq!(spoken.last().unwrap(), "it is no event");
    assert_eq!(words("ls taxisvc"), None);
    assert_eq!(fault("taxisvc explain CALL_ID"), None);
    assert!(fault("taxisvc dead-letters skip view/1").is_some_and(|fault| fault.contains("required")));
    assert!(fault("taxisvc doctor --loud").is_some());
    assert!(is_name("taxisvc dead-letters skip") && !is_name("taxisvc dead-letters skip view/1"));
}
