//! The arguments of `analyze`: MIDAS's letters where they exist, long names for all.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use pactolus::Shard;
use pactolus::formats::Limits;

use crate::attach::{self, AttachArgs};
use crate::follow::SCHEME;
use crate::live_input::TakeArgs;
use crate::publish;

/// Pass the events of run files through the modules of a definition.
///
/// Reads .mid and .asc files, plain or compressed (.gz .lz4 .bz2 .zst, found by the first bytes). Without a
/// definition, events are taken as they are and requests come from the run's own ODB.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AnalyzeArgs {
    /// Run files; directories, for all run files in them, earlier outputs too; patterns such as
    /// 'run*.mid'; `-` is standard input; follow:FILE, follow:DIR or follow:FAST,SLOW for files that are
    /// analyzed while they are written, and copied from one directory to another; midas://HOST[:PORT][/EXPT] for the
    /// events of an experiment that runs; shm:NAME for a stream in shared memory of this computer
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Run files, as mana takes them; run%05d.mid with -r
    #[arg(short, long, value_name = "FILE", num_args = 1..)]
    pub(crate) input: Vec<PathBuf>,

    /// Outputs: .mid or .asc, each also .gz .lz4 .bz2 .zst; .parquet, .arrow (one table per
    /// request); `-` is standard output, -.Trigger.arrow a stream of one table there. %05d is the run number: without it, runs are appended
    #[arg(short, long, value_name = "OUT", num_args = 1..)]
    pub(crate) output: Vec<String>,

    /// Analyzer definition: requests, modules and banks
    #[arg(short, long, value_name = "TOML")]
    pub(crate) analyzer: Option<PathBuf>,

    /// Configuration files (.odb, .xml, .json) applied at begin of run; %05d is the run number
    #[arg(short, long, value_name = "FILE", num_args = 1..)]
    pub(crate) config: Vec<PathBuf>,

    /// Single parameters, below /<Analyzer>/Parameters or as a full path:
    /// -p "ADC calibration/Pedestal[3]=174"
    #[arg(short, long, value_name = "PATH=VALUE", num_args = 1..)]
    pub(crate) parameter: Vec<String>,

    /// ODB trees that the run's own dump must not change
    #[arg(short = 'P', long, value_name = "SUBTREE", num_args = 1..)]
    pub(crate) protect: Vec<String>,

    /// First and last run number, for an input with %05d, a directory that is followed, or an experiment
    #[arg(short, long, value_names = ["FIRST", "LAST"], num_args = 2)]
    pub(crate) runs: Vec<u32>,

    /// Events of each input to analyze, counting every event read, BOR and messages too: how many,
    /// or first and last, or first, last and step
    #[arg(short, value_name = "COUNT | FIRST LAST [STEP]", num_args = 1..=3)]
    pub(crate) n: Vec<u64>,

    /// At most so many data events of each input
    #[arg(long, value_name = "N")]
    pub(crate) events: Option<u64>,

    /// Filter: write the original of each event that the modules keep
    #[arg(short, long)]
    pub(crate) filter: bool,

    /// Tables with a plain column for each element, ADC0_0, ADC0_1, ..., in place of lists: for
    /// ROOT, CSV and spreadsheets
    #[arg(long)]
    pub(crate) flat: bool,

    /// Close tables after so many seconds, and go on in the next part: run00042.Trigger.000001.parquet.
    /// Others may read each part as soon as it is there; `merge` joins them. By default 30 if a file is
    /// followed or the input is an experiment or a stream; 0: tables appear whole, at the end of the run
    #[arg(long, value_name = "SECONDS", value_parser = crate::follow::seconds_or_none, conflicts_with = "shard")]
    pub(crate) rotate: Option<Duration>,

    /// Threads for the modules; by default, one for each processor
    #[arg(short = 'j', long, value_name = "THREADS", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,

    /// Memory for events on their way from the inputs to the outputs, as 400M or 1G: less, and more
    /// threads wait for one another. Histograms come on top
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    pub(crate) memory: Option<u64>,

    /// Say nothing but errors
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// Say more: parameters, messages of modules, all stages
    #[arg(short, long)]
    pub(crate) verbose: bool,

    /// Do a share of the blocks only, 3/8 the third of eight, and write a part file; `merge` makes the
    /// outputs of all parts
    #[arg(long, value_name = "K/N")]
    pub(crate) shard: Option<Shard>,

    /// Name of the part file; by default beside the first output, out/run00042.3of8.part with the run
    /// number of the first input. It replaces no other file than an earlier part of the same shard
    #[arg(long, value_name = "FILE", requires = "shard")]
    pub(crate) part: Option<PathBuf>,

    /// Stop at the first damage or module error (slower: it looks at one event at a time)
    #[arg(long)]
    pub(crate) strict: bool,

    /// Seconds without a byte after which following ends, with exit code 4; by default 120 for follow:FILE,
    /// and never for follow:DIR; seconds without an event from midas://... or shm:NAME, by default never
    #[arg(long, value_name = "SECONDS", value_parser = crate::follow::seconds)]
    pub(crate) live_timeout: Option<Duration>,

    /// Analyze a run of which a subrun is missing, or in which the connection to an experiment was lost or who
    /// publishes was gone, as one that is whole
    #[arg(long)]
    pub(crate) allow_missing: bool,

    #[command(flatten)]
    pub(crate) believe: Believe,

    #[command(flatten)]
    pub(crate) take: TakeArgs,

    #[command(flatten)]
    pub(crate) attach: AttachArgs,

    /// Work on the ODB in this directory, which other programs may change meanwhile: parameters and
    /// switches take effect within one block of events. PACTOLUS_ODB names it, too
    #[arg(long, value_name = "DIR")]
    pub(crate) odb: Option<PathBuf>,

    /// Apply the parameters and switches of an earlier job, each from the same event on: FILE is any output
    /// of it, a table, a file of histograms or OUT.provenance.json. May be given for each of several runs
    #[arg(long, value_name = "FILE")]
    pub(crate) epochs: Vec<PathBuf>,

    /// Files loaded into the ODB before everything else
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) odb_load: Vec<PathBuf>,

    /// Save the ODB as the last run leaves it (.odb, .xml, .json)
    #[arg(long, value_name = "FILE")]
    pub(crate) odb_save: Option<PathBuf>,

    /// Report to standard output as JSON; of what is followed, JSON lines while it goes on
    #[arg(long)]
    pub(crate) json: bool,

    /// Print each parameter with its value and where it comes from
    #[arg(long)]
    pub(crate) explain: bool,

    /// Row-wise n-tuples of mana: accepted, without effect there and here
    #[arg(short, hide = true)]
    pub(crate) w: bool,
}

