//! Events of files that are still written.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use pactolus::formats::mid::Block;
use pactolus::{Arrival, Live};

use super::page::Page;
use super::{BLOCK, Dump, DumpArgs};
use crate::live_input::{self, Flags};
use crate::patient::Patient;
use crate::{App, DAMAGED, ENDED, OK, Outcome, STOPPED, attach, follow};

/// What becomes of a dump that the user stops.
const SHOWN: &str = "what has come is shown";

/// What is live of the inputs: the only one.
pub(super) fn live(args: &DumpArgs) -> Result<Option<Live>, Box<dyn std::error::Error>> {
    let names: Vec<_> = args.files.iter().chain(&args.source).collect();
    let is_live = |name: &Path| {
        attach::url(name).is_some() || live_input::stream(name).is_some() || follow::parse(name).is_some()
    };
    let schemed: Vec<PathBuf> = names
        .into_iter()
        .map(|name| match args.follow && !is_live(name) {
            false => name.clone(),
            true => {
                let mut schemed = std::ffi::OsString::from(follow::SCHEME);
                schemed.push(name);
                schemed.into()
            }
        })
        .collect();
    let names: Vec<_> = schemed.iter().collect();
    let mut live = live_input::only(&names, &args.take, &Flags::None, args.live_timeout, &args.runs)?;
    match &mut live {
        Some(Live::Experiment(experiment)) => experiment.login.name = attach::NAME.to_owned(),
        None if !args.runs.is_empty() => return Err(live_input::RUNS.into()),
        _ => {}
    }
    Ok(live)
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
