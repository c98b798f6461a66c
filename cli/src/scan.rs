//! `pactolus scan`: what is in a file.

mod check;

use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use pactolus::formats::event::Kind;
use pactolus::formats::mid::layout::BankKind;
use pactolus::formats::{Compression, Tid};
use pactolus::scan::{IdSeen, Range, RunSeen, Scan, Scanned};
use serde::Serialize;

use crate::args::Believe;
use crate::dump::open;
use crate::dump::text::{count, kind_word, utc};
use crate::progress::thousands;
use crate::summary::without_text;
use crate::{DAMAGED, OK, Outcome, inputs};

use check::Checks;

/// Tell what is in run files: runs, event ids, banks, gaps, damage.
///
/// Reads every event of every file. A serial number that does not follow the one before counts as
/// a gap of its event id. What is broken is named with its place, in compressed files with both.
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = "pactolus scan <FILE>... [OPTIONS]")]
pub(crate) struct ScanArgs {
    /// Run files; directories, for all run files in them; patterns such as 'run*.mid'; `-` is
    /// standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Compare with the checksums that MIDAS's logger wrote beside the file: run00042.mid.crc32c of
    /// the events uncompressed, run00042.mid.lz4.crc32c of the file as it stands
    #[arg(long)]
    check: bool,

    /// One JSON object per file and line
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    believe: Believe,
}

const EXAMPLES: &str = "\
Examples:
  pactolus scan run00042.mid.gz
  pactolus scan /data --check
  pactolus scan '/data/run*.mid.lz4' --json | jq '[.runs[].events]'

Exit codes: 0 all well; 1 broken banks, a file that is cut or broken, or, with
--check, a checksum that differs, or none found for any file; 2 could not run; 5
the output could not be written.";

pub(crate) fn run(args: &ScanArgs, out: &mut dyn Write, err: &mut dyn Write) -> Outcome {
    let mut code = OK;
    let mut compared = false;
    for (i, path) in inputs::find_all(args.files.iter())?.iter().enumerate() {
        let scanned = read(path, &args.believe)?;
        let checks = args.check.then(|| Checks::of(path));
        let wrong = checks.as_ref().is_some_and(Checks::is_wrong);
        if scanned.scan.is_damaged() || scanned.without_text.is_some() || wrong {
            code = DAMAGED;
        }
        compared |= checks.as_ref().is_some_and(Checks::is_any);
        // In one piece: a reader that has seen enough leaves no half line behind.
        let mut page = Vec::new();
        if args.json {
            let checksums = checks.as_ref();
            let file = File { file: path.display().to_string(), scanned: &scanned, checksums };
            serde_json::to_writer(&mut page, &file)?;
            page.push(b'\n');
        } else {
            if i > 0 {
                page.push(b'\n');
            }
            print(path, &scanned, &mut page)?;
            if let Some(checks) = checks {
                checks.print(&mut page)?;
            }
        }
        out.write_all(&page).and_then(|()| out.flush())?;
    }
    if args.check && !compared {
        // Who asks for a check must not take silence for an answer.
        let _ = writeln!(err, "pactolus: nothing was checked: no side file (FILE.crc32c) was found");
        code = DAMAGED;
    }
    Ok(code)
}

fn read(path: &Path, believe: &Believe) -> Result<Scanned, Box<dyn Error>> {
    let input = open(path)?;
    Ok(Scan::read_with(input, believe.limits()).map_err(pactolus::formats::Error::io("read", path))?)
}

#[derive(Serialize)]
struct File<'s> {
    file: String,
    #[serde(flatten)]
    scanned: &'s Scanned,
    #[serde(skip_serializing_if = "Option::is_none")]
    checksums: Option<&'s Checks>,
}

