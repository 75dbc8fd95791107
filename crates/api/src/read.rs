//! Reading: a page of a collection and one of its resources, alike for every service.

use engine::log::{EntityKey, Position};
use engine::progress::Reading;
use engine::projection::Rebuilding;
use engine::store::{EntityRow, Query, Reader};
use http::StatusCode;
use serde::Serialize;
use std::sync::Arc;
use taxi::id::CallId;
use wiring::{Handles, Readers, view};

use crate::Api;
use crate::asked::{Answered, Asked, last_segment};
use crate::detail::Detail;
use crate::hal::{Base, PageLinks, respond, to_json};
use crate::paging::Page;
use crate::position::{self, Tell};
use crate::problem::{Kind, Problem};
use crate::query::QueryText;

/// What must be known of a service to read its resources.
pub(crate) struct Collection {
    /// The service, and its kind of entity.
    pub(crate) service: &'static str,
    pub(crate) path: &'static str,
    pub(crate) embedded: &'static str,
    /// The fields that all hold the id.
    pub(crate) ids: &'static [&'static str],
    /// Every field of a resource.
    pub(crate) fields: &'static [&'static str],
    /// The field by which resources are filtered and, beside the id, sorted.
    pub(crate) status: &'static str,
    pub(crate) statuses: fn() -> Vec<&'static str>,
    pub(crate) reader: fn(&Readers) -> &Arc<dyn Reader>,
    pub(crate) when_read: fn(&Handles, Position, Tell) -> Option<Reading>,
    /// The resource as JSON.
    pub(crate) render: fn(&EntityRow, &Base) -> Result<Vec<u8>, serde_json::Error>,
}

/// Where a page lies in its collection.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PageFacts {
    size: u32,
    total_elements: u64,
    total_pages: u64,
    number: u64,
}

/// `GET /<collection>`.
pub(crate) async fn list(asked: Asked, collection: &'static Collection) -> Answered {
    let (form, base) = (asked.form()?, asked.base()?);
    let query = asked.query()?;
    refuse_other_filters(&query, collection)?;
    let page = Page::read(&query, collection, &asked.api.settings())?;
    let seen = catch_up(&asked, collection).await?;
    let reader = (collection.reader)(&asked.api.readers).clone();
    let body = asked.api.desk.read(move || page_of(&*reader, collection, &page, &base)).await?;
    refuse_changed(&asked.api, collection, seen)?;
    Ok(respond(StatusCode::OK, form, body))
}

/// `GET /<collection>/{id}`.
pub(crate) async fn one(asked: Asked, collection: &'static Collection) -> Answered {
    let (form, base) = (asked.form()?, asked.base()?);
    let segment = last_segment(&asked.head)?;
    let unknown = |text: &str| {
        let text: String = text.chars().take(40).collect();
        Problem::new(Kind::NotFound, Detail::NoSuchThing(collection.path, text))
    };
    let call_id: CallId = segment.parse().map_err(|_| unknown(&segment))?;
    let seen = catch_up(&asked, collection).await?;
    let found = resource(&asked, collection, call_id, &base).await?;
    refuse_changed(&asked.api, collection, seen)?;
    match found {
        Some(body) => Ok(respond(StatusCode::OK, form, body)),
        None => Err(unknown(&segment)),
    }
}

/// One resource as JSON.
pub(crate) async fn resource(
    asked: &Asked,
    collection: &'static Collection,
    call_id: CallId,
    base: &Base,
) -> Result<Option<Vec<u8>>, Problem> {
    let reader = (collection.reader)(&asked.api.readers);
    let row = asked.api.desk.row(reader, collection.service, key(collection, call_id)).await?;
    row.map(|row| render(collection, &row, base)).transpose()
}

/// Waits for as much as the client asks to see. Returns what [`refuse_changed`] is to be given after the read.
pub(crate) async fn catch_up(asked: &Asked, collection: &'static Collection) -> Result<Seen, Problem> {
    let seen = Seen(asked.api.handles.view.rebuilds());
    refuse_half(&asked.api, collection)?;
    let wanted = position::wanted(asked).await?;
    let Some(wanted) = wanted else { return Ok(seen) };
    let api = &asked.api;
    let when_read = |position, tell| (collection.when_read)(&api.handles, position, tell);
    position::reach(api, collection.service, wanted, when_read).await?;
    Ok(seen)
}

