//! What the chapters "From mana" and "From manalyzer" say of files of the repository, and of the letters
//! of `mana`. That their commands run is the affair of `guide`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::{Path, PathBuf};

use pactolus_cli::App;

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(source().join(path)).unwrap()
}

/// A block of code: what stands behind its fence, and its text.
struct Block {
    info: String,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        match line.strip_prefix("```") {
            Some(_) if inside => inside = false,
            Some(info) => {
                blocks.push(Block { info: info.to_owned(), text: String::new() });
                inside = true;
            }
            None if inside => {
                let block = blocks.last_mut().unwrap();
                block.text += line;
                block.text.push('\n');
            }
            None => {}
        }
    }
    blocks
}

/// Lines that are neither blank nor a comment and nothing else, and all lines.
fn lines(text: &str) -> (usize, usize) {
    let is_comment = |line: &str| {
        line.starts_with("//") || line.starts_with("# ") || line.starts_with("/*") && line.ends_with("*/")
    };
    let code = text.lines().map(str::trim).filter(|line| !line.is_empty() && !is_comment(line));
    (code.count(), text.lines().count())
}

/// The rows of the tables of a page.
fn rows(page: &str) -> Vec<Vec<&str>> {
    page.lines()
        .filter(|line| line.starts_with("| "))
        .map(|line| line.trim().trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

#[test]
fn code_of_ours_is_that_of_the_repository() {
    for (chapter, block, file) in [
        ("from-mana", "toml file=analyzer.toml", "examples/experiment/analyzer.toml"),
        ("from-mana", "rust file=src/adc_calib.rs", "modules/src/adc_calib.rs"),
        ("from-mana", "rust file=src/adc_sum.rs", "modules/src/adc_sum.rs"),
        ("from-mana", "rust file=src/scaler_sum.rs", "modules/src/scaler_sum.rs"),
        ("from-manalyzer", "rust file=adc_calib.rs", "modules/src/adc_calib.rs"),
    ] {
        let page = read(&format!("docs/guide/{chapter}.md"));
        let found = blocks(&page).into_iter().find(|b| b.info == block);
        let found = found.unwrap_or_else(|| panic!("{chapter}: no ```{block}"));
        assert_eq!(found.text, read(file), "{chapter}: ```{block} is {file} of the repository");
    }
}

#[test]
fn lines_are_counted_right_and_ours_are_fewer() {
    let page = read("docs/guide/from-mana.md");
    let blocks = blocks(&page);
    let c = blocks.iter().filter(|b| b.info == "c").map(|b| &b.text);
    let names = ["analyzer.h", "analyzer.c", "experim.h", "adccalib.c", "adcsum.c", "scaler.c"];
    assert_eq!(c.clone().count(), names.len());
    let mut texts: Vec<(&str, &str)> = names.into_iter().zip(c.map(String::as_str)).collect();
    for block in &blocks {
        if let Some((_, path)) = block.info.split_once(" file=") {
            texts.push((path.trim_start_matches("src/"), &block.text));
        }
    }
    let counted = |name: &str| {
        let name = name.trim_matches('`').split('`').next().unwrap_or_default();
        let text = texts.iter().find(|(known, _)| *known == name);
        lines(text.unwrap_or_else(|| panic!("no block is {name}")).1)
    };
    let shown = |(code, all): (usize, usize)| format!("{code} ({all})");
    let table = page.split("### Counted").nth(1).unwrap().split("###").next().unwrap();
    let mut sums = [(0, 0); 2];
    let (mut seen, mut sum_is_there) = (0, false);
    for row in rows(table).iter().skip(1) {
        if row[0] == "**all**" {
            assert_eq!(row[2], format!("**{}**", shown(sums[0])));
            assert_eq!(row[4], format!("**{}**", shown(sums[1])));
            sum_is_there = true;
            continue;
        }
        for (side, at) in [(0, 1), (1, 3)] {
            if row[at].starts_with('`') {
                let found = counted(row[at]);
                assert_eq!(row[at + 1], shown(found), "{}", row[at]);
                sums[side] = (sums[side].0 + found.0, sums[side].1 + found.1);
                seen += 1;
            }
        }
    }
    assert!(seen == 11 && sum_is_there, "the table has all files");
    for (theirs, ours) in
        [("adccalib.c", "adc_calib.rs"), ("adcsum.c", "adc_sum.rs"), ("scaler.c", "scaler_sum.rs")]
    {
        assert!(counted(ours).0 < counted(theirs).0, "{ours} is shorter than {theirs}");
    }
    let page = read("docs/guide/from-manalyzer.md");
    let text = |info: &str| self::blocks(&page).into_iter().find(|b| b.info == info).unwrap().text;
    let (theirs, ours) = (lines(&text("cpp")).0, lines(&text("rust file=adc_calib.rs")).0);
    let said = format!("that is {theirs} lines there and {ours} here");
    assert!(ours < theirs && page.contains(&said), "wanted: {said}");
}

/// Letters of `mana` (its usage text, with those of ROOT and PVM builds).
const LETTERS: &str = "bcDdefhiLlnoPpqRrstvw";

#[test]
fn every_letter_of_mana_has_its_row() {
    let page = read("docs/guide/from-mana.md");
    let table = page.split("## Flags").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = rows(table);
    for letter in LETTERS.chars() {
        let flag = format!("`-{letter}");
        let is_of =
            |cell: &str| cell.split(", ").any(|f| f.starts_with(&flag) && f[3..].starts_with(['`', ' ']));
        assert!(rows.iter().any(|row| is_of(row[0])), "no row for -{letter}");
    }
    // What the program refuses by name is a letter of mana, and shown.
    let app = App::new(pactolus_modules::catalogue());
    for letter in ('a'..='z').chain('A'..='Z') {
        let args = ["analyze".into(), format!("-{letter}").into(), "1".into()];
        let (mut out, mut err) = (Vec::new(), Vec::new());
        pactolus_cli::run(&app, &args, &mut out, &mut err);
        let err = String::from_utf8(err).unwrap();
        if err.contains("of mana has no meaning here") {
            assert!(LETTERS.contains(letter) && table.contains(err.trim_end()), "not shown: {err}");
        }
    }
}

#[test]
fn every_departure_has_a_reason() {
    let page = read("docs/guide/from-mana.md");
    let list = page.split("## Every departure").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = rows(list);
    assert!(rows.len() > 50, "{}", rows.len());
    for row in rows {
        assert!(row.len() == 3 && row.iter().all(|cell| !cell.is_empty() && *cell != "-"), "{row:?}");
    }
}
