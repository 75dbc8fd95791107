//! What is said of each situation, word by word in both languages.

use crate::situations::{ALL, CALL};
use crate::world::World;
use operator::explain::{Agreement, Figures, Kind, Standing};
use operator::language::Language;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// As data as well: what programs read of these is not to change.
const AS_DATA: [&str; 3] = ["too_far", "provider_silent", "dead_letter"];

/// In which nothing may be claimed to agree.
const UNREADABLE: [&str; 3] = ["unreadable", "unreadable_with_its_state", "unreadable_under_way"];

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Every golden file's name and what belongs into it.
fn written() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for (name, situation) in ALL {
        let explanation = situation().explain(CALL);
        for language in Language::ALL {
            files.push((format!("{name}.{}.txt", language.tag()), explanation.text(language)));
        }
        if AS_DATA.contains(&name) {
            let json = serde_json::to_string_pretty(&explanation).unwrap();
            files.push((format!("{name}.json"), json + "\n"));
        }
    }
    files
}

#[test]
fn every_situation_is_told_as_its_golden_file_says() {
    let written = written();
    for (name, text) in &written {
        let golden =
            fs::read_to_string(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(*text, golden, "{name}");
    }
    let known: BTreeSet<&str> = written.iter().map(|(name, _)| name.as_str()).collect();
    for entry in fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(known.contains(name.as_str()), "nothing is written as {name}");
    }
}

/// Run by hand after a change of words; read aloud what changed.
#[test]
#[ignore = "writes the golden files"]
fn write_golden_files() {
    for (name, text) in written() {
        fs::write(folder().join(name), text).unwrap();
    }
}

#[test]
fn nothing_is_told_of_a_call_that_nobody_has_heard_of() {
    assert!(World::new().explain_if_known(CALL).is_none());
}

#[test]
fn the_riders_name_stands_in_one_place_and_only_there() {
    for (name, situation) in ALL {
        let explanation = situation().explain(CALL);
        let json = serde_json::to_string(&explanation).unwrap();
        let times = usize::from(explanation.asked.is_some());
        assert_eq!(json.matches("eojin").count(), times, "{name}");
        for language in Language::ALL {
            assert_eq!(explanation.text(language).matches("eojin").count(), times, "{name}");
        }
    }
}

#[test]
fn nothing_is_a_fault_in_any_situation_and_what_is_over_waits_for_nothing() {
    for (name, situation) in ALL {
        let explanation = situation().explain(CALL);
        if UNREADABLE.contains(&name) {
            assert_eq!(explanation.money.agrees, Agreement::Differs, "{name}");
            assert_ne!(explanation.money.figures, Figures::Events, "{name}");
            assert!(explanation.waits_for.iter().any(|wait| wait.kind == Kind::Operator), "{name}");
            continue;
        }
        assert_ne!(explanation.money.agrees, Agreement::Differs, "{name}");
        assert_ne!(explanation.view.agrees, Agreement::Differs, "{name}");
        let is_over = match explanation.standing {
            Standing::Completed | Standing::PaymentFailed | Standing::Cancelled | Standing::Compensated => {
                true
            }
            Standing::HeldUp
            | Standing::LeftOut
            | Standing::AwaitingPayment
            | Standing::AwaitingTaxi
            | Standing::UnderWay
            | Standing::Cancelling
            | Standing::Settling => false,
        };
        assert_eq!(explanation.waits_for.is_empty(), is_over, "{name}");
        let money = &explanation.money;
        assert_eq!(money.taken, money.held + money.earned + money.returned, "{name}");
    }
}

/// Where a situation is missing, its words were never read aloud.
#[test]
fn there_is_a_situation_for_every_standing_and_every_wait() {
    let explanations: Vec<_> = ALL.iter().map(|(_, situation)| situation().explain(CALL)).collect();
    for standing in Standing::ALL {
        assert!(explanations.iter().any(|told| told.standing == standing), "{standing:?}");
    }
    for kind in Kind::ALL {
        let mut waits = explanations.iter().flat_map(|told| &told.waits_for);
        assert!(waits.any(|wait| wait.kind == kind), "{kind:?}");
    }
}
