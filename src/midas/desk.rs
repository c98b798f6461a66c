//! What the thread that owns the client knows of the experiment's ODB: the tree as it was read, the handle
//! of each key, the watches.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use pactolus_odb::{Content, Index, Path, Tree, Value, spelling};

use super::walk::{self, Part, is_gone};
use super::{Client, Error, Key, KeyInfo, Note, Result};

/// How often it is looked for keys that were made or deleted, of which MIDAS does not tell.
const SLOWLY: Duration = Duration::from_secs(2);
/// Watches that are opened at the most; MIDAS has 256 for each client. What has none is looked at slowly.
const WATCHES: usize = 200;
/// How old a value is at least of which it is believed that it would have another time if it had been set anew [s].
const FRESH: u32 = 4;
/// How often links are followed to links in what is watched.
const ROUNDS: usize = 8;

/// What the thread that owns the client knows.
#[derive(Default)]
pub(super) struct Desk {
    /// The tree as it was read.
    pub(super) live: Tree,
    /// Keys that no tree can hold, and why, as of the last reading of the whole.
    pub(super) left_out: Vec<String>,
    /// Where the key of a handle is.
    paths: HashMap<Key, Path>,
    /// The handle of each key, and what the server has said of it; nothing of the root.
    keys: HashMap<Path, (Key, Option<KeyInfo>)>,
    /// What is to be watched, as the user says it.
    watched: Vec<String>,
    /// What is: with its handle, unless the server has refused.
    open: HashMap<Path, Option<Key>>,
    /// When it was looked slowly for the last time.
    looked: Option<Instant>,
    /// How long that took.
    took: Duration,
}

impl Desk {
    /// Begins with another client, of whom nothing is known.
    pub(super) fn attach(&mut self, client: &mut Client, watched: &[String]) -> Result<()> {
        self.watched = watched.to_vec();
        self.open.clear();
        // Before all is read, so that no change is missed in between.
        let mut early = Vec::new();
        for path in watched.iter().filter(|path| !Path::parse(path).is_ok_and(|path| path.is_root())) {
            if let Some(key) = client.find(Key::ROOT, path)? {
                early.push((key, opened(client, key)?));
            }
        }
        self.reread(client, &Path::ROOT)?;
        for (key, open) in early {
            self.open.extend(self.paths.get(&key).map(|path| (path.clone(), open)));
        }
        self.looked = Some(Instant::now());
        self.watch(client)
    }

    /// Reads all anew.
    pub(super) fn refresh(&mut self, client: &mut Client) -> Result<()> {
        self.reread(client, &Path::ROOT)?;
        self.looked = Some(Instant::now());
        self.watch(client)
    }

    /// Reads what has changed, and now and then looks for what MIDAS does not tell.
    pub(super) fn look(&mut self, client: &mut Client, notes: &[Note]) -> Result<()> {
        let mut changed: Vec<Path> = Vec::new();
        for note in notes {
            let Note::Changed { watched, key, .. } = note else { continue };
            match key.and_then(|key| self.paths.get(&key)) {
                Some(path) => changed.push(path.clone()),
                // A new key, or a server that does not say which: all that is watched there.
                None => {
                    let is_it = |open: &&Option<Key>| **open == Some(*watched);
                    let known = self.open.iter().find(|(_, open)| is_it(open)).map(|(path, _)| path.clone());
                    match known {
                        Some(path) => changed.push(path),
                        None => changed.extend(self.open.keys().cloned()),
                    }
                }
            }
        }
        let is_plain =
            |path: &Path| self.live.literal(path).and_then(pactolus_odb::Key::value).is_some_and(is_plain);
        let mut watch = !changed.iter().all(is_plain);
        // What the server refuses of one path is no matter of the others.
        let mut first = None;
        for path in outermost(changed) {
            unless_lost(self.reread(client, &path), &mut first)?;
        }
        let is_due = self.looked.is_none_or(|looked| looked.elapsed() >= self.slowly());
        if is_due {
            let begun = Instant::now();
            self.looked = Some(begun);
            watch |= self.look_slowly(client, &mut first)?;
            self.took = begun.elapsed();
        }
        if watch {
            unless_lost(self.watch(client), &mut first)?;
        }
        first.map_or(Ok(()), Err)
    }

    /// How often it is looked slowly: of a large ODB less often.
    fn slowly(&self) -> Duration {
        SLOWLY.max(self.took.saturating_mul(4))
    }

