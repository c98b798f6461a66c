//! A part of the experiment's ODB as it is read: a key with all that is below it.

use pactolus_odb::{Content, Directory, Mode, Path, Value};

use super::{Client, Error, Key, KeyInfo, Result, status, value};

/// Keys that are read at the most: a server that has no end of them is none.
const MOST: usize = 1 << 20;
/// How often a key is looked at that changes its length or type meanwhile.
const TRIES: usize = 4;

/// A part of the ODB as it was read.
pub(super) struct Part {
    /// The key; of the root, one without a name.
    pub(super) key: Content,
    /// What the server says of it; nothing of the root.
    pub(super) info: Option<KeyInfo>,
    /// Each key that was read, where it is, and what the server says of it.
    pub(super) known: Vec<(Key, Path, Option<KeyInfo>)>,
    /// Keys that no tree can hold, and why.
    pub(super) left_out: Vec<String>,
}

struct Node {
    handle: Key,
    path: Path,
    info: Option<KeyInfo>,
    value: Option<Value>,
    children: Vec<usize>,
    is_gone: bool,
}

impl Node {
    fn is_directory(&self) -> bool {
        self.info.as_ref().is_none_or(KeyInfo::is_directory)
    }
}

/// Whether an error says that a key is not there (any more).
pub(super) fn is_gone(error: &Error) -> bool {
    matches!(error, Error::Refused { status: status::BAD_HANDLE | status::NO_KEY | status::NO_MORE_KEYS, .. })
}

/// Reads a key and all below it, level by level; `None` if it is gone. A key that goes meanwhile is left out.
pub(super) fn part(client: &mut Client, handle: Key, path: &Path) -> Result<Option<Part>> {
    let info = match path.is_root() {
        true => None,
        false => match client.infos(&[handle])?.pop().flatten() {
            Some(info) => Some(info),
            None => return Ok(None),
        },
    };
    let node = Node { handle, path: path.clone(), info, value: None, children: Vec::new(), is_gone: false };
    let mut nodes = vec![node];
    let mut left_out = Vec::new();
    let mut level = 0..1;
    while !level.is_empty() {
        values(client, &mut nodes[level.clone()], &mut left_out)?;
        let begin = nodes.len();
        for parent in level {
            if nodes[parent].is_directory() {
                below(client, &mut nodes, parent, &mut left_out)?;
            }
        }
        name(client, &mut nodes, begin, &mut left_out)?;
        level = begin..nodes.len();
    }
    Ok(assemble(nodes, left_out))
}

/// The handles of what is in a directory.
fn below(
    client: &mut Client,
    nodes: &mut Vec<Node>,
    parent: usize,
    left_out: &mut Vec<String>,
) -> Result<()> {
    let children = match client.children(nodes[parent].handle) {
        Err(error) if is_gone(&error) => {
            nodes[parent].is_gone = true;
            return Ok(());
        }
        Err(error @ Error::Refused { .. }) if parent > 0 => {
            left_out.push(format!("{}: {error}", nodes[parent].path));
            nodes[parent].is_gone = true;
            return Ok(());
        }
        children => children?,
    };
    if nodes.len().saturating_add(children.len()) > MOST {
        return Err(Error::Argument { what: "ODB", message: format!("more than {MOST} keys") });
    }
    for handle in children {
        let path = nodes[parent].path.clone();
        let position = nodes.len();
        nodes[parent].children.push(position);
        nodes.push(Node { handle, path, info: None, value: None, children: Vec::new(), is_gone: false });
    }
    Ok(())
}

/// What the server says of new keys, which so far have the paths of their directories.
fn name(client: &mut Client, nodes: &mut [Node], begin: usize, left_out: &mut Vec<String>) -> Result<()> {
    let handles: Vec<Key> = nodes[begin..].iter().map(|node| node.handle).collect();
    if handles.is_empty() {
        return Ok(());
    }
    let mut infos = infos_of(client, &handles)?.into_iter();
    for node in &mut nodes[begin..] {
        let Some(info) = infos.next().flatten() else {
            node.is_gone = true;
            continue;
        };
        match node.path.child(&info.name) {
            Ok(path) => node.path = path,
            Err(error) => {
                left_out.push(format!("a key in {}: {error}", node.path));
                node.is_gone = true;
            }
        }
        if !node.is_gone
            && !info.is_directory()
            && value::tid(&info).is_none_or(|tid| Value::empty(tid).is_none())
        {
            left_out.push(format!("{}: no key has values of type {}", node.path, info.kind));
            node.is_gone = true;
        }
        if !node.is_gone && !info.is_directory() && !value::is_possible(&info) {
            left_out.push(format!("{}: more bytes than an ODB has", node.path));
            node.is_gone = true;
        }
        node.info = Some(info);
    }
    Ok(())
}

