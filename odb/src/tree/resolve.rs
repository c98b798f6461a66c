//! From a path to a place in the tree, and changes at a place.

use super::*;

/// Where a key is: the position in each directory from the root on, and the index behind the path.
pub(super) struct Place {
    pub(super) positions: Vec<usize>,
    pub(super) index: Option<Index>,
}

impl Tree {
    /// The key at a place, and its path as it is spelled.
    pub(super) fn key_at(&self, positions: &[usize]) -> (&Key, Path) {
        let mut key = self.root();
        let mut path = Path::ROOT;
        for &position in positions {
            // Places come from `resolve` of the same tree, so every step exists.
            let Some(child) = key.directory().and_then(|directory| directory.at(position)) else { break };
            key = child;
            let _ = path.push(&key.name);
        }
        (key, path)
    }

    /// Finds a path; the last name may be a link that is followed, and may have an index.
    pub(super) fn resolve(&self, path: &Path, follow: bool) -> Result<Place> {
        self.probe(path, follow).map_err(|error| self.hinted(error))
    }

    /// As [`Tree::resolve`], for callers that expect keys to be missing: looking for the nearest
    /// name takes as long as the directory, which loading a dump would do for every key.
    pub(super) fn probe(&self, path: &Path, follow: bool) -> Result<Place> {
        self.resolve_from(path, follow, path, &mut 0)
    }

    /// Finds a path whose last name is taken as it is, and is not followed if it is a link.
    pub(super) fn resolve_literal(&self, path: &Path) -> Result<Vec<usize>> {
        let place = self.resolve(path, false)?;
        match (place.index, path.name()) {
            (Some(_), Some(name)) => Err(self.missing(&place.positions[..place.positions.len() - 1], name)),
            _ => Ok(place.positions),
        }
    }

    fn resolve_from(&self, path: &Path, follow: bool, asked: &Path, links: &mut usize) -> Result<Place> {
        let mut place = Place { positions: Vec::new(), index: None };
        let last = path.names().len().saturating_sub(1);
        let mut key = self.root();
        for (at, name) in path.names().iter().enumerate() {
            let directory = key.directory().ok_or_else(|| {
                let (_, here) = self.key_at(&place.positions);
                Error::NotDirectory { path: here.to_string() }
            })?;
            // The literal name first: `Rate [Hz]` and `name[3]` are names.
            let position = match directory.position(name) {
                Some(position) => position,
                None => {
                    let (name, index) = Index::split(name)
                        .filter(|_| at == last)
                        .ok_or_else(|| self.missing(&place.positions, name))?;
                    place.index = Some(index);
                    directory.position(name).ok_or_else(|| self.missing(&place.positions, name))?
                }
            };
            place.positions.push(position);
            let Some(child) = directory.at(position) else { break };
            key = child;
            if let (Some(Value::Link(target)), true) = (key.value(), at < last || follow) {
                // All links of a lookup count, not only those within each other: paths full of links
                // to paths full of links would take for ever.
                *links += 1;
                if *links > MAX_LINKS {
                    return Err(Error::LinkDepth { path: asked.to_string(), limit: MAX_LINKS });
                }
                let target = Path::parse(&crate::spelling::from_bytes(target))?;
                let linked = self.resolve_from(&target, true, asked, links)?;
                place.positions = linked.positions;
                // An index behind a link to an element would be an index of an element.
                if linked.index.is_some() && (at < last || place.index.is_some()) {
                    return Err(Error::NotFound { path: asked.to_string(), nearest: None });
                }
                place.index = place.index.or(linked.index);
                key = self.key_at(&place.positions).0;
            }
        }
        Ok(place)
    }

    fn missing(&self, directory: &[usize], name: &str) -> Error {
        let (_, path) = self.key_at(directory);
        let path = path.child(name).map_or_else(|_| format!("{path}/{name}"), |path| path.to_string());
        Error::NotFound { path, nearest: None }
    }

    /// Adds the nearest name to an error about a missing key.
    fn hinted(&self, error: Error) -> Error {
        let Error::NotFound { path, nearest: None } = error else { return error };
        let missing = Path::parse(&path).unwrap_or_default();
        let hint = missing.parent().zip(missing.name()).and_then(|(parent, name)| {
            let place = self.probe(&parent, true).ok()?;
            let names = self.key_at(&place.positions).0.directory()?.iter().map(Key::name);
            nearest(name, names).map(str::to_owned)
        });
        Error::NotFound { path, nearest: hint }
    }

