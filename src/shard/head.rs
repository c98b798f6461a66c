//! What stands in front of a part: the job, so that the merge needs nothing else.

use std::path::PathBuf;
use std::sync::Arc;

use pactolus_formats::Limits;
use pactolus_formats::wire::{Bytes, Malformed, Wire, put_bytes};
use serde_json::{Map, Value, json};

use crate::analyzer::Analyzer;
use crate::epoch::Selection;
use crate::job::{InputFile, Job, OutputFile};
use crate::layers::Files;
use crate::shard::Shard;

/// The front of a part.
#[derive(Clone)]
pub(crate) struct Head {
    pub(crate) shard: Shard,
    /// What all parts of a job agree on.
    pub(crate) settings: Map<String, Value>,
    /// Files that no output may replace, besides inputs.
    keep: Vec<String>,
    /// The files of the store, by name.
    pub(crate) files: Files,
    /// What the program is, if that is known.
    pub(crate) program: Option<String>,
}

impl Head {
    pub(crate) fn new(analyzer: &Analyzer, job: &Job, shard: Shard, files: Files) -> Head {
        let keep = job.keep.iter().map(|path| path.to_string_lossy().into_owned()).collect();
        Head { shard, settings: settings(analyzer, job), keep, files, program: job.program.clone() }
    }

    /// The text of a setting.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.settings.get(key)?.as_str()
    }

    /// The first thing in which the job of `other` is another.
    pub(crate) fn differs(&self, other: &Head) -> Option<String> {
        if self.shard.of() != other.shard.of() {
            return Some("number of shards".into());
        }
        if let Some(key) = differs(&self.settings, &other.settings) {
            return Some(key);
        }
        // The names are equal: they are among the settings.
        let file = self.files.iter().find(|(name, bytes)| other.files.get(*name) != Some(*bytes));
        file.map(|(name, _)| format!("contents of {name}"))
    }

    /// The job of these settings.
    ///
    /// # Errors
    /// The key that is missing or makes no sense.
    pub(crate) fn job(&self) -> Result<Job, &'static str> {
        let get = |key: &'static str| self.settings.get(key).ok_or(key);
        let list = |key: &'static str| get(key)?.as_array().ok_or(key);
        let texts = |key: &'static str| -> Result<Vec<String>, &'static str> {
            list(key)?.iter().map(|v| v.as_str().map(str::to_owned).ok_or(key)).collect()
        };
        let paths = |key| Ok(texts(key)?.into_iter().map(PathBuf::from).collect::<Vec<_>>());
        let number = |value: Option<&Value>, key: &'static str| value.and_then(Value::as_u64).ok_or(key);
        let mut job = Job::new();
        for input in list("inputs")? {
            let path = input["file"].as_str().ok_or("inputs")?;
            let run = input["run"].as_u64().and_then(|run| u32::try_from(run).ok());
            job.inputs.push(InputFile::new(path).with_run(run));
        }
        for pattern in texts("outputs")? {
            job.outputs.push(OutputFile::new(pattern).map_err(|_| "outputs")?);
        }
        job.config = paths("config")?;
        for pair in list("parameters")? {
            let text = |i: usize| pair[i].as_str().map(str::to_owned).ok_or("parameters");
            job.parameters.push((text(0)?, text(1)?));
        }
        job.protect = texts("protect")?;
        job.odb_load = paths("odb_load")?;
        let selection = get("selection")?;
        job.selection = Selection {
            first: number(selection.get("first"), "selection")?,
            last: selection["last"].as_u64(),
            step: number(selection.get("step"), "selection")?,
            events: selection["events"].as_u64(),
        };
        let flag = |key| get(key)?.as_bool().ok_or(key);
        job.filter = flag("filter")?;
        job.flat = flag("flat")?;
        job.allow_missing = flag("allow_missing")?;
        let limits = get("limits")?;
        let limit = |key| Ok(number(limits.get(key), "limits")? as usize);
        job.limits = Limits { event: limit("event")?, line: limit("line")?, window: limit("window")? };
        job.block = number(self.settings.get("block"), "block")? as usize;
        job.keep = self.keep.iter().map(PathBuf::from).collect();
        Ok(job)
    }
}

/// The first setting that differs.
pub(crate) fn differs(some: &Map<String, Value>, others: &Map<String, Value>) -> Option<String> {
    let keys = some.keys().chain(others.keys());
    keys.into_iter().find(|key| some.get(*key) != others.get(*key)).cloned()
}

/// Everything that decides about outputs, and no more: not the threads, not the computer.
pub(crate) fn settings(analyzer: &Analyzer, job: &Job) -> Map<String, Value> {
    let Job { selection, limits, .. } = job;
    let name = |path: &PathBuf| path.to_string_lossy().into_owned();
    let names = |paths: &[PathBuf]| paths.iter().map(name).collect::<Vec<_>>();
    let inputs: Vec<Value> =
        job.inputs.iter().map(|i| json!({ "file": i.path.to_string_lossy(), "run": i.run })).collect();
    let outputs: Vec<&str> = job.outputs.iter().map(|output| &*output.pattern).collect();
    let requests = analyzer.chains.iter().map(|chain| {
        let stages: Vec<&str> = chain.stages.iter().map(|stage| &*stage.name).collect();
        json!({ "name": chain.request.name, "stages": stages })
    });
    let entries = [
        ("version", json!(env!("CARGO_PKG_VERSION"))),
        ("analyzer", json!(analyzer.name)),
        ("definition", json!(analyzer.definition)),
        ("requests", requests.collect()),
        ("inputs", json!(inputs)),
        ("outputs", json!(outputs)),
        ("config", json!(names(&job.config))),
        ("parameters", json!(job.parameters)),
        ("protect", json!(job.protect)),
        ("odb_load", json!(names(&job.odb_load))),
        (
            "selection",
            json!({ "first": selection.first, "last": selection.last, "step": selection.step, "events": selection.events }),
        ),
        ("filter", json!(job.filter)),
        ("flat", json!(job.flat)),
        ("allow_missing", json!(job.allow_missing)),
        ("limits", json!({ "event": limits.event, "line": limits.line, "window": limits.window })),
        ("block", json!(job.block)),
    ];
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

pub(crate) fn put_files(files: &Files, to: &mut Vec<u8>) {
    files.len().put(to);
    for (name, bytes) in files {
        name.put(to);
        put_bytes(to, bytes);
    }
}

pub(crate) fn take_files(from: &mut Bytes<'_>) -> Result<Files, Malformed> {
    let count: u64 = from.value()?;
    let mut files = Files::new();
    for _ in 0..count {
        let name: String = from.value()?;
        files.insert(name, Arc::from(from.bytes()?));
    }
    Ok(files)
}

impl Wire for Head {
    fn put(&self, to: &mut Vec<u8>) {
        (self.shard.number(), self.shard.of()).put(to);
        Value::Object(self.settings.clone()).to_string().put(to);
        self.keep.put(to);
        put_files(&self.files, to);
        self.program.put(to);
    }

    fn take(from: &mut Bytes<'_>) -> Result<Head, Malformed> {
        let (number, of) = from.value()?;
        let shard = Shard::new(number, of).ok_or_else(|| from.wrong("a shard before this"))?;
        let text: String = from.value()?;
        let Ok(Value::Object(settings)) = serde_json::from_str(&text) else {
            return Err(from.wrong("settings before this"));
        };
        Ok(Head { shard, settings, keep: from.value()?, files: take_files(from)?, program: from.value()? })
    }
}
