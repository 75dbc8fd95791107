//! A mistake in a settings file: where it is and what is wrong, without the line itself, which may hold a secret.

use super::{Config, secret};
use anyhow::anyhow;
use std::ops::Range;
use std::path::Path;
use toml::Table;
use toml::de::{DeTable, DeValue, Error};

/// What the file says; all of it is understood.
pub(super) fn read(file: &Path, text: &str) -> anyhow::Result<Table> {
    let said: Table = text.parse().map_err(|error: Error| {
        anyhow!("{}: this is not TOML: {}", place(file, text, error.span()), message(&error))
    })?;
    match toml::from_str::<Config>(text) {
        Ok(_) => Ok(said),
        Err(error) => Err(not_understood(file, text, &error)),
    }
}

fn not_understood(file: &Path, text: &str, error: &Error) -> anyhow::Error {
    let place = place(file, text, error.span());
    match error.span() {
        Some(span) => match secret_at(text, &span) {
            None => anyhow!("{place}: {}", message(error)),
            Some(path) => anyhow!("{place}: {path} is text, in quotes"),
        },
        // Without a place nobody knows whether it shows a secret.
        None => anyhow!("{place}: something in it is not understood"),
    }
}

/// The first line of what is wrong, which has none of the file's lines in it.
fn message(error: &Error) -> &str {
    error.message().lines().next().unwrap_or_default()
}

fn place(file: &Path, text: &str, span: Option<Range<usize>>) -> String {
    let file = file.display();
    let Some(before) = span.and_then(|span| text.get(..span.start)) else { return file.to_string() };
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("{file}, line {line}, column {column}")
}

/// The secret in whose value the place lies, or in what was written where its part should be.
fn secret_at(text: &str, span: &Range<usize>) -> Option<&'static str> {
    let said = DeTable::parse(text).ok()?;
    secret::all().find(|path| {
        value_span(said.get_ref(), path)
            .is_some_and(|value| value.start <= span.start && span.start < value.end)
    })
}

fn value_span(table: &DeTable<'_>, path: &str) -> Option<Range<usize>> {
    let (part, rest) = path.split_once('.').map_or((path, None), |(part, rest)| (part, Some(rest)));
    let value = table.get(part)?;
    match (value.get_ref(), rest) {
        (DeValue::Table(inner), Some(rest)) => value_span(inner, rest),
        _ => Some(value.span()),
    }
}
