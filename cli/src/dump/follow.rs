//! Events of files that are still written.

use std::io::{self, Write};
use std::path::PathBuf;

use pactolus::formats::mid::Block;
use pactolus::{Arrival, Follow};

use super::page::Page;
use super::{BLOCK, Dump, DumpArgs};
use crate::patient::Patient;
use crate::{App, DAMAGED, ENDED, OK, Outcome, STOPPED, follow};

/// What becomes of a dump that the user stops.
const SHOWN: &str = "what has come is shown";

/// What is to be followed.
pub(super) fn followed(args: &DumpArgs) -> Result<Option<Follow>, Box<dyn std::error::Error>> {
    let names = args.files.iter().chain(&args.source);
    if !args.follow {
        return follow::only(names, args.live_timeout);
    }
    let schemed: Vec<PathBuf> = names
        .map(|name| match follow::parse(name) {
            Some(_) => name.clone(),
            None => {
                let mut schemed = std::ffi::OsString::from(follow::SCHEME);
                schemed.push(name);
                schemed.into()
            }
        })
        .collect();
    follow::only(schemed.iter(), args.live_timeout)
}

/// Shows events as they come.
pub(super) fn run(
    app: &App,
    args: &DumpArgs,
    follow: &Follow,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Outcome {
    let stop = app.stoppable(SHOWN);
    let mut patient = None;
    let out: &mut dyn Write = match app.process {
        true => patient.insert(Patient::stdout(&stop)?),
        false => out,
    };
    let mut dump = Dump { args, out: Page::new(out), several: follow.is_several(), shown: 0, damaged: false };
    let shown = show(&mut dump, follow, &stop, err);
    let flushed = dump.out.flush();
    let ended = match shown.and_then(|ended| Ok(flushed.map(|()| ended)?)) {
        // A reader who takes nothing has not been waited for.
        Err(error) if stop.is_asked() && error.is::<io::Error>() => return Ok(STOPPED),
        ended => ended?,
    };
    if let Some(ended) = &ended {
        let _ = writeln!(err, "pactolus: {ended}");
    }
    Ok(match () {
        () if stop.is_asked() => STOPPED,
        () if ended.is_some() => ENDED,
        () if dump.damaged => DAMAGED,
        () => OK,
    })
}

fn show(
    dump: &mut Dump<'_>,
    follow: &Follow,
    stop: &pactolus::Stop,
    err: &mut dyn Write,
) -> Result<Option<pactolus::Ended>, Box<dyn std::error::Error>> {
    let mut arrivals = follow.events(dump.args.believe.limits(), stop)?;
    let (mut block, mut name, mut broken) = (Block::new(), PathBuf::new(), 0);
    loop {
        match arrivals.next(&mut block, BLOCK)? {
            Arrival::File(file) => {
                name = file;
                dump.begin(&name)?;
            }
            Arrival::Events => broken += dump.block(&name, &block)?,
            Arrival::Damage(damage) => dump.damage(&name, &damage, err),
            Arrival::End(refused) => dump.end(&name, refused.as_ref(), std::mem::take(&mut broken), err)?,
            Arrival::News(text) => drop(writeln!(err, "warning: {text}")),
            Arrival::Over(ended) => {
                // The file in hand may not have ended.
                dump.end(&name, None, broken, err)?;
                return Ok(ended);
            }
            _ => {}
        }
        if dump.is_full() {
            dump.end(&name, None, broken, err)?;
            return Ok(None);
        }
    }
}
