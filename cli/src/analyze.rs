//! `pactolus analyze`.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use pactolus::formats::WholeFile;
use pactolus::odb::Save;
use pactolus::{
    Analyzer, Definition, Error, InputFile, Job, Live, OutputFile, OutputKind, Progress, Recorded, Report,
    Selection, check_runs, expand, has_run,
};

use crate::args::AnalyzeArgs;
use crate::lines::Lines;
use crate::live;
use crate::live_input::{self, Flags};
use crate::patient::Patient;
use crate::progress::Display;
use crate::telling::{How, left_out};
use crate::{App, DAMAGED, ENDED, OK, Outcome, STOPPED, inputs, shard, shared, summary};

/// What the definition that a program brings along is called in messages.
pub(crate) const BUILT_IN: &str = "built-in definition";

/// How often the tables of a live run are closed, unless the user says.
const ROTATE: Duration = Duration::from_secs(30);

/// What becomes of an analysis that the user stops.
pub(crate) const WHAT_WAS_READ: &str = "what was analyzed is written";

pub(crate) fn run(app: &App, args: AnalyzeArgs, out: &mut dyn Write, err: &mut dyn Write) -> Outcome {
    let analyzer = analyzer(app, args.analyzer.as_deref())?;
    let mut job = job(&args)?;
    // Shards and their merge have none: it may change from one to the next.
    let odb_dir = match args.shard {
        Some(_) => args.odb.clone(),
        // Recorded values are the only ones.
        None if !args.epochs.is_empty() => args.odb.clone(),
        // The ODB is that of the experiment.
        None if matches!(job.live, Some(Live::Experiment(_))) => args.odb.clone(),
        None => shared::place(args.odb.as_deref()),
    };
    if let Some(dir) = odb_dir.as_deref().filter(|_| !args.odb_load.is_empty()) {
        let dir = dir.display();
        return Err(format!(
            "--odb-load: the ODB in {dir} is shared, and the file would overwrite it: load it with `pactolus odb`, or leave out --odb (PACTOLUS_ODB)"
        )
        .into());
    }
    job.odb = odb_dir.as_deref().map(shared::open).transpose()?;
    if let Some(shard) = args.shard {
        job.stop = app.stoppable(shard::NO_PART);
        return shard::run(app, &args, &analyzer, &job, shard, (out, err));
    }
    job.stop = app.stoppable(WHAT_WAS_READ);
    let say = Say {
        process: app.process,
        quiet: args.quiet,
        verbose: args.verbose,
        json: args.json,
        explain: args.explain,
        odb_save: args.odb_save.as_deref(),
        odb_dir: odb_dir.as_deref(),
        stopped: WHAT_WAS_READ,
    };
    whole(&job, &say, out, err, |progress, out| analyzer.run_to(&job, progress, out))
}

/// What the user wants to hear, and to keep, of a whole job.
pub(crate) struct Say<'a> {
    /// Standard output is that of the process.
    pub(crate) process: bool,
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
    pub(crate) json: bool,
    pub(crate) explain: bool,
    pub(crate) odb_save: Option<&'a Path>,
    /// Where the ODB is that others share.
    pub(crate) odb_dir: Option<&'a Path>,
    /// What becomes of a job that the user stops.
    pub(crate) stopped: &'a str,
}

/// Does a job by `work`, which gets somebody to tell its progress to and standard output, and says
/// what was done.
pub(crate) fn whole(
    job: &Job,
    say: &Say<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
    work: impl FnOnce(&mut dyn FnMut(&Progress), &mut dyn Write) -> Result<Report, Error>,
) -> Outcome {
    if let Some(path) = say.odb_save {
        let reads = job.reads();
        let place = reads.check_output(path, 0)?;
        let runs = job.inputs.iter().filter_map(|i| i.run).chain([0]);
        let names = runs.flat_map(|run| job.outputs.iter().map(move |o| expand(&o.pattern, run)));
        for name in names.collect::<BTreeSet<String>>() {
            if reads.check_output(Path::new(&name), 0).is_ok_and(|p| p == place) {
                return Err(format!("--odb-save {}: an output has that name", path.display()).into());
            }
        }
    }
    let to_stdout = job.outputs.iter().any(OutputFile::is_stdout);
    if to_stdout && say.json {
        return Err("--json and -o - both want standard output: give the output a name".into());
    }
    if job.live.is_some() {
        return live(job, say, (out, err), to_stdout, work);
    }
    let mut display = Display::new(say.quiet || say.json, err).warning(!say.quiet);
    let mut patient = match to_stdout && say.process {
        true => Some(Patient::stdout(&job.stop)?),
        false => None,
    };
    let events: &mut dyn Write = match &mut patient {
        Some(patient) => patient,
        None => out,
    };
    let report = work(&mut |progress| display.show(progress), events);
    let told = display.end();
    let mut report = report?;
    report.odb_dir = say.odb_dir.map(Path::to_owned);
    report.warnings.extend(without_histograms(job, &report));
    let saved = say.odb_save.map_or(Ok(()), |path| save_odb(&report, path));
    // Standard output may be taken by events.
    match tell(say, (&report, told), if to_stdout { None } else { Some(out) }, err) {
        // Whoever reads the summary has seen enough; the work is done all the same.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
        _ => {}
    }
    saved?;
    Ok(code(&report))
}

