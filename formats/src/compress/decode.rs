//! What a decoder of one compression format does.

use std::borrow::Cow;

/// Decodes members (frames, streams) of one format, fed piece by piece.
pub(super) trait Decode: Send {
    /// Decodes a piece of a member, or the beginning of the next one.
    ///
    /// `input` continues where the last step stopped reading; `last` says that nothing follows it.
    /// `output` is not empty.
    fn decode(&mut self, input: &[u8], last: bool, output: &mut [u8]) -> Step;
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
    /// With a step whose input holds at least so many bytes. Bounded by the format, never by a
    /// claim of the input alone. If the input has ended, it is cut.
    Need(usize),
    /// With the next member: this one is complete.
    End,
    /// Not at all.
    Broken(Fault),
}

/// What is wrong with a compressed stream.
#[derive(Clone)]
pub(super) enum Fault {
    /// It ends too early.
    Cut,
    /// Its bytes are wrong.
    Corrupt(Cow<'static, str>),
}
