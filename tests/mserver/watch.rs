//! Who is told of changes of the ODB, and what other programs change.

use std::sync::mpsc::Sender;

use pactolus::odb::{Content, Key, Tree};

use super::database::{Database, ROOT, text_of};
use super::{Version, status};

pub struct Watch {
    child: i32,
    pub key: i32,
    notes: Sender<Vec<u8>>,
}

impl Database {
    pub fn watch(&mut self, child: i32, key: i32, notes: Sender<Vec<u8>>) -> i32 {
        let key = if key == 0 { ROOT } else { key };
        if let Err(status) = self.key(key, true) {
            return status;
        }
        self.watches.push(Watch { child, key, notes });
        status::SUCCESS
    }

    pub fn unwatch(&mut self, child: i32, key: i32) -> i32 {
        match self.watches.iter().position(|watch| watch.child == child && watch.key == key) {
            Some(at) => {
                self.watches.remove(at);
                status::SUCCESS
            }
            None => status::DB_INVALID_PARAM,
        }
    }

    pub fn forget(&mut self, child: i32) {
        self.watches.retain(|watch| watch.child != child);
    }

    pub fn watched(&self, child: i32) -> Vec<String> {
        let mine = self.watches.iter().filter(|watch| watch.child == child);
        mine.filter_map(|watch| self.names.get(&watch.key)).map(|names| text_of(names)).collect()
    }

    /// Tells all that watch this key or one above it.
    pub fn notify(&self, changed: i32, index: i32) {
        let Some(names) = self.names.get(&changed) else { return };
        for len in (0..=names.len()).rev() {
            let handle = self.handles.get(&text_of(&names[..len]).to_ascii_lowercase());
            for watch in self.watches.iter().filter(|watch| Some(&watch.key) == handle) {
                let ints: &[i32] = match self.version {
                    Version::V2014 => &[1, watch.key],
                    _ => &[1, watch.key, changed, index],
                };
                let mut note = vec![2, 0, 0, 0, ints.len() as u8 * 4, 0, 0, 0];
                note.extend(ints.iter().flat_map(|int| int.to_le_bytes()));
                let _ = watch.notes.send(note);
            }
        }
    }

    /// What another program does to the ODB: whoever watches what has changed is told.
    pub fn change(&mut self, change: impl FnOnce(&mut Tree)) {
        let before = self.tree.clone();
        self.now();
        change(&mut self.tree);
        let differences = before.diff(&self.tree);
        self.prune();
        for difference in differences.into_iter().filter(|difference| difference.right.is_some()) {
            let index = match difference.elements().as_deref() {
                Some([index]) => *index as i32,
                _ => -1,
            };
            let handle = self.handle(difference.path.names().to_vec());
            self.notify(handle, index);
        }
    }

    /// The directories in `/System/Clients` and what is called Name in them.
    pub fn clients(&self) -> Vec<(i32, String)> {
        let Ok(found) = self.tree.find("/System/Clients") else { return Vec::new() };
        let keys = match found.key.content() {
            Content::Directory(directory) => directory.iter(),
            Content::Value(_) => return Vec::new(),
        };
        let client = |key: &Key| {
            let name = self.tree.get::<String>(&format!("/System/Clients/{}/Name", key.name())).ok()?;
            Some((key.name().parse().ok()?, name))
        };
        keys.filter_map(client).collect()
    }
}
