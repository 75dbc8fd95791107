//! A request that is being answered, as a tracer sees it.

use crate::context::Traceparent;
use crate::{Kind, Span, Tracer, Tracing, Value};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use std::sync::Arc;
use std::time::SystemTime;

pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Told when it is dropped: with what [`Answering::end`] has noted, or as a request whose client has left.
pub struct Answering {
    tracer: Arc<dyn Tracer>,
    service: &'static str,
    context: Traceparent,
    parent: Option<Traceparent>,
    name: String,
    began: SystemTime,
    attributes: Vec<(&'static str, Value)>,
    has_failed: bool,
}

impl Answering {
    /// Has a request carry its trace on: from here where a tracer is told of it, else from where it came. A request that
    /// brings none begins one here.
    pub fn begin(tracing: Tracing, service: &'static str, headers: &mut HeaderMap) -> Option<Self> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let given = Traceparent::of_headers_or(header, |trace_id| {
            tracing.as_ref().is_some_and(|tracer| tracer.samples(trace_id))
        });
        let Some(tracer) = tracing else {
            carry(headers, given);
            return None;
        };
        let sampled = given.filter(Traceparent::is_sampled).map(|given| given.child(tracer.draw()));
        let context = sampled.or(given).unwrap_or_else(|| tracer.begin());
        carry(headers, Some(context));
        context.is_sampled().then(|| Self {
            service,
            context,
            parent: given,
            name: service.to_owned(),
            began: tracer.now(),
            attributes: Vec::new(),
            has_failed: false,
            tracer,
        })
    }

    /// Notes what was asked; a route stands for all paths of its kind.
    pub fn asks(&mut self, method: &Method, route: &str) {
        let method = method_name(method);
        self.name = format!("{method} {route}");
        self.attributes.push(("http.request.method", method.into()));
        self.attributes.push(("http.route", route.into()));
    }

    pub fn end(mut self, status: StatusCode, more: impl IntoIterator<Item = (&'static str, Value)>) {
        self.has_failed = status.is_server_error();
        self.attributes.push(("http.response.status_code", Value::Number(status.as_u16().into())));
        self.attributes.extend(more);
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.tracer.tell(Span {
            context: self.context,
            parent: self.parent.map(|parent| parent.span_id()),
            links: Vec::new(),
            service: self.service,
            name: std::mem::take(&mut self.name),
            kind: Kind::Server,
            began: self.began,
            ended: self.tracer.now(),
            attributes: std::mem::take(&mut self.attributes),
            has_failed: self.has_failed,
        });
    }
}

/// A client may write anything where the method stands.
pub fn method_name(method: &Method) -> &'static str {
    const NAMES: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    NAMES.into_iter().find(|name| *name == method.as_str()).unwrap_or("other")
}

fn carry(headers: &mut HeaderMap, context: Option<Traceparent>) {
    match context {
        Some(context) => {
            let text = HeaderValue::try_from(context.to_string());
            headers.insert(TRACEPARENT, text.expect("hexadecimal digits are a header value"));
        }
        None => drop(headers.remove(TRACEPARENT)),
    }
}
