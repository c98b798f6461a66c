//! What a decoder of one compression format does.

use std::borrow::Cow;

/// Decodes members (frames, streams) of one format, fed piece by piece.
pub(super) trait Decode: Send {
    /// Decodes a piece of a member, or the beginning of the next one.
    ///
    /// `input` continues where the last step stopped reading; `last` says that nothing follows it.
    /// `output` is not empty.
    fn decode(&mut self, input: &[u8], last: bool, output: &mut [u8]) -> Step;

    /// After a fault, first of all: whether something sound follows at a place that is known,
    /// behind a broken block or a wrong checksum. `input` begins where the last step stopped.
    fn skip(&mut self, _input: &[u8], _last: bool, _credit: &mut Credit) -> Found {
        Found::Not(0)
    }

    /// After a fault, if [`skip`](Decode::skip) knows no place: looks for one in `input`, which may
    /// begin anywhere.
    fn find(&mut self, input: &[u8], last: bool, credit: &mut Credit) -> Found;

    /// How far into the member the caller is told to be while its content is given, where that is
    /// not where the last step stopped reading.
    fn noted(&self) -> Option<u64> {
        None
    }

    /// Whether content has been decoded and waits for room in the output.
    fn holds(&self) -> bool {
        false
    }

    /// Whether a member may end where the last step stopped, and nothing but the end of the file tells.
    fn may_end(&self) -> bool {
        false
    }

    /// Bytes that the last step looked at without reading them.
    fn examined(&self) -> usize {
        0
    }
}

/// What one step did.
pub(super) struct Step {
    /// Bytes taken from the input.
    pub(super) read: usize,
    /// Bytes put into the output, valid whatever comes next.
    pub(super) written: usize,
    /// How to go on.
    pub(super) next: Next,
}

impl Step {
    /// A step that wrote nothing.
    pub(super) fn silent(read: usize, next: Next) -> Step {
        Step { read, written: 0, next }
    }

    /// A step that finds the bytes wrong.
    pub(super) fn corrupt(why: impl Into<Cow<'static, str>>) -> Step {
        Step::silent(0, Next::Broken(Fault::Corrupt(why.into())))
    }
}

/// How to go on after a [`Step`].
pub(super) enum Next {
    /// With the next step.
    More,
    /// With the next step, which begins a block that can be decoded alone.
    Block,
    /// With a step whose input holds at least so many bytes. Bounded by the format, never by a
    /// claim of the input alone. If the input has ended, it is cut.
    Need(usize),
    /// With the next member: this one is complete.
    End,
    /// Not at all.
    Broken(Fault),
}

/// Where decoding can begin anew.
pub(super) enum Found {
    /// So many bytes on, with a member.
    Member(usize),
    /// So many bytes on, with a block for which the decoder is ready.
    Block(usize),
    /// Not within so many bytes.
    Not(usize),
    /// More bytes must be seen: so many in all. Bounded as in [`Next::Need`].
    Need(usize),
}

/// What is wrong with a compressed stream.
#[derive(Clone)]
pub(super) enum Fault {
    /// It ends too early.
    Cut,
    /// Its bytes are wrong.
    Corrupt(Cow<'static, str>),
}

/// Work that looking for the next sound place may still cost, in bytes read and written.
///
/// Many places that look sound for a while, one inside the other, would otherwise cost the square
/// of the file's size.
pub(super) struct Credit {
    left: u64,
    reached: u64,
}

impl Credit {
    const FIRST: u64 = 64 << 20;
    const PER_BYTE: u64 = 32;

    pub(super) fn new() -> Credit {
        Credit { left: Credit::FIRST, reached: 0 }
    }

    /// Every byte of the file earns some, once.
    pub(super) fn earn(&mut self, offset: u64) {
        let new = offset.saturating_sub(self.reached);
        self.reached += new;
        self.left = self.left.saturating_add(new.saturating_mul(Credit::PER_BYTE));
    }

    /// Pays for work; whether that much was left.
    pub(super) fn spend(&mut self, work: u64) -> bool {
        let enough = work <= self.left;
        self.left = self.left.saturating_sub(work);
        enough
    }

    /// Whether a small try can be afforded.
    pub(super) fn is_left(&self) -> bool {
        self.left > 0
    }
}
