//! The ODB of the experiment: a call of the server for each method, several where that takes too long.

use super::client::{Client, refused};
use super::routine::{
    ADD_OPEN_RECORD, CREATE_KEY, CREATE_LINK, DELETE_KEY, ENUM_LINK, FIND_KEY, FIND_LINK, GET_DATA, GET_LINK,
    GET_LINK_DATA, REMOVE_OPEN_RECORD, RENAME_KEY, REORDER_KEY, SET_DATA, SET_DATA_INDEX, SET_MODE,
    SET_NUM_VALUES,
};
use super::status::{BAD_HANDLE, KEY_CREATED, NO_KEY, NO_MORE_KEYS, SUCCESS, VALUE_TRUNCATED, WRONG_TYPE};
use super::wire::{self, CELL, Call, Reply, Routine, padded};
use super::{Error, Key, KeyInfo, Result};

/// Bytes of what the server says of a key, without padding.
const KEY: usize = 68;
/// Longest path. MIDAS has 256 bytes for one, and does not always look.
const PATH: usize = 255;
/// More than an ODB can hold in one key: what claims more is not asked for.
pub(super) const MOST_VALUES: usize = 256 << 20;
/// The bytes of values that the server takes at once.
pub(super) const MOST_AT_ONCE: usize = 4 << 20;
/// The mode of a watch: told of any change below, nothing copied.
const WATCH: u16 = 0x80;
/// How many children are asked for at first, not knowing how many there are.
const FIRST: u32 = 4;

/// An answer, or the status that says that a key is not what it was.
type Gone<T> = std::result::Result<T, i32>;

impl Client {
    /// The key at a path below another; a link at its end is followed. Case does not matter.
    pub fn find(&mut self, root: Key, path: &str) -> Result<Option<Key>> {
        self.find_by(&FIND_KEY, root, path)
    }

    /// The key at a path below another; if that is a link, the link.
    pub fn find_link(&mut self, root: Key, path: &str) -> Result<Option<Key>> {
        self.find_by(&FIND_LINK, root, path)
    }

    fn find_by(&mut self, routine: &Routine, root: Key, path: &str) -> Result<Option<Key>> {
        let call = Call::new(routine).int(self.database).int(root.0).text(checked(path)?)?;
        self.rpc.plain(&call, |status, reply| found(routine, status, reply, path))
    }

    /// The key at a place of a directory; a link is not followed. `None` behind the last.
    pub fn child(&mut self, dir: Key, index: u32) -> Result<Option<Key>> {
        let call = self.child_call(dir, index);
        self.rpc.plain(&call, |status, reply| found(&ENUM_LINK, status, reply, "directory"))
    }

    fn child_call(&self, dir: Key, index: u32) -> Call {
        let index = i32::try_from(index).unwrap_or(i32::MAX);
        Call::new(&ENUM_LINK).int(self.database).int(dir.0).int(index)
    }

    /// All keys of a directory, in their order; links are not followed.
    pub fn children(&mut self, dir: Key) -> Result<Vec<Key>> {
        let mut keys = Vec::new();
        let mut next = FIRST;
        loop {
            let from = keys.len() as u32;
            let calls: Vec<_> = (from..from + next).map(|i| (self.child_call(dir, i), 8 * CELL)).collect();
            let found =
                self.rpc.group(&calls, |_, status, reply| found(&ENUM_LINK, status, reply, "directory"))?;
            let asked = found.len();
            keys.extend(found.into_iter().map_while(|key| key));
            if keys.len() < from as usize + asked {
                return Ok(keys);
            }
            // An ODB of the largest size has a few hundred thousand keys.
            if keys.len() > 1 << 24 {
                let message = format!("a directory of more than {} keys", 1 << 24);
                return Err(Error::Argument { what: ENUM_LINK.name, message });
            }
            next = (next * 2).min(32);
        }
    }

    /// What a key is; of a link, what the link is.
    pub fn info(&mut self, key: Key) -> Result<KeyInfo> {
        let found = self.each_info(&[key])?.pop().unwrap_or(Err(BAD_HANDLE));
        found.map_err(|status| refused(&GET_LINK, &format!("key {}", key.0), status))
    }

    /// The same of many keys; `None` for one that is gone.
    pub fn infos(&mut self, keys: &[Key]) -> Result<Vec<Option<KeyInfo>>> {
        Ok(self.each_info(keys)?.into_iter().map(std::result::Result::ok).collect())
    }

