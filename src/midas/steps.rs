//! What must be sent to the experiment so that its ODB becomes another: the fewest and smallest calls.

use pactolus_formats::Tid;
use pactolus_odb::{Content, Directory, Error, Key, Mode, Path, Result, Tree, Value, spelling};

use super::calls::MOST_AT_ONCE as MAX_BYTES;

/// What of the changes of this process is sent to the experiment. All else stays in this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Writes {
    /// Nothing.
    Nothing,
    /// What is at these paths or below them, but no key of a name that MIDAS cannot have: with a bracket or with
    /// a blank at an end, which newer servers refuse, or of more than 31 bytes. A path that is none allows nothing.
    Below(Vec<String>),
    /// Everything.
    All,
}

/// The bytes that a name may have in MIDAS.
const MAX_NAME: usize = 31;
/// The bytes that a path may have in MIDAS.
const MAX_PATH: usize = 255;
/// Single values that are sent at the most; of more, all are.
const MAX_ELEMENTS: usize = 32;

/// One call.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    /// The key.
    pub(super) path: Path,
    pub(super) deed: Deed,
}

/// What is done with a key.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Deed {
    /// It is made, with a value of zeros, and the directories above it.
    Create(Tid),
    /// A link is made.
    Link(Vec<u8>),
    Delete,
    /// All of its values.
    Set(Value),
    /// One of its values, which are these.
    Element(Value, usize),
    Resize(usize),
    Mode(Mode),
    /// The other name; the path is the old one.
    Rename(String),
    /// Its place among its neighbours.
    Reorder(usize),
}

impl Step {
    /// Where the key is when this is done.
    pub(super) fn result(&self) -> Path {
        let renamed = match &self.deed {
            Deed::Rename(name) => self.path.parent().and_then(|parent| parent.child(name).ok()),
            _ => None,
        };
        renamed.unwrap_or_else(|| self.path.clone())
    }

    /// Whether other keys than this one are where they were.
    pub(super) fn is_local(&self) -> bool {
        matches!(self.deed, Deed::Set(_) | Deed::Element(..) | Deed::Resize(_) | Deed::Mode(_))
    }
}

/// The calls that make `old` into `new`, as far as that may be sent.
///
/// # Errors
/// What MIDAS cannot hold.
pub(super) fn steps(old: &Tree, new: &Tree, writes: &Allowed) -> Result<Vec<Step>> {
    let mut plan = Plan { writes, steps: Vec::new() };
    plan.directories(&Path::ROOT, old.root().directory(), new.root().directory())?;
    Ok(plan.steps)
}

/// Which paths may be written.
pub(super) struct Allowed {
    paths: Vec<Path>,
    /// Also names that MIDAS cannot have, which it will refuse.
    any_name: bool,
}

impl Allowed {
    pub(super) fn new(writes: &Writes) -> Allowed {
        let paths = match writes {
            Writes::Nothing => Vec::new(),
            Writes::Below(paths) => paths.iter().filter_map(|path| Path::parse(path).ok()).collect(),
            Writes::All => vec![Path::ROOT],
        };
        Allowed { paths, any_name: *writes == Writes::All }
    }

    /// May this key be written?
    pub(super) fn has(&self, path: &Path) -> bool {
        // mana's own `Rate [Hz]` is refused by MIDAS since 2020, and must not take other keys with it.
        (self.any_name || is_possible(path)) && self.paths.iter().any(|base| path.starts_with(base))
    }

    /// ... or one below it?
    fn is_near(&self, path: &Path) -> bool {
        self.paths.iter().any(|base| path.starts_with(base) || base.starts_with(path))
    }
}

/// Can any MIDAS have a key of this path?
fn is_possible(path: &Path) -> bool {
    let name = |name: &String| {
        let has_blank = name.starts_with(' ') || name.ends_with(' ');
        !has_blank && !name.contains(['[', ']']) && spelling::to_bytes(name).len() <= MAX_NAME
    };
    path.names().iter().all(name) && spelling::to_bytes(&path.to_string()).len() <= MAX_PATH
}

