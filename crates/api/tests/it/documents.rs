//! The documents for who builds on the API: they are what their specifications say, and they say what is there.

use crate::world::World;
use api::{ASYNCAPI, OPENAPI};
use jsonschema::{Retrieve, Uri, Validator};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use taxi::sample;

const OPENAPI_SCHEMA: &str = include_str!("../schemas/openapi-3.1.json");
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

fn openapi() -> Value {
    serde_json::from_str(OPENAPI).expect("the document is JSON")
}

fn asyncapi() -> Value {
    serde_json::from_str(ASYNCAPI).expect("the document is JSON")
}

/// A validator that asks nobody outside for a schema.
fn validator(schema: &Value) -> Validator {
    let options = jsonschema::options().with_retriever(Nowhere).should_validate_formats(true);
    options.build(schema).unwrap_or_else(|error| panic!("{error}: {schema}"))
}

struct Nowhere;

impl Retrieve for Nowhere {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        Err(format!("{uri} is outside").into())
    }
}

/// One of a document's schemas, with the others within reach.
fn schema(document: &Value, name: &str) -> Validator {
    validator(&json!({"$ref": format!("#/components/schemas/{name}"), "components": document["components"]}))
}

#[track_caller]
fn assert_valid(validator: &Validator, instance: &Value, what: &str) {
    let errors: Vec<String> = validator
        .iter_errors(instance)
        .map(|error| format!("{error} at {}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{what}: {errors:#?}\n{instance}");
}

#[test]
fn the_document_is_openapi_3_1() {
    let schema: Value = serde_json::from_str(OPENAPI_SCHEMA).unwrap();
    assert_valid(&validator(&schema), &openapi(), "openapi.json");
}

/// The target of every `$ref` of a document.
fn references<'d>(value: &'d Value, found: &mut Vec<&'d str>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str().filter(|_| name == "$ref") {
                    Some(target) => found.push(target),
                    None => references(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_referred_to() {
    for (name, document) in [("openapi.json", openapi()), ("asyncapi.json", asyncapi())] {
        let mut found = Vec::new();
        references(&document, &mut found);
        for target in &found {
            let pointer = target.strip_prefix('#').unwrap_or_else(|| panic!("{name}: {target} is outside"));
            assert!(document.pointer(pointer).is_some(), "{name}: {target} leads nowhere");
        }
        for (kind, components) in document["components"].as_object().unwrap() {
            for component in components.as_object().unwrap().keys().filter(|_| kind != "securitySchemes") {
                // All problems together, for who handles any of them.
                if component == "Problem" {
                    continue;
                }
                let target = format!("#/components/{kind}/{component}");
                assert!(found.contains(&target.as_str()), "{name}: nobody refers to {target}");
            }
        }
    }
}

#[tokio::test]
async fn it_has_every_route_and_no_other() {
    let world = World::start();
    let routed: BTreeSet<(String, String)> = api::routes(&world.api)
        .into_iter()
        .map(|(method, path)| (path.to_owned(), method.to_lowercase()))
        .collect();
    let document = openapi();
    let mut documented = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = item.as_object().unwrap().keys().filter(|key| METHODS.contains(&key.as_str()));
        documented.extend(methods.map(|method| (path.clone(), method.clone())));
    }
    let missing: Vec<_> = routed.difference(&documented).collect();
    let invented: Vec<_> = documented.difference(&routed).collect();
    assert!(
        missing.is_empty() && invented.is_empty(),
        "not documented: {missing:?}; not there: {invented:?}"
    );
}

#[test]
fn every_operation_has_a_name_a_summary_and_a_known_tag() {
    let document = openapi();
    let tags: BTreeSet<&str> =
        document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    let mut names = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if !METHODS.contains(&method.as_str()) {
                continue;
            }
            let name = operation["operationId"].as_str().unwrap_or_default();
            assert!(!name.is_empty() && names.insert(name), "{method} {path}: {name:?}");
            assert!(operation["summary"].is_string(), "{name}");
            assert!(tags.contains(operation["tags"][0].as_str().unwrap_or_default()), "{name}");
            assert_eq!(
                path.starts_with("/operator"),
                operation["security"] == json!([{"operatorToken": []}]),
                "{name}: operators show a token, and nobody else does"
            );
        }
    }
}

