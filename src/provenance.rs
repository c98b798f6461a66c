//! From which inputs, parameters and versions an output was made.
//!
//! Deterministic: the same job gives the same text. What varies from one execution to the next
//! (times, threads, rates) is in the [`Report`](crate::Report) only.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pactolus_odb::Tree;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::analyzer::Analyzer;
use crate::job::Job;
use crate::layers::EventDefinition;
use crate::recorded::equipment;

/// A reader that remembers the digest of what was read from it.
pub(crate) struct Digested<R> {
    reader: R,
    digest: DigestOf,
    /// The digest is taken by whoever has time: one thread reads while another does that.
    later: bool,
}

/// The digest of a file so far.
#[derive(Clone)]
pub(crate) struct DigestOf(Arc<Digesting>);

#[derive(Default)]
struct Digesting {
    taken: Mutex<Taken>,
    /// What was read and is not in the digest.
    waiting: Mutex<Waiting>,
}

/// The digest of so many bytes.
#[derive(Default)]
struct Taken {
    sha256: Sha256,
    bytes: u64,
}

impl Taken {
    fn add(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.bytes += bytes.len() as u64;
    }
}

#[derive(Default)]
struct Waiting {
    pieces: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Buffers that were used.
    spare: Vec<Vec<u8>>,
}

/// Bytes that may wait.
const WAITING: usize = 4 << 20;

impl<R: Read> Digested<R> {
    pub(crate) fn new(reader: R, later: bool) -> (Digested<R>, DigestOf) {
        let digest = DigestOf(Arc::default());
        (Digested { reader, digest: digest.clone(), later }, digest)
    }
}

impl<R: Read> Read for Digested<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.reader.read(buf)?;
        if !self.later {
            lock(&self.digest.0.taken).add(&buf[..n]);
        } else if self.digest.add(&buf[..n]) > WAITING {
            self.digest.catch_up(&mut lock(&self.digest.0.taken));
        }
        Ok(n)
    }
}

impl DigestOf {
    /// Takes what waits into the digest, unless another does so.
    pub(crate) fn work(&self) {
        if let Ok(mut taken) = self.0.taken.try_lock() {
            self.catch_up(&mut taken);
        }
    }

    /// Bytes read and their digest in hexadecimal.
    pub(crate) fn value(&self) -> (u64, String) {
        let mut taken = lock(&self.0.taken);
        self.catch_up(&mut taken);
        (taken.bytes, hex(&taken.sha256.clone().finalize()))
    }

    /// Leaves bytes for later; how many wait then.
    fn add(&self, bytes: &[u8]) -> usize {
        let mut waiting = lock(&self.0.waiting);
        let mut piece = waiting.spare.pop().unwrap_or_default();
        piece.clear();
        piece.extend_from_slice(bytes);
        waiting.bytes += piece.len();
        waiting.pieces.push_back(piece);
        waiting.bytes
    }

    /// In the order in which they were read: who holds `taken` takes all of them.
    fn catch_up(&self, taken: &mut Taken) {
        loop {
            let piece = {
                let mut waiting = lock(&self.0.waiting);
                let Some(piece) = waiting.pieces.pop_front() else { return };
                waiting.bytes -= piece.len();
                piece
            };
            taken.add(&piece);
            lock(&self.0.waiting).spare.push(piece);
        }
    }
}

