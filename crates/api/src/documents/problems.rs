//! `/problems/**`: a page for every type of problem, in the language of whoever looks, made from the types themselves.

use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderName, HeaderValue, header};
use language::Language;
use language::problem::{Kind, Page, Words};
use std::fmt::Write;

use crate::asked::language_of;
use crate::detail::Detail;
use crate::problem::Problem;

pub(super) const PATHS: [&str; 3] = ["/problems", "/problems/", "/problems/{name}"];

/// Nothing runs, nothing is loaded but our own style.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const fn words(english: &'static str, korean: &'static str) -> Words {
    Words { english, korean }
}

const PROBLEMS: Words = words("Problems", "오류 유형");
const ALL: Words = words("All problems", "모든 오류 유형");
const ABOUT: Words = words(
    "What went wrong is told as application/problem+json (RFC 9457). A program goes by type and status, which never change.",
    "오류는 application/problem+json(RFC 9457)으로 알려 드립니다. 프로그램은 바뀌지 않는 type과 status를 기준으로 삼으십시오.",
);
const STATUS: Words = words("Status", "상태 코드");
const MEANS: Words = words("What it means", "의미");
const COMES: Words = words("When it comes", "발생하는 경우");
const ADVICE: Words = words("What to do", "해야 할 일");
const EXAMPLE: Words = words("An example", "예시");

/// The page of one type, or nothing where there is no such type.
pub(super) fn one(head: &Parts, name: &str) -> Result<Response, Problem> {
    let language = language_of(&head.headers, head.uri.query())?;
    let kind = Kind::named(name).ok_or_else(|| Problem::new(Kind::NotFound, Detail::NoSuchProblem))?;
    Ok(respond(page_of(kind, language), language))
}

/// The list of all types.
pub(super) fn all(head: &Parts) -> Result<Response, Problem> {
    let language = language_of(&head.headers, head.uri.query())?;
    let mut text = format!("<p class=\"soft\">{}</p>\n<table>\n", marked(ABOUT.of(language)));
    for kind in sorted() {
        let (name, status, title) = (kind.name(), kind.status(), marked(kind.title().of(language)));
        let href = format!("/problems/{name}?lang={}", language.tag());
        writeln!(
            text,
            "<tr><td><a href=\"{href}\"><code>{name}</code></a></td><td>{status}</td><td>{title}</td></tr>"
        )
        .expect("writing to a string cannot fail");
    }
    text.push_str("</table>\n");
    Ok(respond(document((PROBLEMS.of(language), "/problems"), &text, language), language))
}

fn sorted() -> Vec<Kind> {
    let mut kinds = Kind::ALL.to_vec();
    kinds.sort_by_key(|kind| (kind.status(), kind.name()));
    kinds
}

fn page_of(kind: Kind, language: Language) -> String {
    let Page { means, comes, advice, .. } = kind.page();
    let mut text = format!(
        "<p class=\"soft\"><code>{}</code> · {} {}</p>\n",
        kind.uri(),
        STATUS.of(language),
        kind.status()
    );
    for (head, words) in [(MEANS, means), (COMES, comes), (ADVICE, advice)] {
        writeln!(text, "<h2>{}</h2>\n<p>{}</p>", head.of(language), marked(words.of(language)))
            .expect("writing to a string cannot fail");
    }
    let example = escaped(&example(kind, language));
    writeln!(text, "<h2>{}</h2>\n<pre><code>{example}</code></pre>", EXAMPLE.of(language))
        .expect("writing to a string cannot fail");
    writeln!(text, "<p><a href=\"/problems?lang={}\">{}</a></p>", language.tag(), ALL.of(language))
        .expect("writing to a string cannot fail");
    document((kind.title().of(language), &kind.uri()), &text, language)
}

/// The document that comes with it, as an example.
fn example(kind: Kind, language: Language) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    format!(
        "{{\n  \"type\": {},\n  \"title\": {},\n  \"status\": {},\n  \"detail\": {},\n  \"requestId\": {}\n}}",
        quoted(&kind.uri()),
        quoted(kind.title().of(language)),
        kind.status(),
        quoted(kind.page().example.of(language)),
        quoted("34d6186cde787cd8502454dd6c28fc26"),
    )
}

fn document((title, path): (&str, &str), text: &str, language: Language) -> String {
    let tag = language.tag();
    let others = Language::ALL.into_iter().filter(|other| *other != language);
    let mut links = String::new();
    for other in others {
        let (other, name) = (other.tag(), other.name());
        write!(
            links,
            "<li><a href=\"{path}?lang={other}\" hreflang=\"{other}\" lang=\"{other}\">{name}</a></li>"
        )
        .expect("writing to a string cannot fail");
    }
    let title = escaped(title);
    format!(
        "<!doctype html>\n<html lang=\"{tag}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>taxisvc · {title}</title>\n\
         <link rel=\"stylesheet\" href=\"/docs/documents.css\">\n</head>\n<body>\n<header></header>\n<main>\n\
         <h1>{title}</h1>\n{text}<nav><ul>{links}</ul></nav>\n</main>\n</body>\n</html>\n"
    )
}

/// As HTML, with what stands between backticks as code.
fn marked(text: &str) -> String {
    let parts = text.split('`').enumerate();
    let marked = parts.map(|(place, part)| match place % 2 {
        0 => escaped(part),
        _ => format!("<code>{}</code>", escaped(part)),
    });
    marked.collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn respond(text: String, language: Language) -> Response {
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_LANGUAGE, language.tag()),
        (header::VARY, "accept-language"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ] as [(HeaderName, &'static str); 7]
    {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_code_is_marked_and_nothing_is_html() {
        assert_eq!(
            marked("send `Authorization: <token>` & go"),
            "send <code>Authorization: &lt;token&gt;</code> &amp; go"
        );
    }

    #[test]
    fn an_example_is_the_document_that_comes() {
        for kind in Kind::ALL {
            for language in Language::ALL {
                let example: serde_json::Value = serde_json::from_str(&example(*kind, language)).unwrap();
                assert_eq!(example["type"], kind.uri());
                assert_eq!(example["title"], kind.title().of(language));
            }
        }
    }

    #[test]
    fn what_stands_in_backticks_is_closed() {
        for kind in Kind::ALL {
            let page = kind.page();
            for words in [page.means, page.comes, page.advice] {
                for language in Language::ALL {
                    let ticks = words.of(language).matches('`').count();
                    assert!(ticks.is_multiple_of(2), "{kind:?} {language:?}");
                }
            }
        }
    }
}
