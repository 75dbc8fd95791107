//! A story never contradicts itself, however far each of the services has come when it is told.

use crate::past::{Lens, seen_through};
use crate::situations::{ALL, CALL};
use crate::world::World;
use std::collections::BTreeMap;
use wiring::TELLING;

/// What none of the others may stand beside.
const CONTRADICTIONS: [(&str, &[&str]); 11] = [
    ("set off", &["looked for", "waiting to hear", "no taxi came"]),
    ("ride ended", &["looked for", "waiting to hear", "under way", "can still be called off"]),
    ("ended the ride", &["looked for", "waiting to hear", "under way", "can still be called off"]),
    ("taxi was called off", &["looked for", "waiting to hear", "under way", "can still be called off"]),
    ("No taxi drives", &["looked for", "waiting to hear", "under way", "can still be called off"]),
    ("You cancelled", &["looked for", "waiting to hear", "is under way"]),
    ("call was cancelled", &["looked for", "waiting to hear", "is under way"]),
    ("cancelled the call", &["looked for", "waiting to hear", "is under way"]),
    ("no taxi came", &["looked for", "waiting to hear", "under way"]),
    ("went back", &["is ordered", "Nothing has been charged"]),
    ("was charged", &["waiting to hear", "Nothing has been charged", "You were not charged"]),
];

#[test]
fn no_two_sentences_contradict_each_other_at_any_moment() {
    for (name, situation) in ALL.into_iter().filter(|(name, _)| !name.starts_with("unreadable")) {
        let mut world = situation();
        let readers = world.assembly.readers.clone();
        for said in moments(&world) {
            let lens = Lens { said: said.clone(), ..Lens::default() };
            world.assembly.readers = seen_through(&readers, &lens);
            let Some(told) = world.explain_if_known(CALL) else { continue };
            let story = &told.story.english;
            for (sentence, others) in CONTRADICTIONS {
                let beside = others.iter().find(|other| story.contains(sentence) && story.contains(**other));
                assert_eq!(beside, None, "{name} at {said:?}: {story}");
            }
        }
    }
}

/// How much each service has said, in every combination.
fn moments(world: &World) -> Vec<BTreeMap<&'static str, u64>> {
    let told = world.explain(CALL).steps;
    let mut moments = vec![BTreeMap::new()];
    for service in TELLING {
        let last = told.iter().filter(|step| step.service == service).map(|step| step.version).max();
        moments = (0..=last.unwrap_or(0))
            .flat_map(|version| {
                moments.iter().map(move |moment| {
                    let mut moment = moment.clone();
                    moment.insert(service, version);
                    moment
                })
            })
            .collect();
    }
    moments
}
