//! `pactolus demo`.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use pactolus::formats::compress::Output;
use pactolus::formats::{Compression, WholeFile};
use pactolus::simulate::Simulation;
use pactolus::{Analyzer, Definition, Error, Job};

use crate::analyze::{WHAT_WAS_READ, code};
use crate::{App, Outcome, summary};

/// Make a small run, analyze it, and show what to try next.
#[derive(Args)]
pub(crate) struct DemoArgs {
    /// Where to put the files
    #[arg(default_value = "pactolus-demo", value_name = "DIRECTORY")]
    directory: PathBuf,
}

/// The definition of MIDAS's sample experiment.
const DEFINITION: &str = include_str!("../../examples/experiment/analyzer.toml");

/// Output switches: as in MIDAS, no bank of the sample experiment is written until one says so.
const BANKS: &str = "\
[/Analyzer/Bank switches]
ADC0 = DWORD : 1
TDC0 = DWORD : 1
CADC = DWORD : 1
ASUM = DWORD : 1
SCLR = DWORD : 1
ACUM = DWORD : 1
";

/// Data events of the run.
const EVENTS: u64 = 10_000;

pub(crate) fn run(app: &App, args: &DemoArgs, out: &mut dyn Write) -> Outcome {
    let directory = &args.directory;
    let file = |name: &str| directory.join(name);
    fs::create_dir_all(directory)
        .map_err(|e| format!("cannot make the directory {}: {e}", directory.display()))?;
    for (name, text) in [("analyzer.toml", DEFINITION), ("banks.odb", BANKS)] {
        WholeFile::write(file(name), text.as_bytes()).map_err(Error::Output)?;
    }
    let run = file("run00001.mid.gz");
    let simulation = Simulation { run: 1, events: EVENTS, ..Simulation::default() };
    let mut whole = WholeFile::create(&run).map_err(Error::Output)?;
    let written = Output::new(Compression::Gzip, None, &mut whole).and_then(|mut compressed| {
        simulation.write(&mut compressed)?;
        compressed.finish().map(drop)
    });
    written.map_err(|e| Error::Output(pactolus::formats::Error::io("write", &run)(e)))?;
    whole.finish().map_err(Error::Output)?;
    let shown = directory.display();
    writeln!(out, "Made {shown}/run00001.mid.gz: a run of MIDAS's sample experiment, with triggers of")?;
    writeln!(out, "four ADC and four TDC channels (event id 1) and a scaler (event id 2).")?;
    writeln!(out)?;
    writeln!(out, "Analyzing it with {shown}/analyzer.toml, which mounts three modules:")?;
    writeln!(out, "  ADC calibration      ADC0 -> CADC   minus pedestal, times gain")?;
    writeln!(out, "  ADC summing          CADC -> ASUM   sum and average above a threshold")?;
    writeln!(out, "  Scaler accumulation  SCLR -> ACUM   counts since begin of run")?;
    writeln!(out)?;

    let definition = Definition::parse(DEFINITION, file("analyzer.toml"))?;
    let analyzer = Analyzer::from_definition(&definition, &app.catalogue)?;
    let mut job = Job::new().input(&run).output(file("run%05d.parquet").to_string_lossy())?;
    job.config.push(file("banks.odb"));
    job.stop = app.stoppable(WHAT_WAS_READ);
    let report = analyzer.run(&job)?;
    summary::print(&report, false, out)?;

    let trigger = file("run00001.Trigger.parquet");
    writeln!(
        out,
        "
Each request has its table, with a column per bank. To look at one:
  python3 -c \"import pandas; print(pandas.read_parquet('{}'))\"
The modules have filled histograms. To draw one:
  {program} hist {shown}/run00001.histos.json ADCSUM

What to try next:
  {program} scan {shown}/run00001.mid.gz
  {program} dump -n 5 {shown}/run00001.mid.gz
  {program} analyze {shown}/run00001.mid.gz -a {shown}/analyzer.toml \\
    -c {shown}/banks.odb -p \"ADC calibration/Pedestal[0]=100\" --explain
  {program} analyze --help",
        trigger.display(),
        program = app.program,
    )?;
    Ok(code(&report))
}