    /// The info of each key, or the status that says that it is gone.
    fn each_info(&mut self, keys: &[Key]) -> Result<Vec<Gone<KeyInfo>>> {
        let call = |key: &Key| (Call::new(&GET_LINK).int(self.database).int(key.0), padded(KEY));
        let calls: Vec<_> = keys.iter().map(call).collect();
        self.rpc.group(&calls, |i, status, mut reply| match status {
            SUCCESS => {
                let info = key_info(reply.fixed(KEY, "a key")?);
                reply.end()?;
                Ok(Ok(info))
            }
            BAD_HANDLE | NO_KEY => Ok(Err(status)),
            status => Err(refused(&GET_LINK, &format!("key {}", keys[i].0), status)),
        })
    }

    /// All values of a key, little endian; of a link, its target with a zero; of a directory, nothing.
    ///
    /// # Errors
    ///
    /// A key that is gone, or no longer what `info` says, is refused: ask for its info anew.
    pub fn data(&mut self, key: Key, info: &KeyInfo) -> Result<Vec<u8>> {
        let found = self.each_data(&[(key, info)])?.pop().unwrap_or(Err(BAD_HANDLE));
        found.map_err(|status| refused(&GET_DATA, &format!("key \"{}\"", info.name), status))
    }

    /// The same of many keys; `None` for one that is gone, or no longer what its info says.
    pub fn datas(&mut self, keys: &[(Key, &KeyInfo)]) -> Result<Vec<Option<Vec<u8>>>> {
        Ok(self.each_data(keys)?.into_iter().map(std::result::Result::ok).collect())
    }

    /// The values of each key, or the status that says that it is not what it was.
    fn each_data(&mut self, keys: &[(Key, &KeyInfo)]) -> Result<Vec<Gone<Vec<u8>>>> {
        let mut calls = Vec::new();
        let mut asked = Vec::new();
        for (i, (key, info)) in keys.iter().enumerate() {
            let size = usize::try_from(info.total_size).ok().filter(|size| *size <= MOST_VALUES);
            let Some(size) = size else {
                let message =
                    format!("key \"{}\" claims {} bytes, more than an ODB has", info.name, info.total_size);
                return Err(Error::Argument { what: GET_DATA.name, message });
            };
            // A string that was never set has no bytes, and the server would say how many it could have.
            if size > 0 && !info.is_directory() {
                let routine = if info.is_link() { &GET_LINK_DATA } else { &GET_DATA };
                let call =
                    Call::new(routine).int(self.database).int(key.0).int(info.total_size).int(info.kind);
                calls.push((call, 2 * CELL + padded(size)));
                asked.push((i, size));
            }
        }
        let got = self.rpc.group(&calls, |i, status, mut reply| match status {
            SUCCESS => {
                let bytes = reply.block(asked[i].1, "values")?.to_vec();
                reply.int("size")?;
                reply.end()?;
                Ok(Ok(bytes))
            }
            BAD_HANDLE | NO_KEY | VALUE_TRUNCATED | WRONG_TYPE => Ok(Err(status)),
            status => Err(refused(&GET_DATA, &format!("key \"{}\"", keys[asked[i].0].1.name), status)),
        })?;
        let mut all: Vec<_> = keys.iter().map(|_| Ok(Vec::new())).collect();
        for ((i, _), bytes) in asked.into_iter().zip(got) {
            all[i] = bytes;
        }
        Ok(all)
    }

    /// Makes a key of a type, with the directories above it.
    pub fn create(&mut self, path: &str, kind: i32) -> Result<()> {
        let call = Call::new(&CREATE_KEY).int(self.database).int(Key::ROOT.0).text(checked(path)?)?.int(kind);
        self.done(&call, path)
    }

    /// Makes a link.
    pub fn create_link(&mut self, path: &str, target: &str) -> Result<()> {
        let call = Call::new(&CREATE_LINK).int(self.database).int(Key::ROOT.0);
        let call = call.text(checked(path)?)?.text(checked(target)?)?;
        self.done(&call, path)
    }

    /// Deletes a key with all that is below it; of a link, the link.
    pub fn delete(&mut self, key: Key) -> Result<()> {
        let call = Call::new(&DELETE_KEY).int(self.database).int(key.0).int(0);
        self.done(&call, &format!("key {}", key.0))
    }

    /// Sets all values of a key, little endian; of strings, each of the same length.
    ///
    /// # Errors
    ///
    /// No bytes, which MIDAS cannot set, or more than 4 MiB, for which it would hang up, are not sent.
    pub fn set(&mut self, key: Key, bytes: &[u8], values: i32, kind: i32) -> Result<()> {
        sendable(&SET_DATA, bytes)?;
        let call = Call::new(&SET_DATA).int(self.database).int(key.0).block(bytes)?;
        let call = call.int(bytes.len() as i32).int(values).int(kind);
        self.done(&call, &format!("key {}", key.0))
    }

