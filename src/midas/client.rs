//! A client of an experiment.

use std::sync::Arc;
use std::time::Duration;

use super::{Address, Inbox, Key, KeyInfo, Login, Result};
use pactolus_formats::Header;

/// A buffer of events that we have opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Buffer(pub(crate) i32);

/// What to do with events when we are slow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sampling {
    /// All events: the experiment waits for us.
    All,
    /// Nobody waits: the oldest unread events are lost when the buffer is full.
    #[default]
    Nonblocking,
    /// As nonblocking, and events older than a second are left out. Goes without a read cache.
    Recent,
}

/// What has come of a [`receive`](Client::receive).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Events that were appended.
    pub events: u64,
    /// Whether the buffer had nothing more.
    pub is_empty: bool,
    /// Events larger than the capacity: gone from the buffer, and not appended.
    pub truncated: Vec<Header>,
}

/// Kinds of messages in the experiment's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// Something has failed.
    Error,
    /// For everybody to know.
    Info,
    /// For who looks for a fault.
    Debug,
    /// Of a person.
    User,
    /// For the log file only.
    Log,
    /// To be spoken aloud.
    Talk,
}

/// The experiments that a server has.
pub fn experiments(_address: &Address, _timeout: Duration) -> Result<Vec<String>> {
    unfinished()
}

fn unfinished<T>() -> Result<T> {
    Err(super::Error::Argument { what: "client", message: "unfinished".to_owned() })
}

/// A client of an experiment: one connection, used by one thread.
#[derive(Debug)]
pub struct Client {}

#[allow(unused_variables)]
impl Client {
    /// Logs in.
    pub fn connect(login: &Login, inbox: &Arc<Inbox>) -> Result<Client> {
        unfinished()
    }
    /// Our name, as the server has it.
    pub fn name(&self) -> &str {
        ""
    }
    /// The version that the server says, which does not tell those from 2015 to 2022 apart.
    pub fn version(&self) -> &str {
        ""
    }
    /// The port where programs of the experiment call us.
    pub fn port(&self) -> u16 {
        0
    }
    /// The key at a path; links are followed.
    pub fn find(&mut self, root: Key, path: &str) -> Result<Option<Key>> {
        unfinished()
    }
    /// The key at a path; if that is a link, the link.
    pub fn find_link(&mut self, root: Key, path: &str) -> Result<Option<Key>> {
        unfinished()
    }
    /// The key at a place of a directory; links are not followed.
    pub fn child(&mut self, dir: Key, index: u32) -> Result<Option<Key>> {
        unfinished()
    }
    /// All keys of a directory, in their order.
    pub fn children(&mut self, dir: Key) -> Result<Vec<Key>> {
        unfinished()
    }
    /// What a key is; of a link, of the link itself.
    pub fn info(&mut self, key: Key) -> Result<KeyInfo> {
        unfinished()
    }
    /// The same of many keys; `None` for one that is gone.
    pub fn infos(&mut self, keys: &[Key]) -> Result<Vec<Option<KeyInfo>>> {
        unfinished()
    }
    /// The values of a key, little endian; of a link, its text.
    pub fn data(&mut self, key: Key, info: &KeyInfo) -> Result<Vec<u8>> {
        unfinished()
    }
    /// The same of many keys; `None` for one that is gone, or has become longer meanwhile.
    pub fn datas(&mut self, keys: &[(Key, &KeyInfo)]) -> Result<Vec<Option<Vec<u8>>>> {
        unfinished()
    }
    /// Makes a key, with the directories above it.
    pub fn create(&mut self, path: &str, kind: i32) -> Result<()> {
        unfinished()
    }
    /// Makes a link.
    pub fn create_link(&mut self, path: &str, target: &str) -> Result<()> {
        unfinished()
    }
    /// Deletes a key with all below it; of a link, the link.
    pub fn delete(&mut self, key: Key) -> Result<()> {
        unfinished()
    }
    /// Sets all values of a key.
    pub fn set(&mut self, key: Key, bytes: &[u8], values: i32, kind: i32) -> Result<()> {
        unfinished()
    }
    /// Sets one value of an array, which grows if need be.
    pub fn set_element(&mut self, key: Key, bytes: &[u8], index: i32, kind: i32) -> Result<()> {
        unfinished()
    }
    /// Sets the access mode of a key, not of what is below it.
    pub fn set_mode(&mut self, key: Key, mode: u16) -> Result<()> {
        unfinished()
    }
    /// Sets the number of values of a key.
    pub fn resize(&mut self, key: Key, values: i32) -> Result<()> {
        unfinished()
    }
    /// Renames a key.
    pub fn rename(&mut self, key: Key, name: &str) -> Result<()> {
        unfinished()
    }
    /// Moves a key to another place in its directory.
    pub fn reorder(&mut self, key: Key, index: i32) -> Result<()> {
        unfinished()
    }
    /// Has changes of a key, and of all below it, posted.
    pub fn watch(&mut self, key: Key) -> Result<()> {
        unfinished()
    }
    /// Ends a watch.
    pub fn unwatch(&mut self, key: Key) -> Result<()> {
        unfinished()
    }
    /// Opens a buffer of events.
    pub fn open_buffer(&mut self, name: &str) -> Result<Buffer> {
        unfinished()
    }
    /// Has the server read ahead for us: this many bytes.
    pub fn cache(&mut self, buffer: Buffer, bytes: u32) -> Result<()> {
        unfinished()
    }
    /// Asks for events: of an id, with a bit of a mask; `None`: any.
    pub fn request(
        &mut self,
        buffer: Buffer,
        id: Option<u16>,
        mask: Option<u16>,
        sampling: Sampling,
        number: i32,
    ) -> Result<()> {
        unfinished()
    }
    /// Pulls events.
    pub fn receive(
        &mut self,
        buffer: Buffer,
        most: usize,
        bytes: usize,
        to: &mut Vec<u8>,
    ) -> Result<Received> {
        unfinished()
    }
    /// Bytes in a buffer that we have not read.
    pub fn level(&mut self, buffer: Buffer) -> Result<u64> {
        unfinished()
    }
    /// The largest event to ask for, with its header.
    pub fn set_capacity(&mut self, bytes: usize) {}
    /// Writes into the log of the experiment.
    pub fn message(&mut self, kind: Message, text: &str) -> Result<()> {
        unfinished()
    }
    /// The time of the server [Unix seconds].
    pub fn time(&mut self) -> Result<u32> {
        unfinished()
    }
    /// Logs out.
    pub fn exit(self) -> Result<()> {
        unfinished()
    }
}