/// Does a live job, which tells while it goes on.
fn live(
    job: &Job,
    say: &Say<'_>,
    (out, err): (&mut dyn Write, &mut dyn Write),
    to_stdout: bool,
    work: impl FnOnce(&mut dyn FnMut(&Progress), &mut dyn Write) -> Result<Report, Error>,
) -> Outcome {
    let how = How { quiet: say.quiet, verbose: say.verbose, json: say.json };
    let (mut patient, mut nowhere) = (None, io::sink());
    let (events, lines): (&mut dyn Write, _) = match (to_stdout, say.process) {
        (true, true) => (patient.insert(Patient::stdout(&job.stop)?), None),
        (true, false) => (out, None),
        // On a terminal, summaries take their turn with the line.
        (false, true) if !io::stdout().is_terminal() => {
            (&mut nowhere, Some(Lines::stdout(&job.stop, left_out(say.json))?))
        }
        (false, _) => (&mut nowhere, Some(Lines::here(out))),
    };
    let mut live = live::Live::new(how, lines, err);
    let mut report = match work(&mut |progress| live.show(progress), events) {
        Ok(report) => report,
        Err(error) => {
            live.fail(&error);
            return Err(error.into());
        }
    };
    report.odb_dir = say.odb_dir.map(Path::to_owned);
    let empty = without_histograms(job, &report);
    live.clear();
    live.warn(&empty);
    report.warnings.extend(empty);
    let saved = say.odb_save.map_or(Ok(()), |path| save_odb(&report, path));
    match live.end(&report, say.explain, say.stopped) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
        _ => {}
    }
    saved?;
    Ok(code(&report))
}

/// Outputs of histograms that hold none.
fn without_histograms(job: &Job, report: &Report) -> Vec<String> {
    if report.runs.is_empty() || report.runs.iter().any(|run| !run.histograms.is_empty()) {
        return Vec::new();
    }
    let outputs = job.outputs.iter().filter(|output| output.kind == OutputKind::Histograms);
    let warn = |output: &OutputFile| {
        format!(
            "no histogram was booked: {} is empty; mark banks with `histogram` in the definition, or book in a module",
            output.pattern
        )
    };
    outputs.map(warn).collect()
}

/// Says what was done, on `out` if it is free. So many warnings have been told before.
fn tell(
    say: &Say<'_>,
    (report, told): (&Report, usize),
    out: Option<&mut dyn Write>,
    err: &mut dyn Write,
) -> io::Result<()> {
    for warning in report.warnings.iter().skip(told).filter(|_| !say.quiet) {
        writeln!(err, "warning: {warning}")?;
    }
    if say.quiet && !report.is_clean() && !say.json {
        summary::trouble(report, err)?;
    }
    let print: &mut dyn Write = match out {
        Some(out) => out,
        None => err,
    };
    if say.json {
        serde_json::to_writer_pretty(&mut *print, report)?;
        writeln!(print)?;
        return print.flush();
    }
    if say.explain {
        summary::explain(report, print)?;
    }
    if !say.quiet {
        summary::print(report, say.verbose, print)?;
        if report.stopped {
            writeln!(print, "stopped before the end, as you asked: {}", say.stopped)?;
        }
    }
    print.flush()
}

pub(crate) fn code(report: &Report) -> u8 {
    match () {
        () if report.stopped => STOPPED,
        () if report.ended.is_some() => ENDED,
        () if report.is_clean() => OK,
        () => DAMAGED,
    }
}

pub(crate) fn analyzer(app: &App, path: Option<&Path>) -> Result<Analyzer, Error> {
    let definition = match (path, app.definition) {
        (Some(path), _) => Definition::read(path)?,
        (None, Some(text)) => Definition::parse(text, BUILT_IN)?,
        (None, None) => return Ok(Analyzer::new("Analyzer")),
    };
    Analyzer::from_definition(&definition, &app.catalogue)
}

