//! Dead letters as data: all of them, and one in full.

use crate::situations::{ALL, CALL};
use crate::world::World;
use operator::letters::{Letter, List, Message, Wanted, show};

fn world(name: &str) -> World {
    let found = ALL.iter().find(|(known, _)| *known == name);
    (found.unwrap_or_else(|| panic!("no situation is called {name}")).1)()
}

fn list(world: &World) -> Vec<Letter> {
    listed(world, true, usize::MAX).dead_letters
}

fn listed(world: &World, skipped: bool, limit: usize) -> List {
    operator::letters::list(world.readers(), Wanted { skipped, limit }).unwrap()
}

#[test]
fn where_nothing_was_put_aside_there_is_none() {
    assert!(list(&world("completed")).is_empty());
}

#[test]
fn the_first_holds_up_those_behind_it() {
    let world = world("dead_letter");
    let letters = list(&world);
    let [first, second] = &letters[..] else { panic!("{letters:?}") };
    assert_eq!((first.service, first.call_id, first.behind.clone()), ("drive", CALL, vec![second.number]));
    assert_eq!((first.waits_behind, second.waits_behind), (None, Some(first.number)));
    assert_eq!(first.reason, "a panic: no such street");
    assert!(
        matches!(&first.message, Message::Event { event, service, .. } if event == "FarePaid" && service == "payment")
    );
    assert!(matches!(&second.message, Message::Event { event, .. } if event == "CancelRequested"));
}

#[test]
fn one_that_was_passed_over_stays_on_record_and_holds_up_nothing() {
    let world = world("dead_letter_skipped");
    let letters = list(&world);
    let [letter] = &letters[..] else { panic!("{letters:?}") };
    let skipped = letter.skipped.as_ref().unwrap();
    assert_eq!((skipped.by.as_str(), skipped.reason.as_str()), ("operator", "the map has no such street"));
    assert!(letter.behind.is_empty());
}

#[test]
fn a_short_list_says_how_many_there_are_and_what_waits_behind_all_the_same() {
    let world = world("dead_letter");
    let (short, all) = (listed(&world, true, 1), list(&world));
    assert_eq!((short.total, short.dead_letters.len()), (2, 1));
    assert_eq!(
        (short.dead_letters[0].number, &short.dead_letters[0].behind),
        (all[0].number, &all[0].behind)
    );
    assert_eq!((listed(&world, false, 0).total, operator::letters::waiting(world.readers())), (2, Ok(2)));
    let world = self::world("dead_letter_skipped");
    assert_eq!((listed(&world, false, 9).total, listed(&world, true, 9).total), (0, 1));
    assert_eq!(operator::letters::waiting(world.readers()), Ok(0));
}

#[test]
fn one_in_full_shows_the_message_itself() {
    let world = world("dead_letter");
    let first = list(&world).remove(0);
    let full = serde_json::to_value(show(world.readers(), "drive", first.number).unwrap().unwrap()).unwrap();
    assert_eq!(full["number"], first.number);
    assert_eq!(full["content"]["type"], "FarePaid");
    assert_eq!(full["content"]["body"]["fare"], 100_000);
    assert!(show(world.readers(), "drive", 99).unwrap().is_none());
    assert!(show(world.readers(), "call", first.number).unwrap().is_none());
    assert!(show(world.readers(), "ghost", 1).unwrap().is_none());
}

#[test]
fn an_answer_in_full_says_what_was_answered() {
    let world = self::world("dead_answer");
    let letter = list(&world).remove(0);
    let full =
        serde_json::to_value(show(world.readers(), "payment", letter.number).unwrap().unwrap()).unwrap();
    assert_eq!(full["message"]["kind"], "answer");
    assert_eq!(full["message"]["outcome"], "taken");
    assert_eq!(full["content"]["answer"]["name"], "take");
}