/// How often the view had been made anew before a read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen(u64);

/// The same as [`refuse_half`] after a read, and of a view that was made anew in the middle of it.
pub(crate) fn refuse_changed(api: &Api, collection: &Collection, seen: Seen) -> Result<(), Problem> {
    refuse_half(api, collection)?;
    if collection.service == view::NAME && api.handles.view.rebuilds() != seen.0 {
        return Err(Problem::new(Kind::Unavailable, Detail::ViewIsDropped).retry_after());
    }
    Ok(())
}

/// A view that is being made anew lacks what it has not read yet: nothing is told rather than half of it.
fn refuse_half(api: &Api, collection: &Collection) -> Result<(), Problem> {
    if collection.service != view::NAME {
        return Ok(());
    }
    let detail = match api.handles.view.rebuilding() {
        None => return Ok(()),
        Some(Rebuilding { to_read: 0, .. }) => Detail::ViewIsDropped,
        Some(Rebuilding { read, to_read }) => Detail::ViewIsMadeAnew(read, to_read),
    };
    Err(Problem::new(Kind::Unavailable, detail).retry_after())
}

/// A filter that is passed over would answer with rows that were not asked for; a name that is no field is nobody's.
fn refuse_other_filters(query: &QueryText<'_>, collection: &Collection) -> Result<(), Problem> {
    let is_other = |name: &&str| *name != collection.status && collection.fields.contains(name);
    let Some(name) = query.names().find(is_other) else {
        return Ok(());
    };
    let Collection { path, status, .. } = collection;
    Err(Problem::malformed(Detail::OneFilter(path, status)).of_field(name.to_owned()))
}

fn page_of(
    reader: &dyn Reader,
    collection: &Collection,
    page: &Page,
    base: &Base,
) -> Result<Vec<u8>, Problem> {
    let counts =
        reader.counts(collection.service, collection.service).map_err(|error| Problem::unreadable(&error))?;
    let is_wanted = |tag: &str| page.status.as_deref().is_none_or(|status| status == tag);
    let counted = counts.iter().filter(|(tag, _)| is_wanted(tag));
    let total = counted.map(|(_, count)| count).sum();
    let (start, limit) = page.start(total);
    let query = Query {
        service: collection.service,
        kind: collection.service,
        order: page.order,
        descending: page.descending,
        tag: page.status.clone(),
        start,
        limit,
    };
    let rows = if limit == 0 { Ok(Vec::new()) } else { reader.list(&query) };
    let rows = rows.map_err(|error| Problem::unreadable(&error))?;
    let links = page.links((base, collection), total, &rows);
    let facts = PageFacts {
        size: page.size,
        total_elements: total,
        total_pages: page.pages(total),
        number: page.number(total),
    };
    write_page(collection, &rows, base, (&links, &facts))
}

fn write_page(
    collection: &Collection,
    rows: &[EntityRow],
    base: &Base,
    (links, facts): (&PageLinks, &PageFacts),
) -> Result<Vec<u8>, Problem> {
    let mut body = embed(collection, rows, base)?;
    body.extend_from_slice(b",\"_links\":");
    body.extend_from_slice(&to_json(links));
    body.extend_from_slice(b",\"page\":");
    body.extend_from_slice(&to_json(facts));
    body.push(b'}');
    Ok(body)
}

/// The beginning of a collection's body: an object that is still open.
pub(crate) fn embed(collection: &Collection, rows: &[EntityRow], base: &Base) -> Result<Vec<u8>, Problem> {
    let mut body = format!("{{\"_embedded\":{{\"{}\":[", collection.embedded).into_bytes();
    for (place, row) in rows.iter().enumerate() {
        if place > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&render(collection, row, base)?);
    }
    body.extend_from_slice(b"]}");
    Ok(body)
}

fn render(collection: &Collection, row: &EntityRow, base: &Base) -> Result<Vec<u8>, Problem> {
    (collection.render)(row, base)
        .map_err(|error| Problem::internal(&format!("the state of {} cannot be read: {error}", row.key)))
}

pub(crate) fn key(collection: &Collection, call_id: CallId) -> EntityKey {
    EntityKey { kind: collection.service, id: call_id.get() }
}

/// Reads on a thread that may block: a store is a file, and a file may be slow.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Problem::internal(&format!("a read broke off: {error}"))))
}