    /// When [`look`](Desk::look) has something to do though nobody has told of anything.
    pub(super) fn due(&self) -> Duration {
        let slowly = self.slowly();
        let since = self.looked.map_or(slowly, |looked| looked.elapsed());
        if self.watched.is_empty() { slowly } else { slowly.saturating_sub(since) }
    }

    /// Reads a key and all below it; one that is gone goes.
    pub(super) fn reread(&mut self, client: &mut Client, path: &Path) -> Result<()> {
        let mut path = path.clone();
        // What its directory is, must be known first.
        while let Some(parent) = path.parent().filter(|parent| self.live.literal(parent).is_none()) {
            path = parent;
        }
        let handle = match path.is_root() {
            true => Some(Key::ROOT),
            // The handle that it had may be that of another key by now.
            false => client.find_link(Key::ROOT, &path.to_string())?,
        };
        let part = match handle {
            Some(handle) => walk::part(client, handle, &path)?,
            None => None,
        };
        self.forget(&path);
        match part {
            Some(part) => self.take(&path, part),
            None => drop(self.live.graft(&path, None)),
        }
        Ok(())
    }

    fn take(&mut self, path: &Path, part: Part) {
        match (part.info, part.key) {
            (None, Content::Directory(root)) => {
                self.live = Tree::of(root);
                self.left_out = part.left_out;
            }
            (Some(info), content) => {
                // Its directory is there, and the name was checked when the path was made.
                drop(self.live.graft(path, walk::key(&info, content)));
            }
            (None, Content::Value(_)) => {}
        }
        for (handle, path, info) in part.known {
            self.paths.insert(handle, path.clone());
            self.keys.insert(path, (handle, info));
        }
    }

    fn forget(&mut self, path: &Path) {
        let is_value = self.live.literal(path).is_some_and(|key| key.value().is_some());
        if is_value {
            if let Some((handle, _)) = self.keys.remove(path) {
                self.paths.remove(&handle);
            }
        } else {
            self.paths.retain(|_, known| !known.starts_with(path));
            self.keys.retain(|known, _| !known.starts_with(path));
        }
    }

    /// Puts the keys of a directory into the order that the server has.
    pub(super) fn arrange(&mut self, client: &mut Client, directory: &Path) -> Result<()> {
        let handle = match directory.is_root() {
            true => Some(Key::ROOT),
            false => client.find_link(Key::ROOT, &directory.to_string())?,
        };
        let Some(handle) = handle else { return self.reread(client, directory) };
        let children = client.children(handle)?;
        let known: Vec<&Path> = children.iter().filter_map(|child| self.paths.get(child)).collect();
        let len = self.live.literal(directory).and_then(|key| key.directory()).map(|keys| keys.len());
        if known.len() != children.len() || len != Some(known.len()) {
            return self.reread(client, directory);
        }
        for (position, path) in known.into_iter().enumerate() {
            // All of them are in the tree.
            drop(self.live.reorder(&path.to_string(), position));
        }
        Ok(())
    }

    /// Looks whether what is watched is still what it was; says whether something was not.
    fn look_slowly(&mut self, client: &mut Client, first: &mut Option<Error>) -> Result<bool> {
        let mut is_other = false;
        for text in self.watched.clone() {
            is_other |= unless_lost(self.look_at(client, &text), first)?.unwrap_or(true);
        }
        for path in self.targets() {
            is_other |= unless_lost(self.revisit(client, &path), first)?.unwrap_or(true);
        }
        is_other |= unless_lost(self.arrived(client), first)?.unwrap_or(true);
        // A key that was deleted and made anew has lost its watch, and what was refused is tried again.
        let keys = &self.keys;
        let before = self.open.len();
        self.open.retain(|path, open| {
            path.is_root() || open.is_some() && keys.get(path).map(|(handle, _)| *handle) == *open
        });
        Ok(is_other || self.open.len() != before)
    }

    /// Looks whether the key at a path is the one that it was, and reads it if not.
    fn look_at(&mut self, client: &mut Client, text: &str) -> Result<bool> {
        let (path, is_element) = match self.live.find(text) {
            Ok(found) => (Some(found.path), found.index.is_some()),
            Err(_) => (None, false),
        };
        // The server knows no elements here.
        let asked = path.as_ref().filter(|_| is_element).map_or_else(|| text.to_owned(), Path::to_string);
        let found = client.find(Key::ROOT, &asked)?;
        let known = path.as_ref().and_then(|path| self.keys.get(path)).map(|(handle, _)| *handle);
        let is_root = path.as_ref().is_some_and(Path::is_root);
        if known == found || is_root {
            return Ok(false);
        }
        match path.or_else(|| Path::parse(text).ok()) {
            Some(path) => self.reread(client, &path)?,
            None => return Ok(true),
        }
        // Links on the way, of which some were not known.
        if found.is_some() && self.live.find(text).is_err() {
            self.reread(client, &Path::ROOT)?;
        }
        Ok(true)
    }

