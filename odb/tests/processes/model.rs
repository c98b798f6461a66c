//! Random changes by two processes, compared with a plain model of what a tree is.

use std::io::BufRead as _;
use std::path::Path as FilePath;

use pactolus_odb::{Mode, Odb, Path, Value};

use super::{Dice, Other, create, say};

/// A key of the model: its name, and what it holds.
#[derive(Clone, Debug, Default)]
struct Node {
    name: String,
    mode: u16,
    /// The elements of a value; a directory has none.
    value: Option<Vec<i32>>,
    children: Vec<Node>,
}

impl Node {
    fn new(name: &str, value: Option<Vec<i32>>) -> Node {
        Node { name: name.to_owned(), mode: 7, value, children: Vec::new() }
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.children.iter().position(|child| child.name.eq_ignore_ascii_case(name))
    }

    fn find(&mut self, names: &[&str]) -> Option<&mut Node> {
        let Some((first, rest)) = names.split_first() else { return Some(self) };
        let place = self.place(first)?;
        self.children[place].find(rest)
    }

    /// A directory with those above it; `None` if a value is in the way.
    fn directory(&mut self, names: &[&str]) -> Option<&mut Node> {
        if self.value.is_some() {
            return None;
        }
        let Some((first, rest)) = names.split_first() else { return Some(self) };
        let place = self.place(first).unwrap_or_else(|| {
            self.children.push(Node::new(first, None));
            self.children.len() - 1
        });
        self.children[place].directory(rest)
    }

    fn may_go(&self) -> bool {
        self.mode & 4 != 0 && self.children.iter().all(Node::may_go)
    }

    fn chmod(&mut self, mode: u16) {
        self.mode = mode;
        self.children.iter_mut().for_each(|child| child.chmod(mode));
    }

    fn lines(&self, path: &str, out: &mut Vec<String>) {
        for child in &self.children {
            let path = format!("{path}/{}", child.name);
            out.push(format!("{path} {} {:?}", child.mode, child.value));
            child.lines(&path, out);
        }
    }

    /// Does a change; whether it can be done.
    fn apply(&mut self, line: &str) -> bool {
        let words: Vec<&str> = line.split(' ').collect();
        let names: Vec<&str> = words[1].split('/').filter(|name| !name.is_empty()).collect();
        let (last, above) = names.split_last().unwrap();
        let whole = self.clone();
        let done = self.change(words[0], &words[2..], last, above);
        // All or nothing.
        if done.is_none() {
            *self = whole;
        }
        done.is_some()
    }

    fn change(&mut self, command: &str, words: &[&str], last: &str, above: &[&str]) -> Option<()> {
        let numbers = || words.iter().map(|word| word.parse::<i32>().unwrap()).collect::<Vec<_>>();
        match command {
            "mkdir" => drop(self.directory(&[above, &[last]].concat())?),
            "create" => {
                let parent = self.directory(above)?;
                if parent.place(last).is_some() {
                    return None;
                }
                parent.children.push(Node::new(last, Some(numbers())));
            }
            "set" | "resize" => {
                let node = self.find(above)?;
                let place = node.place(last)?;
                let node = &mut node.children[place];
                let writable = node.mode & 2 != 0;
                let value = node.value.as_mut().filter(|_| writable)?;
                match command {
                    "set" => *value = numbers(),
                    _ => value.resize(words[0].parse().unwrap(), 0),
                }
            }
            "element" => {
                let node = self.find(above)?;
                let place = node.place(last)?;
                let node = &mut node.children[place];
                let writable = node.mode & 2 != 0;
                let value = node.value.as_mut().filter(|_| writable)?;
                *value.get_mut(words[0].parse::<usize>().unwrap())? = words[1].parse().unwrap();
            }
            "delete" => {
                let parent = self.find(above)?;
                let place = parent.place(last)?;
                if !parent.children[place].may_go() {
                    return None;
                }
                parent.children.remove(place);
            }
            "rename" => {
                let parent = self.find(above)?;
                let place = parent.place(last)?;
                if parent.place(words[0]).is_some_and(|other| other != place) {
                    return None;
                }
                parent.children[place].name = words[0].to_owned();
            }
            "reorder" => {
                let parent = self.find(above)?;
                let place = parent.place(last)?;
                let node = parent.children.remove(place);
                let to = words[0].parse::<usize>().unwrap().min(parent.children.len());
                parent.children.insert(to, node);
            }
            "chmod" => {
                let parent = self.find(above)?;
                let place = parent.place(last)?;
                parent.children[place].chmod(words[0].parse().unwrap());
            }
            other => panic!("no change '{other}'"),
        }
        Some(())
    }
}

