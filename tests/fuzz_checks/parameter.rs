//! `-p PATH=VALUE`: sets what it names and nothing else, or says what is wrong.

use std::sync::OnceLock;

use pactolus::odb::{Error, Index, Mode, Path, Tree, Value};
use pactolus::{Analyzer, Definition, Job, Report};

use super::run;

pub fn parameter(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else { return false };
    let mut given: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if let Some((path, value)) = line.split_once('=') {
            given.push((path.trim().to_owned(), value.trim().to_owned()));
        }
    }
    let mut tree = sample();
    for (path, value) in &given {
        set(&mut tree, path, value);
    }
    // A job takes a millisecond: only for what is not meant for the tree above.
    if !given.is_empty() && given.iter().all(|(path, _)| !path.starts_with("/A/") && !path.starts_with("/L/"))
    {
        in_a_job(&given);
    }
    !given.is_empty()
}

/// A tree with every type, arrays, links, and names that look like something else.
fn sample() -> Tree {
    static TREE: OnceLock<Tree> = OnceLock::new();
    let make = || {
        let mut tree = Tree::new();
        let values = [
            ("Byte", Value::Byte(vec![1])),
            ("Sbyte", Value::Sbyte(vec![-1])),
            ("Char", Value::Char(vec![b'c'])),
            ("Word", Value::Word(vec![1, 2, 3])),
            ("Short", Value::Short(vec![-1])),
            ("Dword", Value::Dword(vec![1])),
            ("Int", Value::Int(vec![1; 10])),
            ("Bool", Value::Bool(vec![true])),
            ("Float", Value::Float(vec![1.5, 2.5])),
            ("Double", Value::Double(vec![0.1])),
            ("Bitfield", Value::Bitfield(vec![1])),
            ("String", Value::string("text")),
            ("Int64", Value::Int64(vec![1 << 40])),
            ("Uint64", Value::Uint64(vec![u64::MAX])),
            ("Empty", Value::Int(Vec::new())),
            ("Rate [Hz]", Value::Float(vec![1.0, 2.0])),
            ("Int[3]", Value::Int(vec![33])),
            ("No_blank", Value::Int(vec![0])),
        ];
        for (name, value) in values {
            tree.create(&format!("/A/Parameters/{name}"), value).unwrap();
        }
        tree.create("/A/Locked", 1).unwrap();
        tree.set_mode("/A/Locked", Mode::READ, false).unwrap();
        for (link, target) in
            [("One", "/A/Parameters/Int[3]"), ("Dir", "/A"), ("Gone", "/B"), ("Me", "/L/Me")]
        {
            tree.create_link(&format!("/L/{link}"), target).unwrap();
        }
        tree
    };
    TREE.get_or_init(make).clone()
}

fn set(tree: &mut Tree, path: &str, value: &str) {
    let before = tree.clone();
    match tree.set_text(path, value) {
        Ok(()) => {
            let found = tree.find(path).unwrap();
            let old = before.find(path).unwrap();
            assert_eq!(old.path, found.path);
            let (stored, old) = (found.key.value().unwrap(), old.key.value().unwrap());
            assert!(stored.tid() == old.tid());
            let one = Value::parse(stored.tid(), value).unwrap();
            let touched = match found.index {
                None | Some(Index::All) => 0..stored.len(),
                Some(Index::One(at)) => at..at + 1,
                Some(Index::Range(first, last)) => first..last + 1,
            };
            assert!(old.is_empty() || stored.len() == old.len());
            for at in 0..stored.len() {
                let wanted = if touched.contains(&at) { &one } else { &old.element(at).unwrap() };
                let element = stored.element(at).unwrap();
                // Strings of one key share their room.
                assert!(
                    element.same(wanted) || element.bytes(0).is_some() && element.bytes(0) == wanted.bytes(0)
                );
            }
            let others = before.diff(tree).into_iter().find(|difference| difference.path != found.path);
            assert!(others.is_none(), "{path} changed {others:?}");
        }
        Err(error) => {
            assert!(before.same(tree), "{error}, and still something changed");
            assert!(!error.to_string().is_empty());
            if let Error::NotFound { path, nearest: Some(nearest) } = &error {
                let near = Path::parse(path).unwrap().parent().unwrap().child(nearest).unwrap();
                assert!(
                    tree.exists(&near.to_string()) || tree.find_link(&near.to_string()).is_ok(),
                    "{near}"
                );
            }
        }
    }
}

/// The same in a job, where paths begin at the parameters and `_` stands for a blank.
fn in_a_job(given: &[(String, String)]) {
    static PLAIN: OnceLock<Report> = OnceLock::new();
    let plain = PLAIN.get_or_init(|| job(&[]).unwrap());
    let report = match job(given) {
        Ok(report) => report,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let (set, was) = (&report.runs[0].parameters, &plain.runs[0].parameters);
    assert_eq!(set.len(), was.len());
    for (set, was) in set.iter().zip(was) {
        assert_eq!(set.path, was.path);
        assert!(set.value == was.value || set.origin.starts_with("-p "), "{set:?}, {was:?}");
    }
}

fn job(parameters: &[(String, String)]) -> Result<Report, pactolus::Error> {
    static TEXT: &str = include_str!("../../examples/experiment/analyzer.toml");
    static ANALYZER: OnceLock<Analyzer> = OnceLock::new();
    let make = || {
        let definition = Definition::parse(TEXT, "analyzer.toml").unwrap();
        Analyzer::from_definition(&definition, &pactolus_modules::catalogue()).unwrap()
    };
    let analyzer = ANALYZER.get_or_init(make);
    let mut job = Job::new().input(run::small()).threads(1);
    job.block = 4096;
    job.parameters = parameters.to_vec();
    analyzer.run(&job)
}