    /// Looks whether what is watched is what it was, with all below it. The handle that it had may be that of
    /// another key by now.
    fn revisit(&mut self, client: &mut Client, path: &Path) -> Result<bool> {
        // The server takes what is in brackets for an index.
        let text = path.to_string();
        if !path.is_root() && !text.contains(['[', ']']) {
            let found = client.find_link(Key::ROOT, &text)?;
            if found != self.keys.get(path).map(|(handle, _)| *handle) {
                self.reread(client, path)?;
                return Ok(true);
            }
        }
        // Nobody tells of what is set in what has no watch, and times of the ODB are whole seconds.
        let newest = match self.open.get(path) {
            Some(Some(_)) => None,
            _ => Some(client.time()?.saturating_sub(FRESH)),
        };
        self.check(client, path, newest)
    }

    /// Looks whether a key and all below it are what they were; reads what is not, and values that were set at
    /// this time or later.
    fn check(&mut self, client: &mut Client, path: &Path, newest: Option<u32>) -> Result<bool> {
        let mut is_other = false;
        let mut directories = vec![path.clone()];
        while let Some(path) = directories.pop() {
            let Some((handle, before)) = self.keys.get(&path).cloned() else { continue };
            let Some(names) = self.live.literal(&path).and_then(|key| key.directory()) else {
                let info = client.infos(&[handle])?.pop().flatten();
                if !is_same_key(info.as_ref(), before.as_ref()) {
                    is_other = true;
                    self.reread(client, &path)?;
                } else if info.is_some_and(|info| newest.is_some_and(|newest| info.written >= newest)) {
                    self.reread(client, &path)?;
                }
                continue;
            };
            let known: Vec<Path> = names.iter().filter_map(|key| path.child(key.name()).ok()).collect();
            let handles = match client.children(handle) {
                Err(error) if is_gone(&error) => Vec::new(),
                handles => handles?,
            };
            let before: Vec<Option<&(Key, Option<KeyInfo>)>> =
                known.iter().map(|path| self.keys.get(path)).collect();
            let is_same = before.len() == handles.len()
                && before
                    .iter()
                    .zip(&handles)
                    .all(|(known, handle)| known.is_some_and(|(key, _)| key == handle));
            if !is_same {
                is_other = true;
                self.reread(client, &path)?;
                continue;
            }
            let infos = client.infos(&handles)?;
            let changed: Vec<(bool, u32)> = before
                .iter()
                .zip(&infos)
                .map(|(known, info)| {
                    let written = info.as_ref().map_or(0, |info| info.written);
                    (known.is_none_or(|(_, known)| !is_same_key(known.as_ref(), info.as_ref())), written)
                })
                .collect();
            for (path, (changed, written)) in known.into_iter().zip(changed) {
                if changed {
                    is_other = true;
                    self.reread(client, &path)?;
                } else if self.live.literal(&path).is_some_and(|key| key.directory().is_some()) {
                    directories.push(path);
                } else if newest.is_some_and(|newest| written >= newest) {
                    self.reread(client, &path)?;
                }
            }
        }
        Ok(is_other)
    }

    /// Opens watches on what is to be watched and has none, and closes those that nobody wants any more.
    pub(super) fn watch(&mut self, client: &mut Client) -> Result<()> {
        for _ in 0..ROUNDS {
            let targets = self.targets();
            let stale: Vec<Path> = self.open.keys().filter(|path| !targets.contains(path)).cloned().collect();
            for path in stale {
                if let Some(Some(key)) = self.open.remove(&path) {
                    closed(client, key)?;
                }
            }
            let new: Vec<Path> = targets.into_iter().filter(|path| !self.open.contains_key(path)).collect();
            if new.is_empty() && !self.arrived(client)? {
                break;
            }
            for path in new {
                // A watch on the root would keep every program from deleting anything: it is looked at slowly.
                let key = match path.is_root() {
                    true => None,
                    false => client.find_link(Key::ROOT, &path.to_string())?,
                };
                let open = match key {
                    Some(key) => opened(client, key)?,
                    None => None,
                };
                self.open.insert(path.clone(), open);
                // What has changed before the watch was there.
                self.reread(client, &path)?;
            }
        }
        Ok(())
    }

