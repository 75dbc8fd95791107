//! What a version after this one might add to the tables, for rehearsals of an upgrade.

pub(crate) fn of_service(s: &str) -> String {
    format!("ALTER TABLE engine.\"{s}_event\" ADD COLUMN region text")
}

pub(crate) fn of_kind(s: &str, kind: &str) -> String {
    format!(
        "ALTER TABLE engine.\"{s}_entity_{kind}\" ADD COLUMN note text; \
         CREATE INDEX \"{s}_{kind}_by_note\" ON engine.\"{s}_entity_{kind}\" (note)"
    )
}
