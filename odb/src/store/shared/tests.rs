#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use super::*;

fn options() -> Options {
    Options { create: true, ..Options::default() }
}

#[test]
fn a_shared_store_conforms() {
    let place = tempfile::tempdir().unwrap();
    let made = AtomicU64::new(0);
    super::super::conformance(&|| {
        let dir = place.path().join(made.fetch_add(1, Ordering::Relaxed).to_string());
        Arc::new(Shared::open(dir, options()).unwrap())
    });
}