#[test]
fn the_examples_are_examples() {
    let document = openapi();
    let mut examples = 0;
    for (name, declared) in document["components"]["schemas"].as_object().unwrap() {
        for example in declared["examples"].as_array().into_iter().flatten() {
            assert_valid(&schema(&document, name), example, name);
            examples += 1;
        }
    }
    for (name, parameter) in document["components"]["parameters"].as_object().unwrap() {
        if !parameter["example"].is_null() {
            let wrapped = json!({"allOf": [parameter["schema"]], "components": document["components"]});
            assert_valid(&validator(&wrapped), &parameter["example"], name);
            examples += 1;
        }
    }
    assert!(examples > 15, "{examples} examples were looked at");
}

/// The types of problems, as the services answer them and as the document tells them.
#[test]
fn it_has_the_types_of_problems() {
    let document = openapi();
    let listed = document["components"]["schemas"]["Problem"]["oneOf"].as_array().unwrap();
    let told: BTreeSet<(String, u64)> = listed
        .iter()
        .map(|one| {
            let pointer = one["$ref"].as_str().unwrap().trim_start_matches('#');
            let problem = &document.pointer(pointer).unwrap()["properties"];
            let status = &problem["status"];
            let status = status["const"].as_u64().or_else(|| status["enum"][0].as_u64()).unwrap();
            (problem["type"]["const"].as_str().unwrap().to_owned(), status)
        })
        .collect();
    for (name, status, _) in api::problem_types() {
        let problem = (format!("/problems/{name}"), u64::from(status.as_u16()));
        assert!(told.contains(&problem), "{problem:?} is not told");
    }
}

#[test]
fn the_events_are_the_published_ones() {
    let document = asyncapi();
    let events = sample::every_event();
    let published: BTreeSet<&str> =
        events.iter().filter(|event| event.is_published()).map(taxi::event::Event::type_name).collect();
    let keys = |pointer: &str| -> BTreeSet<&str> {
        document.pointer(pointer).unwrap().as_object().unwrap().keys().map(String::as_str).collect()
    };
    assert_eq!(keys("/components/messages"), published);
    for (channel, operation) in [("events", "tell"), ("topic", "publish")] {
        assert_eq!(keys(&format!("/channels/{channel}/messages")), published);
        let told = document["operations"][operation]["messages"].as_array().unwrap();
        let told: BTreeSet<&str> = told.iter().map(|one| one["$ref"].as_str().unwrap()).collect();
        let all = published.iter().map(|name| format!("#/channels/{channel}/messages/{name}"));
        assert_eq!(told, all.collect::<Vec<_>>().iter().map(String::as_str).collect());
    }
    for event in events.iter().filter(|event| event.is_published()) {
        let name = event.type_name();
        let payload: Value = serde_json::from_str(&event.to_wire(sample::AT).unwrap()).unwrap();
        assert_valid(&schema(&document, name), &payload, name);
        let declared = &document["components"]["schemas"][name];
        assert_eq!(declared["properties"]["eventType"]["const"], name);
        for field in payload.as_object().unwrap().keys() {
            assert!(!declared["properties"][field].is_null(), "{name} does not tell of {field}");
        }
        let example = &document["components"]["messages"][name]["examples"][0]["payload"];
        assert_valid(&schema(&document, name), example, name);
    }
    let streamed = openapi();
    let parameters = streamed["paths"]["/events"]["get"]["parameters"].as_array().unwrap();
    let kinds = parameters.iter().find(|parameter| parameter["name"] == "type").unwrap();
    let kinds = kinds["schema"]["items"]["enum"].as_array().unwrap();
    assert_eq!(kinds.iter().map(|kind| kind.as_str().unwrap()).collect::<BTreeSet<_>>(), published);
}

