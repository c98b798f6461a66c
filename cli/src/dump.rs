//! `pactolus dump`: events and banks as text.

mod follow;
mod header;
mod json;
mod mdump;
mod page;
pub(crate) mod text;
mod values;

use std::error::Error;
use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use pactolus::formats::asc::Refusals;
use pactolus::formats::event::{self, Kind};
use pactolus::formats::mid::{Block, Stop};
use pactolus::formats::{Bank, BankName, Damage, DamageKind, EventView, Header, Input, Order};
use pactolus::scan::{OdbDump, Payload};
use pactolus::{Events, Experiment, Live, WithoutText};

use crate::args::Believe;
use crate::live_input::TakeArgs;
use crate::summary::without_text;
use crate::{App, DAMAGED, OK, Outcome, inputs};

use page::Page;

/// Show events and banks as text.
///
/// Each event has a line with its number in the file, id, serial number, trigger mask, time and
/// data size. Each of its banks follows with name, type and contents, the index of the first value
/// at the start of each line. Structures, raw bytes and events in FIXED format are shown as bytes.
///
/// Files may be compressed (.gz .lz4 .bz2 .zst, found by the first bytes). Files that are still written
/// are followed to the end of the run.
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = "pactolus dump <FILE>... [OPTIONS]")]
pub(crate) struct DumpArgs {
    /// Run files; directories, for all run files in them; patterns such as 'run*.mid'; `-` is
    /// standard input; follow:FILE, follow:DIR or follow:FAST,SLOW as with --follow; midas://HOST[:PORT][/EXPT] for
    /// the events of an experiment that runs; shm:NAME for a stream in shared memory
    #[arg(value_name = "FILE", required_unless_present = "source")]
    files: Vec<PathBuf>,

    /// Only events of these ids: numbers, also 0x8000, or BOR, EOR, message
    #[arg(short, long, value_name = "ID", num_args = 1.., value_parser = parse_id)]
    id: Vec<u16>,

    /// Only these banks, and events that have one of them
    #[arg(short, long, value_name = "NAME", num_args = 1.., value_parser = parse_bank)]
    bank: Vec<BankName>,

    /// Only events with these serial numbers: 7, or 10-20
    #[arg(long, value_name = "N", num_args = 1.., value_parser = parse_serial)]
    serial: Vec<RangeInclusive<u32>>,

    /// Only data events whose trigger mask has one of these bits, also 0x5
    #[arg(short = 'k', long, value_name = "MASK", value_parser = parse_mask)]
    mask: Option<u16>,

    /// Stop when so many events have been shown; -l as in mdump
    #[arg(short, short_alias = 'l', value_name = "COUNT")]
    n: Option<u64>,

    /// Numbers in hexadecimal, text as bytes
    #[arg(long)]
    hex: bool,

    /// All of the ODB in BOR and EOR events, not only its first line
    #[arg(short = 'v', long)]
    odb: bool,

    /// One JSON object per event and line
    #[arg(long, conflicts_with = "format")]
    json: bool,

    /// Show events while they are written, each once and none before all of it is there: FILE is a run
    /// file, a directory, for its newest run and those that come, or two with the same files, FAST,SLOW
    #[arg(short = 'F', long)]
    follow: bool,

    /// Seconds without a byte after which following ends, with exit code 4; by default 120 for a file, and
    /// never for a directory
    #[arg(long, value_name = "SECONDS", value_parser = crate::follow::seconds)]
    live_timeout: Option<Duration>,

    /// First and last run number, of what is live
    #[arg(short, long, value_names = ["FIRST", "LAST"], num_args = 2)]
    runs: Vec<u32>,

    #[command(flatten)]
    believe: Believe,

    /// The layout
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    /// Run files, as mdump takes them
    #[arg(short = 'x', value_name = "FILE", help_heading = MDUMP)]
    source: Vec<PathBuf>,

    /// Values in hexadecimal, decimal or as text; by default, each type in its own way
    #[arg(short = 'f', long, value_enum, value_name = "x|d|a", hide_possible_values = true, help_heading = MDUMP)]
    values: Option<mdump::Values>,

    /// Names of banks only
    #[arg(short = 'j', long, help_heading = MDUMP)]
    list: bool,

    /// What is shown of an event: its banks, or all of it as 32-bit words
    #[arg(short, long, value_enum, value_name = "bank|raw", default_value = "bank", hide_possible_values = true, hide_default_value = true, help_heading = MDUMP)]
    mode: mdump::Mode,