/// Does a change to a database; whether it could be done.
fn apply(odb: &Odb, line: &str) -> bool {
    let words: Vec<&str> = line.split(' ').collect();
    let (path, words, command) = (words[1], &words[2..], words[0]);
    let numbers = || Value::Int(words.iter().map(|word| word.parse().unwrap()).collect());
    odb.change(|tree| match command {
        "mkdir" => tree.create_directory(path),
        "create" => tree.create(path, numbers()),
        "set" => tree.set(path, numbers()),
        "element" => tree.set(&format!("{path}[{}]", words[0]), words[1].parse::<i32>().unwrap()),
        "resize" => tree.resize(path, words[0].parse().unwrap()),
        "delete" => tree.delete(path),
        "rename" => tree.rename(path, words[0]),
        "reorder" => tree.reorder(path, words[0].parse().unwrap()),
        "chmod" => tree.set_mode(path, Mode(words[0].parse().unwrap()), true),
        other => panic!("no change '{other}'"),
    })
    .is_ok()
}

fn lines(odb: &Odb) -> Vec<String> {
    let line = |(path, key): (Path, &pactolus_odb::Key)| {
        let value = key.value().map(|value| match value {
            Value::Int(array) => array.clone(),
            other => panic!("{path} has become {other:?}"),
        });
        format!("{path} {} {value:?}", key.mode().0)
    };
    odb.snapshot().unwrap().walk("/").unwrap().map(line).collect()
}

/// A random change: few names in two spellings, so that most changes meet something.
fn throw(dice: &mut Dice) -> String {
    const NAMES: [&str; 8] = ["a", "A", "b", "c", "long.name", "Long.Name", "x[1]", "d"];
    let names: Vec<&str> = (0..1 + dice.throw(4)).map(|_| NAMES[dice.throw(NAMES.len())]).collect();
    let path = format!("/{}", names.join("/"));
    let mut numbers = || {
        let count = if dice.throw(20) == 0 { 500 } else { 1 + dice.throw(4) };
        (0..count).map(|_| dice.throw(1000).to_string()).collect::<Vec<_>>().join(" ")
    };
    let numbers = numbers();
    match dice.throw(16) {
        0 => format!("mkdir {path}"),
        1..=4 => format!("create {path} {numbers}"),
        5..=7 => format!("set {path} {numbers}"),
        8 => format!("element {path} {} {}", dice.throw(4), dice.throw(100)),
        9 => format!("resize {path} {}", dice.throw(6)),
        10..=11 => format!("delete {path}"),
        12..=13 => format!("rename {path} {}", NAMES[dice.throw(NAMES.len())]),
        14 => format!("reorder {path} {}", dice.throw(4)),
        _ => format!("chmod {path} {}", [7, 7, 7, 7, 5, 3][dice.throw(6)]),
    }
}

/// The part of the other process: does what it is told.
pub(super) fn follow(odb: &Odb) {
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        match line.as_str() {
            "lines" => say(&lines(odb).join("|")),
            "much" => {
                // More changes than the log remembers, and one of more keys than it names.
                (0..5000).for_each(|n| odb.put("/count", n).unwrap());
                odb.change(|tree| (0..1000).try_for_each(|n| tree.create(&format!("/many/{n}"), n))).unwrap();
                say("done");
            }
            change => say(&apply(odb, change).to_string()),
        }
    }
}

fn check(odb: &Odb, other: Option<&FilePath>, changes: usize, seed: u64) {
    let mut dice = Dice(seed);
    let mut model = Node::new("", None);
    let mut other = other.map(|place| Other::start("model", place));
    let mut done = 0;
    for number in 0..changes {
        let change = throw(&mut dice);
        let answer = match &mut other {
            Some(other) if dice.throw(2) == 0 => {
                other.tell(&change);
                other.hear().unwrap() == "true"
            }
            _ => apply(odb, &change),
        };
        assert_eq!(answer, model.apply(&change), "change {number}: {change}");
        done += usize::from(answer);
        let mut wanted = Vec::new();
        model.lines("", &mut wanted);
        assert_eq!(lines(odb), wanted, "after change {number}: {change}");
        if let Some(other) = &mut other {
            other.tell("lines");
            assert_eq!(other.hear().unwrap(), wanted.join("|"), "elsewhere, after change {number}: {change}");
        }
    }
    assert!(done * 6 > changes, "only {done} of {changes} changes could be done");
    other.into_iter().for_each(Other::end);
}

#[test]
fn a_local_store_is_as_the_model() {
    check(&Odb::local(), None, 5000, 1);
}

#[test]
fn a_store_shared_by_two_processes_is_as_the_model() {
    for seed in 1..=3 {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("odb");
        let (odb, shared) = create(&place);
        check(&odb, Some(&place), 2000, seed);
        shared.check().unwrap();
    }
}

#[test]
fn who_has_slept_for_long_sees_all_that_has_changed() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("odb");
    let (odb, shared) = create(&place);
    odb.create("/mine", 1).unwrap();
    let mut other = Other::start("model", &place);
    other.tell("much");
    other.hear().unwrap();
    assert_eq!(odb.get::<i32>("/count").unwrap(), 4999);
    assert_eq!(odb.ls("/many").unwrap().len(), 1000);
    // One of many keys, seen by a process that is up to date.
    odb.change(|tree| (0..1000).try_for_each(|n| tree.set(&format!("/many/{n}"), -n))).unwrap();
    other.tell("lines");
    assert_eq!(other.hear().unwrap(), lines(&odb).join("|"));
    shared.check().unwrap();
    other.end();
}
