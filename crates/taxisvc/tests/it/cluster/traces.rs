//! One trace over all services that run by themselves: from the rider's request through the topic to the refund.

use crate::world::cluster::Cluster;
use crate::world::cluster::outside::Outside;
use crate::world::collector::{Collector, WAY_TO_THE_REFUND};
use crate::world::http::Ask;
use crate::world::number;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CLIENT: &str = "b7ad6b7169203331";
const TOO_FAR: &str = r#"{"userId":"1","userName":"eojin","distance":100.001}"#;

#[test]
#[ignore = "wants Kafka and PostgreSQL: cargo xtask services up"]
fn a_call_that_is_undone_is_one_trace_across_all_services() {
    let collector = Collector::start();
    let cluster = Cluster::with(2, Outside::shared(), &[("TRACES_ENDPOINT", &collector.endpoint())]);
    let ask = Ask::post("/calls", TOO_FAR).header("traceparent", &format!("00-{TRACE}-{CLIENT}-01"));
    let call = number(&ask.of(cluster.gateway).unwrap());
    cluster.comes_to(call, ["requestCancel", "refunded", "requestCancel"]);
    let last = ["payment FareRefunded", "view FareRefunded", "view CallCancelled"];
    let trace = collector.until_told(TRACE, &last);
    trace.is_connected_below(CLIENT);
    let services = ["call", "drive", "gateway", "payment", "provider", "view"];
    assert_eq!(trace.services().into_iter().collect::<Vec<_>>(), services, "{trace}");
    assert_eq!(trace.way_to("payment FareRefunded"), WAY_TO_THE_REFUND, "{trace}");
    let messages = cluster.outside().messages();
    let told = messages.iter().filter(|message| message.key == call.to_string());
    let traceparents: Vec<&str> = told.map(|message| message.headers["traceparent"].as_str()).collect();
    assert_eq!(traceparents.len(), 6, "{traceparents:?}");
    for traceparent in traceparents {
        let span = traceparent.strip_prefix(&format!("00-{TRACE}-")).unwrap().split('-').next().unwrap();
        assert!(trace.contains(span), "a message comes from {span}, which nobody told:\n{trace}");
    }
}