/// All of it, for people.
fn print(path: &Path, file: &Scanned, out: &mut Vec<u8>) -> io::Result<()> {
    let scan = &file.scan;
    writeln!(out, "{}", path.display())?;
    let format = if scan.events > 0 || scan.damage.is_empty() { "MIDAS events" } else { "no whole event" };
    match file.compression {
        Compression::None => writeln!(out, "  {format}, {} bytes, not compressed", file.size)?,
        packed => writeln!(out, "  {format}, {} bytes, {packed}: {} bytes", scan.bytes, file.size)?,
    }
    write!(out, "  {} events: {} data", scan.events, scan.data)?;
    let system = scan.ids.values().filter(|id| !matches!(id.kind(), Kind::Data | Kind::Message));
    for id in system {
        let fragment = if id.id < 0xc000 { "" } else { kind_word(id.kind()) };
        write!(out, ", {} {fragment}{}{}", id.events, if fragment.is_empty() { "" } else { " " }, word(id))?;
    }
    match (scan.messages, scan.errors) {
        (0, _) => writeln!(out)?,
        (messages, 0) => writeln!(out, ", {}", count(messages, "message"))?,
        (messages, errors) => {
            writeln!(out, ", {} ({})", count(messages, "message"), count(errors, "error"))?;
        }
    }
    scan.runs.iter().try_for_each(|run| print_run(run, out))?;
    if scan.more_runs > 0 {
        writeln!(out, "  and {} more", count(scan.more_runs, "run"))?;
    }
    if scan.outside > 0 {
        writeln!(out, "  {} outside of a run: no BOR, or no EOR", count(scan.outside, "data event"))?;
    }
    if !scan.ids.is_empty() {
        print_ids(scan, out)?;
    }
    if scan.ids.values().any(|id| !id.banks.is_empty()) {
        print_banks(scan, out)?;
    }
    if scan.damaged > 0 {
        writeln!(out, "\n  {} with broken banks", count(scan.damaged, "event"))?;
    }
    if let Some(text) = &file.without_text {
        writeln!(out)?;
        without_text(text, out)?;
    }
    if scan.broken > 0 {
        let lost = count(scan.lost, "byte");
        writeln!(out, "\n  {} with broken bytes: {lost} lost", count(scan.broken, "place"))?;
    }
    for damage in &scan.damage {
        writeln!(out, "  damage: {damage}")?;
    }
    let more = scan.broken + scan.damaged - scan.damage.len() as u64;
    if more > 0 {
        writeln!(out, "  and {more} more:")?;
        for (reason, count) in &scan.reasons {
            writeln!(out, "  {count:>10} {reason}")?;
        }
    }
    Ok(())
}

fn print_run(run: &RunSeen, out: &mut Vec<u8>) -> io::Result<()> {
    write!(out, "  run {}: ", run.number)?;
    match (run.begin.map(utc), run.end.map(utc)) {
        (Some(begin), Some(end)) => write!(out, "{begin} to {end}")?,
        (Some(begin), None) => write!(out, "{begin}, no EOR, {}", count(run.events, "data event"))?,
        (None, Some(end)) => write!(out, "to {end}, no BOR, {}", count(run.events, "data event"))?,
        (None, None) => {}
    }
    if let Some(seconds) = run.seconds() {
        write!(out, ", {}", duration(seconds))?;
    }
    match run.rate() {
        Some(events) => writeln!(out, ", {} events/s", rate(events))?,
        None => writeln!(out)?,
    }
    let odb = |odb: &Option<pactolus::scan::OdbDump>| match odb {
        Some(odb) if odb.bytes == 0 => "empty".to_owned(),
        Some(odb) => {
            let form = odb.form.map_or_else(|| "of unknown form".to_owned(), |form| form.to_string());
            format!("{form}, {}", count(odb.bytes, "byte"))
        }
        None => "none".to_owned(),
    };
    writeln!(out, "    ODB at begin: {}; at end: {}", odb(&run.odb_begin), odb(&run.odb_end))
}

