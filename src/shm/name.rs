//! The name of a stream, and where its file lies.
//!
//! | name | file |
//! |---|---|
//! | `lxe` | `/dev/shm/pactolus-<uid>/lxe.ring` |
//! | `/daq/lxe` | `/daq/lxe.ring` |
//!
//! Names of different users never meet: each has a directory of his own. What is meant for several users
//! is given as a path.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use pactolus_odb::nearest;

use super::{Error, Result};

/// Where memory is a file system.
const ROOT: &str = "/dev/shm";

/// How the directory of a user begins; his number follows.
const DIRECTORY: &str = "pactolus-";

/// What follows the name of a stream in that of its file.
const ENDING: &str = ".ring";

/// Letters of a name at most.
const LONGEST: usize = 64;

/// The name of a stream: `lxe` is one of this user, `/daq/lxe` one at that path.
///
/// ```
/// use pactolus::shm::StreamName;
///
/// let name = StreamName::new("shm:/daq/lxe")?;
/// assert_eq!(name.to_string(), "shm:/daq/lxe");
/// assert_eq!(name.path().to_str(), Some("/daq/lxe.ring"));
/// assert!(StreamName::new("lxe 2").is_err(), "letters, digits, _, - and . only");
/// # Ok::<(), pactolus::shm::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamName {
    text: String,
    path: PathBuf,
    is_ours: bool,
}

impl StreamName {
    /// A name, with or without `shm:` before it.
    ///
    /// # Errors
    /// If no stream can be called so.
    pub fn new(name: &str) -> Result<StreamName> {
        StreamName::within(Path::new(ROOT), uid(), name)
    }

    /// A name of a user whose directory is in `root`.
    pub(super) fn within(root: &Path, uid: u32, name: &str) -> Result<StreamName> {
        let bad = |why: String| Error::BadName { name: name.escape_debug().to_string(), why };
        let text = name.strip_prefix("shm:").unwrap_or(name);
        // Shells complete the name of the file.
        let text = text.strip_suffix(ENDING).unwrap_or(text);
        let ours = root.join(format!("{DIRECTORY}{uid}"));
        let (directory, last) = match text.rsplit_once('/') {
            Some((directory, last)) if text.starts_with('/') => {
                (PathBuf::from(format!("{directory}/")), last)
            }
            Some(_) => return Err(bad("a path begins with /, a name has none".into())),
            None => (ours.clone(), text),
        };
        check(last).map_err(bad)?;
        if let Some(odd) = text.chars().find(|c| c.is_control()) {
            return Err(bad(format!("it has {odd:?}")));
        }
        // However it is said, ours is ours: it is shown by its name, and its directory is checked.
        let is_ours = directory == ours;
        let text = if is_ours { last } else { text };
        let path = directory.join(format!("{last}{ENDING}"));
        Ok(StreamName { text: text.to_owned(), path, is_ours })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the file lies.
    pub(super) fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    /// Whether that is the directory that this user has for his streams.
    pub(super) fn is_ours(&self) -> bool {
        self.is_ours
    }

    /// The name without a directory.
    pub(super) fn last(&self) -> &str {
        self.text.rsplit('/').next().unwrap_or(&self.text)
    }

    /// What may be meant if there is no such stream, as the end of a sentence.
    pub(super) fn hint(&self) -> String {
        let directory = self.directory();
        if self.is_ours {
            let others = self.others();
            if let Some(first) = others.first() {
                let more = others.len() - 1;
                let more =
                    if more == 0 { String::new() } else { format!(", and {more} more users have one") };
                return format!("; another user has one of this name, shm:{}{more}", first.display());
            }
        } else if !directory.is_dir() {
            return format!(", there is no directory {}", directory.display());
        }
        let near: Vec<String> = names_in(directory);
        match nearest(self.last(), near.iter().map(String::as_str)) {
            Some(near) if self.is_ours => format!("; did you mean shm:{near}?"),
            Some(near) => format!("; did you mean shm:{}?", directory.join(near).display()),
            None => String::new(),
        }
    }

    /// Streams of this name that others have, as paths in the order of their numbers.
    fn others(&self) -> Vec<PathBuf> {
        use std::os::unix::fs::MetadataExt as _;
        let ours = self.directory();
        let root = ours.parent().unwrap_or(ours);
        let mut others: Vec<(u32, PathBuf)> = Vec::new();
        for entry in fs::read_dir(root).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let uid = name.to_str().and_then(|name| name.strip_prefix(DIRECTORY)?.parse::<u32>().ok());
            let Some(uid) = uid else { continue };
            // A directory that says a wrong number is a trap.
            let is_his = entry.metadata().is_ok_and(|found| found.is_dir() && found.uid() == uid);
            let path = entry.path();
            if is_his && path != ours && path.join(format!("{}{ENDING}", self.text)).exists() {
                others.push((uid, path.join(&self.text)));
            }
        }
        others.sort();
        others.into_iter().map(|(_, path)| path).collect()
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shm:{}", self.text)
    }
}

/// The streams of this user, in the order of their names.
pub(super) fn all() -> Vec<StreamName> {
    all_within(Path::new(ROOT), uid())
}

fn all_within(root: &Path, uid: u32) -> Vec<StreamName> {
    let names = names_in(&root.join(format!("{DIRECTORY}{uid}")));
    names.iter().filter_map(|name| StreamName::within(root, uid, name).ok()).collect()
}

/// The names of the streams in a directory, in order.
fn names_in(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if let Some(name) = entry.file_name().to_str().and_then(|name| name.strip_suffix(ENDING))
            && is_file
            && check(name).is_ok()
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    names
}

