//! Calls `db_*`: the ODB.

use std::sync::Arc;

use super::child::{Child, Outcome};
use super::wire::{Malformed, Params, Reply};
use super::{Shared, Version, status};

/// The most that somebody may ask room for.
const LARGEST: i32 = 1 << 26;

fn room(size: i32) -> usize {
    size.clamp(0, LARGEST) as usize
}

/// A handle as the only result.
fn handle(found: Result<i32, i32>, reply: &mut Reply) -> i32 {
    reply.int(found.unwrap_or(0));
    found.map_or_else(|status| status, |_| status::SUCCESS)
}

/// Bytes as a result, with their size behind them: as much as there is room for.
fn data(found: Result<Vec<u8>, i32>, size: i32, reply: &mut Reply) -> i32 {
    let room = room(size);
    match found {
        Ok(bytes) if bytes.len() <= room => {
            reply.block(&bytes);
            reply.int(bytes.len() as i32);
            status::SUCCESS
        }
        Ok(bytes) => {
            reply.block(&bytes[..room]);
            reply.int(size);
            status::DB_TRUNCATED
        }
        Err(status) => {
            reply.stale(room);
            reply.int(size);
            status
        }
    }
}

fn structure(found: Result<Vec<u8>, i32>, reply: &mut Reply) -> i32 {
    reply.structure(found.as_deref().unwrap_or(&[0; 68]));
    found.map_or_else(|status| status, |_| status::SUCCESS)
}

