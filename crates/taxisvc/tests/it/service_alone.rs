//! A service by itself runs only over Kafka, which is not here yet: it says so and stops.

use crate::world::process::run;

#[test]
fn a_service_alone_says_what_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    for service in ["call", "payment", "drive", "view"] {
        let ended = run(folder.path(), &Vec::new(), &[service]);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains(service) && ended.stderr.contains("only over Kafka"), "{ended:?}");
        assert!(ended.stderr.contains("taxisvc up"), "it says what to do instead: {ended:?}");
        assert_eq!(ended.stdout, "");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was made");
}