    /// Closes the watches of which a key is part: MIDAS deletes nothing that somebody watches.
    pub(super) fn release(&mut self, client: &mut Client, path: &Path) -> Result<()> {
        let is_part = |open: &Path| path.starts_with(open) || open.starts_with(path);
        let parts: Vec<Path> = self.open.keys().filter(|open| is_part(open)).cloned().collect();
        for open in parts {
            if let Some(Some(key)) = self.open.remove(&open) {
                closed(client, key)?;
            }
        }
        Ok(())
    }

    /// Reads what links in what is watched lead to, where that is not known but there; says whether there
    /// was something.
    fn arrived(&mut self, client: &mut Client) -> Result<bool> {
        let mut arrived = false;
        for path in self.dangling() {
            if client.find_link(Key::ROOT, &path.to_string())?.is_some() {
                self.reread(client, &path)?;
                arrived |= self.live.literal(&path).is_some();
            }
        }
        Ok(arrived)
    }

    /// The targets of links in what is watched that are not known.
    fn dangling(&self) -> Vec<Path> {
        let mut found = Vec::new();
        for target in self.targets() {
            for (at, key) in self.live.walk(&target.to_string()).into_iter().flatten() {
                let Some(Value::Link(to)) = key.value() else { continue };
                if found.len() >= WATCHES || self.live.find(&at.to_string()).is_ok() {
                    continue;
                }
                let to = spelling::from_bytes(to);
                // What looks like an index, is one.
                let to = Index::split(&to).map_or(to.as_str(), |(to, _)| to);
                found.extend(Path::parse(to).ok().filter(|path| self.live.literal(path).is_none()));
            }
        }
        found
    }

    /// The keys to watch, none of them below another: what was asked for, and what links there lead to.
    fn targets(&self) -> Vec<Path> {
        let found = |text: &str| self.live.find(text).ok().map(|found| found.path);
        let mut todo: Vec<Path> = self.watched.iter().filter_map(|text| found(text)).collect();
        let mut targets: Vec<Path> = Vec::new();
        while let Some(path) = todo.pop() {
            if targets.len() >= WATCHES || targets.iter().any(|target| path.starts_with(target)) {
                continue;
            }
            targets.retain(|target| !target.starts_with(&path));
            if let Ok(walk) = self.live.walk(&path.to_string()) {
                let links = walk.filter(|(_, key)| matches!(key.value(), Some(Value::Link(_))));
                todo.extend(links.filter_map(|(path, _)| found(&path.to_string())));
            }
            targets.push(path);
        }
        targets
    }
}

/// What came of it; a refusal is kept if it is the first, and ends nothing.
fn unless_lost<T>(done: Result<T>, first: &mut Option<Error>) -> Result<Option<T>> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(error) if error.is_lost() => Err(error),
        Err(error) => {
            first.get_or_insert(error);
            Ok(None)
        }
    }
}

/// Whether the server says the same of a key, but for how many watch it.
fn is_same_key(a: Option<&KeyInfo>, b: Option<&KeyInfo>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => KeyInfo { watches: b.watches, ..a.clone() } == *b,
        (a, b) => a.is_none() && b.is_none(),
    }
}

/// Opens a watch; `None` if the server has refused: there may be too many, or the key is gone.
fn opened(client: &mut Client, key: Key) -> Result<Option<Key>> {
    match client.watch(key) {
        Err(Error::Refused { .. }) => Ok(None),
        opened => opened.map(|()| Some(key)),
    }
}

/// Closes a watch. Only a loss is an error: a watch may have gone with its key.
fn closed(client: &mut Client, key: Key) -> Result<()> {
    match client.unwatch(key) {
        Err(error) if error.is_lost() => Err(error),
        _ => Ok(()),
    }
}

/// Whether a value leads nowhere else.
fn is_plain(value: &Value) -> bool {
    !matches!(value, Value::Link(_))
}

/// The paths of which none is below another.
pub(super) fn outermost(mut paths: Vec<Path>) -> Vec<Path> {
    paths.sort_by_key(|path| path.names().len());
    let mut outer: Vec<Path> = Vec::new();
    for path in paths {
        if !outer.iter().any(|above| path.starts_with(above)) {
            outer.push(path);
        }
    }
    outer
}
