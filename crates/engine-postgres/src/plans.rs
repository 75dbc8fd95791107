//! How the server finds what is asked: by an index, in its order, however much there is.

use crate::database::OwnDatabase;
use crate::tables::Tables;
use engine::log::LogId;
use engine::store::Schema;
use postgres::Client;

const ORDER: Schema = Schema { service: "order", kinds: &["order"], shards: 4 };

fn tables() -> Tables {
    Tables::new(ORDER, 1, vec![crate::tables::Kind::new("order", "order", 1)])
}

/// The plan that is made once for all parameters, as the store's sessions have it made.
fn plan(client: &mut Client, sql: &str) -> String {
    let parameters = (1..20).filter(|place| sql.contains(&format!("${place}"))).count();
    let nulls = vec!["NULL"; parameters].join(", ");
    let given = if parameters == 0 { String::new() } else { format!("({nulls})") };
    client.batch_execute(&format!("PREPARE planned AS {sql}")).expect(sql);
    let steps = client.query(&format!("EXPLAIN (COSTS OFF) EXECUTE planned{given}"), &[]).expect(sql);
    client.batch_execute("DEALLOCATE planned").expect("it was prepared");
    let steps: Vec<String> = steps.iter().map(|row| row.get::<_, String>(0).trim().to_owned()).collect();
    steps.join("; ")
}

#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn nothing_is_scanned_and_no_page_is_sorted() {
    let own = OwnDatabase::new();
    drop(own.open(&[ORDER], LogId(1)));
    let mut client = own.client();
    client.batch_execute(crate::session::PLANS).expect("they can be set");
    let tables = tables();
    let (kind, read, write) = (&tables.kinds[0], &tables.read, &tables.write);
    // In the order of an index.
    for (sql, index) in [
        (&kind.due, "order_order_by_due"),
        (&kind.page, "order_order_entity_key"),
        (&kind.overdue, "order_order_by_due"),
        (&kind.first_due, "order_order_by_due"),
        (&read.events_after, "order_event_key"),
        (&read.events_of_kind, "order_event_by_entity"),
        (&read.events_of_entity, "order_event_by_entity"),
        (&read.effects, "order_effect_pkey"),
        (&read.answered_last, "order_idempotency_by_age"),
        (&read.answers_page, "order_idempotency_key"),
        (&read.inbox, "order_inbox_pkey"),
        (&read.passed_over, "order_passed_over_pkey"),
        (&read.letter.waiting, "order_dead_letter_waiting"),
        (&read.letter.first_skipped, "order_dead_letter_skipped"),
        (&read.letter.every_of_entity, "order_dead_letter_by_entity"),
        (&read.letter.numbers_waiting, "order_dead_letter_by_entity"),
    ] {
        let plan = plan(&mut client, sql);
        assert!(
            plan.contains(index) && !plan.contains("Seq Scan") && !plan.contains("Sort"),
            "{sql}: {plan}"
        );
    }
    // Found by an index; what is sorted is what was asked for.
    for (sql, index) in [
        (&kind.load, "order_order_entity_key"),
        (&kind.read, "order_order_entity_key"),
        (&kind.update, "order_order_entity_key"),
        (&kind.move_timer, "order_order_entity_key"),
        (&kind.drop_some, "order_order_entity_key"),
        (&kind.armed, "order_order_by_due"),
        (&read.published_last, "order_event_by_entity"),
        (&read.traces, "order_event_by_entity"),
        (&read.inbox_rows, "order_inbox_pkey"),
        (&read.effects_due, "order_effect_by_claim"),
        (&read.effect_oldest, "order_event_by_entity"),
        (&read.answers, "order_idempotency_key"),
        (&read.counts, "order_counter_pkey"),
        (&read.letter.one, "order_dead_letter"),
        (&read.letter.parked, "order_dead_letter"),
        (&read.letter.still_parked, "order_dead_letter"),
        (&read.letter.shard_waiting, "order_dead_letter_waiting"),
        (&write.inbox_advance, "order_inbox_pkey"),
        (&write.effects_claim, "order_effect_pkey"),
        (&write.effects_done, "order_effect_pkey"),
        (&write.letters_known, "order_dead_letter_waiting"),
        (&write.behind, "order_dead_letter"),
        (&write.letters_done, "order_dead_letter"),
        (&write.letters_skip, "order_dead_letter"),
        (&write.prune_answers, "order_idempotency_by_age"),
        (&write.prune_skipped, "order_dead_letter_by_skip"),
    ] {
        let plan = plan(&mut client, sql);
        assert!(plan.contains(index) && !plan.contains("Seq Scan"), "{sql}: {plan}");
    }
}

#[test]
#[ignore = "wants PostgreSQL: cargo xtask services up"]
fn every_page_walks_an_index_from_where_it_begins() {
    let own = OwnDatabase::new();
    drop(own.open(&[ORDER], LogId(1)));
    let mut client = own.client();
    client.batch_execute(crate::session::PLANS).expect("they can be set");
    let tables = tables();
    for sql in crate::list::every_statement(&tables.kinds[0]) {
        let plan = plan(&mut client, &sql);
        assert!(!plan.contains("Seq Scan") && !plan.contains("Sort"), "{sql}: {plan}");
        assert_ne!(plan.contains("Index Cond"), sql.contains("WHERE TRUE"), "{sql}: {plan}");
    }
}
