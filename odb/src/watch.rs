//! Waiting for changes below a path.

use std::time::{Duration, Instant};

use crate::{Difference, Odb, Path, Result, Tree};

/// Waits for changes of a key or a directory, and says what they were.
///
/// What came between two calls of [`next`](Watch::next) comes as one change, so a slow reader sees
/// the newest state and misses no path. A link *at* the path is followed.
///
/// ```
/// use std::time::Duration;
/// let odb = pactolus_odb::Odb::local();
/// odb.create("/A/x", 1)?;
/// let mut watch = odb.watch("/A")?;
/// let other = odb.clone();
/// let writer = std::thread::spawn(move || other.set("/A/x", 2));
/// let change = watch.next(Duration::from_secs(60))?.expect("a change within a minute");
/// assert_eq!(change.differences[0].path.to_string(), "/A/x");
/// # writer.join().expect("the writer")?;
/// # Ok::<(), pactolus_odb::Error>(())
/// ```
pub struct Watch {
    odb: Odb,
    path: Path,
    revision: u64,
    seen: Tree,
}

/// What has changed since it was looked at last.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The revision of the store in which it is seen.
    pub revision: u64,
    /// The keys whose values differ, as [`Tree::diff_below`] tells them; none where only names, order
    /// or access modes have changed.
    pub differences: Vec<Difference>,
}

impl Watch {
    /// Watches `path`, which need not exist yet: its appearing is a change.
    ///
    /// # Errors
    /// Those of [`Path::parse`] and of the store.
    pub fn new(odb: &Odb, path: &str) -> Result<Watch> {
        let path = Path::parse(path)?;
        let (revision, seen) = odb.store().snapshot()?;
        Ok(Watch { odb: odb.clone(), path, revision, seen })
    }

    /// The path watched.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The tree as it was seen last.
    pub fn tree(&self) -> &Tree {
        &self.seen
    }

    /// The next change below the path; `None` if there is none within `timeout`. What has changed since
    /// the last call, or since the watch was made, comes at once.
    ///
    /// # Errors
    /// Those of the store; the next call looks again.
    pub fn next(&mut self, timeout: Duration) -> Result<Option<Change>> {
        // A time so far away that there is none is for ever.
        let end = Instant::now().checked_add(timeout);
        loop {
            let left = end.map_or(timeout, |end| end.saturating_duration_since(Instant::now()));
            if self.odb.store().wait(self.revision, left) == self.revision {
                // One that is not there any more does not change, and says so.
                self.odb.store().snapshot()?;
                if end.is_some_and(|end| Instant::now() >= end) {
                    return Ok(None);
                }
                continue;
            }
            let (revision, tree) = self.odb.store().snapshot()?;
            let before = std::mem::replace(&mut self.seen, tree);
            self.revision = revision;
            if !before.same_below(&self.seen, &self.path) {
                let differences = before.diff_below(&self.seen, &self.path);
                return Ok(Some(Change { revision, differences }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
    use super::*;
    use crate::Value;

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn what_has_changed_is_said_once() {
        let odb = Odb::local();
        odb.create("/A/x", 1).unwrap();
        let mut watch = odb.watch("/A").unwrap();
        assert_eq!(watch.next(NOW).unwrap(), None);
        odb.create("/B", 1).unwrap();
        assert_eq!(watch.next(NOW).unwrap(), None, "a change elsewhere");
        odb.set("/A/x", 2).unwrap();
        odb.create("/A/y", 3).unwrap();
        let change = watch.next(NOW).unwrap().unwrap();
        let found = |d: &Difference| (d.path.to_string(), d.left.clone(), d.right.clone());
        assert_eq!(
            change.differences.iter().map(found).collect::<Vec<_>>(),
            [
                ("/A/x".into(), Some(Value::from(1)), Some(Value::from(2))),
                ("/A/y".into(), None, Some(Value::from(3)))
            ]
        );
        assert_eq!(watch.next(NOW).unwrap(), None, "asked again");
        odb.change(|tree| tree.rename("/A/x", "X")).unwrap();
        assert_eq!(watch.next(NOW).unwrap().unwrap().differences, [], "another spelling");
    }

    #[test]
    fn a_key_is_watched_before_it_exists() {
        let odb = Odb::local();
        let mut watch = odb.watch("/A/x").unwrap();
        odb.create("/A/x", 1).unwrap();
        assert_eq!(watch.next(NOW).unwrap().unwrap().differences.len(), 1);
        odb.delete("/A").unwrap();
        assert_eq!(watch.next(NOW).unwrap().unwrap().differences[0].right, None);
    }
}
