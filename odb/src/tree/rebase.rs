//! A tree with changes of its own, and what has changed elsewhere meanwhile.

use super::*;

impl Tree {
    /// This tree came from `before` by changes of its own, and `before` has become `after` elsewhere: the
    /// tree with both. Where the two differ, be it in a value, an access mode or the time of writing,
    /// `after` counts; all else stays as it is here.
    ///
    /// ```
    /// # use pactolus_odb::Tree;
    /// let mut before = Tree::new();
    /// before.create("/A/x", 1)?;
    /// before.create("/A/y", 1)?;
    /// let (mut after, mut own) = (before.clone(), before.clone());
    /// after.set("/A/x", 2)?;
    /// own.set("/A/y", 3)?;
    /// let both = own.rebased(&before, &after);
    /// assert_eq!((both.get("/A/x"), both.get("/A/y")), (Ok(2), Ok(3)));
    /// # Ok::<(), pactolus_odb::Error>(())
    /// ```
    #[must_use]
    pub fn rebased(&self, before: &Tree, after: &Tree) -> Tree {
        let root = rebased(Some(&before.root), Some(&after.root), Some(&self.root));
        Tree { root: root.unwrap_or_else(|| Tree::new().root), now: self.now }
    }
}

type Shared<'k> = Option<&'k Arc<Key>>;

fn rebased(before: Shared<'_>, after: Shared<'_>, own: Shared<'_>) -> Option<Arc<Key>> {
    if same(before, after) {
        return own.cloned();
    }
    if same(before, own) {
        return after.cloned();
    }
    let directory = |key: Shared<'_>| key.and_then(|key| key.directory()).is_some();
    match (after, own) {
        (Some(after), Some(own)) if after.directory().is_some() && own.directory().is_some() => {
            Some(Arc::new(directories(before, Some(after), own)))
        }
        // Taken away here, and something has changed below it.
        (Some(after), None) if directory(before) && after.directory().is_some() => {
            let mut none = (**after).clone();
            none.content = Content::Directory(Directory::default());
            filled(directories(before, Some(after), &Arc::new(none)))
        }
        // Taken away there: what is only here stays.
        (None, Some(own)) if own.directory().is_some() => filled(directories(before, None, own)),
        (after, _) => after.cloned(),
    }
}

fn filled(key: Key) -> Option<Arc<Key>> {
    key.directory().is_some_and(|directory| !directory.is_empty()).then(|| Arc::new(key))
}

fn same(a: Shared<'_>, b: Shared<'_>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a.compare(b, true),
        (a, b) => a.is_none() && b.is_none(),
    }
}

