//! All parts of a job, opened and in order.

use std::path::Path;

use pactolus_formats::wire::{Bytes, Wire};

use crate::Error;
use crate::job::Job;
use crate::shard::file::PartFile;
use crate::shard::head::Head;

/// All parts of a job, for [`Analyzer::merge`](crate::Analyzer::merge).
pub struct Parts {
    /// In the order of the shards.
    pub(crate) files: Vec<PartFile>,
    pub(crate) head: Head,
}

impl Parts {
    /// Opens the parts of one job, given in any order.
    ///
    /// # Errors
    /// If one of them is missing or there twice, belongs to another job, is broken or cut, or no part.
    pub fn open<P: AsRef<Path>>(paths: &[P]) -> Result<Parts, Error> {
        let mut files: Vec<PartFile> = Vec::new();
        let mut known: Option<Head> = None;
        for path in paths {
            let (file, head) = open(path.as_ref())?;
            match &known {
                None => known = Some(head),
                Some(first) => {
                    if let Some(what) = head.differs(first) {
                        let other = files[0].path.display();
                        return Err(
                            file.error(format!("is of another job than {other}: they differ in {what}"))
                        );
                    }
                    if head.program != first.program {
                        let other = files[0].path.display();
                        return Err(file.error(format!(
                            "made by another program than {other}: run all shards with one program"
                        )));
                    }
                    if let Some(same) = files.iter().find(|known| known.shard == file.shard) {
                        let (number, of) = (head.shard.number(), head.shard.of());
                        let both = format!("{} and {}", same.path.display(), file.path.display());
                        return Err(Error::Job(format!("part {number} of {of} is there twice: {both}")));
                    }
                }
            }
            files.push(file);
        }
        let Some(head) = known else {
            return Err(Error::Job("no parts: name the files that analyze --shard has written".into()));
        };
        complete(&files, head.shard.of())?;
        files.sort_by_key(|file| file.shard.map(|shard| shard.number()));
        Ok(Parts { files, head })
    }

    /// How many there are.
    pub fn of(&self) -> u32 {
        self.head.shard.of()
    }

    /// The definition of the analyzer whose parts these are, if it was made from one.
    pub fn definition(&self) -> Option<&str> {
        self.head.text("definition")
    }

    /// The name of the analyzer.
    pub fn analyzer(&self) -> &str {
        self.head.text("analyzer").unwrap_or("Analyzer")
    }

    /// The job whose parts these are. Outputs may get other names before the merge, and be left out.
    ///
    /// # Errors
    /// If it was not written by this program.
    pub fn job(&self) -> Result<Job, Error> {
        self.head.job().map_err(|key| self.files[0].error(format!("no `{key}` in its head")))
    }
}

/// A part and its head, whatever comes behind.
pub(crate) fn head(path: &Path) -> Result<(PartFile, Head), Error> {
    let mut file = PartFile::open(path)?;
    let title = file.next;
    let mut body = Vec::new();
    // The body of the head may be cut, too.
    if let Err(broken) = file.body(&mut body) {
        file.check_end()?;
        return Err(broken);
    }
    let mut from = Bytes::new(&body);
    let head = Head::take(&mut from).and_then(|head| from.end().map(|()| head));
    let head = head.map_err(|malformed| file.malformed(title, malformed))?;
    file.shard = Some(head.shard);
    Ok((file, head))
}

/// A part of this version that has an end, with its head.
fn open(path: &Path) -> Result<(PartFile, Head), Error> {
    let (mut file, head) = head(path)?;
    let version = head.text("version").unwrap_or_default();
    if version != env!("CARGO_PKG_VERSION") {
        let own = env!("CARGO_PKG_VERSION");
        return Err(
            file.error(format!("written by version {version}, this is {own}: use one program for all"))
        );
    }
    file.check_end()?;
    Ok((file, head))
}

/// Names the shards that are to be run again.
fn complete(files: &[PartFile], of: u32) -> Result<(), Error> {
    let there: Vec<u32> = files.iter().filter_map(|file| Some(file.shard?.number())).collect();
    let missing = (1..=of).filter(|number| !there.contains(number));
    let first: Vec<String> = missing.take(10).map(|number| number.to_string()).collect();
    let count = of as usize - there.len();
    match &first[..] {
        [] => Ok(()),
        [one] => {
            Err(Error::Job(format!("part {one} of {of} is missing: run analyze --shard {one}/{of} again")))
        }
        [one, ..] => {
            let more = count - first.len();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let names = format!("{}{more}", first.join(", "));
            Err(Error::Job(format!(
                "parts {names} of {of} are missing: run analyze --shard {one}/{of}, ... again"
            )))
        }
    }
}