const EXAMPLES: &str = "\
Examples:
  pactolus analyze run00042.mid.gz -o run%05d.parquet
  pactolus analyze -a lab.toml -i run%05d.mid.lz4 -r 120 125 -o cal%05d.mid
  pactolus analyze -a lab.toml run00042.mid -c banks.odb -n 1000 -o -.asc
  pactolus analyze -a lab.toml run00042.mid -o -.Trigger.arrow | python3 plot.py
  pactolus analyze -a lab.toml /data -o /results/run%05d.parquet
  pactolus analyze -a lab.toml run00042.mid -o run%05d.mid --shard 3/8
  daq-stream | pactolus analyze - -a lab.toml --odb daq -o run%05d.parquet
  pactolus analyze -a lab.toml run00042.mid --epochs run00042.Trigger.parquet -o again%05d.parquet
  pactolus analyze -a lab.toml follow:/data -o run%05d.parquet
  pactolus analyze -a lab.toml follow:/fast,/archive -r 120 125 --json
  pactolus analyze -a lab.toml midas://daq/lxe -o run%05d.parquet
  pactolus analyze -a lab.toml shm:lxe --sampling all -o run%05d.parquet
  pactolus analyze -a lab.toml run00042.mid -p \"ADC summing/ADC threshold=7\"

Exit codes: 0 all well; 1 finished, but with damage or module errors; 2 could
not run; 3 stopped by the user; 4 what is live was silent for too long, is away,
or is not what it was; 5 an output could not be written, standard output closed by
its reader included.";

/// Letters of mana without a meaning here, and what takes their place.
const FOREIGN: &[(&str, &str)] = &[
    ("-d", "it disabled the watchdog of the old ODB; nothing is needed in its place"),
    ("-D", "it made a daemon; use systemd, or `nohup pactolus ... &`"),
    (
        "-e",
        "it named a live experiment; give midas://HOST/EXPERIMENT in place of a file, or follow:DIR for its files",
    ),
    (
        "-h",
        "it named the host of a live experiment; give midas://HOST/EXPERIMENT in place of a file (help is --help)",
    ),
    ("-l", "it kept old histograms from being loaded; nothing is loaded here"),
    ("-L", "it set the record length of HBOOK files; tables are .parquet and .arrow here"),
    ("-s", "it opened a port for ROOT; histograms are files here, which `pactolus hist` draws"),
    ("-R", "it started the ROOT server; histograms are files here, which `pactolus hist` draws"),
    ("-t", "it set the number of PVM tasks; use -j for threads"),
    ("-b", "it set the buffer size of PVM; use -j for threads"),
];

/// What only some commands can read: a file of that name is behind `./`.
#[derive(Debug)]
pub(crate) struct Followed(String);

impl std::fmt::Display for Followed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: only analyze, dump and bridge take what is live", self.0)
    }
}

impl std::error::Error for Followed {}

