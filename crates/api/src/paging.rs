//! Pages: which part of a list is asked for, and the links that lead on at the same cost anywhere in it.

use engine::store::{EntityRow, Order, Start};

use crate::detail::Detail;
use crate::hal::{Base, PageLinks};
use crate::problem::Problem;
use crate::query::QueryText;
use crate::read::Collection;
use crate::settings::Settings;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    number: u64,
    pub(crate) size: u32,
    sort: Option<&'static str>,
    pub(crate) descending: bool,
    pub(crate) order: Order,
    /// Only those of this status.
    pub(crate) status: Option<String>,
    key: Key,
}

/// From where the page is reached. Links carry one, so that no row before it is counted off.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Key {
    Nowhere,
    After(Place),
    Before(Place),
    End,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    tag: String,
    id: u64,
}

const END: &str = "end";
/// A larger number of a page names nothing that could ever be.
const PAGE_MAX: u64 = u32::MAX as u64;
/// Longer than any word for a status.
const TAG_LENGTH_MAX: usize = 40;

impl Page {
    pub(crate) fn read(
        query: &QueryText<'_>,
        collection: &Collection,
        settings: &Settings,
    ) -> Result<Self, Problem> {
        let number = number(query, "page", PAGE_MAX)?.unwrap_or(0);
        let size = number_of_rows(query, settings)?;
        let status = status(query, collection)?;
        let (sort, descending) = sort(query, collection)?;
        // Within one status, the order by status is the order by id.
        let order = match sort {
            Some(field) if field == collection.status && status.is_none() => Order::Tag,
            Some(_) | None => Order::Id,
        };
        Ok(Self { number, size, sort, descending, order, status, key: key(query, order)? })
    }

    /// Where the store begins to read, and how many rows it reads, given how many there are.
    pub(crate) fn start(&self, total: u64) -> (Start, u32) {
        let size = u64::from(self.size);
        match &self.key {
            Key::After(place) => (place.after(), self.size),
            Key::Before(place) => (place.before(), self.size),
            Key::End => (Start::Last { skip: 0 }, self.rows_on(self.last(total), total)),
            Key::Nowhere => {
                let skip = self.number.saturating_mul(size);
                let behind = total.saturating_sub(skip.saturating_add(size));
                let is_nearer_to_the_end = skip < total && behind < skip;
                if is_nearer_to_the_end {
                    (Start::Last { skip: behind }, self.rows_on(self.number, total))
                } else {
                    (Start::First { skip }, self.size)
                }
            }
        }
    }

    /// The number of this page: the last one is found, not counted to.
    pub(crate) fn number(&self, total: u64) -> u64 {
        match self.key {
            Key::End => self.last(total),
            Key::Nowhere | Key::After(_) | Key::Before(_) => self.number,
        }
    }

    pub(crate) fn pages(&self, total: u64) -> u64 {
        total.div_ceil(u64::from(self.size))
    }

    fn last(&self, total: u64) -> u64 {
        self.pages(total).saturating_sub(1)
    }

    /// How many rows are on a page that there is.
    fn rows_on(&self, number: u64, total: u64) -> u32 {
        let size = u64::from(self.size);
        let rows = total.saturating_sub(number.saturating_mul(size)).min(size);
        u32::try_from(rows).unwrap_or(self.size)
    }

    pub(crate) fn links(
        &self,
        (base, collection): (&Base, &Collection),
        total: u64,
        rows: &[EntityRow],
    ) -> PageLinks {
        let number = self.number(total);
        let link = |number: u64, key: Option<String>| {
            let query = self.query(number, collection, key.as_deref());
            format!("{}{}?{query}", base.as_str(), collection.path)
        };
        let mut links = vec![
            ("first", link(0, None)),
            ("self", link(number, self.own_key())),
            ("last", link(self.last(total), Some(format!("before={END}")))),
        ];
        if let (Some(previous), Some(row)) = (number.checked_sub(1), rows.first()) {
            let key = (previous > 0).then(|| format!("before={}", self.place(row)));
            links.insert(1, ("prev", link(previous, key)));
        }
        if let (true, Some(row)) = (number < self.last(total), rows.last()) {
            let key = format!("after={}", self.place(row));
            links.insert(links.len() - 1, ("next", link(number + 1, Some(key))));
        }
        PageLinks(links)
    }

    fn query(&self, number: u64, collection: &Collection, key: Option<&str>) -> String {
        let mut query = format!("page={number}&size={}", self.size);
        if let Some(field) = self.sort {
            let direction = if self.descending { "desc" } else { "asc" };
            query = format!("{query}&sort={field},{direction}");
        }
        if let Some(status) = &self.status {
            query = format!("{query}&{}={status}", collection.status);
        }
        match key {
            Some(key) => format!("{query}&{key}"),
            None => query,
        }
    }

    fn own_key(&self) -> Option<String> {
        match &self.key {
            Key::Nowhere => None,
            Key::After(place) => Some(format!("after={}", self.written(&place.tag, place.id))),
            Key::Before(place) => Some(format!("before={}", self.written(&place.tag, place.id))),
            Key::End => Some(format!("before={END}")),
        }
    }

    fn place(&self, row: &EntityRow) -> String {
        self.written(&row.tag, row.key.id)
    }

