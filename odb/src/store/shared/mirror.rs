//! The stored keys as a tree in the memory of this process, and what makes one of the other.
//!
//! Each key is a record with a number; a directory has the numbers of its keys. The mirror keeps the
//! tree of the newest revision it has seen, and for each key its number. It is brought up to date by
//! what the log says has changed; a changed tree is written by what differs from it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::record::{self, Body, Record};
use crate::key::{Content, Key};
use crate::{Directory, Error, Result, Tree};

/// Number of the root.
pub(super) const ROOT: u64 = 1;

/// The tree of one revision, with the number of each key.
#[derive(Default)]
pub(super) struct Mirror {
    nodes: HashMap<u64, Node>,
}

#[derive(Clone)]
struct Node {
    /// Number of the directory it is in; 0 for the root.
    parent: u64,
    key: Arc<Key>,
    /// The numbers of a directory's keys, in their order.
    children: Arc<[u64]>,
}

/// What makes the stored tree another one.
#[derive(Default)]
pub(super) struct Plan {
    /// Records to write.
    pub(super) put: Vec<(u64, Vec<u8>)>,
    /// Records to delete.
    pub(super) gone: Vec<u64>,
    /// The first number that is not used.
    pub(super) free: u64,
    /// What the mirror is to know then.
    nodes: Vec<(u64, Node)>,
}

/// A stored key: its number, and its record unless it is gone.
pub(super) type Stored = (u64, Option<Record>);

fn broken(what: String) -> Error {
    Error::Store(format!("the stored tree is broken: {what}"))
}

impl Mirror {
    /// The tree of these records, which are all there are.
    pub(super) fn load(records: Vec<Stored>) -> Result<Mirror> {
        let mut mirror = Mirror::default();
        let count = records.len();
        mirror.apply(records)?;
        let mut seen = HashSet::with_capacity(count);
        mirror.check(ROOT, 0, &mut seen)?;
        if seen.len() != count {
            return Err(broken(format!("{} keys are in no directory", count - seen.len())));
        }
        Ok(mirror)
    }

    pub(super) fn tree(&self) -> Option<Tree> {
        self.nodes.get(&ROOT).map(|root| Tree::from_root(Arc::clone(&root.key)))
    }

    fn node(&self, id: u64) -> Result<&Node> {
        self.nodes.get(&id).ok_or_else(|| broken(format!("there is no key number {id}")))
    }

    /// Every key is in one directory, under a name of its own.
    fn check(&self, id: u64, parent: u64, seen: &mut HashSet<u64>) -> Result<()> {
        let node = self.node(id)?;
        if !seen.insert(id) || node.parent != parent {
            return Err(broken(format!("key number {id} is in two directories")));
        }
        let mut names = HashSet::new();
        for &child in &*node.children {
            let key = &self.node(child)?.key;
            if key.name.is_empty() || !names.insert(key.name.to_ascii_lowercase()) {
                return Err(broken(format!("'{}' has two keys '{}'", node.key.name, key.name)));
            }
            self.check(child, id, seen)?;
        }
        Ok(())
    }

    /// Takes in what has changed.
    pub(super) fn apply(&mut self, changed: Vec<Stored>) -> Result<()> {
        let mut directories = Vec::new();
        let mut touched = Vec::with_capacity(changed.len());
        for (id, record) in changed {
            let Some(Record { name, mode, last_written, body }) = record else {
                self.nodes.remove(&id);
                continue;
            };
            let (content, children) = match body {
                Body::Value(value) => (Content::Value(value), Vec::new()),
                Body::Directory(children) => (Content::Directory(Directory::default()), children),
            };
            if matches!(content, Content::Directory(_)) {
                directories.push(id);
            }
            let key = Arc::new(Key { name, mode, last_written, content });
            let parent = self.nodes.get(&id).map_or(0, |node| node.parent);
            self.nodes.insert(id, Node { parent, key, children: children.into() });
            touched.push(id);
        }
        for &id in &directories {
            for &child in &*Arc::clone(&self.node(id)?.children) {
                let node = self.nodes.get_mut(&child);
                let node = node.ok_or_else(|| broken(format!("key number {child} of {id} is missing")))?;
                node.parent = id;
            }
        }
        // The directories that hold something new, each with what that is.
        let mut news: HashMap<u64, BTreeSet<u64>> = HashMap::new();
        for mut id in touched {
            while id != ROOT {
                let parent = self.node(id)?.parent;
                let known = news.contains_key(&parent);
                news.entry(parent).or_default().insert(id);
                if known {
                    break;
                }
                id = parent;
            }
        }
        let whole: HashSet<u64> = directories.into_iter().collect();
        self.rebuild(ROOT, &news, &whole, 0)
    }

