//! Every run of the corpus, to each compression and back.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

use std::io::{Cursor, Read, Write};
use std::path::Path;

use pactolus_formats::compress::Output;
use pactolus_formats::{Compression, Input};

#[test]
fn a_run_comes_back_from_each_compression() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus/mid");
    let mut runs = 0;
    for entry in std::fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        let mut run = Vec::new();
        Input::open(&path).unwrap().read_to_end(&mut run).unwrap();
        assert!(!run.is_empty(), "{}", path.display());
        for compression in [Compression::None].into_iter().chain(Compression::ALL) {
            let mut output = Output::new(compression, None, Vec::new()).unwrap();
            for piece in run.chunks(10_000) {
                output.write_all(piece).unwrap();
            }
            let file = output.finish().unwrap();
            let mut input = Input::new(Cursor::new(file), "run").unwrap();
            assert_eq!(input.compression(), compression, "{}", path.display());
            let mut found = Vec::new();
            input.read_to_end(&mut found).unwrap();
            assert!(found == run, "{} as {compression}", path.display());
        }
        runs += 1;
    }
    assert!(runs >= 20, "{runs} runs");
}