    /// `l`: the length of each event, one line each
    #[arg(short = 'w', value_enum, value_name = "l", hide_possible_values = true, help_heading = MDUMP)]
    what: Option<mdump::What>,

    /// With -b: that bank without the others
    #[arg(long, help_heading = MDUMP)]
    single: bool,

    #[command(flatten)]
    take: TakeArgs,
}

/// The layouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Ours
    Text,
    /// That of MIDAS's mdump
    Mdump,
}

const MDUMP: &str = "With --format mdump";

const EXAMPLES: &str = "\
Examples:
  pactolus dump run00042.mid.gz | less
  pactolus dump run00042.mid --id 1 --bank ADC0 TDC0 -n 10
  pactolus dump run00042.mid --id 1 --serial 100-120
  pactolus dump run00042.mid --id message
  pactolus dump run00042.mid --id BOR --odb
  pactolus dump run00042.mid --id 1 --json | jq '.banks[0].values'
  pactolus dump --format mdump -x run00042.mid -b ADC0 -f d -l 10
  pactolus dump --follow /data --id 1 --json
  pactolus dump midas://daq/lxe --id 1 -n 10
  pactolus dump shm:lxe --id 1 --sampling all

Exit codes: 0 all well; 1 broken banks, or a file that is cut or broken; 2 could
not run; 3 stopped by the user while it followed; 4 what is followed was silent
for too long, or is not what it was; 5 the output could not be written. A reader
that closes the pipe, as `head` does, has seen enough: 0.";

/// Bytes of events read at a time: few, so that a pipe shows what it has.
const BLOCK: usize = 1 << 16;

fn parse_id(text: &str) -> Result<u16, String> {
    match text.to_ascii_lowercase().as_str() {
        "bor" => return Ok(event::BOR),
        "eor" => return Ok(event::EOR),
        "message" => return Ok(event::MESSAGE),
        _ => {}
    }
    number(text)
        .ok_or_else(|| "event id from 0 to 65535, BOR, EOR or message wanted; files come first".into())
}

fn parse_mask(text: &str) -> Result<u16, String> {
    number(text).ok_or_else(|| "trigger mask from 0 to 0xffff wanted".into())
}

