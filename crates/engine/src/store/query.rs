//! Which page of which list is asked for.

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Id,
    /// By tag, then by id.
    Tag,
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// At the first, after skipping so many.
    First { skip: u64 },
    /// The last ones, after skipping so many from the end.
    Last { skip: u64 },
    /// Right after (tag, id) in the direction of the list; the tag counts only when ordered by it.
    After { tag: String, id: u64 },
    /// Right before it.
    Before { tag: String, id: u64 },
}

/// A page of one kind of entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    pub service: &'static str,
    pub kind: &'static str,
    pub order: Order,
    pub descending: bool,
    /// Only those with this tag.
    pub tag: Option<String>,
    pub start: Start,
    pub limit: u32,
}
