//! The ODB as a program uses it: a handle on a store, with typed keys.

use std::fmt;
use std::sync::Arc;

use pactolus_formats::Tid;

use crate::dump::{Dump, Save};
use crate::store::{Options, Shared};
use crate::tree::{Load, Loaded};
use crate::typed::Typed;
use crate::{Error, Hotlink, Key, Local, Result, Store, Tree, Value, Watch};

/// A handle on an online database. Clones share the database.
///
/// Every call is a transaction of its own; [`Odb::change`] makes one of several.
///
/// ```
/// use pactolus_odb::Odb;
/// let odb = Odb::local();
/// odb.create("/Analyzer/Parameters/ADC calibration/Pedestal", vec![174, 194])?;
/// odb.set("/Analyzer/Parameters/ADC calibration/Pedestal[1]", 200)?;
/// let pedestal: Vec<f64> = odb.get("/analyzer/parameters/adc calibration/pedestal")?;
/// assert_eq!(pedestal, [174.0, 200.0]);
/// # Ok::<(), pactolus_odb::Error>(())
/// ```
#[derive(Clone)]
pub struct Odb {
    store: Arc<dyn Store>,
}

/// One line of a directory listing.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The name, in its spelling.
    pub name: String,
    /// The type; `KEY` for a directory.
    pub tid: Tid,
    /// Elements of a value, keys of a directory.
    pub len: usize,
}

impl Odb {
    /// The database in this store.
    pub fn new(store: Arc<dyn Store>) -> Odb {
        Odb { store }
    }

    /// An empty database in the memory of this process.
    pub fn local() -> Odb {
        Odb::from(Tree::new())
    }

    /// The database in this directory, which all processes of this computer share; see
    /// [`store::shared`](crate::store::shared).
    ///
    /// # Errors
    /// As [`Shared::open`]; [`Error::NoStore`] if there is none.
    pub fn open(dir: impl AsRef<std::path::Path>) -> Result<Odb> {
        Ok(Odb::new(Arc::new(Shared::open(dir, Options::default())?)))
    }