fn is_link(key: &Key) -> bool {
    matches!(key.value(), Some(Value::Link(_)))
}

struct Plan<'w> {
    writes: &'w Allowed,
    steps: Vec<Step>,
}

impl Plan<'_> {
    fn step(&mut self, path: &Path, deed: Deed) {
        self.steps.push(Step { path: path.clone(), deed });
    }

    /// A key that both have.
    fn key(&mut self, path: &Path, old: &Key, new: &Key) -> Result<()> {
        if std::ptr::eq(old, new) || !self.writes.is_near(path) {
            return Ok(());
        }
        if !self.writes.has(path) {
            return self.directories(path, old.directory(), new.directory());
        }
        if old.name() != new.name() {
            self.rename(path, new.name())?;
        }
        // What is to be changed must be writable, be it before or behind.
        // MIDAS would set the mode of what a link leads to.
        let has_mode = old.mode() != new.mode() && !is_link(old);
        let opens = has_mode && !old.mode().has(Mode::WRITE);
        if opens {
            self.step(path, Deed::Mode(new.mode()));
        }
        match (old.content(), new.content()) {
            (Content::Directory(old), Content::Directory(new)) => {
                self.directories(path, Some(old), Some(new))?
            }
            (Content::Value(was), Content::Value(is)) if was.tid() == is.tid() && is.tid() != Tid::Link => {
                self.value(path, was, is, old.last_written() != new.last_written())?;
            }
            (Content::Value(was), Content::Value(is)) if was.same(is) => {}
            _ => {
                self.step(path, Deed::Delete);
                return self.make(path, new);
            }
        }
        if has_mode && !opens {
            self.step(path, Deed::Mode(new.mode()));
        }
        Ok(())
    }

    /// A value of the same type.
    fn value(&mut self, path: &Path, old: &Value, new: &Value, is_written: bool) -> Result<()> {
        let (was, is) = (old.len(), new.len());
        let element = |index: usize| (old.element(index), new.element(index));
        let differs = |index: &usize| match element(*index) {
            (Some(a), Some(b)) => !a.same(&b),
            _ => true,
        };
        let mut common = 0..was.min(is);
        let alike = old.item_size() == new.item_size();
        if old.same(new) {
            // Set anew: who waits for it is to hear of it.
            return if is_written { self.set(path, new) } else { Ok(()) };
        }
        if alike && was == is && is > 1 {
            let changed: Vec<usize> = common.filter(differs).collect();
            if changed.len() * 2 <= is && changed.len() <= MAX_ELEMENTS {
                changed.into_iter().for_each(|index| self.step(path, Deed::Element(new.clone(), index)));
                return Ok(());
            }
        } else if alike && was != is && is > 0 && !common.any(|index| differs(&index)) {
            let zero = Value::empty(new.tid()).is_some_and(|zero| {
                (was..is).all(|index| new.element(index).is_some_and(|value| is_zero(&value, &zero)))
            });
            if zero {
                self.step(path, Deed::Resize(is));
                return Ok(());
            }
        }
        self.set(path, new)
    }

    fn set(&mut self, path: &Path, value: &Value) -> Result<()> {
        let bytes = value.len().saturating_mul(value.item_size());
        if bytes > MAX_BYTES {
            let limit = MAX_BYTES / value.item_size().max(1);
            return Err(Error::TooLong { path: path.to_string(), wanted: value.len(), limit });
        }
        if !value.is_empty() {
            self.step(path, Deed::Set(value.clone()));
        }
        Ok(())
    }

    /// The keys of a directory.
    fn directories(&mut self, path: &Path, old: Option<&Directory>, new: Option<&Directory>) -> Result<()> {
        let (none, also) = (Directory::default(), Directory::default());
        let (old, new) = (old.unwrap_or(&none), new.unwrap_or(&also));
        let mut renamed = renamed(old, new);
        let may = |name: &str| path.child(name).is_ok_and(|path| self.writes.has(&path));
        // What may not be sent has its other name in this process alone; what MIDAS cannot have is gone there.
        renamed.retain(|(was, is)| !may(was) || may(is));
        // How the server has them, as the calls go by.
        let mut order: Vec<String> = Vec::new();
        for key in old.iter() {
            let at = path.child(key.name())?;
            let name = renamed.iter().find(|(was, _)| *was == key.name()).map(|(_, is)| *is);
            match name {
                Some(name) if self.writes.has(&at) => {
                    self.rename(&at, name)?;
                    order.push(name.to_owned());
                    continue;
                }
                None if new.get(key.name()).is_none() => {
                    if self.writes.has(&at) {
                        self.step(&at, Deed::Delete);
                        continue;
                    }
                    if self.writes.is_near(&at) {
                        self.directories(&at, key.directory(), None)?;
                    }
                }
                _ => {}
            }
            if self.writes.has(&at) {
                order.push(key.name().to_owned());
            }
        }
        for key in new.iter() {
            let at = path.child(key.name())?;
            if renamed.iter().any(|(was, is)| *is == key.name() && may(was)) {
                continue;
            }
            match old.get(key.name()) {
                Some(old) => {
                    let before = self.steps.len();
                    self.key(&at, old, key)?;
                    let is_new = |step: &Step| step.path == at && step.deed == Deed::Delete;
                    // Deleted and made anew, it is the last.
                    if self.steps[before..].iter().any(is_new)
                        && let Some(position) =
                            order.iter().position(|name| name.eq_ignore_ascii_case(key.name()))
                    {
                        let name = order.remove(position);
                        order.push(name);
                    }
                }
                None if self.writes.has(&at) => {
                    self.make(&at, key)?;
                    order.push(key.name().to_owned());
                }
                None if self.writes.is_near(&at) => self.directories(&at, None, key.directory())?,
                None => {}
            }
        }
        if self.writes.has(path) {
            self.reorder(path, order, new)?;
        }
        Ok(())
    }

    fn reorder(&mut self, path: &Path, mut order: Vec<String>, new: &Directory) -> Result<()> {
        // Places are those of the server, which does not have what is of this process alone.
        let mut there = Vec::new();
        for key in new.iter() {
            if self.writes.has(&path.child(key.name())?) {
                there.push(key);
            }
        }
        for (wanted, key) in there.into_iter().enumerate() {
            let is_key = |name: &String| name.eq_ignore_ascii_case(key.name());
            let Some(found) = order.iter().position(is_key) else { continue };
            if found != wanted && wanted < order.len() {
                self.step(&path.child(key.name())?, Deed::Reorder(wanted));
                let name = order.remove(found);
                order.insert(wanted, name);
            }
        }
        Ok(())
    }

    /// A key that is not there, with all below it.
    fn make(&mut self, path: &Path, key: &Key) -> Result<()> {
        check(path, key.name())?;
        match key.content() {
            Content::Value(Value::Link(target)) => self.step(path, Deed::Link(target.clone())),
            Content::Value(value) => {
                self.step(path, Deed::Create(value.tid()));
                self.set(path, value)?;
            }
            Content::Directory(directory) => {
                self.step(path, Deed::Create(Tid::Key));
                for child in directory.iter() {
                    let at = path.child(child.name())?;
                    if self.writes.has(&at) {
                        self.make(&at, child)?;
                    }
                }
            }
        }
        if key.mode() != Mode::default() && !is_link(key) {
            self.step(path, Deed::Mode(key.mode()));
        }
        Ok(())
    }

    fn rename(&mut self, path: &Path, name: &str) -> Result<()> {
        check(&path.parent().unwrap_or_default().child(name)?, name)?;
        self.step(path, Deed::Rename(name.to_owned()));
        Ok(())
    }
}