    /// Makes the key of a directory anew; `whole` are those whose keys are not what they were.
    fn rebuild(
        &mut self,
        id: u64,
        news: &HashMap<u64, BTreeSet<u64>>,
        whole: &HashSet<u64>,
        depth: usize,
    ) -> Result<()> {
        if depth > crate::MAX_DEPTH {
            return Err(broken(format!("directory number {id} is too deep")));
        }
        let new = news.get(&id);
        for &child in new.into_iter().flatten() {
            self.rebuild(child, news, whole, depth + 1)?;
        }
        if whole.contains(&id) {
            let children =
                self.node(id)?.children.iter().map(|&child| Ok(Arc::clone(&self.node(child)?.key)));
            let directory = Directory::new(children.collect::<Result<_>>()?);
            if let Some(node) = self.nodes.get_mut(&id) {
                Arc::make_mut(&mut node.key).content = Content::Directory(directory);
            }
        } else if let Some(new) = new {
            let mut replaced = Vec::with_capacity(new.len());
            let node = self.node(id)?;
            for child in new {
                let position = node.children.iter().position(|id| id == child);
                let position = position.ok_or_else(|| broken(format!("number {child} is not in {id}")))?;
                replaced.push((position, Arc::clone(&self.node(*child)?.key)));
            }
            if let Some(node) = self.nodes.get_mut(&id)
                && let Content::Directory(directory) = &mut Arc::make_mut(&mut node.key).content
            {
                replaced.into_iter().for_each(|(position, key)| directory.replace(position, key));
            }
        }
        Ok(())
    }

    /// What makes the stored tree into `tree`; numbers from `free` on are not used.
    pub(super) fn plan(&self, tree: &Tree, free: u64) -> Result<Plan> {
        let mut plan = Plan { free, ..Plan::default() };
        self.differ(ROOT, tree.shared_root(), &mut plan)?;
        Ok(plan)
    }

    /// Knows that the plan was carried out.
    pub(super) fn follow(&mut self, plan: Plan) {
        for id in plan.gone {
            self.nodes.remove(&id);
        }
        self.nodes.extend(plan.nodes);
    }

    /// Key number `id` is to be `new`.
    fn differ(&self, id: u64, new: &Arc<Key>, plan: &mut Plan) -> Result<()> {
        let old = self.node(id)?;
        if Arc::ptr_eq(&old.key, new) {
            return Ok(());
        }
        let children = match (&old.key.content, &new.content) {
            (Content::Directory(_), Content::Directory(directory)) => {
                self.children(id, old, directory, plan)?
            }
            (Content::Value(_), Content::Value(_)) => Arc::clone(&old.children),
            (_, content) => {
                old.children.iter().try_for_each(|&child| self.delete(child, plan))?;
                self.make_all(id, content, plan).into()
            }
        };
        let is_as_before = old.key.name == new.name
            && old.key.mode == new.mode
            && old.key.last_written == new.last_written
            && (Arc::ptr_eq(&old.children, &children) || old.children == children)
            && match (&old.key.content, &new.content) {
                (Content::Value(old), Content::Value(new)) => old.same(new),
                (Content::Directory(_), Content::Directory(_)) => true,
                _ => false,
            };
        if !is_as_before {
            plan.write(id, new, &children);
        }
        plan.nodes.push((id, Node { parent: old.parent, key: Arc::clone(new), children }));
        Ok(())
    }