/// Decimal, or hexadecimal behind `0x`.
fn number(text: &str) -> Option<u16> {
    match text.strip_prefix("0x") {
        Some(digits) => u16::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn parse_serial(text: &str) -> Result<RangeInclusive<u32>, String> {
    let range = match text.split_once('-') {
        Some((first, last)) => first.parse().ok().zip(last.parse().ok()),
        None => text.parse().ok().map(|serial| (serial, serial)),
    };
    match range {
        Some((first, last)) if first <= last => Ok(first..=last),
        Some(_) => Err("the first serial number comes after the last".into()),
        None => Err("serial number, or a range such as 10-20, wanted; files come first".into()),
    }
}

fn parse_bank(name: &str) -> Result<BankName, String> {
    BankName::parse(name)
        .ok_or_else(|| format!("name of one to four bytes wanted, {} found; files come first", name.len()))
}

/// Shows the events of an experiment.
pub(crate) fn live(
    app: &App,
    args: &DumpArgs,
    mut experiment: Experiment,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Outcome {
    args.check()?;
    experiment.timeout = args.live_timeout;
    experiment.sampling = args.take.sampling;
    if let [first, last] = args.runs.as_slice() {
        experiment.runs = Some((*first, *last));
    }
    follow::run(app, args, &Live::Experiment(experiment), out, err)
}

pub(crate) fn run(app: &App, args: &DumpArgs, out: &mut dyn Write, err: &mut dyn Write) -> Outcome {
    args.check()?;
    if let Some(live) = follow::live(args)? {
        return follow::run(app, args, &live, out, err);
    }
    let files = inputs::find_all(args.files.iter().chain(&args.source))?;
    let several = files.len() > 1;
    let mut dump = Dump { args, out: Page::new(out), several, shown: 0, damaged: false };
    for file in &files {
        if dump.is_full() {
            break;
        }
        if let Err(error) = dump.file(file, err) {
            // What came before the error is shown before the error.
            let _ = dump.out.flush();
            return Err(error);
        }
    }
    dump.out.flush()?;
    Ok(if dump.damaged { DAMAGED } else { OK })
}

/// Opens an input; `-` is standard input.
pub(crate) fn open(path: &Path) -> Result<Input, pactolus::formats::Error> {
    if path.as_os_str() == "-" { Input::stdin() } else { Input::open(path) }
}

impl DumpArgs {
    /// Refuses letters of mdump in the layouts that have no use for them.
    fn check(&self) -> Result<(), String> {
        if self.format == Format::Mdump {
            return Ok(());
        }
        let given = [
            ("-f", self.values.is_some()),
            ("-j", self.list),
            ("-m raw", self.mode == mdump::Mode::Raw),
            ("-w", self.what.is_some()),
            ("--single", self.single),
        ];
        match given.iter().find(|(_, given)| *given) {
            Some((letter, _)) => Err(format!("{letter} is a letter of mdump: add --format mdump")),
            None => Ok(()),
        }
    }
}

struct Dump<'a> {
    args: &'a DumpArgs,
    out: Page<'a>,
    /// More than one file.
    several: bool,
    /// Events.
    shown: u64,
    damaged: bool,
}

impl Dump<'_> {
    fn is_full(&self) -> bool {
        self.args.n.is_some_and(|most| self.shown >= most)
    }

    fn file(&mut self, path: &Path, err: &mut dyn Write) -> Result<(), Box<dyn Error>> {
        let input = open(path)?;
        let name = input.name().to_owned();
        self.begin(&name)?;
        let unread = |error| pactolus::formats::Error::io("read", &name)(error);
        let mut reader = Events::new(input, self.args.believe.limits()).map_err(unread)?.keep_fragments();
        let mut block = Block::new();
        let mut broken = 0;
        loop {
            let stop = reader.read(&mut block, BLOCK).map_err(unread)?;
            broken += self.block(&name, &block)?;
            match stop {
                _ if self.is_full() => break,
                Stop::Damaged(damage) => self.damage(&name, &damage, err),
                Stop::End => break,
                Stop::Full | Stop::Bor | Stop::Eor | Stop::Pause => {}
            }
        }
        Ok(self.end(&name, reader.refused(), broken, err)?)
    }

    /// A file begins.
    fn begin(&mut self, name: &Path) -> io::Result<()> {
        if self.several && !self.args.json && self.args.format == Format::Text {
            writeln!(self.out, "file {}", name.display())?;
        }
        Ok(())
    }

    /// Shows the events of a block; how many have broken banks.
    fn block(&mut self, name: &Path, block: &Block) -> io::Result<u64> {
        let mut broken = 0;
        for (number, event) in (block.first..).zip(block.events()) {
            if self.is_full() {
                break;
            }
            if self.wants(&event) {
                self.shown += 1;
                broken += u64::from(self.event(name, number, &event)?);
            } else if self.args.format == Format::Mdump {
                mdump::write_skipped(&mut self.out, self.args, number)?;
            }
        }
        // Who waits at a pipe wants to see what has come.
        self.out.flush()?;
        Ok(broken)
    }

    /// Tells broken bytes.
    fn damage(&mut self, name: &Path, damage: &Damage, err: &mut dyn Write) {
        self.damaged = true;
        let _ = writeln!(err, "pactolus: {}: {damage}", name.display());
    }

    /// A file ends.
    fn end(
        &mut self,
        name: &Path,
        refused: Option<&Refusals>,
        broken: u64,
        err: &mut dyn Write,
    ) -> io::Result<()> {
        if let Some(refused) = refused.filter(|refused| refused.count() > 0) {
            self.damaged = true;
            without_text(&WithoutText::new(name.to_owned(), refused), err)?;
        }
        if broken > 0 {
            self.damaged = true;
            let broken = text::count(broken, "event");
            let _ = writeln!(err, "pactolus: {}: {broken} with broken banks", name.display());
        }
        Ok(())
    }

    fn wants(&self, event: &EventView<'_>) -> bool {
        let DumpArgs { id, bank, serial, mask, .. } = self.args;
        (id.is_empty() || id.contains(&event.header.id))
            && (serial.is_empty() || serial.iter().any(|range| range.contains(&event.header.serial)))
            && mask.is_none_or(|mask| event.kind() == Kind::Data && event.header.mask & mask != 0)
            && (bank.is_empty()
                || matches!(Payload::of(event), Payload::Banks(_))
                    && event.kind() == Kind::Data
                    && event.banks().any(|found| found.is_ok_and(|found| bank.contains(&found.name))))
    }

    /// Shows an event; whether its banks are broken.
    fn event(&mut self, file: &Path, number: u64, event: &EventView<'_>) -> io::Result<bool> {
        if self.args.format == Format::Mdump {
            return mdump::write(&mut self.out, self.args, number, event);
        }
        if self.args.json {
            return json::write(&mut self.out, self.args, file, number, event);
        }
        header::push(self.out.line()?, number, &event.header);
        match event.kind() {
            Kind::Data => return self.data(event),
            Kind::Bor | Kind::Eor => self.odb(event)?,
            Kind::Message => text::write_wrapped(&mut self.out, event.text(), 2)?,
            Kind::FragmentFirst => {
                let size = event.payload.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
                let id = event.header.id & 0x0fff;
                if let Some(size) = size {
                    writeln!(self.out, "  first piece of an event with id {id} and {size} bytes")?;
                }
                text::write_bytes(&mut self.out, event.payload)?;
            }
            Kind::FragmentNext => {
                writeln!(self.out, "  next piece of an event with id {}", event.header.id & 0x0fff)?;
                text::write_bytes(&mut self.out, event.payload)?;
            }
            Kind::System => text::write_bytes(&mut self.out, event.payload)?,
        }
        Ok(false)
    }

    fn odb(&mut self, event: &EventView<'_>) -> io::Result<()> {
        let text = event.text();
        let OdbDump { bytes, form } = OdbDump::of(event);
        let form = match form {
            Some(form) => format!("ODB as {form}"),
            None if bytes == 0 => return writeln!(self.out, "  no ODB"),
            None => "ODB in an unknown form".to_owned(),
        };
        if self.args.odb {
            writeln!(self.out, "  {form}, {bytes} bytes:")?;
            return text::write_lines(&mut self.out, text);
        }
        let line = text.trim_ascii_start().split(|&byte| byte == b'\n').next().unwrap_or_default();
        // A line of a broken file may be as long as the file.
        let line = text::escaped(&line[..line.len().min(4 * 80)]);
        let room = 80 - 4 - form.len();
        let (line, dots) = match line.char_indices().nth(room) {
            Some(_) => (text::cut(&line, room - 4), " ..."),
            None => (line.as_str(), ""),
        };
        writeln!(self.out, "  {form}: {line}{dots}")
    }

    fn data(&mut self, event: &EventView<'_>) -> io::Result<bool> {
        match Payload::of(event) {
            Payload::Empty => return Ok(false),
            Payload::Fixed => {
                writeln!(self.out, "  no bank area: event in FIXED format, or broken")?;
                text::write_bytes(&mut self.out, event.payload)?;
                return Ok(false);
            }
            Payload::Banks(area) if area.order == Order::Big => writeln!(self.out, "  big-endian")?,
            Payload::Banks(_) => {}
        }
        let mut broken = None;
        for bank in banks(event, &mut broken) {
            if self.args.bank.is_empty() || self.args.bank.contains(&bank.name) {
                values::write(&mut self.out, &bank, self.args.hex)?;
            }
        }
        if let Some((kind, position)) = broken {
            let offset = Header::SIZE + position;
            writeln!(self.out, "  broken: {kind} at byte {offset} of the event")?;
            return Ok(true);
        }
        Ok(false)
    }
}

/// The banks of an event up to the first broken one, and what is wrong with that at which byte of
/// the payload.
fn banks<'e>(
    event: &EventView<'e>,
    broken: &mut Option<(DamageKind, usize)>,
) -> impl Iterator<Item = Bank<'e>> {
    let mut banks = event.banks();
    std::iter::from_fn(move || {
        let position = banks.position();
        match banks.next()? {
            Ok(bank) => Some(bank),
            Err(kind) => {
                *broken = Some((kind, position));
                None
            }
        }
    })
    .fuse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_numbers_or_words() {
        assert_eq!(parse_id("1"), Ok(1));
        assert_eq!(parse_id("0x8002"), Ok(0x8002));
        assert_eq!(parse_id("bor"), Ok(0x8000));
        assert!(parse_id("65536").is_err());
        assert!(parse_id("Trigger").is_err());
    }

    #[test]
    fn serial_numbers_may_be_ranges() {
        assert_eq!(parse_serial("7"), Ok(7..=7));
        assert_eq!(parse_serial("10-20"), Ok(10..=20));
        assert!(parse_serial("20-10").is_err());
        assert!(parse_serial("10-").is_err());
    }

    #[test]
    fn a_name_of_a_bank_has_four_bytes_at_most() {
        assert!(parse_bank("ADC0").is_ok());
        assert_eq!(
            parse_bank("ADC00").unwrap_err(),
            "name of one to four bytes wanted, 5 found; files come first"
        );
    }
}