fn directories(before: Shared<'_>, after: Shared<'_>, own: &Arc<Key>) -> Key {
    let own = Some(own);
    let child = |key: Shared<'_>, name: &str| -> Option<Arc<Key>> {
        let directory = key?.directory()?;
        directory.shared(directory.position(name)?).cloned()
    };
    let names = |key: Shared<'_>| -> Vec<String> {
        let directory = key.and_then(|key| key.directory());
        directory.into_iter().flat_map(|directory| directory.iter().map(|key| key.name.clone())).collect()
    };
    let (was, is) = (names(before), names(after));
    let is_as_before = was.len() == is.len() && was.iter().zip(&is).all(|(a, b)| a.eq_ignore_ascii_case(b));
    // Who has changed the order last.
    let (first, then) = if is_as_before { (own, after) } else { (after, own) };
    let mut children = Vec::new();
    let others = names(then).into_iter().filter(|name| child(first, name).is_none());
    for name in names(first).into_iter().chain(others) {
        let (before, after, own) = (child(before, &name), child(after, &name), child(own, &name));
        children.extend(rebased(before.as_ref(), after.as_ref(), own.as_ref()));
    }
    let mut key = own.map_or_else(|| Key::clone(&Tree::new().root), |own| Key::clone(own));
    if let Some(after) = after {
        if before.is_none_or(|before| before.name != after.name) {
            key.name.clone_from(&after.name);
        }
        if before.is_none_or(|before| before.mode != after.mode) {
            key.mode = after.mode;
        }
        if before.is_none_or(|before| before.last_written != after.last_written) {
            key.last_written = after.last_written;
        }
    }
    key.content = Content::Directory(Directory::new(children));
    key
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
    use super::*;

    fn tree() -> Tree {
        let mut tree = Tree::new();
        tree.create("/A/x", vec![1, 2]).unwrap();
        tree.create("/A/y", 1).unwrap();
        tree.create("/A/deep/z", 1).unwrap();
        tree.create("/B/b", 1).unwrap();
        tree
    }

    type Deed = fn(&mut Tree) -> Result<()>;

    /// The tree after something was done here and something there; one line for each key.
    #[track_caller]
    fn check(here: Deed, there: Deed, wanted: &str) {
        let before = tree();
        let (mut own, mut after) = (before.clone(), before.clone());
        here(&mut own).unwrap();
        there(&mut after).unwrap();
        let both = own.rebased(&before, &after);
        let line = |(path, key): (Path, &Key)| key.value().map(|value| format!("{path}={}", value.summary()));
        let lines: Vec<String> = both.walk("/").unwrap().filter_map(line).collect();
        assert_eq!(lines.join(" "), wanted);
        // Nothing more has happened there.
        assert!(both.rebased(&after, &after.clone()).identical(&both));
    }

    #[test]
    fn both_have_their_changes() {
        check(|_| Ok(()), |_| Ok(()), "/A/x=[1, 2] /A/y=1 /A/deep/z=1 /B/b=1");
        check(|t| t.set("/A/y", 5), |t| t.set("/A/x[1]", 7), "/A/x=[1, 7] /A/y=5 /A/deep/z=1 /B/b=1");
        check(|t| t.set("/A/y", 5), |t| t.set("/A/y", 7), "/A/x=[1, 2] /A/y=7 /A/deep/z=1 /B/b=1");
        check(
            |t| t.create("/A/own", 5),
            |t| t.create("/A/new", 7),
            "/A/x=[1, 2] /A/y=1 /A/deep/z=1 /A/new=7 /A/own=5 /B/b=1",
        );
        check(
            |t| t.create("/A/new", 5),
            |t| t.create("/A/new", 7),
            "/A/x=[1, 2] /A/y=1 /A/deep/z=1 /A/new=7 /B/b=1",
        );
        check(
            |t| t.create("/C/a", 5),
            |t| t.create("/C/b", 7),
            "/A/x=[1, 2] /A/y=1 /A/deep/z=1 /B/b=1 /C/b=7 /C/a=5",
        );
    }

    #[test]
    fn what_is_deleted_here_comes_back_when_it_changes_there() {
        check(|t| t.delete("/A"), |t| t.set("/B/b", 7), "/B/b=7");
        check(|t| t.delete("/A"), |t| t.set("/A/y", 7), "/B/b=1 /A/y=7");
        check(|t| t.delete("/A/y"), |t| t.delete("/A/x"), "/A/deep/z=1 /B/b=1");
    }

    #[test]
    fn what_is_deleted_there_goes_but_for_what_is_only_here() {
        check(|t| t.create("/A/own", 5), |t| t.delete("/A"), "/B/b=1 /A/own=5");
        check(|t| t.set("/A/y", 5), |t| t.delete("/A"), "/B/b=1");
        check(|t| t.set("/A/y", 5), |t| t.delete("/A").and_then(|()| t.create("/A", 7)), "/B/b=1 /A=7");
    }

    #[test]
    fn the_order_is_that_of_who_changed_it_last() {
        check(|t| t.reorder("/A/y", 0), |t| t.set("/A/x", vec![7]), "/A/y=1 /A/x=7 /A/deep/z=1 /B/b=1");
        check(|t| t.reorder("/A/y", 0), |t| t.reorder("/A/deep", 0), "/A/deep/z=1 /A/x=[1, 2] /A/y=1 /B/b=1");
        check(|t| t.set("/A/y", 5), |t| t.rename("/A/x", "X"), "/A/X=[1, 2] /A/y=5 /A/deep/z=1 /B/b=1");
    }

    #[test]
    fn modes_and_times_are_changes() {
        let before = tree();
        let (mut own, mut after) = (before.clone(), before.clone());
        own.set("/A/y", 5).unwrap();
        own.set_mode("/A", Mode::READ, false).unwrap();
        after.set_now(77);
        after.set("/A/y", 1).unwrap();
        after.set_mode("/B", Mode::READ, true).unwrap();
        let both = own.rebased(&before, &after);
        assert_eq!(both.get("/A/y"), Ok(1), "it was written there, if only with the same value");
        assert_eq!(both.find("/A/y").unwrap().key.last_written(), 77);
        assert_eq!(both.find("/A").unwrap().key.mode(), Mode::READ);
        assert_eq!(both.find("/B/b").unwrap().key.mode(), Mode::READ);
    }
}