    /// The numbers of the keys of a directory that was there before.
    fn children(&self, id: u64, old: &Node, new: &Directory, plan: &mut Plan) -> Result<Arc<[u64]>> {
        let before = old.key.directory();
        if let Some(before) = before.filter(|before| before.len() == new.len()) {
            // Nearly always, every key is where it was, and only one is another. Who has not changed
            // need not be looked for.
            let others = || (0..new.len()).filter_map(|at| Some((at, before.shared(at)?, new.shared(at)?)));
            let others = || others().filter(|(_, old, new)| !Arc::ptr_eq(old, new));
            if others().all(|(_, old, new)| old.name.eq_ignore_ascii_case(&new.name)) {
                for (at, _, new) in others() {
                    self.differ(old.children[at], new, plan)?;
                }
                return Ok(Arc::clone(&old.children));
            }
        }
        let mut left: Vec<Option<u64>> = old.children.iter().copied().map(Some).collect();
        let mut numbers: Vec<Option<u64>> = vec![None; new.len()];
        for (position, key) in new.iter().enumerate() {
            let is_same = before.and_then(|before| before.at(position));
            if is_same.is_some_and(|old| std::ptr::eq(old, key) || old.name.eq_ignore_ascii_case(&key.name)) {
                numbers[position] = left.get_mut(position).and_then(Option::take);
            }
        }
        if left.iter().any(Option::is_some) {
            let places: HashMap<*const Key, usize> =
                before.into_iter().flat_map(|old| old.iter().map(std::ptr::from_ref).zip(0..)).collect();
            for (position, (number, key)) in numbers.iter_mut().zip(new.iter()).enumerate() {
                let known = places.get(&std::ptr::from_ref(key)).copied();
                let known = known.or_else(|| before.and_then(|before| before.position(&key.name)));
                // A new name at an old place is a key that was renamed.
                let at = known.unwrap_or(position);
                *number = number.or_else(|| left.get_mut(at).and_then(Option::take));
            }
        }
        for gone in left.into_iter().flatten() {
            self.delete(gone, plan)?;
        }
        let mut children = Vec::with_capacity(new.len());
        for (position, known) in numbers.into_iter().enumerate() {
            let Some(key) = new.shared(position) else { break };
            children.push(match known {
                Some(child) => {
                    self.differ(child, key, plan)?;
                    child
                }
                None => self.make(id, key, plan),
            });
        }
        Ok(children.into())
    }

    fn delete(&self, id: u64, plan: &mut Plan) -> Result<()> {
        self.node(id)?.children.iter().try_for_each(|&child| self.delete(child, plan))?;
        plan.gone.push(id);
        Ok(())
    }

    /// A new key with all below it; its number.
    fn make(&self, parent: u64, key: &Arc<Key>, plan: &mut Plan) -> u64 {
        let id = plan.free;
        plan.free += 1;
        let children: Arc<[u64]> = self.make_all(id, &key.content, plan).into();
        plan.write(id, key, &children);
        plan.nodes.push((id, Node { parent, key: Arc::clone(key), children }));
        id
    }

    fn make_all(&self, id: u64, content: &Content, plan: &mut Plan) -> Vec<u64> {
        match content {
            Content::Directory(directory) => (0..directory.len())
                .filter_map(|position| directory.shared(position))
                .map(|key| self.make(id, key, plan))
                .collect(),
            Content::Value(_) => Vec::new(),
        }
    }
}

impl Plan {
    fn write(&mut self, id: u64, key: &Key, children: &[u64]) {
        let mut bytes = Vec::new();
        record::put(key, children, &mut bytes);
        self.put.push((id, bytes));
    }

