//! Events of files that are still written.

use std::io::{self, Write};
use std::path::PathBuf;

use pactolus::formats::mid::Block;
use pactolus::{Arrival, Experiment, Live};

use super::page::Page;
use super::{BLOCK, Dump, DumpArgs};
use crate::patient::Patient;
use crate::{App, DAMAGED, ENDED, OK, Outcome, STOPPED, attach, follow};

/// What becomes of a dump that the user stops.
const SHOWN: &str = "what has come is shown";

/// What is live of the inputs: the only one.
pub(super) fn live(args: &DumpArgs) -> Result<Option<Live>, Box<dyn std::error::Error>> {
    let mut names = args.files.iter().chain(&args.source);
    if let Some(url) = names.clone().find_map(|name| attach::url(name)) {
        if names.nth(1).is_some() {
            return Err(attach::ALONE.into());
        }
        let mut experiment = Experiment::new(url)?;
        experiment.login.name = attach::NAME.to_owned();
        experiment.timeout = args.live_timeout;
        return Ok(Some(Live::Experiment(experiment)));
    }
    if !args.follow {
        return Ok(follow::only(names, args.live_timeout)?.map(Live::Follow));
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
    Ok(follow::only(schemed.iter(), args.live_timeout)?.map(Live::Follow))
}

/// Shows events as they come.
pub(super) fn run(
    app: &App,
    args: &DumpArgs,
    live: &Live,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Outcome {
    let stop = app.stoppable(SHOWN);
    let mut patient = None;
    let out: &mut dyn Write = match app.process {
        true => patient.insert(Patient::stdout(&stop)?),
        false => out,
    };
    let mut dump = Dump { args, out: Page::new(out), several: live.is_several(), shown: 0, damaged: false };
    let shown = show(&mut dump, live, &stop, err);
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
    live: &Live,
    stop: &pactolus::Stop,
    err: &mut dyn Write,
) -> Result<Option<pactolus::Ended>, Box<dyn std::error::Error>> {
    let mut arrivals = live.events(dump.args.believe.limits(), stop)?;
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
