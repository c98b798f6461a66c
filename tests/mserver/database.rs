//! The ODB with handles and watches: what `db_find_key` and its sisters do, as far as a remote client sees.
//! Where MIDAS is odd, so is this: a path whose last name ends in `]` is cut at the bracket, links to an array
//! element are themselves found, nothing below a watched key can be
//! deleted, and what is around one is deleted, which damages the real ODB.

use std::collections::HashMap;

use pactolus::formats::Tid;
use pactolus::odb::{Key, Mode, Path, Tree, Value, spelling};

use super::watch::Watch;
use super::{Version, status, values};

pub const ROOT: i32 = 0x21040;

pub struct Database {
    pub tree: Tree,
    pub(super) version: Version,
    /// The names of the key of each handle, and the handle of each key.
    pub(super) names: HashMap<i32, Vec<String>>,
    pub(super) handles: HashMap<String, i32>,
    next: i32,
    pub(super) watches: Vec<Watch>,
    /// What has been done that damages an ODB of MIDAS.
    pub damages: Vec<String>,
}

type Status<T> = Result<T, i32>;

pub(super) fn text_of(names: &[String]) -> String {
    format!("/{}", names.join("/"))
}

fn index_of_link(target: &str) -> Option<(&str, usize)> {
    let (path, index) = target.strip_suffix(']')?.split_once('[')?;
    Some((path, index.trim().parse().unwrap_or(0)))
}

fn target_of(key: &Key) -> Option<String> {
    match key.value()? {
        Value::Link(target) => Some(spelling::from_bytes(target)),
        _ => None,
    }
}

impl Database {
    pub fn new(tree: Tree, version: Version) -> Database {
        let names = HashMap::from([(ROOT, Vec::new())]);
        let handles = HashMap::from([("/".to_owned(), ROOT)]);
        Database {
            tree,
            version,
            names,
            handles,
            next: ROOT + 2 * 72,
            watches: Vec::new(),
            damages: Vec::new(),
        }
    }