    fn written(&self, tag: &str, id: u64) -> String {
        match self.order {
            Order::Id => id.to_string(),
            Order::Tag => format!("{tag}:{id}"),
        }
    }
}

impl Place {
    fn after(&self) -> Start {
        Start::After { tag: self.tag.clone(), id: self.id }
    }

    fn before(&self) -> Start {
        Start::Before { tag: self.tag.clone(), id: self.id }
    }
}

pub(crate) fn number(query: &QueryText<'_>, name: &'static str, max: u64) -> Result<Option<u64>, Problem> {
    let Some(text) = query.get(name)? else {
        return Ok(None);
    };
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = is_plain.then(|| text.parse::<u64>().ok()).flatten();
    number
        .filter(|number| *number <= max)
        .map(Some)
        .ok_or_else(|| Problem::malformed(Detail::NotDigits(name)).of_field(name))
}

fn number_of_rows(query: &QueryText<'_>, settings: &Settings) -> Result<u32, Problem> {
    let max = u64::from(settings.page_size_max);
    match number(query, "size", u64::MAX)? {
        None => Ok(settings.page_size_default),
        Some(0) => Err(Problem::malformed(Detail::NoRows).of_field("size")),
        Some(size) => Ok(u32::try_from(size.min(max)).unwrap_or(settings.page_size_max)),
    }
}

fn status(query: &QueryText<'_>, collection: &Collection) -> Result<Option<String>, Problem> {
    let Some(text) = query.get(collection.status)? else {
        return Ok(None);
    };
    let known = (collection.statuses)();
    if known.contains(&text) {
        return Ok(Some(text.to_owned()));
    }
    let detail = Detail::NotOneOf(collection.status, known.join(", "));
    Err(Problem::malformed(detail).of_field(collection.status))
}

fn sort(query: &QueryText<'_>, collection: &Collection) -> Result<(Option<&'static str>, bool), Problem> {
    let Some(text) = query.get("sort")? else {
        return Ok((None, false));
    };
    let (field, direction) = text.split_once(',').unwrap_or((text, "asc"));
    let mut sortable = collection.ids.iter().copied().chain([collection.status]);
    let field = sortable.find(|known| *known == field).ok_or_else(|| {
        let detail = Detail::NotSortable(collection.ids.join(", "), collection.status);
        Problem::malformed(detail).of_field("sort")
    })?;
    match direction {
        "asc" | "ASC" => Ok((Some(field), false)),
        "desc" | "DESC" => Ok((Some(field), true)),
        _ => Err(Problem::malformed(Detail::NoDirection).of_field("sort")),
    }
}

fn key(query: &QueryText<'_>, order: Order) -> Result<Key, Problem> {
    match (query.get("after")?, query.get("before")?) {
        (None, None) => Ok(Key::Nowhere),
        (Some(text), None) => place(text, order, "after").map(Key::After),
        (None, Some(END)) => Ok(Key::End),
        (None, Some(text)) => place(text, order, "before").map(Key::Before),
        (Some(_), Some(_)) => Err(Problem::malformed(Detail::AfterAndBefore).of_field("after")),
    }
}

fn place(text: &str, order: Order, field: &'static str) -> Result<Place, Problem> {
    let malformed = || Problem::malformed(Detail::NoKeyOfALink).of_field(field);
    let (tag, id) = match order {
        Order::Id => ("", text),
        Order::Tag => text.split_once(':').ok_or_else(malformed)?,
    };
    let is_tag = tag.len() <= TAG_LENGTH_MAX && tag.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    let id = (is_tag && is_id).then(|| id.parse().ok()).flatten();
    Ok(Place { tag: tag.to_owned(), id: id.ok_or_else(malformed)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(query: &str, total: u64) -> (Start, u32) {
        let query = QueryText::read(Some(query)).unwrap();
        let page = Page::read(&query, &crate::call::CALLS, &Settings::default()).unwrap();
        page.start(total)
    }

    #[test]
    fn a_bare_page_is_counted_off_from_the_nearer_end() {
        assert_eq!(start("", 100), (Start::First { skip: 0 }, 20));
        assert_eq!(start("page=2&size=10", 100), (Start::First { skip: 20 }, 10));
        assert_eq!(start("page=7&size=10", 100), (Start::Last { skip: 20 }, 10));
        assert_eq!(start("page=9&size=10", 95), (Start::Last { skip: 0 }, 5));
        assert_eq!(start("page=10&size=10", 95), (Start::First { skip: 100 }, 10));
        assert_eq!(start("page=4294967295&size=1000", 95).1, 1000);
        assert_eq!(start("page=0", 0), (Start::First { skip: 0 }, 20));
    }

    #[test]
    fn a_keyed_page_is_not_counted_off() {
        let after = |tag: &str, id| Start::After { tag: tag.into(), id };
        assert_eq!(start("page=3&after=61", 100), (after("", 61), 20));
        assert_eq!(start("page=3&sort=callStatus&after=payFail:61", 100), (after("payFail", 61), 20));
        assert_eq!(start("page=3&sort=callStatus&callStatus=payFail&after=61", 100), (after("", 61), 20));
        assert_eq!(start("before=end&size=30", 100), (Start::Last { skip: 0 }, 10));
    }
}
