//! `pactolus shm`: streams in shared memory.

use std::io::{self, Write};

use clap::Args;
use pactolus::Error;
use pactolus::shm::{self, ConsumerStatus, ProducerStatus, Status, StreamName};

use crate::dump::text::{count as counted, cut, escaped};
use crate::status::{bytes, count, time};
use crate::{OK, Outcome};

/// List the streams in shared memory of this computer: who publishes, who reads, how far they are.
///
/// Without a name, those of this user. A stream that nobody publishes in any more is there as long as somebody reads
/// what it holds.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ShmArgs {
    /// Streams, as shm:lxe; shm:/daq/lxe is the file /daq/lxe.ring
    #[arg(value_name = "NAME", value_parser = name)]
    names: Vec<StreamName>,

    /// Answer in JSON
    #[arg(long, conflicts_with = "remove")]
    json: bool,

    /// Remove streams that have no producer; who still reads them is told
    #[arg(long, requires = "names")]
    remove: bool,
}

const EXAMPLES: &str = "\
Examples:
  pactolus shm
  pactolus shm shm:lxe --json | jq '.[0].consumers'
  pactolus shm --remove shm:lxe

Exit codes: 0 all well; 2 could not be done; 4 there is no such stream.";

/// The name of a stream, with or without `shm:`.
fn name(text: &str) -> Result<StreamName, String> {
    StreamName::new(text).map_err(|error| error.to_string())
}

pub(crate) fn run(args: &ShmArgs, out: &mut dyn Write, err: &mut dyn Write) -> Outcome {
    let named = |name: &StreamName| {
        let name = name.to_string();
        move |source| Error::Shm { name, source: Box::new(source) }
    };
    if args.remove {
        for name in &args.names {
            shm::remove(name).map_err(named(name))?;
            writeln!(out, "removed {name}")?;
        }
        return Ok(OK);
    }
    let mut streams = Vec::new();
    for name in &args.names {
        streams.push(shm::look(name).map_err(named(name))?);
    }
    if args.names.is_empty() {
        for name in shm::streams() {
            match shm::look(&name) {
                Ok(stream) => streams.push(stream),
                // It has just gone.
                Err(error) if error.is_away() => {}
                // One that is broken does not hide the others.
                Err(error) => drop(writeln!(err, "warning: {name}: {error}")),
            }
        }
    }
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &streams).map_err(io::Error::from)?;
        writeln!(out)?;
        return Ok(OK);
    }
    if streams.is_empty() {
        writeln!(out, "no stream of this user")?;
    }
    for stream in &streams {
        show(stream, out)?;
    }
    Ok(OK)
}

/// A stream and who takes part, in 80 columns.
fn show(stream: &Status, out: &mut dyn Write) -> io::Result<()> {
    let name = escaped(stream.name.as_bytes());
    let run = match stream.run {
        Some(run) if stream.is_paused => format!("run {run}, paused"),
        Some(run) => format!("run {run}"),
        None => "no run".into(),
    };
    let mode = stream.mode & 0o777;
    writeln!(out, "{name}  {run}  {} of room, mode {mode:o}", bytes(stream.size as f64))?;
    let producer = match &stream.producer {
        Some(ProducerStatus { pid, program, .. }) => {
            format!("{} (pid {pid})", cut(&escaped(program.as_bytes()), 40))
        }
        None => "none".into(),
    };
    writeln!(out, "  producer  {producer}")?;
    let mut all = format!("{}, {}", counted(stream.events, "event"), bytes(stream.bytes as f64));
    if stream.too_big > 0 {
        all += &format!("; {} too big", stream.too_big);
    }
    if stream.waited_seconds >= 0.05 {
        all += &format!("; consumers were waited for, {}", time(stream.waited_seconds));
    }
    writeln!(out, "  published {all}")?;
    if stream.consumers.is_empty() {
        return writeln!(out, "  consumers none");
    }
    writeln!(
        out,
        "  {:<24} {:>8} {:<14} {:>9} {:>9} {:>9}",
        "consumer", "pid", "takes", "events", "missed", "behind"
    )?;
    for consumer in &stream.consumers {
        let ConsumerStatus { name, pid, events, overrun, behind, .. } = consumer;
        writeln!(
            out,
            "  {:<24} {pid:>8} {:<14} {:>9} {:>9} {:>9}",
            cut(&escaped(name.as_bytes()), 24),
            cut(&takes(consumer), 14),
            count(*events as f64),
            count(*overrun as f64),
            bytes(*behind as f64),
        )?;
    }
    Ok(())
}

/// What a consumer takes.
fn takes(consumer: &ConsumerStatus) -> String {
    match &consumer.group {
        Some(group) => format!("split {}", escaped(group.as_bytes())),
        None if consumer.all => "all".into(),
        None => "what it can".into(),
    }
}
