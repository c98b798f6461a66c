//! Calls `cm_*`: names, messages, the clock.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use pactolus::odb::{Mode, Strings, Value};

use super::child::{Child, Outcome};
use super::wire::{Malformed, Params, Reply};
use super::{Shared, Version, event, now, status};

pub fn call(
    shared: &Arc<Shared>,
    child: &Arc<Child>,
    id: u32,
    params: &mut Params<'_>,
    reply: &mut Reply,
) -> Result<Outcome, Malformed> {
    Ok(Outcome::Status(match id {
        11_000 => {
            let _hdb = params.int()?;
            let _host = params.text()?;
            let name = params.text()?;
            let hardware = params.int()?;
            let password = params.text()?;
            let patience = params.int()?;
            log_in(shared, child, &name, hardware, &password, patience, reply)
        }
        11_001 => {
            let is_called = params.int()? != 0;
            let patience = params.int()?;
            let patience = if is_called { patience.max(0) } else { 0 };
            child.patience.store(patience as u64, Ordering::Relaxed);
            status::SUCCESS
        }
        11_003 => {
            let _hdb = params.int()?;
            let name = params.text()?;
            let found = shared.child(&name);
            reply.int(found.as_ref().map_or(0, |child| child.patience.load(Ordering::Relaxed) as i32));
            reply.int(found.as_ref().map_or(0, |child| child.idle() as i32));
            if found.is_some() { status::SUCCESS } else { status::CM_NO_CLIENT }
        }
        11_004 => {
            let kind = params.int()?;
            if shared.options.version != Version::V2014 {
                params.text()?;
            }
            let text = params.text()?;
            message(shared, child, kind, &text)
        }
        11_005 => {
            let command = params.text()?;
            params.int()?;
            shared.offence(format!("{} wanted to execute '{command}'", child.name()));
            reply.text("", 1);
            status::SUCCESS
        }
        11_006 | 11_008 => {
            reply.int(now() as i32);
            status::SUCCESS
        }
        11_007 => {
            let room = params.int()?;
            reply.text("Sat Nov 21 01:33:29 2026", room.max(1) as usize);
            status::SUCCESS
        }
        11_009 => {
            let kind = params.int()?;
            let (_file, _line, _routine) = (params.text()?, params.int()?, params.text()?);
            let text = params.text()?;
            message(shared, child, kind, &text)
        }
        11_011 => {
            let name = params.text()?;
            let is_whole = params.int()? != 0;
            let is_it = |other: &str| match other.get(..name.len()) {
                Some(start) => start.eq_ignore_ascii_case(&name) && (!is_whole || other.len() == name.len()),
                None => false,
            };
            match shared.odb().clients().iter().any(|(_, other)| is_it(other)) {
                true => status::SUCCESS,
                false => status::CM_NO_CLIENT,
            }
        }
        15_000 => {
            let (byte, word, int) = (params.int()?, params.word()?, params.int()?);
            let (float, double) = (f32::from_bits(params.int()? as u32), params.double()?);
            reply.byte((byte as u8).wrapping_mul(2));
            reply.word(word.wrapping_mul(2));
            reply.int(int.wrapping_mul(2));
            reply.float(float * 2.0);
            reply.double(double * 2.0);
            status::SUCCESS
        }
        _ => return Ok(Outcome::Silence),
    }))
}

fn message(shared: &Arc<Shared>, child: &Child, kind: i32, text: &str) -> i32 {
    let name = match kind {
        1 => "ERROR",
        2 => "INFO",
        4 => "DEBUG",
        8 => "USER",
        16 => "LOG",
        32 => "TALK",
        _ => "?",
    };
    let text = format!("[{},{name}] {text}", child.name());
    shared.message(text.clone());
    let (ring, _) = shared.ring("SYSMSG", 100_000);
    let bytes = event(0x8002, kind as u16, 0, format!("{text}\0").as_bytes());
    ring.send(&bytes, false, &|| true);
    status::SUCCESS
}

fn string(size: usize, text: &str) -> Value {
    Value::String(Strings { size, values: vec![text.as_bytes().to_vec()] })
}

fn log_in(
    shared: &Arc<Shared>,
    child: &Child,
    name: &str,
    hardware: i32,
    password: &str,
    patience: i32,
    reply: &mut Reply,
) -> i32 {
    let mut odb = shared.odb();
    let wanted = odb.tree.get::<String>("/Experiment/Security/Password").ok();
    if wanted.is_some_and(|wanted| wanted != password) {
        reply.int(0);
        return status::CM_WRONG_PASSWORD;
    }
    let others = odb.clients();
    let is_free = |name: &str| !others.iter().any(|(_, other)| other == name);
    let numbered = (1..).map(|number| format!("{name}{number}"));
    let own = std::iter::once(name.to_owned()).chain(numbered).find(|name| is_free(name)).unwrap_or_default();
    let client = format!("/System/Clients/{}", child.pid);
    let program = format!("/Programs/{name}");
    odb.change(|tree| {
        let host = if child.host.is_loopback() { "localhost".to_owned() } else { child.host.to_string() };
        let mut put = |path: &str, value: Value| tree.create(path, value).expect("a path of its own");
        put(&format!("{client}/Name"), string(32, &own));
        put(&format!("{client}/Host"), string(256, &host));
        put(&format!("{client}/Hardware type"), hardware.into());
        put(&format!("{client}/Server Port"), 0.into());
        put(&format!("{client}/Link timeout"), patience.into());
        tree.set_mode(&client, Mode::READ, true).expect("it was just made");
        if !tree.exists(&program) {
            let mut put =
                |key: &str, value: Value| tree.create(&format!("{program}/{key}"), value).expect("a name");
            put("Required", false.into());
            put("Watchdog timeout", 10_000.into());
            put("Check interval", 180_000u32.into());
            put("Start command", string(256, ""));
            put("Auto start", false.into());
            put("Auto stop", false.into());
            put("Auto restart", false.into());
            put("Alarm class", string(32, ""));
            put("First failed", 0u32.into());
        }
    });
    child.patience.store(patience.max(0) as u64, Ordering::Relaxed);
    let handle = odb.find(0, &client, true).unwrap_or(0);
    drop(odb);
    child.set_name(&own);
    reply.int(handle);
    status::SUCCESS
}
