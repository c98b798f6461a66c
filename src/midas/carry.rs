//! Carries out steps in the experiment's ODB.

use pactolus_odb::Error as OdbError;
use pactolus_odb::{Path, spelling};

use super::desk::Desk;
use super::steps::{Deed, Step};
use super::walk::is_gone;
use super::{Client, Error, Key, Result, status, value};

/// Carries a step out. The key is looked for each time: a handle of an earlier look may be that of another
/// key by now.
pub(super) fn carry(desk: &mut Desk, client: &mut Client, step: &Step) -> Result<()> {
    if step.deed == Deed::Delete {
        desk.release(client, &step.path)?;
    }
    let path = step.path.to_string();
    match &step.deed {
        Deed::Create(tid) => return client.create(&path, tid.code() as i32),
        Deed::Link(target) => return client.create_link(&path, &spelling::from_bytes(target)),
        _ => {}
    }
    let key = client.find_link(Key::ROOT, &path)?;
    let key =
        key.ok_or(Error::Refused { call: "db_find_link", what: String::new(), status: status::NO_KEY })?;
    match &step.deed {
        Deed::Create(_) | Deed::Link(_) => Ok(()),
        Deed::Delete => {
            check(client, key, &step.path)?;
            client.delete(key)
        }
        Deed::Set(values) => {
            client.set(key, &value::encode(values), number(values.len()), values.tid().code() as i32)
        }
        Deed::Element(values, index) => {
            let bytes = value::encode_element(values, *index);
            client.set_element(key, &bytes, number(*index), values.tid().code() as i32)
        }
        Deed::Resize(values) => client.resize(key, number(*values)),
        Deed::Mode(mode) => client.set_mode(key, mode.0),
        Deed::Rename(name) => client.rename(key, name),
        Deed::Reorder(index) => {
            // The only key of a directory must not be moved: MIDAS would write over the head of its ODB.
            let children = match step.path.parent().filter(|parent| !parent.is_root()) {
                Some(parent) => match client.find_link(Key::ROOT, &parent.to_string())? {
                    Some(parent) => client.children(parent)?,
                    None => Vec::new(),
                },
                None => client.children(Key::ROOT)?,
            };
            let last = children.len().saturating_sub(1);
            if children.len() < 2 || children.get(*index.min(&last)) == Some(&key) {
                return Ok(());
            }
            client.reorder(key, number(*index))
        }
    }
}

/// Whether nobody watches a key or one below it. MIDAS looks at the key itself and those above it; with a watch
/// below, it would take the memory of a key that it leaves in its lists.
fn check(client: &mut Client, key: Key, path: &Path) -> Result<()> {
    let mut level = vec![(key, path.clone())];
    while !level.is_empty() {
        let keys: Vec<Key> = level.iter().map(|(key, _)| *key).collect();
        let infos = client.infos(&keys)?;
        let mut next = Vec::new();
        for ((key, path), info) in level.into_iter().zip(infos) {
            let Some(info) = info else { continue };
            if info.watches > 0 {
                let message = format!(
                    "another program watches {path}, and who deletes it would damage the experiment's ODB"
                );
                return Err(Error::Argument { what: "delete", message });
            }
            if !info.is_directory() {
                continue;
            }
            let children = client.children(key)?;
            let names = client.infos(&children)?;
            for (child, info) in children.into_iter().zip(names) {
                let name = info.map(|info| info.name).unwrap_or_default();
                next.push((child, path.child(&name).unwrap_or_else(|_| path.clone())));
            }
        }
        level = next;
    }
    Ok(())
}

fn number(size: usize) -> i32 {
    i32::try_from(size).unwrap_or(i32::MAX)
}

/// Why a step could not be done, as the ODB says it.
pub(super) fn refused(step: &Step, error: &Error) -> OdbError {
    let at = |path: &Path| path.to_string();
    let Error::Refused { status, .. } = error else { return OdbError::Store(error.to_string()) };
    match error {
        Error::Refused { status: status::NO_ACCESS, .. } => {
            let access = if step.deed == Deed::Delete { "delete" } else { "write" };
            OdbError::Protected { path: at(&step.path), access }
        }
        Error::Refused { status: status::EXISTS, .. } => OdbError::Exists { path: at(&step.result()) },
        Error::Refused { status: status::BAD_PARAMETER, .. } if step.deed.is_wide() => {
            OdbError::Store(format!("{}: this MIDAS has no keys of 64-bit whole numbers", step.path))
        }
        Error::Refused { .. } => match &step.deed {
            Deed::Link(target) if is_gone(error) => {
                let target = spelling::from_bytes(target);
                OdbError::Store(format!("{}: MIDAS makes no link to what is not there ({target})", step.path))
            }
            _ if is_gone(error) => OdbError::NotFound { path: at(&step.path), nearest: None },
            _ => OdbError::Store(format!("{}: {}", step.path, status::sentence(*status))),
        },
        error => OdbError::Store(error.to_string()),
    }
}

impl Deed {
    fn is_wide(&self) -> bool {
        use pactolus_formats::Tid::{Int64, Uint64};
        matches!(self, Deed::Create(Int64 | Uint64))
    }
}