/// What the program writes is a message of the document, and the document has no header that is never written.
#[test]
fn the_messages_are_as_they_are_written() {
    use engine::wire::Wire;
    use wiring::wire::{Profile, TaxiWire};
    let document = asyncapi();
    let declared = &document["components"]["schemas"]["Headers"]["properties"];
    let mut written = BTreeSet::new();
    for profile in Profile::ALL {
        for event in sample::every_event().iter().filter(|event| event.is_published()) {
            let name = event.type_name();
            let packet = TaxiWire { profile }.write(&recorded(event)).unwrap().unwrap();
            let text = |bytes: Option<Vec<u8>>| String::from_utf8(bytes.unwrap()).unwrap();
            let headers: serde_json::Map<String, Value> =
                packet.headers.into_iter().map(|(name, value)| (name, text(value).into())).collect();
            for header in headers.keys() {
                assert!(!declared[header].is_null(), "{header} is not told of");
            }
            written.extend(headers.keys().cloned());
            assert_valid(&schema(&document, "Headers"), &Value::Object(headers), name);
            let key = &document["components"]["messageTraits"]["OnTopic"]["bindings"]["kafka"]["key"];
            assert_valid(&validator(key), &text(packet.key).into(), name);
            let traits = &document["components"]["messages"][name]["traits"];
            assert_eq!(traits, &json!([{"$ref": "#/components/messageTraits/OnTopic"}]));
        }
    }
    assert_eq!(written, declared.as_object().unwrap().keys().cloned().collect());
}

/// As a service's log keeps it.
fn recorded(event: &taxi::event::Event) -> engine::log::Recorded {
    let (event_type, schema, body) = event.to_stored();
    let log = engine::log::LogId(1);
    engine::log::Recorded {
        source: engine::log::Source { log, service: "payment".into(), shard: 0 },
        position: 17,
        entity_kind: "payment".into(),
        entity_id: event.call_id().get(),
        version: 1,
        event_type: event_type.into(),
        schema,
        published: event.is_published(),
        at: engine::clock::Timestamp(sample::AT.0),
        actor: "provider".into(),
        cause: "effect take 256".into(),
        trace: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
        body,
    }
}

/// The words of the business are the same in both documents.
#[test]
fn both_documents_have_the_same_words() {
    let (openapi, asyncapi) = (openapi(), asyncapi());
    for (name, own) in asyncapi["components"]["schemas"].as_object().unwrap() {
        let other = &openapi["components"]["schemas"][name];
        assert!(other.is_null() || other == own, "{name}");
    }
    let statuses = |name: &str| -> Vec<String> {
        let words = openapi["components"]["schemas"][name]["enum"].as_array().unwrap();
        words.iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(statuses("CallStatus"), taxi::status::CallStatus::ALL.map(|status| status.as_str()));
    assert_eq!(statuses("PayStatus"), taxi::status::PayStatus::ALL.map(|status| status.as_str()));
    assert_eq!(statuses("DriveStatus"), taxi::status::DriveStatus::ALL.map(|status| status.as_str()));
}

#[tokio::test]
async fn they_are_served_with_what_they_are_made_of() {
    use http::{Request, StatusCode};
    use tower::ServiceExt;
    let ask = async |method: &str, path: &str| {
        let request = Request::builder().method(method).uri(path).body(axum::body::Body::empty()).unwrap();
        api::documents_router().oneshot(request).await.unwrap()
    };
    for (path, media_type) in [
        ("/openapi.json", "application/json"),
        ("/asyncapi.json", "application/json"),
        ("/docs", "text/html; charset=utf-8"),
        ("/docs/reference", "text/html; charset=utf-8"),
        ("/docs/documents.css", "text/css; charset=utf-8"),
        ("/docs/reference.js", "text/javascript; charset=utf-8"),
        ("/docs/swagger-ui.css", "text/css; charset=utf-8"),
        ("/docs/swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
    ] {
        let answer = ask("GET", path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        assert_eq!(answer.headers()["content-type"], media_type, "{path}");
        assert_eq!(ask("POST", path).await.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
    for path in ["/docs/", "/docs/none", "/docs/index.html", "/docs/..%2fopenapi.json"] {
        let answer = ask("GET", path).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{path}");
    }
}
