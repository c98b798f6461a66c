//! `/Runinfo`: what it says of the run, and where.

use crate::midas::{Client, Error, Key, KeyInfo, Result, status};

/// MIDAS's run states, and the transition in progress that is a start.
pub(super) const STOPPED: i32 = 1;
pub(super) const PAUSED: i32 = 2;
pub(super) const RUNNING: i32 = 3;
pub(super) const START: i32 = 1;

/// What `/Runinfo` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Runinfo {
    pub(super) state: i32,
    pub(super) number: u32,
    pub(super) transition: i32,
    /// When the last run was started [Unix seconds]; 0 if that is not known.
    pub(super) started: u32,
}

impl Runinfo {
    /// Whether a run is going on, be it paused.
    pub(super) fn is_going_on(self) -> bool {
        matches!(self.state, PAUSED | RUNNING)
    }

    pub(super) fn is_paused(self) -> bool {
        self.state == PAUSED
    }
}

/// Where `/Runinfo` says what there is.
pub(super) struct Places {
    state: (Key, KeyInfo),
    number: (Key, KeyInfo),
    /// It is not there before the first transition of an experiment.
    transition: Option<(Key, KeyInfo)>,
    started: Option<(Key, KeyInfo)>,
}

impl Places {
    /// Looks where that is.
    pub(super) fn find(client: &mut Client) -> Result<Places> {
        let mut find = |path: &str| {
            let status = status::NO_KEY;
            let missing = || Error::Refused { call: "db_find_key", what: path.to_owned(), status };
            Places::place(client, path)?.ok_or_else(missing)
        };
        Ok(Places {
            state: find("/Runinfo/State")?,
            number: find("/Runinfo/Run number")?,
            transition: None,
            started: None,
        })
    }

    fn place(client: &mut Client, path: &str) -> Result<Option<(Key, KeyInfo)>> {
        let Some(key) = client.find(Key::ROOT, path)? else { return Ok(None) };
        Ok(Some((key, client.info(key)?)))
    }

    /// What is there now.
    pub(super) fn read(&mut self, client: &mut Client) -> Result<Runinfo> {
        if self.transition.is_none() {
            self.transition = Places::place(client, "/Runinfo/Transition in progress")?;
        }
        if self.started.is_none() {
            self.started = Places::place(client, "/Runinfo/Start time binary")?;
        }
        let mut read = |(key, info): &(Key, KeyInfo)| {
            let bytes = client.data(*key, info)?;
            Ok(bytes.first_chunk().map_or(0, |bytes| i32::from_le_bytes(*bytes)))
        };
        let transition = self.transition.as_ref().map_or(Ok(0), &mut read)?;
        let state = read(&self.state)?;
        let number = read(&self.number)?.cast_unsigned();
        let started = self.started.as_ref().map_or(Ok(0), &mut read)?.cast_unsigned();
        Ok(Runinfo { state, number, transition, started })
    }
}