/// Can MIDAS hold a key of this name here?
fn check(path: &Path, name: &str) -> Result<()> {
    let why = if spelling::to_bytes(name).len() > MAX_NAME {
        "MIDAS's names have at most 31 bytes"
    } else if name.starts_with(' ') || name.ends_with(' ') {
        "MIDAS's names have no blank at an end"
    } else if spelling::to_bytes(&path.to_string()).len() > MAX_PATH {
        "MIDAS's paths have at most 255 bytes"
    } else {
        return Ok(());
    };
    Err(Error::Name { name: name.to_owned(), why })
}

fn is_zero(value: &Value, of_type: &Value) -> bool {
    match (value, of_type) {
        (Value::String(strings), _) => strings.values.iter().all(Vec::is_empty),
        (value, _) => super::value::encode(value).iter().all(|byte| *byte == 0),
    }
}

/// Keys of another name that stand where they stood, and are what they were.
fn renamed<'d>(old: &'d Directory, new: &'d Directory) -> Vec<(&'d str, &'d str)> {
    if old.len() != new.len() {
        return Vec::new();
    }
    let pairs = old.iter().zip(new.iter()).filter(|(was, is)| {
        was.name() != is.name() && new.get(was.name()).is_none() && old.get(is.name()).is_none()
    });
    let same = pairs.filter(|(was, is)| {
        let twin = Key::with(is.name(), was.content().clone(), was.mode(), was.last_written());
        twin.is_ok_and(|twin| twin.same(is))
    });
    same.map(|(was, is)| (was.name(), is.name())).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
    use super::*;

    fn tree() -> Tree {
        let mut tree = Tree::new();
        tree.create("/A/x", vec![1, 2, 3, 4]).unwrap();
        tree.create("/A/y", "text").unwrap();
        tree.create("/A/D/z", 1).unwrap();
        tree.create("/B/b", 1).unwrap();
        tree
    }

    /// What is sent for a change, in few words.
    #[track_caller]
    fn check(writes: &[&str], change: impl FnOnce(&mut Tree) -> Result<()>, wanted: &[&str]) {
        let old = tree();
        let mut new = old.clone();
        new.set_now(5);
        change(&mut new).unwrap();
        let writes = Writes::Below(writes.iter().map(|path| (*path).to_owned()).collect());
        let said = |step: Step| {
            let deed = match step.deed {
                Deed::Create(tid) => format!("create {tid}"),
                Deed::Link(_) => "link".to_owned(),
                Deed::Delete => "delete".to_owned(),
                Deed::Set(value) => format!("set {}", value.text(0)),
                Deed::Element(_, index) => format!("element {index}"),
                Deed::Resize(len) => format!("resize {len}"),
                Deed::Mode(mode) => format!("mode {mode}"),
                Deed::Rename(name) => format!("rename {name}"),
                Deed::Reorder(place) => format!("reorder {place}"),
            };
            format!("{} {deed}", step.path)
        };
        let found: Vec<String> =
            steps(&old, &new, &Allowed::new(&writes)).unwrap().into_iter().map(said).collect();
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_change_is_the_fewest_calls() {
        let all = &["/"][..];
        check(all, |_| Ok(()), &[]);
        check(all, |t| t.set("/A/x[2]", 9), &["/A/x element 2"]);
        check(all, |t| t.set("/A/x", vec![9, 9, 9, 4]), &["/A/x set 9"]);
        check(all, |t| t.set("/A/x", vec![1, 2]), &["/A/x resize 2"]);
        check(all, |t| t.set("/A/x", vec![1, 2, 3, 4, 0]), &["/A/x resize 5"]);
        check(all, |t| t.set("/A/x", vec![1, 2, 3, 4, 5]), &["/A/x set 1"]);
        // Set to what it was: whoever waits for it hears of it.
        check(all, |t| t.set("/A/D/z", 1), &["/A/D/z set 1"]);
        check(all, |t| t.rename("/A/y", "Y"), &["/A/Y rename Y"]);
        check(all, |t| t.rename("/A", "C"), &["/A rename C"]);
        check(all, |t| t.reorder("/A/D", 0), &["/A/D reorder 0"]);
        check(
            all,
            |t| t.replace("/A/x", true),
            &["/A/x delete", "/A/x create BOOL", "/A/x set y", "/A/x reorder 0"],
        );
        check(all, |t| t.delete("/A/D"), &["/A/D delete"]);
        check(
            all,
            |t| t.create("/A/new/k", 1u16),
            &["/A/new create KEY", "/A/new/k create WORD", "/A/new/k set 1"],
        );
        check(all, |t| t.create_link("/L", "/A"), &["/L link"]);
        // MIDAS would set the mode of the target.
        let link =
            |t: &mut Tree| t.create_link("/L", "/A").and_then(|()| t.set_mode("/L", Mode::READ, false));
        check(all, link, &["/L link"]);
        check(all, |t| t.set_mode("/A/D", Mode::READ, true), &["/A/D/z mode R", "/A/D mode R"]);
    }

    #[test]
    fn what_may_not_be_sent_is_not() {
        check(&[], |t| t.delete("/A"), &[]);
        check(&["/B"], |t| t.set("/A/D/z", 5), &[]);
        check(&["/B"], |t| t.set("/B/b", 5), &["/B/b set 5"]);
        check(&["/b/B"], |t| t.set("/B/b", 5), &["/B/b set 5"]);
        check(&["/A/D"], |t| t.delete("/A"), &["/A/D delete"]);
        check(
            &["/A/D/new"],
            |t| t.create("/A/D/new", 1).and_then(|()| t.create("/A/D/own", 1)),
            &["/A/D/new create INT", "/A/D/new set 1"],
        );
        // A directory around it has another name in this process alone.
        check(&["/A/D"], |t| t.rename("/A", "C"), &[]);
        check(&["/A"], |t| t.reorder("/B", 0), &[]);
        // Only keys that MIDAS can have, and places among these.
        check(
            &["/A"],
            |t| t.create("/A/E/Rate [Hz]", 1).and_then(|()| t.create("/A/E/n", 1)),
            &["/A/E create KEY", "/A/E/n create INT", "/A/E/n set 1"],
        );
        check(
            &["/A"],
            |t| {
                t.create("/A/E/Rate [Hz]", 1)?;
                t.create("/A/E/ blank", 1)?;
                t.create(&format!("/A/E/{}", "n".repeat(32)), 1)?;
                t.create("/A/E/n", 1)?;
                t.create("/A/E/m", 1)?;
                t.reorder("/A/E/m", 3)
            },
            &["/A/E create KEY", "/A/E/m create INT", "/A/E/m set 1", "/A/E/n create INT", "/A/E/n set 1"],
        );
        check(&["/A"], |t| t.create("/A/[x]", 1).and_then(|()| t.reorder("/A/[x]", 0)), &[]);
        check(
            &["/A"],
            |t| {
                t.create("/A/[x]", 1)
                    .and_then(|()| t.reorder("/A/[x]", 0))
                    .and_then(|()| t.reorder("/A/y", 1))
            },
            &["/A/y reorder 0"],
        );
        check(&["/A"], |t| t.rename("/A/y", "y [s]"), &["/A/y delete"]);
        check(&["/A"], |t| t.set_mode("/A/y", Mode::READ, false), &["/A/y mode R"]);
        check(&["/A/x"], |t| t.delete("/A").and_then(|()| t.create("/A", 1)), &["/A/x delete"]);
    }

    #[test]
    fn what_midas_cannot_hold_is_refused_before() {
        let old = tree();
        let refused = |change: &dyn Fn(&mut Tree) -> Result<()>| {
            let mut new = old.clone();
            change(&mut new).unwrap();
            steps(&old, &new, &Allowed::new(&Writes::All)).unwrap_err().to_string()
        };
        let long = "n".repeat(32);
        assert!(refused(&|t| t.create(&format!("/A/{long}"), 1)).contains("at most 31 bytes"));
        assert!(refused(&|t| t.rename("/A/x", &long)).contains("at most 31 bytes"));
        assert!(refused(&|t| t.create("/A/blank ", 1)).contains("no blank at an end"));
        let deep = "/directory".repeat(26);
        assert!(refused(&|t| t.create(&deep, 1)).contains("at most 255 bytes"));
        assert!(
            refused(&|t| t.create("/big", vec![0u8; (4 << 20) + 1])).contains("at most 4194304 can be held")
        );
    }
}
