//! What happens between events.

use pactolus_formats::event::Kind;

use super::journal::Record;

/// What happens between events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransitionKind {
    /// A run begins.
    Begin,
    /// It ends.
    End,
    /// It is paused.
    Pause,
    /// It goes on.
    Resume,
    /// The producer is gone within the run.
    Cut,
    /// This consumer has read nothing for so long that transitions were given up.
    Missed,
}

impl TransitionKind {
    /// What an event of this kind says of a run.
    pub(super) fn of(kind: Kind) -> Option<TransitionKind> {
        match kind {
            Kind::Bor => Some(TransitionKind::Begin),
            Kind::Eor => Some(TransitionKind::End),
            _ => None,
        }
    }

    pub(super) fn code(self) -> u8 {
        match self {
            TransitionKind::Begin => 1,
            TransitionKind::End => 2,
            TransitionKind::Pause => 3,
            TransitionKind::Resume => 4,
            TransitionKind::Cut => 5,
            TransitionKind::Missed => 6,
        }
    }

    pub(super) fn from_code(code: u8) -> Option<TransitionKind> {
        use TransitionKind::{Begin, Cut, End, Missed, Pause, Resume};
        [Begin, End, Pause, Resume, Cut, Missed].into_iter().find(|kind| kind.code() == code)
    }
}

/// What happens between events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// What.
    pub kind: TransitionKind,
    /// The run.
    pub run: u32,
    /// The BOR or EOR as in a file; else nothing.
    pub event: Vec<u8>,
    /// It had happened before we came.
    pub is_replay: bool,
}

impl Transition {
    /// What a record of the journal tells.
    pub(super) fn of(record: Record, is_replay: bool) -> Transition {
        let kind = TransitionKind::from_code(record.kind).unwrap_or(TransitionKind::Cut);
        Transition { kind, run: record.run, event: record.event, is_replay }
    }
}