    /// Sets one value of an array, which grows if need be.
    pub fn set_element(&mut self, key: Key, bytes: &[u8], index: i32, kind: i32) -> Result<()> {
        sendable(&SET_DATA_INDEX, bytes)?;
        let call = Call::new(&SET_DATA_INDEX).int(self.database).int(key.0).block(bytes)?;
        let call = call.int(bytes.len() as i32).int(index).int(kind);
        self.done(&call, &format!("key {}, value {index}", key.0))
    }

    /// Sets the access mode of a key, not of what is below it.
    pub fn set_mode(&mut self, key: Key, mode: u16) -> Result<()> {
        self.modes(key, mode, false)
    }

    /// Sets the access mode of a key and all below it.
    pub(super) fn set_modes(&mut self, key: Key, mode: u16) -> Result<()> {
        self.modes(key, mode, true)
    }

    fn modes(&mut self, key: Key, mode: u16, all: bool) -> Result<()> {
        let call = Call::new(&SET_MODE).int(self.database).int(key.0).short(mode).int(i32::from(all));
        self.done(&call, &format!("key {}", key.0))
    }

    /// Sets how many values a key has.
    pub fn resize(&mut self, key: Key, values: i32) -> Result<()> {
        let call = Call::new(&SET_NUM_VALUES).int(self.database).int(key.0).int(values);
        self.done(&call, &format!("key {}", key.0))
    }

    /// Gives a key another name, in its directory.
    pub fn rename(&mut self, key: Key, name: &str) -> Result<()> {
        let call = Call::new(&RENAME_KEY).int(self.database).int(key.0).text(checked(name)?)?;
        self.done(&call, name)
    }

    /// Moves a key to another place in its directory.
    pub fn reorder(&mut self, key: Key, index: i32) -> Result<()> {
        let call = Call::new(&REORDER_KEY).int(self.database).int(key.0).int(index);
        self.done(&call, &format!("key {}", key.0))
    }

    /// Has changes of a key, and of all that is below it, [posted](super::Note::Changed).
    pub fn watch(&mut self, key: Key) -> Result<()> {
        let call = Call::new(&ADD_OPEN_RECORD).int(self.database).int(key.0).short(WATCH);
        self.done(&call, &format!("key {}", key.0))
    }

    /// Ends a watch.
    pub fn unwatch(&mut self, key: Key) -> Result<()> {
        let call = Call::new(&REMOVE_OPEN_RECORD).int(self.database).int(key.0).int(0);
        self.done(&call, &format!("key {}", key.0))
    }
}

/// Values that the server takes.
fn sendable(routine: &Routine, bytes: &[u8]) -> Result<()> {
    if !bytes.is_empty() && bytes.len() <= MOST_AT_ONCE {
        return Ok(());
    }
    let message = format!("{} bytes of values, MIDAS takes 1 to {MOST_AT_ONCE} at once", bytes.len());
    Err(Error::Argument { what: routine.name, message })
}

/// A path that the server can hold.
fn checked(path: &str) -> Result<&str> {
    if pactolus_odb::spelling::to_bytes(path).len() <= PATH {
        return Ok(path);
    }
    let message =
        format!("path of {} bytes, MIDAS has at most {PATH}: {}...", path.len(), wire::cut(path, 40));
    Err(Error::Argument { what: "path", message })
}

/// A handle, where there may be none.
fn found(routine: &Routine, status: i32, mut reply: Reply, of: &str) -> Result<Option<Key>> {
    match status {
        SUCCESS | KEY_CREATED => {
            let key = Key(reply.int("handle of a key")?);
            reply.end()?;
            Ok(Some(key))
        }
        NO_KEY | NO_MORE_KEYS => Ok(None),
        status => Err(refused(routine, of, status)),
    }
}

/// Type, values, name, place of the values, sizes, mode, watches, two places, time: as in the ODB's memory.
fn key_info(bytes: &[u8]) -> KeyInfo {
    let (mode, watches) = (wire::int(bytes, 52) as u16, (wire::int(bytes, 52) as u32 >> 16) as u16);
    KeyInfo {
        kind: wire::int(bytes, 0),
        values: wire::int(bytes, 4),
        name: wire::text(bytes.get(8..40).unwrap_or_default()),
        total_size: wire::int(bytes, 44),
        item_size: wire::int(bytes, 48),
        mode,
        watches,
        written: wire::int(bytes, 64) as u32,
    }
}
