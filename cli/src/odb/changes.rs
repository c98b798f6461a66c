//! `pactolus odb diff`: what differs between two ODBs.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use pactolus::odb::{Difference, Path, Tree, Value};
use serde::Serialize;

use super::source::Source;
use crate::dump::text;
use crate::{OK, Outcome};

/// Compare the ODBs of two run files or dumps.
///
/// Lines begin with `-` for keys that only A has, `+` for those that only B has, `~` for others
/// with another value, type or length. Order, access modes and times do not count.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DiffArgs {
    /// Run file or dump; `-` is standard input
    #[arg(value_name = "A")]
    left: PathBuf,

    /// Another
    #[arg(value_name = "B")]
    right: PathBuf,

    /// Only this directory or key
    #[arg(long, value_name = "SUBTREE", default_value = "/")]
    path: String,

    /// The ODBs at end of run
    #[arg(long)]
    eor: bool,

    /// One JSON object per difference and line
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  pactolus odb diff run00041.mid.gz run00042.mid.gz
  pactolus odb diff run00042.mid settings.odb --path /Analyzer/Parameters
  pactolus odb diff run00041.mid run00042.mid --json | jq -r .path

Exit codes: 0 they are equal; 1 they differ; 2 could not run; 5 the output could
not be written.";

/// Elements of one array that are shown; JSON has all.
const MOST: usize = 16;

/// They differ, as `diff` says it.
const DIFFERENT: u8 = 1;

pub(super) fn run(args: &DiffArgs, out: &mut dyn Write, err: &mut dyn Write) -> Outcome {
    let path = Path::parse(&args.path)?;
    let left = Source::whole(&args.left, args.eor, err)?;
    let right = Source::whole(&args.right, args.eor, err)?;
    // A path that neither has is a slip of the finger, not an equality.
    if !path.is_root() && left.find_link(&args.path).is_err() {
        right.find_link(&args.path)?;
    }
    let changes = changes(&left, &right, &path);
    let mut page = Vec::new();
    if args.json {
        for change in &changes {
            serde_json::to_writer(&mut page, change)?;
            page.push(b'\n');
        }
    } else {
        for of_key in changes.chunk_by(|a, b| a.index.is_some() && a.path == b.path) {
            of_key.iter().take(MOST).try_for_each(|change| print(change, &mut page))?;
            if let Some(more @ 1..) = of_key.len().checked_sub(MOST) {
                writeln!(page, "~ {}: and {}", of_key[0].path, text::count(more as u64, "more element"))?;
            }
        }
    }
    out.write_all(&page).and_then(|()| out.flush())?;
    Ok(if changes.is_empty() { OK } else { DIFFERENT })
}

/// One line of the comparison.
#[derive(Debug, Serialize)]
struct Change {
    /// `added`, `removed` or `changed`.
    change: &'static str,
    path: String,
    /// The element, where single elements of an array changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<Side>,
    #[serde(skip_serializing_if = "Option::is_none")]
    right: Option<Side>,
}

/// What one of the two has.
#[derive(Debug, PartialEq, Serialize)]
struct Side {
    #[serde(rename = "type")]
    tid: &'static str,
    /// Elements of the whole key.
    len: usize,
    /// Bytes reserved for each string.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<usize>,
    /// As MIDAS prints them.
    values: Vec<String>,
}

impl Side {
    fn of(value: &Value, index: Option<usize>) -> Side {
        let range = index.map_or(0..value.len(), |index| index..index + 1);
        let size = matches!(value, Value::String(_)).then(|| value.item_size());
        let values = range.map(|index| exact(value, index)).collect();
        Side { tid: value.tid().name(), len: value.len(), size, values }
    }
}

/// An element with as many digits as tell it from its neighbours; a BITFIELD as a number.
fn exact(value: &Value, index: usize) -> String {
    match value {
        Value::Float(a) => a.get(index).map(|x| short(&format!("{x:?}"))).unwrap_or_default(),
        Value::Double(a) => a.get(index).map(|x| short(&format!("{x:?}"))).unwrap_or_default(),
        Value::Bitfield(a) => a.get(index).map(|x| format!("{x:#x}")).unwrap_or_default(),
        value => value.text(index),
    }
}

