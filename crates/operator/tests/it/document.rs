//! docs/explain.md shows what is said, and nothing else.

use crate::golden::folder;
use std::fs;

/// What follows a line that names a golden file, within its fence.
fn shown(document: &str) -> Vec<(&str, &str)> {
    let blocks = document.split("<!-- golden ").skip(1);
    let blocks = blocks.map(|block| {
        let (name, rest) = block.split_once(" -->\n").expect("the name of a golden file ends its line");
        let (_, rest) = rest.split_once("```text\n").expect("a fence follows");
        (name, rest.split_once("```").expect("the fence ends").0)
    });
    blocks.collect()
}

#[test]
fn the_document_shows_the_golden_files() {
    let path = folder().join("../../../../docs/explain.md");
    let document = fs::read_to_string(path).unwrap();
    let blocks = shown(&document);
    assert_eq!(blocks.len(), 7);
    for (name, block) in blocks {
        let golden =
            fs::read_to_string(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(block, golden, "{name}");
    }
}