fn job(args: &AnalyzeArgs) -> Result<Job, Box<dyn std::error::Error>> {
    let mut job = Job::new();
    match live_source(args)? {
        Some(live) => job.live = Some(live),
        None => job.inputs = inputs(args)?,
    }
    job.outputs = args.output.iter().map(OutputFile::new).collect::<Result<_, _>>()?;
    job.config.clone_from(&args.config);
    job.parameters = args.parameter.iter().map(|text| parameter(text)).collect::<Result<_, _>>()?;
    job.protect.clone_from(&args.protect);
    job.odb_load.clone_from(&args.odb_load);
    job.epochs = args.epochs.iter().map(Recorded::read).collect::<Result<_, _>>()?;
    job.keep.extend(args.analyzer.clone());
    job.selection = selection(&args.n, args.events)?;
    job.filter = args.filter;
    job.flat = args.flat;
    if let Some(shard) = args.shard.filter(|_| job.live.is_some()) {
        return Err(format!(
            "--shard {}/{}: files are shared out when they are finished: analyze what is followed without --shard",
            shard.number(),
            shard.of()
        )
        .into());
    }
    let is_table = |output: &OutputFile| matches!(output.kind, OutputKind::Table(_));
    if args.flat && !job.outputs.iter().any(is_table) {
        return Err("--flat is about tables: name an output .parquet or .arrow".into());
    }
    if args.rotate.is_some() && !job.outputs.iter().any(is_table) {
        return Err("--rotate is about tables: name an output .parquet or .arrow".into());
    }
    // A live run may last for days, and others want to read what is there.
    let rotate = args.rotate.or(job.live.as_ref().map(|_| ROTATE));
    job.rotate = rotate.filter(|period| !period.is_zero());
    if let Some(threads) = args.threads {
        job.threads = threads.into();
    }
    job.strict = args.strict;
    job.allow_missing = args.allow_missing;
    job.limits = args.believe.limits();
    if let Some(memory) = args.memory {
        job.memory = memory;
    }
    job.host = host();
    Ok(job)
}

/// The source that is live, if it is.
fn live_source(args: &AnalyzeArgs) -> Result<Option<Live>, Box<dyn std::error::Error>> {
    let names: Vec<_> = args.files.iter().chain(&args.input).collect();
    let flags = Flags::Analyze(&args.attach);
    live_input::only(&names, &args.take, &flags, args.live_timeout, &args.runs)
}

/// The inputs, each of them there.
fn inputs(args: &AnalyzeArgs) -> Result<Vec<InputFile>, String> {
    let mut files = Vec::new();
    for path in args.files.iter().chain(&args.input) {
        let name = path.to_string_lossy();
        match (args.runs.as_slice(), has_run(&name)) {
            ([first, last], true) => {
                check_runs((*first, *last)).map_err(|error| error.to_string())?;
                for run in *first..=*last {
                    let mut input = InputFile::new(expand(&name, run));
                    input.run = Some(run);
                    // At once: the range may be far longer than the list of files.
                    std::fs::metadata(&input.path).map_err(|e| inputs::missing(&input.path, &e))?;
                    files.push(input);
                }
            }
            ([_, ..], false) => {
                return Err(format!("-r needs an input with %05d for the run number, {name} has none"));
            }
            (_, true) => return Err(format!("input {name}: say which runs with -r FIRST LAST")),
            (_, false) => files.extend(inputs::find(path)?.into_iter().map(InputFile::new)),
        }
    }
    if files.is_empty() {
        let taken = args.output.iter().find(|o| Path::new(o).exists());
        let hint = taken.map(|o| format!("; {o} was taken as an output: inputs go before -o, or behind -i"));
        let hint = hint.unwrap_or_else(|| ", as in `pactolus analyze run00042.mid`".into());
        return Err(format!("no input: name a run file{hint}"));
    }
    inputs::only_one_stdin(files.iter().map(|file| file.path.as_path()))?;
    Ok(files)
}

pub(crate) fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((path, value)) if !path.trim().is_empty() => {
            Ok((path.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err(format!("-p {text}: PATH=VALUE wanted, as in \"ADC summing/ADC threshold=7\"")),
    }
}

pub(crate) fn selection(n: &[u64], events: Option<u64>) -> Result<Selection, String> {
    let all = Selection { events, ..Selection::default() };
    Ok(match *n {
        [] => all,
        [count] => Selection { last: Some(count), ..all },
        [first, last] | [first, last, _] if first > last => {
            return Err(format!("-n {first} {last}: the first event comes after the last"));
        }
        [first, last] => Selection { first, last: Some(last), ..all },
        [_, _, 0] => return Err("-n FIRST LAST STEP: a step of at least 1 wanted, 0 found".into()),
        [first, last, step] => Selection { first, last: Some(last), step, ..all },
        _ => return Err("-n takes COUNT, or FIRST LAST, or FIRST LAST STEP".into()),
    })
}

/// The name of this computer, for the ODB.
pub(crate) fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

fn save_odb(report: &Report, path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let cannot = |why: String| {
        let source = std::io::Error::other(why);
        Error::Output(pactolus::formats::Error::Io {
            action: "save the ODB to",
            path: path.to_owned(),
            source,
        })
    };
    let tree = report.odb.as_ref().ok_or_else(|| cannot("there was no run".into()))?;
    let name = path.to_string_lossy();
    let save = Save { absolute: true, ..Save::by_name(&name) };
    let text = save.write(tree, "/").map_err(|e| cannot(e.to_string()))?;
    WholeFile::write(path, &text).map_err(Error::Output)?;
    Ok(())
}
