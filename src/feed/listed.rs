//! The inputs of a job that are named: files, pipes, standard input.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use pactolus_formats::{Error as FormatError, Input, Pool};

use super::{Eor, Feed, Late, Next, Opened, Stream};
use crate::Error;
use crate::awaited::{Arrived, Awaited};
use crate::job::{InputFile, Job, Stop};
use crate::provenance::{DigestOf, Digested};

/// The inputs in order.
pub(crate) struct Listed<'j> {
    job: Cow<'j, Job>,
    /// Threads that decompress.
    pool: Option<Pool>,
    /// The fold wants no more.
    halt: Stop,
    /// What is whole in a pipe does not wait for more.
    at_once: bool,
    /// Number of the input to be opened next.
    next: usize,
}

impl<'j> Listed<'j> {
    pub(crate) fn new(job: &'j Job, pool: Option<Pool>, halt: Stop) -> Listed<'j> {
        // What others change is to take effect soon, however slow the stream is.
        let at_once = job.odb.is_some();
        Listed { job: Cow::Borrowed(job), pool, halt, at_once, next: 0 }
    }

    /// ... for somebody who wants events as they come.
    pub(crate) fn as_they_come(job: Job) -> Listed<'static> {
        let job = Cow::Owned(job);
        Listed { job, pool: None, halt: Stop::new(), at_once: true, next: 0 }
    }

    /// A file is decompressed by several threads. A pipe is not: what is whole waits for more there.
    fn wide(&self, input: Input) -> Input {
        match &self.pool {
            Some(pool) => input.with_pool(pool.clone()),
            None => input,
        }
    }

    fn open(&self, file: &InputFile) -> Result<Named, FormatError> {
        let limits = &self.job.limits;
        let later = self.job.threads > 1;
        let (stop, halt) = (self.job.stop.clone(), self.halt.clone());
        let stops = move || stop.is_asked() || halt.is_asked();
        let awaited = |awaited: io::Result<Awaited>| awaited.map_err(FormatError::io("read", &file.path));
        // A pipe that has a name.
        let is_pipe = std::fs::metadata(&file.path).is_ok_and(|found| !found.is_file() && !found.is_dir());
        let mut arrived = None;
        let mut hear = |reader: &mut Awaited| arrived = self.at_once.then(|| reader.without_waiting());
        let (input, digest) = if let Some(bytes) = file.bytes() {
            let (digested, digest) = Digested::new(io::Cursor::new(Arc::clone(bytes)), later);
            (self.wide(Input::new_with(digested, &file.path, limits)?), Some(digest))
        } else if file.is_stdin() {
            let mut reader = awaited(Awaited::new(|| Ok(std::io::stdin()), stops))?;
            hear(&mut reader);
            (Input::new_with(reader, "(standard input)", limits)?, None)
        } else if is_pipe {
            let path = file.path.clone();
            let mut reader = awaited(Awaited::new(move || File::open(path), stops))?;
            hear(&mut reader);
            let (digested, digest) = Digested::new(reader, later);
            let digest = Some(digest).filter(|_| !self.job.outputs.is_empty());
            (Input::new_with(digested, &file.path, limits)?, digest)
        } else if self.job.outputs.is_empty() {
            (self.wide(Input::open_with(&file.path, limits)?), None)
        } else {
            let opened = File::open(&file.path).map_err(FormatError::io("open", &file.path))?;
            let (digested, digest) = Digested::new(opened, later);
            (self.wide(Input::new_with(digested, &file.path, limits)?), Some(digest))
        };
        let events = Late::new(input, *limits);
        Ok(Named { events, digest, is_pipe: is_pipe || file.is_stdin(), arrived })
    }
}

impl Feed for Listed<'_> {
    fn next(&mut self, _: Duration) -> Result<Next, Error> {
        let Some(file) = self.job.inputs.get(self.next) else { return Ok(Next::Over(None)) };
        let last = self.next.checked_sub(1).and_then(|last| self.job.inputs.get(last));
        let continues = last.is_some_and(|last| file.continues(last));
        let (file, stream) = (file.clone(), Box::new(self.open(file)?));
        self.next += 1;
        Ok(Next::Stream(Opened { file, stream, continues, gap: None, is_fault: false }))
    }

    fn goes_on(&mut self, _: Option<Eor>) -> Option<bool> {
        let last = self.next.checked_sub(1).and_then(|last| self.job.inputs.get(last))?;
        Some(self.job.inputs.get(self.next).is_some_and(|next| next.continues(last)))
    }
}

/// An input that has a name.
struct Named {
    events: Late,
    digest: Option<DigestOf>,
    /// Somebody else writes it, and may take his time.
    is_pipe: bool,
    /// What he has written, if what is whole is not to wait for more.
    arrived: Option<Arrived>,
}

impl Stream for Named {
    fn events(&mut self) -> &mut Late {
        &mut self.events
    }

    fn done(&self) -> u64 {
        self.events.done()
    }

    fn may_wait(&self) -> bool {
        self.is_pipe
    }

    fn wait(&self, longest: Duration) -> bool {
        self.arrived.as_ref().is_some_and(|arrived| arrived.wait(longest))
    }

    fn digest(&self) -> Option<&DigestOf> {
        self.digest.as_ref()
    }
}
