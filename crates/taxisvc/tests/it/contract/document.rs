//! The document as a test reads it: an answer must be one that it tells of, with nothing beside.

use crate::world::http::Answer;
use jsonschema::Validator;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeSet;

/// Headers of HTTP itself and of browsers' rules, which no operation tells of.
const COMMON_HEADERS: [&str; 18] = [
    "access-control-allow-origin",
    "access-control-expose-headers",
    "allow",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-security-policy",
    "content-type",
    "cross-origin-opener-policy",
    "date",
    "etag",
    "permissions-policy",
    "referrer-policy",
    "transfer-encoding",
    "vary",
    "x-accel-buffering",
    "x-content-type-options",
];

pub(super) struct Document {
    value: Value,
    /// Operation and status of every answer that was looked at.
    pub(super) seen: RefCell<BTreeSet<(String, u16)>>,
    /// The types of the problems among them.
    pub(super) problems: RefCell<BTreeSet<String>>,
}

impl Document {
    pub(super) fn read(text: &str) -> Self {
        let mut value: Value = serde_json::from_str(text).expect("the document is JSON");
        close(&mut value["components"]["schemas"]);
        Self { value, seen: RefCell::default(), problems: RefCell::default() }
    }

    /// The path of the document that a path of a request is, a fixed one before one with gaps.
    fn operation(&self, method: &str, path: &str) -> Option<(&str, &Value)> {
        let path = path.split('?').next().unwrap_or_default();
        let paths = self.value["paths"].as_object().expect("there are paths");
        let fits = |template: &str| {
            let (ours, theirs): (Vec<&str>, Vec<&str>) =
                (template.split('/').collect(), path.split('/').collect());
            ours.len() == theirs.len()
                && ours.iter().zip(&theirs).all(|(own, given)| own.starts_with('{') || own == given)
        };
        let mut fitting: Vec<&String> = paths.keys().filter(|template| fits(template)).collect();
        fitting.sort_by_key(|template| template.matches('{').count());
        let template = fitting.first()?;
        let operation = &paths[template.as_str()][method.to_lowercase()];
        (!operation.is_null()).then_some((template.as_str(), operation))
    }

    /// A part of the document in place of a reference to it.
    fn at<'v>(&'v self, value: &'v Value) -> &'v Value {
        match value["$ref"].as_str() {
            Some(target) => {
                self.value.pointer(target.trim_start_matches('#')).expect("a reference leads somewhere")
            }
            None => value,
        }
    }

    fn validator(&self, schema: &Value) -> Validator {
        let wrapped = json!({"allOf": [schema], "components": self.value["components"]});
        let options = jsonschema::options().should_validate_formats(true);
        options.build(&wrapped).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The answer is one that the document tells of; another method is a 405, which it tells of in words.
    #[track_caller]
    pub(super) fn hold(&self, (method, path): (&str, &str), answer: &Answer) {
        let what = format!("{method} {path}: {answer:?}");
        let media_type =
            answer.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default();
        if media_type == "application/problem+json" {
            let kind = answer.json()["type"].as_str().expect("a problem has a type").to_owned();
            let problem = json!({"$ref": "#/components/schemas/Problem"});
            self.assert_valid(&problem, &answer.json(), &what);
            assert_eq!(answer.json()["status"], answer.status, "{what}");
            self.problems.borrow_mut().insert(kind);
        }
        let Some((template, operation)) = self.operation(method, path) else {
            assert!([404, 405].contains(&answer.status), "no operation: {what}");
            return;
        };
        let response = &operation["responses"][answer.status.to_string()];
        assert!(!response.is_null(), "the document does not tell of this status: {what}");
        let response = self.at(response);
        self.hold_headers(response, answer, &what);
        if let Some(content) = response["content"].as_object() {
            let told = content.get(media_type);
            let told = told.unwrap_or_else(|| panic!("the document does not tell of {media_type}: {what}"));
            if media_type.ends_with("json") {
                self.assert_valid(&told["schema"], &answer.json(), &what);
            }
        }
        self.seen.borrow_mut().insert((format!("{method} {template}"), answer.status));
    }

    #[track_caller]
    fn hold_headers(&self, response: &Value, answer: &Answer, what: &str) {
        let empty = serde_json::Map::new();
        let told = response["headers"].as_object().unwrap_or(&empty);
        for (name, value) in &answer.headers {
            let Some((_, header)) = told.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) else {
                assert!(
                    COMMON_HEADERS.contains(&name.as_str()),
                    "the document does not tell of {name}: {what}"
                );
                continue;
            };
            let schema = &self.at(header)["schema"];
            let is_number = schema["type"] == "integer";
            let value = if is_number { json!(value.parse::<u64>().ok()) } else { json!(value) };
            self.assert_valid(schema, &value, &format!("{name} of {what}"));
        }
        for (name, header) in told {
            let is_needed = self.at(header)["required"] == true;
            assert!(!is_needed || answer.header(name).is_some(), "{name} is missing: {what}");
        }
    }

    #[track_caller]
    pub(super) fn assert_valid(&self, schema: &Value, instance: &Value, what: &str) {
        let validator = self.validator(schema);
        let errors: Vec<String> = validator
            .iter_errors(instance)
            .map(|error| format!("{error} at {}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{errors:#?}: {what}");
    }

    /// How many a part of the document has.
    pub(super) fn count(&self, pointer: &str) -> usize {
        self.value.pointer(pointer).and_then(Value::as_object).map_or(0, serde_json::Map::len)
    }

    /// Every operation with the statuses below 300 that it tells of.
    pub(super) fn successes(&self) -> BTreeSet<(String, u16)> {
        let mut all = BTreeSet::new();
        for (path, item) in self.value["paths"].as_object().expect("there are paths") {
            for (method, operation) in item.as_object().expect("a path is an object") {
                let responses = operation["responses"].as_object();
                for status in responses.into_iter().flat_map(|responses| responses.keys()) {
                    let status: u16 = status.parse().expect("a status is a number");
                    if status < 300 {
                        all.insert((format!("{} {path}", method.to_uppercase()), status));
                    }
                }
            }
        }
        all
    }
}

/// In a test, what is not told of is not allowed: clients pass it over, the document must not.
fn close(value: &mut Value) {
    if let Some(fields) = value.as_object_mut() {
        if fields.contains_key("properties") && fields.get("type") == Some(&json!("object")) {
            fields.insert("additionalProperties".to_owned(), json!(false));
        }
        fields.values_mut().for_each(close);
    } else if let Some(values) = value.as_array_mut() {
        values.iter_mut().for_each(close);
    }
}