/// A digest that somebody left while panicking belongs to a job that fails.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The SHA-256 of a file, in hexadecimal.
///
/// # Errors
/// If it cannot be read.
pub fn sha256_of(path: &Path) -> io::Result<String> {
    let (mut file, digest) = Digested::new(File::open(path)?, false);
    io::copy(&mut file, &mut io::sink())?;
    Ok(digest.value().1)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// What a job is made of, filled run by run. It is kept as the text that outputs hold: a job may have
/// thousands of runs, and as values they would take many times the memory.
pub(crate) struct Provenance {
    /// All before the runs.
    head: String,
    runs: Vec<Box<str>>,
}

impl Provenance {
    pub(crate) fn new(analyzer: &Analyzer, job: &Job) -> Provenance {
        let mut head = Map::new();
        head.insert("program".into(), json!("pactolus"));
        head.insert("version".into(), json!(env!("CARGO_PKG_VERSION")));
        head.insert("analyzer".into(), json!(analyzer.name));
        if let Some(text) = &analyzer.definition {
            head.insert("definition".into(), json!(text));
        }
        let selection = &job.selection;
        let all = *selection == crate::Selection::default();
        if !all {
            head.insert(
                "selection".into(),
                json!({ "first": selection.first, "last": selection.last, "step": selection.step, "events": selection.events }),
            );
        }
        head.insert("filter".into(), json!(job.filter));
        if job.flat {
            head.insert("flat".into(), json!(true));
        }
        let mut head = Value::Object(head).to_string();
        // It goes on behind its last member.
        head.pop();
        Provenance { head, runs: Vec::new() }
    }

    /// A run is complete. `files`: what it was read from; `definitions`: what was known of its events;
    /// `epochs`: what is said of each, see [`Said`](crate::recorded::Said). It is enough to begin the run and
    /// its epochs again: see [`recorded`](crate::recorded).
    pub(crate) fn run<'t>(
        &mut self,
        number: u32,
        files: Vec<Value>,
        definitions: &[EventDefinition],
        epochs: impl Iterator<Item = &'t str>,
    ) {
        // Subruns make a list.
        let input = match <[Value; 1]>::try_from(files) {
            Ok([file]) => file,
            Err(files) => Value::Array(files),
        };
        let mut run = json!({ "run": number, "input": input });
        if !definitions.is_empty() {
            run["equipment"] = equipment(definitions);
        }
        let mut run = run.to_string();
        run.pop();
        run.push_str(",\"epochs\":");
        run.push_str(&list(epochs));
        run.push('}');
        self.runs.push(run.into());
    }

    /// What [`text`](Provenance::text) would say if the run in hand were complete: for outputs of that
    /// run, and of all runs.
    pub(crate) fn so_far<'t>(
        &mut self,
        number: u32,
        files: Vec<Value>,
        definitions: &[EventDefinition],
        epochs: impl Iterator<Item = &'t str>,
    ) -> [String; 2] {
        self.run(number, files, definitions, epochs);
        let texts = [false, true].map(|all| self.text(all));
        self.runs.pop();
        texts
    }

    /// Forgets the runs so far: no output will hold one of them besides others.
    pub(crate) fn forget(&mut self) {
        self.runs.clear();
    }

    /// For outputs of the last run, or of all runs: JSON in one line.
    pub(crate) fn text(&self, all: bool) -> String {
        let runs = if all { &self.runs[..] } else { &self.runs[self.runs.len().saturating_sub(1)..] };
        let runs = list(runs.iter().map(AsRef::as_ref));
        format!("{},\"runs\":{runs}}}", self.head)
    }
}

/// A list of what is JSON.
pub(crate) fn list<'t>(items: impl Iterator<Item = &'t str>) -> String {
    let mut text = String::from("[");
    for (i, item) in items.enumerate() {
        if i > 0 {
            text.push(',');
        }
        text.push_str(item);
    }
    text.push(']');
    text
}

/// Writes JSON of one line, as we make it, on many lines.
pub(crate) fn indented(json: &str, out: &mut dyn Write) -> io::Result<()> {
    let (mut depth, mut before, mut is_text, mut escaped) = (0, b' ', false, false);
    let mut line = Vec::new();
    let new_line = |line: &mut Vec<u8>, depth: usize| {
        line.push(b'\n');
        line.extend(std::iter::repeat_n(b' ', 2 * depth));
    };
    for byte in json.bytes() {
        if is_text {
            line.push(byte);
            is_text = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            before = byte;
            continue;
        }
        let closes = matches!(byte, b'}' | b']');
        // Nothing stands between the two ends of an empty list.
        let is_first = matches!(before, b'{' | b'[');
        if closes {
            depth -= usize::from(depth > 0);
        }
        if closes != is_first {
            new_line(&mut line, depth);
        }
        line.push(byte);
        match byte {
            b'{' | b'[' => depth += 1,
            b',' => new_line(&mut line, depth),
            b':' => line.push(b' '),
            b'"' => is_text = true,
            _ => {}
        }
        before = byte;
        if line.len() > 1 << 12 {
            out.write_all(&std::mem::take(&mut line))?;
        }
    }
    out.write_all(&line)
}

/// A value as text, the elements of an array one behind the other.
pub(crate) fn text(value: &pactolus_odb::Value) -> String {
    (0..value.len()).map(|i| value.text(i)).collect::<Vec<_>>().join(" ")
}

/// The values below a directory as text, arrays as lists.
pub(crate) fn texts(tree: &Tree, directory: &str) -> Vec<(String, Value)> {
    let Ok(walk) = tree.walk(directory) else { return Vec::new() };
    walk.filter_map(|(path, key)| {
        let value = key.value()?;
        let text = |i| Value::String(value.text(i));
        let shown =
            if value.len() == 1 { text(0) } else { Value::Array((0..value.len()).map(text).collect()) };
        Some((path.to_string(), shown))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_on_many_lines_is_that_of_everybody() {
        let text = "a \"quoted\" [text], {with: all} \\";
        let values = [
            json!({ "runs": [], "none": {}, "more": [{}, [[]], { "a": [1, -2.5e300] }], "last": null }),
            json!([text, { text: text }, true]),
            json!("\\\\"),
            json!({ "a": { "b": { "c": [[1, 2], [3]] } } }),
            json!([]),
        ];
        for value in values {
            let mut lines = Vec::new();
            indented(&value.to_string(), &mut lines).unwrap();
            assert_eq!(String::from_utf8(lines).unwrap(), serde_json::to_string_pretty(&value).unwrap());
        }
    }
}