    fn literal<'t>(tree: &'t Tree, names: &[String]) -> Option<&'t Key> {
        names.iter().try_fold(tree.root(), |key, name| key.directory()?.get(name))
    }

    /// The handle of a key that is there.
    pub(super) fn handle(&mut self, names: Vec<String>) -> i32 {
        let text = text_of(&names).to_ascii_lowercase();
        if let Some(&handle) = self.handles.get(&text) {
            return handle;
        }
        self.next += 72;
        self.handles.insert(text, self.next);
        self.names.insert(self.next, names);
        self.next
    }

    /// The names and the key of a handle; 0 is the root where `or_root`.
    pub(super) fn key(&self, handle: i32, or_root: bool) -> Status<(&Vec<String>, &Key)> {
        let handle = if handle == 0 && or_root { ROOT } else { handle };
        let names = self.names.get(&handle).ok_or(status::DB_INVALID_HANDLE)?;
        Ok((names, Self::literal(&self.tree, names).ok_or(status::DB_INVALID_HANDLE)?))
    }

    /// The names of those keys that are gone are forgotten.
    pub(super) fn prune(&mut self) {
        let tree = &self.tree;
        let names = &mut self.names;
        names.retain(|_, names| Self::literal(tree, names).is_some());
        self.handles.retain(|_, handle| names.contains_key(handle));
        self.watches.retain(|watch| names.contains_key(&watch.key));
    }

    pub fn path(&self, handle: i32) -> Status<String> {
        Ok(text_of(self.key(handle, true)?.0))
    }

    pub fn find(&mut self, root: i32, path: &str, is_followed: bool) -> Status<i32> {
        self.find_names(root, path, is_followed, 0).map(|names| self.handle(names))
    }

    fn find_names(&self, root: i32, path: &str, is_followed: bool, depth: usize) -> Status<Vec<String>> {
        let (names, mut key) = self.key(root, true)?;
        let mut names = names.clone();
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        for (at, part) in parts.iter().enumerate() {
            let part = match part.split_once('[') {
                Some((cut, _)) if part.ends_with(']') => cut,
                _ => part,
            };
            match part {
                "." => continue,
                ".." => {
                    names.pop();
                    key = Self::literal(&self.tree, &names).ok_or(status::DB_NO_KEY)?;
                    continue;
                }
                _ => {}
            }
            key = key.directory().and_then(|directory| directory.get(part)).ok_or(status::DB_NO_KEY)?;
            names.push(key.name().to_owned());
            let is_last = at + 1 == parts.len();
            if let Some(target) = target_of(key).filter(|_| is_followed || !is_last) {
                if target.ends_with(']') {
                    break;
                }
                if depth == 32 {
                    return Err(status::DB_INVALID_LINK);
                }
                let rest = parts[at + 1..].join("/");
                let found = self.find_names(0, &format!("{target}/{rest}"), is_followed, depth + 1);
                return found.map_err(|status| {
                    if is_last && status == status::DB_NO_KEY { status::DB_INVALID_LINK } else { status }
                });
            }
        }
        Ok(names)
    }

    pub fn parent(&mut self, handle: i32) -> Status<i32> {
        let mut names = self.key(handle, false)?.0.clone();
        names.pop();
        Ok(self.handle(names))
    }

    pub fn child(&mut self, handle: i32, index: i32, is_followed: bool) -> Status<i32> {
        let (names, key) = self.key(handle, true)?;
        let directory = key.directory().ok_or(status::DB_NO_MORE_SUBKEYS)?;
        let child = usize::try_from(index).ok().and_then(|index| directory.iter().nth(index));
        let child = child.ok_or(status::DB_NO_MORE_SUBKEYS)?;
        let mut path = names.clone();
        path.push(child.name().to_owned());
        match target_of(child).filter(|target| is_followed && !target.ends_with(']')) {
            Some(target) if target.starts_with('/') => self.find(0, &target, true),
            Some(target) => self.find(handle, &target, true),
            None => Ok(self.handle(path)),
        }
    }

    /// The key a handle means: where a link to an array element leads is followed, with the index.
    fn element(&self, handle: i32) -> Status<(Vec<String>, &Key, Option<usize>)> {
        let (names, key) = self.key(handle, false)?;
        let target = target_of(key);
        let Some((path, index)) = target.as_deref().and_then(index_of_link) else {
            return Ok((names.clone(), key, None));
        };
        let names = self.find_names(0, path, true, 0).map_err(|_| status::DB_INVALID_LINK)?;
        let key = Self::literal(&self.tree, &names).ok_or(status::DB_INVALID_LINK)?;
        Ok((names, key, Some(index)))
    }

    /// The structure KEY.
    pub fn describe(&self, handle: i32, is_followed: bool) -> Status<Vec<u8>> {
        let (_, key, index) = match is_followed {
            true => self.element(if handle == 0 { ROOT } else { handle })?,
            false => self.key(handle, true).map(|(names, key)| (names.clone(), key, None))?,
        };
        let watched = self.watches.iter().filter(|watch| watch.key == handle).count();
        let (kind, values, item) = match key.value() {
            Some(value) => (value.tid().code(), value.len(), value.item_size()),
            None => (15, 1, 12),
        };
        let values = if index.is_some() { 1 } else { values };
        let mut bytes = Vec::with_capacity(68);
        let int = |value: usize, bytes: &mut Vec<u8>| bytes.extend((value as u32).to_le_bytes());
        int(kind as usize, &mut bytes);
        int(values, &mut bytes);
        let mut name = spelling::to_bytes(if key.name().is_empty() { "root" } else { key.name() });
        name.truncate(31);
        name.push(0);
        name.resize(32, super::wire::JUNK);
        bytes.extend(name);
        int(0x22_0000 + handle as usize, &mut bytes);
        int(values * item, &mut bytes);
        int(item, &mut bytes);
        bytes.extend(key.mode().0.to_le_bytes());
        bytes.extend((watched as u16).to_le_bytes());
        int(0, &mut bytes);
        int(0x2_1000, &mut bytes);
        int(key.last_written() as usize, &mut bytes);
        Ok(bytes)
    }

    /// The bytes of a key as this type, or of one element. Links to an element are followed unless the
    /// link itself is asked for.
    pub fn data(
        &self,
        handle: i32,
        kind: u32,
        index: Option<i32>,
        is_followed: bool,
    ) -> Status<(Vec<u8>, usize)> {
        let (_, key, link_index) = match is_followed {
            true => self.element(handle)?,
            false => self.key(handle, false).map(|(names, key)| (names.clone(), key, None))?,
        };
        if !key.mode().has(Mode::READ) {
            return Err(status::DB_NO_ACCESS);
        }
        let value = key.value().filter(|value| value.tid().code() == kind || link_index.is_some());
        let value = value.ok_or(status::DB_TYPE_MISMATCH)?;
        let index = match (index, link_index) {
            (Some(index), _) => Some(usize::try_from(index).map_err(|_| status::DB_INVALID_PARAM)?),
            (None, index) => index,
        };
        match index {
            None => Ok((values::to_bytes(value), value.len())),
            Some(index) => {
                let value = value.element(index).ok_or(321)?;
                Ok((values::to_bytes(&value), 1))
            }
        }
    }

    fn writable(key: &Key) -> Status<()> {
        if key.mode().has(Mode::WRITE) && !key.mode().has(Mode::EXCLUSIVE) {
            return Ok(());
        }
        Err(status::DB_NO_ACCESS)
    }

    pub(super) fn now(&mut self) {
        self.tree.set_now(super::now());
    }

    pub fn create(&mut self, root: i32, path: &str, kind: u32) -> i32 {
        let Some(tid) = Tid::from_code(kind).filter(|tid| !matches!(tid, Tid::Int64 | Tid::Uint64)) else {
            return status::DB_INVALID_PARAM;
        };
        let value = match tid {
            Tid::Key => None,
            _ => match values::new(tid) {
                Some(value) => Some(value),
                None => return status::DB_INVALID_PARAM,
            },
        };
        self.make(root, path, value).map_or_else(|status| status, |()| status::SUCCESS)
    }

    /// Makes a key, or a directory without a value, and those above.
    pub fn make(&mut self, root: i32, path: &str, value: Option<Value>) -> Status<()> {
        let (above, name) = path.trim_end_matches('/').rsplit_once('/').unwrap_or(("", path));
        if name.is_empty()
            || path.split('/').any(|name| spelling::to_bytes(name).len() > 31 || !self.takes(name))
        {
            return Err(status::DB_INVALID_NAME);
        }
        // The last directory above that is there is the one that must allow it.
        let mut parts: Vec<&str> = above.split('/').filter(|part| !part.is_empty()).collect();
        let mut missing = vec![name];
        let names = loop {
            match self.find_names(root, &parts.join("/"), true, 0) {
                Ok(names) => break names,
                Err(status::DB_NO_KEY) => missing.insert(0, parts.pop().ok_or(status::DB_NO_KEY)?),
                Err(other) => return Err(other),
            }
        };
        let key = Self::literal(&self.tree, &names).ok_or(status::DB_NO_KEY)?;
        let directory = key.directory().ok_or(status::DB_NO_KEY)?;
        if missing.len() == 1 && directory.get(name).is_some() {
            return Err(status::DB_KEY_EXIST);
        }
        Self::writable(key)?;
        let path =
            missing.iter().try_fold(Path::ROOT.join(&text_of(&names)), |path, name| Ok(path?.child(name)));
        let path = path.and_then(|path| path).map_err(|error| status::of(Err(error)))?;
        self.now();
        let made = match value {
            Some(value) => self.tree.create(&path.to_string(), value),
            None => self.tree.create_directory(&path.to_string()),
        };
        match status::of(made) {
            status::SUCCESS => Ok(()),
            status => Err(status),
        }
    }

    pub fn set(&mut self, handle: i32, bytes: &[u8], size: i32, values: i32, kind: u32) -> i32 {
        self.try_set(handle, bytes, size, values, kind).map_or_else(|status| status, |()| status::SUCCESS)
    }

    fn try_set(&mut self, handle: i32, bytes: &[u8], size: i32, values: i32, kind: u32) -> Status<()> {
        let (names, key, index) = self.element(handle)?;
        if index.is_some() {
            return self.try_set_element(handle, bytes, size, index.unwrap_or(0) as i32, kind);
        }
        Self::writable(key)?;
        let old = key.value().filter(|value| value.tid().code() == kind).ok_or(status::DB_TYPE_MISMATCH)?;
        let count =
            usize::try_from(values).ok().filter(|&values| values > 0).ok_or(status::DB_INVALID_PARAM)?;
        let bytes =
            usize::try_from(size).ok().and_then(|size| bytes.get(..size)).ok_or(status::DB_INVALID_PARAM)?;
        let fixed = old.tid().size();
        if bytes.is_empty() || fixed > 0 && bytes.len() != fixed * count {
            return Err(status::DB_TYPE_MISMATCH);
        }
        let new = values::from_bytes(old.tid(), bytes, count).ok_or(status::DB_INVALID_PARAM)?;
        self.replace(handle, &names, new, -1)
    }

    fn replace(&mut self, handle: i32, names: &[String], new: Value, index: i32) -> Status<()> {
        self.now();
        match status::of(self.tree.replace(&text_of(names), new)) {
            status::SUCCESS => {
                self.notify(handle, index);
                Ok(())
            }
            status => Err(status),
        }
    }

    pub fn set_element(&mut self, handle: i32, bytes: &[u8], size: i32, index: i32, kind: u32) -> i32 {
        self.try_set_element(handle, bytes, size, index, kind)
            .map_or_else(|status| status, |()| status::SUCCESS)
    }

    fn try_set_element(&mut self, handle: i32, bytes: &[u8], size: i32, index: i32, kind: u32) -> Status<()> {
        let (names, key, link_index) = self.element(handle)?;
        Self::writable(key)?;
        let old = key.value().filter(|value| value.tid().code() == kind).ok_or(status::DB_TYPE_MISMATCH)?;
        let index = link_index.unwrap_or(usize::try_from(index).map_err(|_| 310)?);
        let size = usize::try_from(size).map_err(|_| status::DB_INVALID_PARAM)?;
        let bytes = bytes.get(..size).ok_or(status::DB_INVALID_PARAM)?;
        let item = if old.item_size() == 0 { size } else { old.item_size() };
        if size != item || index >= 1 << 20 {
            return Err(status::DB_TYPE_MISMATCH);
        }
        let mut all = values::to_bytes(old);
        let count = old.len().max(index + 1);
        all.resize(count * item, 0);
        all[index * item..(index + 1) * item].copy_from_slice(bytes);
        let new = values::from_bytes(old.tid(), &all, count).ok_or(status::DB_INVALID_PARAM)?;
        let handle = if link_index.is_some() { self.handle(names.clone()) } else { handle };
        self.replace(handle, &names, new, index as i32)
    }

    pub fn resize(&mut self, handle: i32, values: i32) -> i32 {
        let resized = (|| {
            let (names, key) = self.key(handle, false)?;
            Self::writable(key)?;
            let old = key.value().ok_or(status::DB_TYPE_MISMATCH)?;
            let count = usize::try_from(values).ok().filter(|&values| values > 0 && values <= 1 << 20);
            let count = count.filter(|_| old.item_size() > 0).ok_or(status::DB_INVALID_PARAM)?;
            let mut all = values::to_bytes(old);
            all.resize(count * old.item_size(), 0);
            let new = values::from_bytes(old.tid(), &all, count).ok_or(status::DB_INVALID_PARAM)?;
            let names = names.clone();
            self.replace(handle, &names, new, -1)
        })();
        resized.map_or_else(|status| status, |()| status::SUCCESS)
    }

    /// May a key have this name? Since 2020 it is looked at.
    fn takes(&self, name: &str) -> bool {
        self.version != Version::V2022
            || !name.contains(['[', ']']) && !name.starts_with(' ') && !name.ends_with(' ')
    }

    /// Is the key watched, or one above it?
    fn is_watched(&self, names: &[String]) -> bool {
        (0..=names.len()).any(|len| {
            let handle = self.handles.get(&text_of(&names[..len]).to_ascii_lowercase());
            handle.is_some_and(|handle| self.watches.iter().any(|watch| watch.key == *handle))
        })
    }

    pub fn delete(&mut self, handle: i32) -> i32 {
        let names = match self.key(handle, false) {
            Ok((names, _)) if names.is_empty() => return status::DB_INVALID_PARAM,
            Ok((names, _)) => names.clone(),
            Err(status) => return status,
        };
        let path = text_of(&names).to_ascii_lowercase();
        let below = |(text, handle): (&String, &i32)| {
            text.starts_with(&format!("{path}/")) && self.watches.iter().any(|watch| watch.key == *handle)
        };
        if self.is_watched(&names) {
            return status::DB_OPEN_RECORD;
        }
        // MIDAS does not look there, frees the directory, and leaves the key in it.
        if self.handles.iter().any(below) {
            self.damages.push(format!("{path} was deleted around a key that is watched"));
        }
        let status = status::of(self.tree.delete(&path));
        self.prune();
        status
    }

    pub fn set_mode(&mut self, handle: i32, mode: u16, is_recursive: bool) -> i32 {
        let found = self.key(handle, false).and_then(|(names, key)| match target_of(key) {
            // That of what it leads to.
            Some(target) => self.find_names(0, &target, true, 0).map(|names| text_of(&names)),
            None => Ok(text_of(names)),
        });
        match found {
            Ok(path) => status::of(self.tree.set_mode(&path, Mode(mode), is_recursive)),
            Err(status) => status,
        }
    }

    pub fn rename(&mut self, handle: i32, name: &str) -> i32 {
        let names = match self.key(handle, false) {
            Ok((_, key)) if Self::writable(key).is_err() => return status::DB_NO_ACCESS,
            Ok((names, _)) => names.clone(),
            Err(status) => return status,
        };
        if name.is_empty() || spelling::to_bytes(name).len() > 31 || !self.takes(name) {
            return status::DB_INVALID_NAME;
        }
        let status = status::of(self.tree.rename(&text_of(&names), name));
        if status == status::SUCCESS {
            // Handles stay what they are, here and below.
            let at = names.len() - 1;
            let same = |other: &[String]| {
                other.len() > at && other[..=at].iter().zip(&names).all(|(a, b)| a.eq_ignore_ascii_case(b))
            };
            for other in self.names.values_mut().filter(|other| same(other)) {
                name.clone_into(&mut other[at]);
            }
            let texts =
                self.names.iter().map(|(handle, names)| (text_of(names).to_ascii_lowercase(), *handle));
            self.handles = texts.collect();
        }
        status
    }

    pub fn reorder(&mut self, handle: i32, index: i32) -> i32 {
        match self.key(handle, false) {
            Ok((_, key)) if !key.mode().has(Mode::WRITE) => status::DB_NO_ACCESS,
            Ok((names, _)) if self.is_watched(names) => status::DB_OPEN_RECORD,
            Ok((names, _)) => {
                let path = text_of(names);
                let directory = Self::literal(&self.tree, &names[..names.len().saturating_sub(1)]);
                // MIDAS writes over the head of the ODB.
                if directory.and_then(|key| key.directory()).is_some_and(|keys| keys.len() < 2) {
                    self.damages.push(format!("{path} was moved, which is alone"));
                }
                status::of(self.tree.reorder(&path, usize::try_from(index).unwrap_or(0)))
            }
            Err(status) => status,
        }
    }
}
