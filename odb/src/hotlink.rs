//! Knowing when something below a path has changed.

use std::sync::Arc;

use crate::{Key, Odb, Path, Result, Store};

/// Watches a key or a directory.
///
/// While nothing in the store changes, asking costs one atomic load. When something did, the
/// watched part is compared with what it was, so that only a change below the path counts: another
/// value, name, order or access mode. Writing the same value again is no change. A link *at* the
/// path is followed; one *below* it counts as its target's path, not as the target's value.
///
/// ```
/// let odb = pactolus_odb::Odb::local();
/// odb.create("/A/x", 1)?;
/// let mut hotlink = odb.hotlink("/A")?;
/// odb.create("/B/y", 1)?;
/// assert!(!hotlink.changed()?);
/// odb.set("/A/x", 2)?;
/// assert!(hotlink.changed()?);
/// assert!(!hotlink.changed()?);
/// # Ok::<(), pactolus_odb::Error>(())
/// ```
pub struct Hotlink {
    store: Arc<dyn Store>,
    path: Path,
    revision: u64,
    seen: Option<Arc<Key>>,
}

impl Hotlink {
    /// Watches `path`, which need not exist yet: its appearing is a change.
    ///
    /// # Errors
    /// Those of [`Path::parse`] and of the store.
    pub fn new(odb: &Odb, path: &str) -> Result<Hotlink> {
        let path = Path::parse(path)?;
        let (revision, tree) = odb.store().snapshot()?;
        Ok(Hotlink { store: Arc::clone(odb.store()), seen: tree.shared(&path), path, revision })
    }

    /// The path watched.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Has something changed since the last call, or since the hotlink was made?
    ///
    /// # Errors
    /// Those of the store; the next call compares again.
    pub fn changed(&mut self) -> Result<bool> {
        if self.store.revision() == self.revision {
            return Ok(false);
        }
        let (revision, tree) = self.store.snapshot()?;
        let now = tree.shared(&self.path);
        let changed = match (&self.seen, &now) {
            (Some(seen), Some(now)) => !(Arc::ptr_eq(seen, now) || seen.same(now)),
            (seen, now) => seen.is_some() != now.is_some(),
        };
        self.revision = revision;
        self.seen = now;
        Ok(changed)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
    use super::*;

    #[test]
    fn only_changes_below_the_path_count() {
        let odb = Odb::local();
        let mut hotlink = odb.hotlink("/A").unwrap();
        let mut check = |change: &dyn Fn(), wanted: bool, what: &str| {
            change();
            assert_eq!(hotlink.changed().unwrap(), wanted, "{what}");
            assert!(!hotlink.changed().unwrap(), "{what}, asked again");
        };
        check(&|| {}, false, "nothing");
        check(&|| odb.create("/A/b/c", f64::NAN).unwrap(), true, "a new key");
        check(&|| odb.create("/other", 1).unwrap(), false, "a key elsewhere");
        check(&|| odb.set("/A/b/c", f64::NAN).unwrap(), false, "the same value");
        check(&|| odb.set("/A/b/c", 1.0).unwrap(), true, "another value");
        check(&|| odb.delete("/A").unwrap(), true, "the end of it");
    }
}