    /// Changes the key at a place; what other trees share is copied first.
    pub(super) fn change(&mut self, positions: &[usize], change: impl FnOnce(&mut Key)) {
        let mut key = Arc::make_mut(&mut self.root);
        for &position in positions {
            let Content::Directory(directory) = &mut key.content else { return };
            let Some(child) = directory.at_mut(position) else { return };
            key = child;
        }
        change(key);
    }

    pub(super) fn change_directory(&mut self, positions: &[usize], change: impl FnOnce(&mut Directory)) {
        self.change(positions, |key| {
            if let Content::Directory(directory) = &mut key.content {
                change(directory);
            }
        });
    }

    /// Makes what is missing of a directory's path and gives its place.
    pub(super) fn make_directory(&mut self, path: &Path) -> Result<Vec<usize>> {
        let mut positions = Vec::new();
        for name in path.names() {
            let (key, here) = self.key_at(&positions);
            let directory = key.directory().ok_or_else(|| Error::NotDirectory { path: here.to_string() })?;
            match directory.position(name) {
                Some(position) => positions.push(position),
                None => {
                    // A link may have led to a place deeper than the path is long.
                    if positions.len() >= MAX_DEPTH {
                        return Err(Error::Depth { path: here.to_string(), limit: MAX_DEPTH });
                    }
                    let mut position = 0;
                    let new = Key::new(name, Content::Directory(Directory::default()));
                    self.change_directory(&positions, |directory| position = directory.push(new));
                    positions.push(position);
                }
            }
            if let (Some(Value::Link(target)), here) = {
                let (key, here) = self.key_at(&positions);
                (key.value(), here)
            } {
                let target = Path::parse(&crate::spelling::from_bytes(target))?;
                positions = self.resolve_from(&target, true, &here, &mut 1)?.positions;
            }
        }
        let (key, here) = self.key_at(&positions);
        match key.content {
            Content::Directory(_) => Ok(positions),
            Content::Value(_) => Err(Error::NotDirectory { path: here.to_string() }),
        }
    }

    /// Makes a key whose names are taken as they are.
    pub(super) fn create_at(&mut self, path: &Path, content: Content) -> Result<()> {
        let (Some(parent), Some(name)) = (path.parent(), path.name()) else {
            return Err(Error::Exists { path: path.to_string() });
        };
        let parent = self.make_directory(&parent)?;
        let (key, here) = self.key_at(&parent);
        if key.directory().is_some_and(|directory| directory.position(name).is_some()) {
            return Err(Error::Exists { path: path.to_string() });
        }
        let here = here.child(name)?;
        if let Content::Value(value) = &content {
            within(value.len(), &here)?;
        }
        let mut key = Key::new(name, content);
        key.last_written = self.now;
        self.change_directory(&parent, |directory| {
            directory.push(key);
        });
        Ok(())
    }

    /// Sets the value at a place, keeping the type of the key.
    pub(super) fn store(&mut self, place: &Place, value: &Value) -> Result<()> {
        let (key, at) = self.key_at(&place.positions);
        let old = key.value_at(&at)?;
        writable(key, &at)?;
        let new = value.convert(old.tid()).map_err(|index| {
            let element = value.element(index).map_or_else(|| value.summary(), |value| value.summary());
            Error::Type { path: at.to_string(), wanted: old.tid(), stored: value.tid(), value: element }
        })?;
        within(new.len(), &at)?;
        let len = old.len();
        let range = match place.index {
            None => None,
            Some(Index::One(index)) => Some((index, index)),
            Some(Index::Range(first, last)) => Some((first, last)),
            Some(Index::All) => Some((0, len.saturating_sub(1))),
        };
        if let Some((_, index)) = range.filter(|(first, last)| *last >= len || first > last) {
            return Err(Error::Index { path: at.to_string(), index, len });
        }
        if let (Some(_), false) = (range, new.len() == 1) {
            return Err(Error::Length { path: at.to_string(), wanted: 1, found: new.len() });
        }
        let (now, new) = (self.now, new.into_owned());
        self.change(&place.positions, |key| {
            let Content::Value(old) = &mut key.content else { return };
            key.last_written = now;
            match range {
                Some((first, last)) => {
                    for index in first..=last {
                        old.put(index, &new, 0);
                    }
                }
                None => {
                    let room = old.item_size();
                    *old = new;
                    old.grow_strings(room);
                }
            }
        });
        Ok(())
    }
}
