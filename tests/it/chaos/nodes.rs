//! More than one process on the same state: refused where the promises would not hold.

use super::process::{Site, run, text};
use crate::store::Place;

#[tokio::test]
async fn a_sqlite_record_beside_a_shared_store_is_refused_unless_said_to_be_the_only_node() {
    let site = Site::new(Place::redis(), None);
    let refused = run(site.serve(&[]), "");
    assert!(!refused.status.success());
    let told = text(&refused);
    for word in ["--single", "record", "postgres://"] {
        assert!(told.contains(word), "{told}");
    }
    assert!(!told.contains("panicked"), "{told}");
    drop(site.start());
}

#[tokio::test]
async fn a_second_process_on_the_same_data_folder_is_refused() {
    let site = Site::new(Place::embedded(), None);
    let first = site.start();
    let refused = run(site.serve(&["--single"]), "");
    assert!(!refused.status.success());
    let told = text(&refused);
    assert!(told.contains("another") && told.contains(&site.data.path().display().to_string()), "{told}");
    assert_eq!(site.get(&first, "/readyz").await["ready"], true, "the first goes on");
}