/// What the server says of these keys; `None` for one that is gone, or of which it says nothing.
fn infos_of(client: &mut Client, handles: &[Key]) -> Result<Vec<Option<KeyInfo>>> {
    let infos = client.infos(handles);
    or_one_by_one(infos, handles, |handle| client.info(*handle))
}

/// What the server has answered to a group of calls. If it has refused one of them, which one is seen by one
/// call after the other; `None` for that.
fn or_one_by_one<K, T>(
    group: Result<Vec<Option<T>>>,
    keys: &[K],
    mut one: impl FnMut(&K) -> Result<T>,
) -> Result<Vec<Option<T>>> {
    match group {
        Err(Error::Refused { .. }) => keys
            .iter()
            .map(|key| match one(key) {
                Err(Error::Refused { .. }) => Ok(None),
                answer => answer.map(Some),
            })
            .collect(),
        group => group,
    }
}

/// The values of these keys.
fn values(client: &mut Client, nodes: &mut [Node], left_out: &mut Vec<String>) -> Result<()> {
    let mut wanted: Vec<usize> =
        (0..nodes.len()).filter(|&at| !nodes[at].is_gone && !nodes[at].is_directory()).collect();
    for _ in 0..TRIES {
        let is_read = |at: usize| nodes[at].info.as_ref().is_some_and(|info| info.mode & Mode::READ.0 != 0);
        let (readable, protected): (Vec<usize>, Vec<usize>) = wanted.iter().partition(|&&at| is_read(at));
        for at in protected {
            nodes[at].value = nodes[at].info.as_ref().and_then(value::unread);
        }
        let bytes = values_of(client, nodes, &readable)?;
        wanted.clear();
        for (at, bytes) in readable.into_iter().zip(bytes) {
            let node = &mut nodes[at];
            node.value = bytes.zip(node.info.as_ref()).and_then(|(bytes, info)| value::decode(info, &bytes));
            if node.value.is_none() {
                wanted.push(at);
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        // What the server has said of it is not true any more.
        let handles: Vec<Key> = wanted.iter().map(|&at| nodes[at].handle).collect();
        for (&at, info) in wanted.iter().zip(infos_of(client, &handles)?) {
            nodes[at].is_gone =
                info.as_ref().is_none_or(|info| info.is_directory() || !value::is_possible(info));
            nodes[at].info = info;
        }
        wanted.retain(|&at| !nodes[at].is_gone);
    }
    for at in wanted {
        left_out.push(format!("{}: its bytes are not what the server says of it", nodes[at].path));
        nodes[at].is_gone = true;
    }
    Ok(())
}

/// The bytes of these keys; `None` for one that is not as it was.
fn values_of(client: &mut Client, nodes: &[Node], wanted: &[usize]) -> Result<Vec<Option<Vec<u8>>>> {
    let keys: Vec<(Key, &KeyInfo)> =
        wanted.iter().filter_map(|&at| Some((nodes[at].handle, nodes[at].info.as_ref()?))).collect();
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let bytes = client.datas(&keys);
    or_one_by_one(bytes, &keys, |(key, info)| client.data(*key, info))
}

/// The keys in their directories.
fn assemble(nodes: Vec<Node>, mut left_out: Vec<String>) -> Option<Part> {
    let mut contents: Vec<Option<pactolus_odb::Key>> = Vec::new();
    contents.resize_with(nodes.len(), || None);
    let mut known = Vec::with_capacity(nodes.len());
    let mut root = None;
    // What is below a key stands behind it.
    for (at, node) in nodes.into_iter().enumerate().rev() {
        if node.is_gone {
            continue;
        }
        let content = match node.value {
            Some(value) => Content::Value(value),
            None => {
                let mut directory = Directory::default();
                for child in node.children {
                    let Some(key) = contents.get_mut(child).and_then(Option::take) else { continue };
                    let name = key.name().to_owned();
                    if !directory.add(key) {
                        left_out.push(format!("{}: there are two keys '{name}'", node.path));
                    }
                }
                Content::Directory(directory)
            }
        };
        known.push((node.handle, node.path.clone(), node.info.clone()));
        match node.info {
            info if at == 0 => root = Some((content, info)),
            Some(info) => contents[at] = key(&info, content),
            None => {}
        }
    }
    known.reverse();
    let (key, info) = root?;
    Some(Part { key, info, known, left_out })
}

/// A key of the tree.
pub(super) fn key(info: &KeyInfo, content: Content) -> Option<pactolus_odb::Key> {
    pactolus_odb::Key::with(&info.name, content, Mode(info.mode), info.written).ok()
}
