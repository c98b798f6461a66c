//! `json`, `jsls`, `jsvalues`: MIDAS's JSON of a directory, as programs in a browser get it.
//!
//! `odbedit` prints `status: 1, json: ` before each, which no JSON reader takes; these do not.

use super::{Call, Command, Error, Result, Takes};
use crate::Save;
use crate::dump::json as json_text;
use crate::key::{Content, Key};
use crate::{MAX_DEPTH, Path, Tree, Value, spelling};

pub(super) const JSON: Command = Command {
    name: "json",
    usage: "json [PATH]",
    help: "print a directory or a value as MIDAS's JSON\n\
        It is what `save FILE.json` writes, without the file's first lines.",
    takes: &[Takes::Path],
    run: json,
};

pub(super) const JSLS: Command = Command {
    name: "jsls",
    usage: "jsls [PATH]",
    help: "print one directory as JSON, without what is below it\n\
        Links are shown as what they lead to, with the member `link`.",
    takes: &[Takes::Directory],
    run: jsls,
};

pub(super) const JSVALUES: Command = Command {
    name: "jsvalues",
    usage: "jsvalues [PATH]",
    help: "print the values below as JSON, links followed\n\
        Names are in lower case; the member `NAME/name` has the spelling.",
    takes: &[Takes::Directory],
    run: jsvalues,
};

fn json(call: &mut Call<'_>) -> Result<()> {
    let path = call.path(call.word()?.unwrap_or("."))?.to_string();
    let mut out = match call.tree.find(&path)?.key.content() {
        Content::Directory(_) => Save { absolute: false, ..Save::json() }.write(&call.tree, &path)?,
        Content::Value(_) => {
            let mut out = Vec::new();
            json_text::write_elements(&call.tree.value(&path)?, &mut out);
            out
        }
    };
    if !out.ends_with(b"\n") {
        out.push(b'\n');
    }
    call.say(out)
}

fn jsls(call: &mut Call<'_>) -> Result<()> {
    let path = call.path(call.word()?.unwrap_or("."))?.to_string();
    let directory = call.tree.directory(&path)?;
    let at = call.tree.find(&path)?.path;
    let mut members = Members::new(0);
    for key in directory.iter() {
        let name = spelling::to_bytes(key.name());
        let Shown { link, key: shown, value } = follow(&call.tree, key, &at)?;
        match value {
            None if link.is_none() => members.add(&name, |out| out.extend_from_slice(b"{ }")),
            value => {
                members.add(&[&name, b"/key".as_slice()].concat(), |out| {
                    json_text::write_about(shown, value.as_ref(), link, out);
                });
                members.add(&name, |out| match &value {
                    Some(value) => json_text::write_elements(value, out),
                    None => out.extend_from_slice(b"{ }"),
                });
            }
        }
    }
    call.say(members.close())
}

fn jsvalues(call: &mut Call<'_>) -> Result<()> {
    let path = call.path(call.word()?.unwrap_or("."))?.to_string();
    call.tree.directory(&path)?;
    let at = call.tree.find(&path)?.path;
    let mut left = MOST;
    let out = values(&call.tree, &at, 0, &mut left)?;
    call.say(out)
}

/// Members that `jsvalues` prints at most: links to directories above make a small tree endless.
const MOST: usize = 1_000_000;

fn values(tree: &Tree, at: &Path, level: usize, left: &mut usize) -> Result<Vec<u8>> {
    let mut members = Members::new(level);
    for key in tree.directory(&at.to_string())?.iter() {
        if *left == 0 {
            return Err(Error::TooMany { limit: MOST });
        }
        *left -= 1;
        let name = spelling::to_bytes(key.name());
        let member = name.to_ascii_lowercase();
        let Shown { key: shown, value, .. } = follow(tree, key, at)?;
        members.add(&[&member, b"/name".as_slice()].concat(), |out| json_text::write_string(&name, out));
        match value {
            Some(value) => {
                let time = shown.last_written();
                members.add(&[&member, b"/last_written".as_slice()].concat(), |out| {
                    out.extend_from_slice(time.to_string().as_bytes());
                });
                members.add(&member, |out| json_text::write_elements(&value, out));
            }
            None if level >= MAX_DEPTH => {
                return Err(crate::Error::Depth { path: at.to_string(), limit: MAX_DEPTH }.into());
            }
            None => {
                let below = tree.find(&at.child(key.name())?.to_string())?.path;
                let inside = values(tree, &below, level + 1, left)?;
                let inside = inside.strip_suffix(b"\n").unwrap_or(&inside);
                members.add(&member, |out| out.extend_from_slice(inside));
            }
        }
    }
    Ok(members.close())
}

/// What a key shows.
struct Shown<'t> {
    /// The target, if it is a link.
    link: Option<&'t [u8]>,
    /// The key, or the one the link leads to; a link that leads nowhere shows itself.
    key: &'t Key,
    /// Its value, or the element the link leads to; none for a directory.
    value: Option<Value>,
}

fn follow<'t>(tree: &'t Tree, key: &'t Key, at: &Path) -> Result<Shown<'t>> {
    let itself = |link| Shown { link, key, value: key.value().cloned() };
    let Some(Value::Link(target)) = key.value() else { return Ok(itself(None)) };
    let path = at.child(key.name())?.to_string();
    Ok(match tree.find(&path) {
        Ok(found) => {
            let value = found.key.value().map(|_| tree.value(&path)).transpose()?;
            Shown { link: Some(target), key: found.key, value }
        }
        Err(_) => itself(Some(target)),
    })
}

/// An object, member by member.
struct Members {
    level: usize,
    out: Vec<u8>,
    any: bool,
}

impl Members {
    fn new(level: usize) -> Members {
        Members { level, out: b"{".to_vec(), any: false }
    }

    fn add(&mut self, name: &[u8], write: impl FnOnce(&mut Vec<u8>)) {
        if std::mem::replace(&mut self.any, true) {
            self.out.push(b',');
        }
        self.line(self.level + 1);
        json_text::write_string(name, &mut self.out);
        self.out.extend_from_slice(b" : ");
        write(&mut self.out);
    }

    fn line(&mut self, level: usize) {
        self.out.push(b'\n');
        self.out.resize(self.out.len() + 2 * level, b' ');
    }

    fn close(mut self) -> Vec<u8> {
        self.line(self.level);
        self.out.extend_from_slice(b"}\n");
        self.out
    }
}

#[cfg(test)]
mod tests;