    /// ... which is made if there is none.
    ///
    /// # Errors
    /// As [`Shared::open`].
    pub fn create_in(dir: impl AsRef<std::path::Path>) -> Result<Odb> {
        Ok(Odb::new(Arc::new(Shared::open(dir, Options { create: true, ..Options::default() })?)))
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// A number that grows with every change; asking costs an atomic load.
    pub fn revision(&self) -> u64 {
        self.store.revision()
    }

    /// The tree as it is now. It does not change any more, and costs no copy.
    ///
    /// # Errors
    /// Those of the store.
    pub fn snapshot(&self) -> Result<Tree> {
        Ok(self.store.snapshot()?.1)
    }

    /// Several changes at once: all happen, or none if one fails. The closure must do nothing but
    /// change the tree, since a store may call it again; not even this handle may be used in it.
    ///
    /// # Errors
    /// What the closure returns, and those of the store.
    pub fn change<T>(&self, mut change: impl FnMut(&mut Tree) -> Result<T>) -> Result<T> {
        let mut result = None;
        self.store.transact(&mut |tree| {
            result = Some(change(tree)?);
            Ok(())
        })?;
        result.ok_or_else(|| Error::Store("the transaction was not run".into()))
    }

    /// The value of a key, or of the element that an index names, as a Rust type, without loss.
    ///
    /// # Errors
    /// As [`Tree::get`].
    pub fn get<T: Typed>(&self, path: &str) -> Result<T> {
        self.snapshot()?.get(path)
    }

    /// The value of a key as it is stored.
    ///
    /// # Errors
    /// As [`Tree::value`].
    pub fn value(&self, path: &str) -> Result<Value> {
        self.snapshot()?.value(path)
    }

    /// The value of a key; if there is none, it is made with this value.
    ///
    /// # Errors
    /// As [`Tree::get`] and [`Tree::create`].
    pub fn get_or_create<T: Typed>(&self, path: &str, default: T) -> Result<T> {
        match self.get(path) {
            Err(Error::NotFound { .. }) => {}
            other => return other,
        }
        self.change(|tree| match tree.get(path) {
            Err(Error::NotFound { .. }) => {
                tree.create(path, default.clone())?;
                Ok(default.clone())
            }
            other => other,
        })
    }

    /// Sets an existing key, which keeps its type.
    ///
    /// # Errors
    /// As [`Tree::set`].
    pub fn set(&self, path: &str, value: impl Into<Value>) -> Result<()> {
        let value = value.into();
        self.change(|tree| tree.set(path, value.clone()))
    }

    /// Sets an existing key from what a user typed.
    ///
    /// # Errors
    /// As [`Tree::set_text`].
    pub fn set_text(&self, path: &str, text: &str) -> Result<()> {
        self.change(|tree| tree.set_text(path, text))
    }

    /// Sets a key, or makes it with the type of the value.
    ///
    /// # Errors
    /// As [`Tree::put`].
    pub fn put(&self, path: &str, value: impl Into<Value>) -> Result<()> {
        let value = value.into();
        self.change(|tree| tree.put(path, value.clone()))
    }

    /// Makes a key, and the directories above it.
    ///
    /// # Errors
    /// As [`Tree::create`].
    pub fn create(&self, path: &str, value: impl Into<Value>) -> Result<()> {
        let value = value.into();
        self.change(|tree| tree.create(path, value.clone()))
    }

    /// Deletes a key, or a directory with all below it.
    ///
    /// # Errors
    /// As [`Tree::delete`].
    pub fn delete(&self, path: &str) -> Result<()> {
        self.change(|tree| tree.delete(path))
    }

    /// Is there a key of this path? A store that cannot be read has none.
    pub fn exists(&self, path: &str) -> bool {
        self.snapshot().is_ok_and(|tree| tree.exists(path))
    }

    /// What is in a directory, in order; a value lists itself.
    ///
    /// # Errors
    /// As [`Tree::find`].
    pub fn ls(&self, path: &str) -> Result<Vec<Listed>> {
        let tree = self.snapshot()?;
        let key = tree.find(path)?.key;
        Ok(match key.directory() {
            Some(directory) => directory.iter().map(Listed::from).collect(),
            None => vec![Listed::from(key)],
        })
    }

    /// Loads a dump in one transaction; see [`Tree::load`].
    ///
    /// # Errors
    /// Those of the store; a key that could not be loaded is in the report.
    pub fn load(&self, dump: &Dump, options: &Load<'_>) -> Result<Loaded> {
        self.change(|tree| Ok(tree.load(dump, options)))
    }

    /// The text of a part of the tree; see [`Save::write`].
    ///
    /// # Errors
    /// As [`Save::write`].
    pub fn save(&self, path: &str, save: &Save) -> Result<Vec<u8>> {
        save.write(&self.snapshot()?, path)
    }

    /// Asks, again and again, whether something below a path has changed.
    ///
    /// # Errors
    /// As [`Hotlink::new`].
    pub fn hotlink(&self, path: &str) -> Result<Hotlink> {
        Hotlink::new(self, path)
    }

    /// Waits for changes below a path.
    ///
    /// # Errors
    /// As [`Watch::new`].
    pub fn watch(&self, path: &str) -> Result<Watch> {
        Watch::new(self, path)
    }
}

impl From<Tree> for Odb {
    /// A database in the memory of this process that begins with this tree.
    fn from(tree: Tree) -> Odb {
        Odb::new(Arc::new(Local::new(tree)))
    }
}

impl From<&Key> for Listed {
    fn from(key: &Key) -> Listed {
        let len = key.value().map(Value::len).or_else(|| key.directory().map(|directory| directory.len()));
        Listed { name: key.name().to_owned(), tid: key.tid(), len: len.unwrap_or(0) }
    }
}

impl fmt::Debug for Odb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Odb(revision {})", self.revision())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
    use super::*;

    #[test]
    fn a_default_is_made_once() {
        let odb = Odb::local();
        assert_eq!(odb.get_or_create("/x/y", 5).unwrap(), 5);
        odb.set("/x/y", 6).unwrap();
        assert_eq!(odb.get_or_create("/x/y", 5).unwrap(), 6);
        let listed = Listed { name: "y".into(), tid: Tid::Int, len: 1 };
        assert_eq!(odb.ls("/X").unwrap(), [listed]);
    }

    #[test]
    fn a_failed_change_leaves_nothing() {
        let odb = Odb::local();
        let failed = odb.change(|tree| {
            tree.create("/a", 1)?;
            tree.get::<i32>("/b")
        });
        assert!(failed.is_err() && !odb.exists("/a"));
    }
}
