//! `.asc` files as input, through the whole analyzer.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{corpus, definition, root, run};
use tempfile::TempDir;

fn name(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A definition of the corpus with its banks, all of them written, and no modules.
fn banks_only(analyzer: &str, place: &TempDir) -> PathBuf {
    let mut table: toml::Table = fs::read_to_string(definition(analyzer)).unwrap().parse().unwrap();
    for request in table["request"].as_array_mut().unwrap() {
        let request = request.as_table_mut().unwrap();
        request.remove("module");
        request.remove("switch");
        request.remove("tests");
    }
    let path = place.path().join(format!("{analyzer}-banks.toml"));
    fs::write(&path, toml::to_string(&table).unwrap()).unwrap();
    path
}

#[test]
fn what_is_read_is_written_as_the_same_text_also_by_way_of_mid() {
    for (golden, analyzer) in
        [("g02", "analyzer"), ("g16", "analyzer"), ("g18", "analyzer2"), ("g50", "analyzer")]
    {
        let place = TempDir::new().unwrap();
        let banks = banks_only(analyzer, &place);
        let text = corpus(&format!("golden/{golden}/{golden}.asc"));
        let (mid, again) = (place.path().join("run00008.mid.lz4"), place.path().join("again.asc"));
        let ran = run(&["analyze", name(&text), "-a", name(&banks), "-o", name(&mid)]);
        // mana prints STR0 of g18 as memory behind the bank, as a line for each byte.
        let whole = without_garbage(&fs::read(&text).unwrap());
        assert_eq!((ran.code, &*ran.err), (u8::from(golden == "g18"), ""), "{golden}: {}", ran.out);
        assert_eq!(ran.out.contains("bank STR0 refused: 37 lines for one text"), golden == "g18");
        let ran = run(&["analyze", name(&mid), "-a", name(&banks), "-o", name(&again)]);
        assert_eq!((ran.code, &*ran.err), (0, ""), "{golden}: {}", ran.out);
        assert!(fs::read(&again).unwrap() == whole, "{golden}");
    }
}

/// The text without banks STR0: up to the next bank all of it is garbage.
fn without_garbage(text: &[u8]) -> Vec<u8> {
    let mut inside = false;
    let lines = text.split_inclusive(|&byte| byte == b'\n').filter(|line| {
        inside = line.starts_with(b"BK STR0 ") || inside && !line.starts_with(b"BK ");
        !inside
    });
    lines.collect::<Vec<_>>().concat()
}

#[test]
fn an_unknown_type_is_left_out_by_name_and_the_rest_stays() {
    let place = TempDir::new().unwrap();
    let banks = banks_only("analyzer", &place);
    let text = corpus("golden/g43_110/g43_110.asc");
    let again = place.path().join("again.asc");
    let ran = run(&["analyze", name(&text), "-a", name(&banks), "-o", name(&again)]);
    assert_eq!((ran.code, &*ran.err), (1, ""), "{}", ran.out);
    let refused = "  bank ZZZZ refused: the text holds no values of an unknown type, line ";
    assert!(
        ran.out.contains(&format!("g43_110.asc does not hold 1 bank, 0 events:\n{refused}")),
        "{}",
        ran.out
    );
    let whole = fs::read_to_string(&text).unwrap();
    let lost = format!("BK ZZZZ TP <unknown> SZ 8\n{}", "<unknown>\n".repeat(8));
    assert!(whole.contains(&lost), "{whole}");
    assert_eq!(fs::read_to_string(&again).unwrap(), whole.replace(&lost, ""));
}

/// Raw events as text go through the modules as those of a `.mid` do, plain and compressed.
#[test]
fn raw_text_gives_what_the_binary_file_gives() {
    let place = TempDir::new().unwrap();
    let banks_on = corpus("config/banks_all.odb");
    for compression in ["", ".gz", ".lz4", ".bz2", ".zst"] {
        let raw = place.path().join(format!("run00008.asc{compression}"));
        let ran = run(&["analyze", name(&corpus("mid/run00008.mid")), "-n", "400", "-o", name(&raw)]);
        assert_eq!((ran.code, &*ran.err), (0, ""), "{}", ran.out);
        for threads in ["1", "2"] {
            let (ours, theirs) = (place.path().join("ours.asc"), place.path().join("theirs.asc"));
            let settings = |output: &PathBuf| {
                let sample = root().join("examples/experiment/analyzer.toml");
                ["-a", name(&sample), "-c", name(&banks_on), "-j", threads, "-o", name(output)]
                    .map(String::from)
            };
            let analyse = |input: &Path, output: &PathBuf, more: &[&str]| {
                let settings = settings(output);
                let mut args = vec!["analyze", name(input)];
                args.extend(more);
                args.extend(settings.iter().map(String::as_str));
                run(&args)
            };
            let ran = analyse(&raw, &ours, &[]);
            // Its STRUCT bank and FIXED events need definitions that the sample does not have.
            assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
            let ran = analyse(&corpus("mid/run00008.mid"), &theirs, &["-n", "400"]);
            assert_eq!(ran.code, 0, "{}", ran.err);
            let triggers = |path: &Path| -> Vec<String> {
                let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
                let records = text.split("%ID ").filter(|r| r.starts_with("1 ") || r.starts_with("2 "));
                records.map(str::to_owned).collect()
            };
            assert!(triggers(&ours).len() > 300);
            assert!(triggers(&ours) == triggers(&theirs), "{compression} with {threads} threads");
        }
    }
}

#[test]
fn the_loggers_dump_of_2014_is_a_run_with_its_odb() {
    let place = TempDir::new().unwrap();
    let dump = corpus("mlogger2014/run00002.dump");
    let mid = place.path().join("run00002.mid");
    let ran = run(&["analyze", name(&dump), "-o", name(&mid), "--json"]);
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, &*ran.err), (1, ""), "{}", ran.out);
    // STRUCT banks are `<unknown>` in this form, STRING banks mostly garbage.
    assert_eq!(report["damage"]["count"], 0, "{}", ran.out);
    let run_report = &report["runs"][0];
    assert_eq!(run_report["run"], 2);
    let requests: Vec<&str> =
        run_report["requests"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap()).collect();
    assert_eq!(requests, ["Trigger", "Scaler", "Wave", "Fixd", "other"], "from its own ODB");
    let events = common::events(&mid, 4);
    assert_eq!(events[0].header.id, 0x8000);
    assert_eq!(events.last().unwrap().header.id, 0x8001);
    let fixed: Vec<_> = events.iter().filter(|e| e.header.id == 4).collect();
    assert!(!fixed.is_empty() && fixed.iter().all(|e| e.payload.len() == 48), "{:?}", fixed.first());
}

#[test]
fn a_broken_line_costs_its_event_and_says_where() {
    let place = TempDir::new().unwrap();
    let text = fs::read_to_string(corpus("golden/g16/g16.asc")).unwrap();
    let third = text.match_indices("%ID 1 ").nth(2).unwrap().0;
    let value = third + text[third..].find("SZ 4\n").unwrap() + 5;
    let broken = format!("{}oops{}", &text[..value], &text[value..]);
    let path = place.path().join("run00008.asc");
    fs::write(&path, broken).unwrap();
    let whole = run(&["scan", name(&corpus("golden/g16/g16.asc")), "--json"]);
    let found = run(&["scan", name(&path), "--json"]);
    let (whole, found): (serde_json::Value, serde_json::Value) =
        (serde_json::from_str(&whole.out).unwrap(), serde_json::from_str(&found.out).unwrap());
    assert_eq!(found["data"].as_u64().unwrap() + 1, whole["data"].as_u64().unwrap());
    assert_eq!((&found["broken"], &found["damage"][0]["byte"]), (&1.into(), &third.into()));
    assert!(found["damage"][0]["what"].as_str().unwrap().contains("bank ADC0: "), "{found}");
}
