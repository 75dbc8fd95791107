//! The variables by which operators of a cluster set OpenTelemetry for all programs at once. They are not about us alone, so
//! what is said in them that we do not do keeps nobody from starting.

use super::Traces;
use super::sources::environment;
use crate::traces::{self, PATH};

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";

/// Where they say that spans go, and which of them; or why what they say is not followed.
pub(crate) fn endpoint() -> Result<Option<(&'static str, String)>, String> {
    endpoint_by(environment)
}

fn endpoint_by(variable: impl Fn(&str) -> Option<String>) -> Result<Option<(&'static str, String)>, String> {
    let is = |name: &str, value: &str| variable(name).is_some_and(|said| said.eq_ignore_ascii_case(value));
    if is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
        return Ok(None);
    }
    let (name, said) = match (variable(TRACES_ENDPOINT), variable(ENDPOINT)) {
        (Some(said), _) => {
            let base = said.trim_end_matches('/').strip_suffix(PATH).map(str::to_owned);
            (TRACES_ENDPOINT, base.ok_or_else(|| format!("{TRACES_ENDPOINT} does not end in {PATH}"))?)
        }
        (None, Some(said)) => (ENDPOINT, said),
        (None, None) => return Ok(None),
    };
    let protocol =
        variable("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL").or_else(|| variable("OTEL_EXPORTER_OTLP_PROTOCOL"));
    if let Some(protocol) = protocol.filter(|protocol| protocol != "http/protobuf") {
        return Err(format!("the protocol is {protocol:?} there, and here it is http/protobuf"));
    }
    let settings = Traces { endpoint: said.clone(), ..Traces::default() };
    traces::check(&settings).map_err(|_| format!("{name} is no http:// or https:// address"))?;
    Ok(Some((name, said)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(pairs: &[(&str, &str)]) -> Result<Option<String>, String> {
        let variable =
            |name: &str| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        endpoint_by(variable).map(|found| found.map(|(_, endpoint)| endpoint))
    }

    #[test]
    fn what_is_for_all_programs_is_followed_where_we_can() {
        let (http, grpc) = ((ENDPOINT, "http://collector:4318"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"));
        let followed = Ok(Some("http://collector:4318".to_owned()));
        assert_eq!(said(&[]), Ok(None));
        assert_eq!(said(&[http]), followed);
        assert_eq!(said(&[http, ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")]), followed);
        assert_eq!(
            said(&[
                (TRACES_ENDPOINT, "http://collector:4318/v1/traces"),
                grpc,
                ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf")
            ]),
            followed
        );
        for off in [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")] {
            assert_eq!(said(&[http, off]), Ok(None), "{off:?}");
        }
        for wrong in
            [&[http, grpc][..], &[(ENDPOINT, "collector:4317")], &[(TRACES_ENDPOINT, "http://one/other")]]
        {
            assert!(said(wrong).is_err(), "{wrong:?}");
        }
    }
}
