//! The page for integrators: each of its examples is run, in a shell, and shows what the page says it shows.

use crate::world::http::Ask;
use crate::world::{World, until};
use std::process::Command;

/// An example: what is typed, and what is seen.
struct Example {
    typed: String,
    shown: Vec<String>,
}

fn examples(page: &str) -> Vec<Example> {
    let unescaped = |text: &str| text.replace("&quot;", "\"").replace("&lt;", "<").replace("&amp;", "&");
    let blocks = page.split("<pre class=\"run\" data-shows=\"").skip(1);
    blocks
        .map(|block| {
            let (shown, rest) = block.split_once("\"><code>").expect("what is shown, then what is typed");
            let (typed, _) = rest.split_once("</code></pre>").expect("an example ends");
            Example { typed: unescaped(typed), shown: shown.split('|').map(unescaped).collect() }
        })
        .collect()
}

#[test]
fn every_example_shows_what_it_says() {
    let world = World::with(&[("OPERATOR_TOKEN", "a-token-for-the-guide")]);
    // The page asks whoever served it.
    let examples = examples(&world.get("/docs").with(200).body);
    assert!(examples.len() >= 12, "{} examples", examples.len());
    for Example { typed, shown } in &examples {
        let changes = typed.contains("-d '");
        until(typed, || {
            let output = Command::new("sh").args(["-euc", typed]).output().expect("there is a shell");
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let is_shown = shown.iter().all(|words| said.contains(words.as_str()));
            // What changes something is said once; what only looks may look again.
            assert!(is_shown || !changes, "{typed}\nshows {said}, not {shown:?}");
            (output.status.success() && is_shown).then_some(())
        });
    }
}

/// Every address that the page leads to is there.
#[test]
fn every_link_leads_somewhere() {
    let world = World::start();
    for page in ["/docs", "/docs/reference"] {
        let text = world.get(page).with(200).body;
        let links = text.split("href=\"").chain(text.split("src=\"")).skip(1);
        let links: Vec<&str> = links.filter_map(|rest| Some(rest.split_once('"')?.0)).collect();
        assert!(links.len() > 3, "{page}: {links:?}");
        for link in links.into_iter().filter(|link| !link.starts_with('#')) {
            if link.starts_with('/') {
                world.get(link).with(200);
            } else {
                assert!(!link.contains(':'), "{page} leads outside: {link}");
            }
        }
    }
}

/// A problem's `type` is a page wherever the problem was told.
#[test]
fn a_problems_type_leads_to_its_page_on_every_port() {
    let world = World::start();
    for port in ["gateway", "call", "payment", "drive", "view", "web"] {
        let address = world.address(port);
        let problem = Ask::get("/nothing/here").of(address).unwrap().with(404).json();
        let page = Ask::get(problem["type"].as_str().unwrap()).of(address).unwrap().with(200);
        assert!(page.body.contains("not-found"), "{port}: {}", page.body);
    }
}