fn print_ids(scan: &Scan, out: &mut Vec<u8>) -> io::Result<()> {
    let seconds: u64 = scan.runs.iter().filter_map(RunSeen::seconds).map(u64::from).sum();
    writeln!(
        out,
        "\n  {:<7} {:>10} {:>7}  {:<14} {:>4}  {:<10} {:<7}  mask",
        "id", "events", "rate/s", "serial", "gaps", "data bytes", "area"
    )?;
    for id in scan.ids.values() {
        let is_data = id.kind() == Kind::Data;
        let rate = match seconds {
            0 => "-".to_owned(),
            _ if !is_data => "-".to_owned(),
            seconds => rate(id.events as f64 / seconds as f64),
        };
        let gaps = if is_data { id.gaps.to_string() } else { "-".to_owned() };
        let line = format!(
            "  {:<7} {:>10} {rate:>7}  {:<14} {gaps:>4}  {:<10} {:<7}  ",
            word(id),
            id.events,
            serials(id),
            range(id.size),
            areas(id),
        );
        match id.masks.as_slice() {
            [mask] => writeln!(out, "{line}{mask:#x}")?,
            masks => {
                writeln!(out, "{line}several")?;
                let masks: Vec<String> = masks.iter().map(|mask| format!("{mask:#x}")).collect();
                let more = if id.more_masks { " ..." } else { "" };
                writeln!(out, "          masks {}{more}", masks.join(" "))?;
            }
        }
        if id.missing > 0 {
            writeln!(out, "          {} missing in the gaps", count(id.missing, "event"))?;
        }
        if id.areas.iter().any(|area| area.big_endian) {
            writeln!(out, "          big-endian banks")?;
        }
        if id.fixed > 0 {
            writeln!(
                out,
                "          {} without bank area: FIXED format, or broken",
                count(id.fixed, "event")
            )?;
        }
    }
    Ok(())
}

fn print_banks(scan: &Scan, out: &mut Vec<u8>) -> io::Result<()> {
    writeln!(out, "\n  {:<7} {:<6} {:<9} {:>10}  bytes", "id", "bank", "type", "events")?;
    for id in scan.ids.values() {
        let mut label = word(id);
        for bank in &id.banks {
            let kind = match Tid::from_bank_code(bank.code) {
                Some(tid) => tid.name().to_owned(),
                None => format!("{:#x}", bank.code),
            };
            write!(out, "  {label:<7} {:<6} {kind:<9} {:>10}  ", bank.name, bank.events)?;
            match bank.count - bank.events {
                0 => writeln!(out, "{}", range(bank.bytes))?,
                more => writeln!(out, "{}, {more} more in the same events", range(bank.bytes))?,
            }
            label.clear();
        }
    }
    if scan.more_banks > 0 {
        writeln!(out, "  and {} banks of other names", scan.more_banks)?;
    }
    Ok(())
}

/// `1`, `BOR`, `message`, `0xc001`.
fn word(id: &IdSeen) -> String {
    match id.kind() {
        Kind::Data => id.id.to_string(),
        Kind::FragmentFirst | Kind::FragmentNext | Kind::System => format!("{:#x}", id.id),
        kind => kind_word(kind).to_owned(),
    }
}

fn serials(id: &IdSeen) -> String {
    match (id.first_serial, id.last_serial) {
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first}..{last}"),
    }
}

fn range(range: Range) -> String {
    match range {
        Range { min, max } if min == max => min.to_string(),
        Range { min, max } => format!("{min}..{max}"),
    }
}

/// Kinds of bank headers.
fn areas(id: &IdSeen) -> String {
    let mut names: Vec<&str> = id
        .areas
        .iter()
        .map(|area| match area.kind() {
            BankKind::Bank => "BANK",
            BankKind::Bank32 => "BANK32",
            BankKind::Bank32A => "BANK32A",
        })
        .collect();
    names.dedup();
    match names.as_slice() {
        [] => "-".to_owned(),
        [one] => (*one).to_owned(),
        _ => "several".to_owned(),
    }
}

fn rate(rate: f64) -> String {
    if rate < 100.0 { format!("{rate:.1}") } else { thousands(rate) }
}

/// `4 s`, `2 min 5 s`, `3 h 12 min`.
fn duration(seconds: u32) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        assert_eq!(duration(0), "0 s");
        assert_eq!(duration(119), "119 s");
        assert_eq!(duration(125), "2 min 5 s");
        assert_eq!(duration(11_520), "3 h 12 min");
    }
}
