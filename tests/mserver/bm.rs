//! Calls `bm_*`: event buffers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::child::{Child, Opened, Outcome};
use super::ring::Request;
use super::wire::{Malformed, Params, Reply};
use super::{Shared, Version, lock, status};

/// The most that somebody may ask room for.
const LARGEST: i32 = 1 << 28;

pub fn call(
    shared: &Arc<Shared>,
    child: &Arc<Child>,
    id: u32,
    params: &mut Params<'_>,
    reply: &mut Reply,
) -> Result<Outcome, Malformed> {
    let with = |handle: i32, what: &dyn Fn(Opened) -> i32| match child.opened(handle) {
        Some(opened) => what(opened),
        None => status::BM_INVALID_HANDLE,
    };
    Ok(Outcome::Status(match id {
        11_100 => {
            let (name, size) = (params.text()?, params.int()?);
            open(shared, child, &name, size, reply)
        }
        11_101 => {
            let handle = params.int()?;
            let closed = child.opened(handle);
            if let Some(opened) = &closed {
                opened.ring.detach(opened.reader);
                lock(&child.buffers)[handle as usize - 1] = None;
            }
            if closed.is_some() { status::SUCCESS } else { status::BM_INVALID_HANDLE }
        }
        11_102 => {
            lock(&child.buffers).drain(..).flatten().for_each(|opened| opened.ring.detach(opened.reader));
            status::SUCCESS
        }
        11_103 => {
            let opened = child.opened(params.int()?);
            reply.structure(&header(opened.as_ref()));
            if opened.is_some() { status::SUCCESS } else { status::BM_INVALID_HANDLE }
        }
        11_104 => {
            let level = child.opened(params.int()?).and_then(|opened| opened.ring.level(opened.reader));
            reply.int(level.unwrap_or(0) as i32);
            if level.is_some() { status::SUCCESS } else { status::BM_INVALID_HANDLE }
        }
        11_105 => with(params.int()?, &|_| status::SUCCESS),
        11_106 => {
            let (handle, read, write) = (params.int()?, params.int()?, params.int()?);
            match write {
                0..=1_000_000 => with(handle, &|opened| opened.ring.set_cache(opened.reader, read)),
                _ => status::BM_INVALID_PARAM,
            }
        }
        11_107 => {
            let handle = params.int()?;
            let (event, mask, sampling) = (params.word()?, params.word()?, params.int()?);
            let (function, id) = (params.int()?, params.int()?);
            if ![1, 2, 4].contains(&sampling) {
                shared.offence(format!("{} asked for sampling {sampling}", child.name()));
            }
            let request = Request { id, event, mask, sampling, wants_notes: function != 0 };
            with(handle, &|opened| opened.ring.request(opened.reader, request))
        }
        11_108 => {
            let (handle, id) = (params.int()?, params.int()?);
            with(handle, &|opened| opened.ring.withdraw(opened.reader, id))
        }
        11_109 => {
            let (handle, event, size, waits) =
                (params.int()?, params.block()?, params.int()?, params.int()? == 0);
            let Some(event) =
                usize::try_from(size).ok().filter(|&size| size >= 16).and_then(|size| event.get(..size))
            else {
                return Ok(Outcome::Status(status::BM_INVALID_PARAM));
            };
            with(handle, &|opened| match opened.ring.send(event, waits, &|| child.goes_on()) {
                true => status::SUCCESS,
                false => status::BM_ASYNC_RETURN,
            })
        }
        11_110 => {
            let (_handle, _async) = (params.int()?, params.int()?);
            status::SUCCESS
        }
        11_111 => {
            let (handle, size, wait) = (params.int()?, params.int()?, params.int()?);
            receive(shared, child, handle, size, wait, reply)
        }
        11_112 => {
            params.int()?;
            status::SUCCESS
        }
        11_113 => {
            lock(&child.buffers).iter().flatten().for_each(|opened| opened.ring.skip(opened.reader));
            status::SUCCESS
        }
        11_114 => with(params.int()?, &|opened| {
            opened.ring.skip(opened.reader);
            status::SUCCESS
        }),
        _ => return Ok(Outcome::Silence),
    }))
}

fn open(shared: &Arc<Shared>, child: &Arc<Child>, name: &str, size: i32, reply: &mut Reply) -> i32 {
    let size = usize::try_from(size).ok().filter(|&size| size <= LARGEST as usize);
    let Some(size) = size.filter(|_| !name.is_empty()) else {
        reply.int(0);
        return status::BM_INVALID_NAME;
    };
    let mut buffers = lock(&child.buffers);
    let twice =
        buffers.iter().position(|opened| opened.as_ref().is_some_and(|opened| opened.ring.name == name));
    if let Some(at) = twice {
        reply.int(at as i32 + 1);
        return status::SUCCESS;
    }
    let (ring, is_new) = shared.ring(name, size);
    let reader = ring.attach(&child.name(), child.notes.clone());
    let at = buffers.iter().position(Option::is_none).unwrap_or(buffers.len());
    if at == buffers.len() {
        buffers.push(None);
    }
    buffers[at] = Some(Opened { ring, reader });
    reply.int(at as i32 + 1);
    if is_new { status::BM_CREATED } else { status::SUCCESS }
}

fn receive(
    shared: &Arc<Shared>,
    child: &Arc<Child>,
    handle: i32,
    size: i32,
    wait: i32,
    reply: &mut Reply,
) -> i32 {
    if wait != 1 {
        shared.offence(format!("{} received with wait {wait}", child.name()));
    }
    let capacity = size.clamp(0, LARGEST) as usize;
    let Some(opened) = child.opened(handle) else {
        reply.stale(capacity);
        reply.int(size);
        return status::BM_INVALID_HANDLE;
    };
    let version = shared.options.version;
    let deadline = match wait {
        1 => Some(Instant::now()),
        2.. if version == Version::V2022 => Some(Instant::now() + Duration::from_millis(wait as u64)),
        _ => None,
    };
    let is_padded = version != Version::V2022;
    opened.ring.receive(opened.reader, capacity, is_padded, deadline, &|| child.goes_on(), reply)
}

/// The structure BUFFER_HEADER.
fn header(opened: Option<&Opened>) -> Vec<u8> {
    let mut bytes = vec![0; 16_444];
    let Some(opened) = opened else { return bytes };
    let mut put = |at: usize, some: &[u8]| bytes[at..at + some.len()].copy_from_slice(some);
    let (readers, size, written) = opened.ring.header();
    let int = |value: usize| (value as u32).to_le_bytes();
    let name = |name: &str| name.as_bytes()[..name.len().min(31)].to_vec();
    put(0, &name(&opened.ring.name));
    put(32, &int(readers.len()));
    put(36, &int(readers.len()));
    put(40, &int(size));
    put(48, &int((written % size as u64) as usize));
    for (at, reader) in readers.iter().take(64).enumerate() {
        put(60 + at * 256, &name(reader));
    }
    bytes
}