pub fn call(
    shared: &Arc<Shared>,
    child: &Arc<Child>,
    id: u32,
    params: &mut Params<'_>,
    reply: &mut Reply,
) -> Result<Outcome, Malformed> {
    if id == 11_200 {
        let (_name, _size, _client) = (params.text()?, params.int()?, params.text()?);
        reply.int(1);
        return Ok(Outcome::Status(status::SUCCESS));
    }
    if shared.is_unknown(id) {
        return Ok(Outcome::Silence);
    }
    if id == 11_249 {
        // Table and dispatcher disagree about its parameters: the child does not survive it.
        shared.offence(format!("{} called db_copy_xml", child.name()));
        return Ok(Outcome::Crash);
    }
    let hdb = params.int()?;
    let mut odb = shared.odb();
    if hdb != 1 {
        shared.offence(format!("call {id} of {} for the database {hdb}", child.name()));
    }
    Ok(Outcome::Status(match id {
        11_201 | 11_235 => status::SUCCESS,
        11_203 => {
            let (root, path, kind) = (params.int()?, params.text()?, params.int()?);
            odb.create(root, &path, kind as u32)
        }
        11_204 => {
            let (root, path, target) = (params.int()?, params.text()?, params.text()?);
            let target = pactolus::odb::spelling::to_bytes(&target);
            let made = odb.make(root, &path, Some(pactolus::odb::Value::Link(target)));
            made.map_or_else(|status| status, |()| status::SUCCESS)
        }
        11_205 => {
            let (root, path, bytes) = (params.int()?, params.text()?, params.block()?);
            let (size, values, kind) = (params.int()?, params.int()?, params.int()? as u32);
            let found = match odb.find(root, &path, true) {
                Err(status::DB_NO_KEY) => match odb.create(root, &path, kind) {
                    status::SUCCESS => odb.find(root, &path, false),
                    status => Err(status),
                },
                found => found,
            };
            found.map_or_else(|status| status, |key| odb.set(key, bytes, size, values, kind))
        }
        11_206 => {
            let (root, path, bytes) = (params.int()?, params.text()?, params.block()?);
            let (size, kind, is_made) = (params.int()?, params.int()? as u32, params.int()? != 0);
            if bytes.len() != room(size) && bytes.len() != super::wire::pad8(room(size)) {
                shared
                    .offence(format!("db_get_value of {path}: {} bytes sent, {size} announced", bytes.len()));
            }
            let index = path.strip_suffix(']').and_then(|path| path.rsplit_once('[')?.1.parse().ok());
            let found = match odb.find(root, &path, true) {
                Err(status::DB_NO_KEY) if is_made => match odb.create(root, &path, kind) {
                    status::SUCCESS => {
                        let made = odb.find(root, &path, false);
                        if let Ok(key) = made {
                            odb.set(key, bytes, size, 1, kind);
                        }
                        made
                    }
                    status => Err(status),
                },
                found => found,
            };
            let found = found.and_then(|key| odb.data(key, kind, index, true));
            data(found.map(|(bytes, _)| bytes), size, reply)
        }
        11_207 | 11_208 => {
            let (root, path) = (params.int()?, params.text()?);
            handle(odb.find(root, &path, id == 11_207), reply)
        }
        11_209 => {
            let (key, size) = (params.int()?, params.int()?);
            let path = odb.path(key);
            reply.text(path.as_deref().unwrap_or_default(), room(size).max(1));
            path.map_or_else(|status| status, |_| status::SUCCESS)
        }
        11_210 => {
            let (key, _follow) = (params.int()?, params.int()?);
            odb.delete(key)
        }
        11_211 | 11_228 => {
            let (key, index) = (params.int()?, params.int()?);
            handle(odb.child(key, index, id == 11_211), reply)
        }
        11_212 | 11_242 => {
            let key = params.int()?;
            structure(odb.describe(key, id == 11_212), reply)
        }
        11_213 | 11_243 => {
            let (key, size, kind) = (params.int()?, params.int()?, params.int()? as u32);
            data(odb.data(key, kind, None, id == 11_213).map(|(bytes, _)| bytes), size, reply)
        }
        11_214 => {
            let (key, bytes, size) = (params.int()?, params.block()?, params.int()?);
            let (values, kind) = (params.int()?, params.int()? as u32);
            odb.set(key, bytes, size, values, kind)
        }
        11_215 | 11_236 => {
            let (key, bytes, size) = (params.int()?, params.block()?, params.int()?);
            let (index, kind) = (params.int()?, params.int()? as u32);
            if id == 11_236 {
                params.int()?;
            }
            odb.set_element(key, bytes, size, index, kind)
        }
        11_216 => {
            let (key, mode, is_recursive) = (params.int()?, params.word()?, params.int()? != 0);
            odb.set_mode(key, mode, is_recursive)
        }
        11_222 => {
            let (key, mode) = (params.int()?, params.word()?);
            if mode != 0x80 {
                shared.offence(format!("{} opened a record with mode {mode:#x}", child.name()));
            }
            odb.watch(child.pid, key, child.notes.clone())
        }
        11_223 => {
            let (key, _lock) = (params.int()?, params.int()?);
            odb.unwatch(child.pid, key)
        }
        11_224 | 11_225 => {
            shared.offence(format!("{} wanted to save or load a file", child.name()));
            let (_key, _file, _flag) = (params.int()?, params.text()?, params.int()?);
            317
        }
        11_226 => {
            params.text()?;
            status::SUCCESS
        }
        11_227 => {
            let (key, name) = (params.int()?, params.text()?);
            odb.rename(key, &name)
        }
        11_229 => {
            let (key, index) = (params.int()?, params.int()?);
            odb.reorder(key, index)
        }
        11_231 => {
            let (key, size, index) = (params.int()?, params.int()?, params.int()?);
            let kind = params.int()? as u32;
            data(odb.data(key, kind, Some(index), true).map(|(bytes, _)| bytes), size, reply)
        }
        11_232 => {
            let key = odb.describe(params.int()?, true);
            let written =
                key.as_ref().map_or(0, |key| u32::from_le_bytes([key[64], key[65], key[66], key[67]]));
            reply.int(super::now().saturating_sub(written) as i32);
            key.map_or_else(|status| status, |_| status::SUCCESS)
        }
        11_237 => {
            let (key, size) = (params.int()?, params.int()?);
            let found = odb.describe(key, true);
            let bytes = found.clone().unwrap_or_else(|_| vec![0; 68]);
            let int =
                |at: usize| i32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
            let end = bytes[8..40].iter().position(|&byte| byte == 0).unwrap_or(0);
            reply.text(&pactolus::odb::spelling::from_bytes(&bytes[8..8 + end]), room(size).max(1));
            [0, 4, 48].into_iter().for_each(|at| reply.int(int(at)));
            found.map_or_else(|status| status, |_| status::SUCCESS)
        }
        11_238 => {
            let (key, size, kind) = (params.int()?, params.int()?, params.int()? as u32);
            let found = odb.data(key, kind, None, true);
            let values = found.as_ref().map_or(0, |(_, values)| *values as i32);
            let status = data(found.map(|(bytes, _)| bytes), size, reply);
            reply.int(values);
            status
        }
        11_239 => {
            let (key, values) = (params.int()?, params.int()?);
            odb.resize(key, values)
        }
        11_248 => {
            let key = params.int()?;
            handle(odb.parent(key), reply)
        }
        _ => return Ok(Outcome::Silence),
    }))
}

impl Shared {
    /// Routines this server does not have, at its age.
    pub fn is_unknown(&self, id: u32) -> bool {
        let known = [
            11_200..=11_201,
            11_203..=11_216,
            11_222..=11_229,
            11_231..=11_232,
            11_235..=11_239,
            11_242..=11_243,
        ];
        let is_new = (11_248..=11_249).contains(&id) && self.options.version == Version::V2022;
        (11_200..11_300).contains(&id) && !is_new && !known.iter().any(|range| range.contains(&id))
    }
}