/// Whether a stream can be called so, or why not.
fn check(last: &str) -> std::result::Result<(), String> {
    if last.is_empty() {
        return Err("a name is missing".into());
    }
    if last.starts_with('.') {
        return Err("it begins with a dot".into());
    }
    if last.len() > LONGEST {
        return Err(format!("{} letters, at most {LONGEST} are allowed", last.len()));
    }
    match last.chars().find(|c| !c.is_ascii_alphanumeric() && !"_-.".contains(*c)) {
        Some(odd) => Err(format!("it has {odd:?}, allowed are letters, digits, _, - and .")),
        None => Ok(()),
    }
}

/// The number of this user.
pub(super) fn uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> StreamName {
        StreamName::within(Path::new(ROOT), 1000, name).unwrap()
    }

    fn refusal(text: &str) -> String {
        StreamName::new(text).unwrap_err().to_string()
    }

    #[test]
    fn a_name_is_of_this_user_and_a_path_lies_where_it_says() {
        for text in ["lxe", "shm:lxe", "shm:lxe.ring", "shm:/dev/shm/pactolus-1000/lxe"] {
            assert_eq!(name(text).to_string(), "shm:lxe");
            assert_eq!(name(text).path(), Path::new("/dev/shm/pactolus-1000/lxe.ring"));
            assert!(name(text).is_ours());
            assert_eq!(name(text), name("lxe"));
        }
        assert_eq!(name("/daq/lxe.2").to_string(), "shm:/daq/lxe.2");
        assert_eq!(name("/daq/lxe.2").path(), Path::new("/daq/lxe.2.ring"));
        assert_eq!(name("/lxe").path(), Path::new("/lxe.ring"));
        assert_eq!(name("/daq/lxe").last(), "lxe");
        assert!(!name("shm:/dev/shm/pactolus-1001/lxe").is_ours());
        assert_eq!(name(&name("shm:/daq/lxe").to_string()), name("/daq/lxe"));
    }

    #[test]
    fn a_name_that_no_file_should_have_is_refused() {
        let allowed = "allowed are letters, digits, _, - and .";
        assert_eq!(refusal("shm:"), "a stream cannot be called \"shm:\": a name is missing");
        assert_eq!(refusal("/daq/"), "a stream cannot be called \"/daq/\": a name is missing");
        assert_eq!(refusal(".."), "a stream cannot be called \"..\": it begins with a dot");
        assert_eq!(refusal("/daq/.x"), "a stream cannot be called \"/daq/.x\": it begins with a dot");
        assert_eq!(refusal("a b"), format!("a stream cannot be called \"a b\": it has ' ', {allowed}"));
        assert_eq!(refusal("ä"), format!("a stream cannot be called \"ä\": it has 'ä', {allowed}"));
        assert_eq!(refusal("a\n"), format!("a stream cannot be called \"a\\n\": it has '\\n', {allowed}"));
        assert_eq!(refusal("/d\0q/a"), "a stream cannot be called \"/d\\0q/a\": it has '\\0'");
        let relative = "a stream cannot be called \"../a\": a path begins with /, a name has none";
        assert_eq!(refusal("../a"), relative);
        assert!(StreamName::new(&"a".repeat(64)).is_ok());
        assert!(refusal(&"a".repeat(65)).ends_with("65 letters, at most 64 are allowed"));
    }

    #[test]
    fn streams_are_listed_in_order_and_nothing_else_is() {
        let root = tempfile::tempdir().unwrap();
        assert!(all_within(root.path(), 7).is_empty(), "without a directory there is none");
        let ours = root.path().join("pactolus-7");
        fs::create_dir(&ours).unwrap();
        for file in ["b.ring", "a.ring", ".c.1.0.tmp", "d", ".ring", "e f.ring"] {
            fs::write(ours.join(file), "").unwrap();
        }
        fs::create_dir(ours.join("g.ring")).unwrap();
        let found: Vec<String> = all_within(root.path(), 7).iter().map(StreamName::to_string).collect();
        assert_eq!(found, ["shm:a", "shm:b"]);
    }

    #[test]
    fn an_absent_name_leads_to_what_is_meant() {
        let root = tempfile::tempdir().unwrap();
        let text = root.path().display();
        let hint = |name: &str| StreamName::within(root.path(), 7, name).unwrap().hint();
        assert_eq!(hint("lxe"), "");
        fs::create_dir(root.path().join("pactolus-7")).unwrap();
        fs::write(root.path().join("pactolus-7/lxe2.ring"), "").unwrap();
        assert_eq!(hint("lxe"), "; did you mean shm:lxe2?");
        assert_eq!(hint("argon"), "");
        // The directory of another user, and one that only says so.
        for uid in [uid(), uid() + 1] {
            let his = root.path().join(format!("pactolus-{uid}"));
            fs::create_dir(&his).unwrap();
            fs::write(his.join("lxe.ring"), "").unwrap();
        }
        let other = format!("shm:{text}/pactolus-{}/lxe", uid());
        assert_eq!(hint("lxe"), format!("; another user has one of this name, {other}"));
        assert_eq!(hint(&format!("{text}/pactolus-7/lxe3")), "; did you mean shm:lxe2?");
        let near = format!("{text}/pactolus-{}/lxf", uid());
        assert_eq!(hint(&near), format!("; did you mean {other}?"));
        assert_eq!(hint("/no/where/lxe"), ", there is no directory /no/where");
    }
}