/// A number without the `.0` that Rust adds to whole ones.
fn short(number: &str) -> String {
    number.strip_suffix(".0").unwrap_or(number).to_owned()
}

fn changes(left: &Tree, right: &Tree, path: &Path) -> Vec<Change> {
    let differences = left.diff(right);
    differences.iter().filter(|difference| difference.path.starts_with(path)).flat_map(of).collect()
}

fn of(difference: &Difference) -> Vec<Change> {
    let path = difference.path.to_string();
    let make = |change, index: Option<usize>| {
        let side = |value: &Option<Value>| value.as_ref().map(|value| Side::of(value, index));
        Change {
            change,
            path: path.clone(),
            index,
            left: side(&difference.left),
            right: side(&difference.right),
        }
    };
    match (&difference.left, &difference.right) {
        (Some(_), None) => vec![make("removed", None)],
        (None, Some(_)) => vec![make("added", None)],
        (Some(left), Some(right)) if elements_differ(left, right) => {
            let differ = |index: &usize| match (left.element(*index), right.element(*index)) {
                (Some(a), Some(b)) => !a.same(&b),
                _ => true,
            };
            (0..left.len()).filter(differ).map(|index| make("changed", Some(index))).collect()
        }
        (Some(_), Some(_)) => vec![make("changed", None)],
        (None, None) => Vec::new(),
    }
}

/// Do two arrays differ in single elements only, not in type, length or size?
fn elements_differ(left: &Value, right: &Value) -> bool {
    left.tid() == right.tid()
        && left.len() == right.len()
        && left.len() > 1
        && left.item_size() == right.item_size()
}

/// Columns of a line.
const WIDTH: usize = 80;

fn print(change: &Change, out: &mut Vec<u8>) -> io::Result<()> {
    let sign = match change.change {
        "removed" => '-',
        "added" => '+',
        _ => '~',
    };
    let index = change.index.map_or_else(String::new, |index| format!("[{index}]"));
    let head = format!("{sign} {}{index}", text::escaped(change.path.as_bytes()));
    let (left, right) = (change.left.as_ref(), change.right.as_ref());
    let with_type = match (left, right) {
        (Some(a), Some(b)) => a.tid != b.tid || a.len != b.len || a.size != b.size,
        _ => true,
    };
    let shown = |side: Option<&Side>| side.map(|side| show(side, with_type));
    match (shown(left), shown(right)) {
        (Some(a), Some(b)) if head.chars().count() + a.chars().count() + b.chars().count() + 6 <= WIDTH => {
            writeln!(out, "{head}: {a} -> {b}")
        }
        (Some(a), Some(b)) => {
            writeln!(out, "{head}:")?;
            writeln!(out, "    {}", cut(&a, WIDTH - 4))?;
            writeln!(out, " -> {}", cut(&b, WIDTH - 4))
        }
        (one, other) => {
            let value = one.or(other).unwrap_or_default();
            if head.chars().count() + value.chars().count() + 2 <= WIDTH {
                return writeln!(out, "{head}: {value}");
            }
            writeln!(out, "{head}:")?;
            writeln!(out, "    {}", cut(&value, WIDTH - 4))
        }
    }
}

/// A value, with its type and sizes where they matter: `INT 5`, `WORD[3] 1 2 3`, `STRING(32) "x"`.
fn show(side: &Side, with_type: bool) -> String {
    let is_text = matches!(side.tid, "STRING" | "LINK" | "CHAR");
    let element = |value: &String| {
        if is_text { format!("\"{}\"", text::escaped(value.as_bytes())) } else { value.clone() }
    };
    let values: Vec<String> = side.values.iter().take(64).map(element).collect();
    let values = values.join(" ");
    if !with_type {
        return values;
    }
    let len = if side.len == 1 { String::new() } else { format!("[{}]", side.len) };
    let size = side.size.map_or_else(String::new, |size| format!("({size})"));
    format!("{}{size}{len} {values}", side.tid).trim_end().to_owned()
}

fn cut(text: &str, width: usize) -> String {
    match text.char_indices().nth(width) {
        Some(_) => format!("{} ...", text::cut(text, width - 4).trim_end()),
        None => text.to_owned(),
    }
}
