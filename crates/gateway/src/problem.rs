//! The answers the gateway gives by itself, as RFC 9457 problem details, in the language of whoever asked.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use language::Language;
pub(crate) use language::problem::Kind;
use language::sentence::Gap;

language::sentences! {
    /// What went wrong, as a person reads it.
    pub(crate) enum Detail {
        NotAProxy => "this is not a proxy", "이 서버는 프록시가 아닙니다";
        TooManyRequests => "too many requests at once; nothing was done", "동시에 처리할 수 있는 요청 수를 넘었습니다. 아무것도 처리되지 않았습니다";
        NoRoute => "no route takes this path", "이 경로를 처리하는 곳이 없습니다";
        MoreThanItsShare => "this client asks more than its share", "이 클라이언트의 요청이 허용량을 넘었습니다";
        BodyTooLarge(bytes: usize) => "a body may have {bytes} bytes", "본문은 최대 {bytes}바이트입니다";
        BodyBroken => "the body is not framed as announced", "본문이 알린 형식과 다릅니다";
        BodyLate => "the body did not arrive in time", "본문이 제때 도착하지 않았습니다";
        TwoLengths => "there are both Content-Length and Transfer-Encoding", "Content-Length와 Transfer-Encoding이 함께 있습니다";
        HostTwice => "there is more than one Host header", "Host 헤더가 둘 이상입니다";
        NoHost => "there is no Host header", "Host 헤더가 없습니다";
        HostIsNone => "the Host header is not a host", "Host 헤더가 호스트 이름이 아닙니다";
        ReplicasBusy => "every replica has as many requests as it takes; nothing was done", "모든 복제본이 처리할 수 있는 만큼의 요청을 받고 있습니다. 아무것도 처리되지 않았습니다";
        NoReplica => "no replica could be reached; nothing was done", "연결할 수 있는 복제본이 없습니다. 아무것도 처리되지 않았습니다";
        AnswerLate => "the answer did not come in time", "답이 제때 오지 않았습니다";
        AnswerBroken => "the connection broke before the answer", "응답 전에 연결이 끊어졌습니다";
        NoAnswer => "no answer came; ask again with the same Idempotency-Key", "답이 오지 않았습니다. 같은 Idempotency-Key로 다시 요청하십시오";
        NoAnswerNoKey => "no answer came; look whether it was done before asking again, and send an Idempotency-Key next time", "답이 오지 않았습니다. 다시 요청하기 전에 처리되었는지 확인하고, 다음에는 Idempotency-Key를 보내십시오";
    }
}

/// The language in which a client is told what people read.
pub(crate) fn language_of(headers: &HeaderMap) -> Language {
    let given = headers.get_all(header::ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok());
    Language::wanted_of(given)
}

/// One such answer.
#[derive(Debug)]
pub(crate) struct Problem {
    /// What went wrong, as a program reads it.
    pub(crate) kind: Kind,
    /// What went wrong, as a person reads it.
    pub(crate) detail: Detail,
    /// When to come back.
    pub(crate) retry_after: Option<Duration>,
    /// Whether the connection is of no use any more.
    pub(crate) closes_connection: bool,
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: Detail) -> Problem {
        Problem { kind, detail, retry_after: None, closes_connection: false }
    }

    pub(crate) fn retry_after(mut self, wait: Duration) -> Problem {
        self.retry_after = Some(wait);
        self
    }

    pub(crate) fn closing(mut self) -> Problem {
        self.closes_connection = true;
        self
    }

    pub(crate) fn into_response(self, request_id: Option<&HeaderValue>, language: Language) -> Response {
        let status = StatusCode::from_u16(self.kind.status()).expect("every kind has a status of HTTP");
        let mut body = serde_json::json!({
            "type": self.kind.uri(),
            "title": self.kind.title().of(language),
            "status": status.as_u16(),
            "detail": self.detail.told(language),
        });
        if let Some(id) = request_id.and_then(|id| id.to_str().ok()) {
            body["requestId"] = id.into();
        }
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
        headers.insert(header::VARY, HeaderValue::from_name(header::ACCEPT_LANGUAGE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds_up(wait)));
        }
        if self.kind == Kind::MethodNotAllowed {
            headers.insert(
                header::ALLOW,
                HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
            );
        }
        if self.closes_connection {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// Whole seconds, at least one: a client told to wait zero seconds would be back at once.
fn seconds_up(wait: Duration) -> u64 {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    seconds.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use language::sentence::faults;

    #[test]
    fn every_detail_is_told_in_every_language() {
        assert_eq!(faults::<Detail>(), [""; 0]);
    }

    #[test]
    fn the_example_of_a_problem_is_what_is_answered() {
        for (kind, detail) in [
            (Kind::RateLimited, Detail::MoreThanItsShare),
            (Kind::UpstreamBroken, Detail::AnswerBroken),
            (Kind::UpstreamUnavailable, Detail::NoReplica),
            (Kind::UpstreamTimeout, Detail::AnswerLate),
        ] {
            for language in Language::ALL {
                assert_eq!(kind.page().example.of(language), detail.told(language), "{kind:?}");
            }
        }
    }
}