/// Refuses to follow where the whole of a file is wanted, rather than to look for a file of that name.
pub(crate) fn refuse_followed(args: &[OsString]) -> Result<(), Followed> {
    // The last two take streams in their own ways.
    let taking = ["analyze", "dump", "bridge", "simulate", "shm"];
    if args.first().is_some_and(|command| taking.iter().any(|taking| command == taking)) {
        return Ok(());
    }
    let schemes = [SCHEME, attach::SCHEME, publish::SCHEME];
    let is_live = |arg: &str| schemes.iter().any(|scheme| arg.starts_with(scheme));
    let followed = args.iter().map(|arg| arg.to_string_lossy()).find(|arg| is_live(arg));
    followed.map_or(Ok(()), |arg| Err(Followed(arg.into_owned())))
}

/// A flag of mana that does not exist here.
#[derive(Debug)]
pub(crate) struct Foreign {
    flag: &'static str,
    instead: &'static str,
}

impl std::fmt::Display for Foreign {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of mana has no meaning here: {}", self.flag, self.instead)
    }
}

impl std::error::Error for Foreign {}

/// What to believe of the claims of an input.
#[derive(Args)]
pub(crate) struct Believe {
    /// Largest event to believe in, as 4M or 2G
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "256M")]
    max_event: usize,
}

impl Believe {
    pub(crate) fn limits(&self) -> Limits {
        Limits { event: self.max_event, ..Limits::default() }
    }
}

/// A number of bytes up to 4G, with K, M or G behind it.
pub(crate) fn size(text: &str) -> Result<usize, String> {
    let bytes = bytes(text).ok_or("a number of bytes wanted, as 500000, 4M or 2G")?;
    // Headers hold sizes of 32 bits.
    usize::try_from(bytes)
        .ok()
        .filter(|&bytes| bytes > 0 && bytes <= 1 << 32)
        .ok_or_else(|| "a number of bytes up to 4G wanted, as 500000, 4M or 2G".to_owned())
}

/// An amount of memory.
fn memory(text: &str) -> Result<u64, String> {
    let bytes = bytes(text).ok_or("an amount of memory wanted, as 400M or 1G")?;
    if bytes < LEAST_MEMORY {
        return Err("at least 1M wanted, as 400M or 1G".into());
    }
    Ok(bytes)
}

/// Less is a slip, most often a unit that was forgotten.
const LEAST_MEMORY: u64 = 1 << 20;

/// A number, perhaps with K, M or G behind it. One beyond all numbers is the largest.
fn bytes(text: &str) -> Option<u64> {
    let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(at);
    let unit = match unit.to_ascii_uppercase().as_str() {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        _ => return None,
    };
    if digits.is_empty() {
        return None;
    }
    let number = digits.parse::<u64>().unwrap_or(u64::MAX);
    Some(number.saturating_mul(unit))
}

/// Standard output with a type, as `-.asc`, looks like a flag: attached to its own it does not.
pub(crate) fn attached(args: &[OsString]) -> Vec<OsString> {
    let mut whole: Vec<OsString> = Vec::new();
    for arg in args {
        if arg.to_string_lossy().starts_with("-.") {
            if whole.last().is_some_and(|flag| flag == "-o" || flag == "--output") {
                whole.pop();
            }
            let mut attached = OsString::from("--output=");
            attached.push(arg);
            whole.push(attached);
        } else {
            whole.push(arg.clone());
        }
    }
    whole
}

/// Names what replaces letters of mana, where clap could only say that they are unknown.
pub(crate) fn refuse_foreign(args: &[OsString]) -> Result<(), Foreign> {
    if args.first().is_none_or(|command| command != "analyze") {
        return Ok(());
    }
    for (i, arg) in args.iter().enumerate() {
        let arg = arg.to_string_lossy();
        // `-h localhost` or `-hlocalhost`, but not `--help`.
        let found = FOREIGN.iter().find(|(flag, _)| arg == *flag || *flag == "-h" && arg.starts_with("-h"));
        let Some((flag, instead)) = found else { continue };
        let has_value =
            arg.len() > 2 || args.get(i + 1).is_some_and(|next| !next.to_string_lossy().starts_with('-'));
        // `-h` alone asks for help.
        if *flag != "-h" || has_value {
            return Err(Foreign { flag, instead });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(memory("400M"), Ok(400 << 20));
        assert_eq!(memory("1g"), Ok(1 << 30));
        assert_eq!(memory("1048576"), Ok(1 << 20));
        assert_eq!(memory("64G"), Ok(64 << 30));
        assert_eq!(memory("99999999999999999999999G"), Ok(u64::MAX));
        for text in ["", "M", "-1M", "4 M", "4MB", "4T", "1.5G", "viel"] {
            assert!(memory(text).unwrap_err().contains("an amount of memory"), "{text}");
        }
        for text in ["0", "400", "1023K"] {
            assert!(memory(text).unwrap_err().contains("at least"), "{text}");
        }
        assert_eq!(size("4G"), Ok(1 << 32));
        assert_eq!(size("2k"), Ok(2048));
        assert!(size("5G").unwrap_err().contains("up to 4G"));
        assert!(size("99999999999999999999999").unwrap_err().contains("up to 4G"));
        assert!(size("0").unwrap_err().contains("up to 4G"));
        assert!(size("big").unwrap_err().starts_with("a number of bytes wanted"));
    }
}