    /// The numbers of all keys that change.
    pub(super) fn changed(&self) -> impl Iterator<Item = u64> {
        self.put.iter().map(|(id, _)| *id).chain(self.gone.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
    use super::*;

    /// Stored records, as a database would have them.
    #[derive(Default)]
    struct Records(HashMap<u64, Vec<u8>>);

    impl Records {
        fn carry_out(&mut self, plan: &Plan) -> Vec<Stored> {
            self.0.extend(plan.put.iter().cloned());
            plan.gone.iter().for_each(|id| drop(self.0.remove(id)));
            let stored = |id: u64| (id, self.0.get(&id).map(|bytes| record::take(bytes).unwrap()));
            plan.changed().map(stored).collect()
        }

        fn all(&self) -> Vec<Stored> {
            self.0.iter().map(|(id, bytes)| (*id, Some(record::take(bytes).unwrap()))).collect()
        }
    }

    #[test]
    fn every_kind_of_change_is_followed() {
        let mut records = Records::default();
        let root = Key::new("", Content::Directory(Directory::default()));
        let mut bytes = Vec::new();
        record::put(&root, &[], &mut bytes);
        records.0.insert(ROOT, bytes);
        let mut writer = Mirror::load(records.all()).unwrap();
        let mut reader = Mirror::load(records.all()).unwrap();
        let mut free = 2;
        let mut step = |change: &dyn Fn(&mut Tree), most: usize| {
            let mut tree = writer.tree().unwrap();
            change(&mut tree);
            let plan = writer.plan(&tree, free).unwrap();
            assert!(plan.changed().count() <= most, "{} records for one change", plan.changed().count());
            free = plan.free;
            reader.apply(records.carry_out(&plan)).unwrap();
            writer.follow(plan);
            for mirror in [&writer, &reader, &Mirror::load(records.all()).unwrap()] {
                assert!(mirror.tree().unwrap().same(&tree));
                mirror.check(ROOT, 0, &mut HashSet::new()).unwrap();
            }
            assert_eq!(records.0.len(), tree.walk("/").unwrap().count() + 1, "no record is left behind");
        };
        step(
            &|tree| {
                (0..300).for_each(|i| tree.create(&format!("/Long/key {i}"), i).unwrap());
                tree.create("/A/B/C/x", vec![1.5, f64::NAN]).unwrap();
                tree.create("/A/B/y", "text").unwrap();
                tree.create_link("/A/link", "/Long").unwrap();
            },
            308,
        );
        step(&|tree| tree.set("/A/B/C/x[1]", 2.0).unwrap(), 1);
        step(&|tree| tree.set("/Long/key 200", -1).unwrap(), 1);
        step(&|tree| tree.rename("/Long/key 200", "Key 2xx").unwrap(), 1);
        step(&|tree| tree.rename("/A/B", "b").unwrap(), 1);
        step(&|tree| tree.reorder("/Long/key 299", 0).unwrap(), 1);
        step(&|tree| tree.delete("/Long/key 7").unwrap(), 2);
        step(&|tree| tree.set_mode("/A/b", crate::Mode::READ, true).unwrap(), 5);
        step(&|tree| tree.replace("/A/link", 7).unwrap(), 1);
        step(
            &|tree| {
                tree.delete("/A/link").unwrap();
                tree.create("/A/LINK/is/a directory now", 1).unwrap();
                tree.reorder("/A/LINK", 0).unwrap();
            },
            4,
        );
        step(&|tree| *tree = Tree::new(), 400);
    }

    #[test]
    fn a_broken_store_is_an_error() {
        let record = |name: &str, body| {
            Some(Record { name: name.into(), mode: crate::Mode::READ, last_written: 0, body })
        };
        let directory = |name, children: &[u64]| record(name, Body::Directory(children.to_vec()));
        let value = |name| record(name, Body::Value(1.into()));
        let check = |records: Vec<Stored>, wanted: &str| {
            let error = Mirror::load(records).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(wanted), "{error}, not {wanted}");
        };
        check(vec![], "there is no key number 1");
        check(vec![(1, directory("", &[2]))], "key number 2 of 1 is missing");
        check(vec![(1, directory("", &[])), (2, value("x"))], "broken");
        check(vec![(1, directory("", &[2, 2])), (2, value("x"))], "two");
        check(vec![(1, directory("", &[2, 3])), (2, value("x")), (3, value("X"))], "two keys 'X'");
        check(vec![(1, directory("", &[2])), (2, directory("x", &[2]))], "broken");
        check(vec![(1, directory("", &[2])), (2, directory("x", &[3])), (3, directory("y", &[2]))], "broken");
        check(vec![(1, directory("", &[])), (2, directory("x", &[3])), (3, directory("y", &[2]))], "broken");
    }
}
