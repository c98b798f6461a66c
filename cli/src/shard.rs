//! `pactolus analyze --shard K/N`.

use std::io::{self, Write};
use std::path::Path;

use pactolus::{Analyzer, Job, Report, Shard, ShardReport};

use crate::args::AnalyzeArgs;
use crate::progress::Display;
use crate::{App, OK, Outcome, STOPPED, program, summary};

/// What becomes of a shard that the user stops.
pub(crate) const NO_PART: &str = "no part is written";

/// Does one share of a job. What it has found goes to its part; a part that is whole is all well,
/// damage or not, so that a batch system goes on to the merge, which tells.
pub(crate) fn run(
    app: &App,
    args: &AnalyzeArgs,
    analyzer: &Analyzer,
    job: &Job,
    shard: Shard,
    (out, err): (&mut dyn Write, &mut dyn Write),
) -> Outcome {
    if args.explain || args.odb_save.is_some() {
        return Err("--shard: --explain and --odb-save belong to merge, which ends the runs".into());
    }
    let part = args.part.clone().unwrap_or_else(|| shard.part(job));
    let job = Job { program: program::digest(), ..job.clone() };
    let mut display = Display::new(args.quiet || args.json, err);
    let report = analyzer.shard(&job, shard, &part, &mut |progress| display.show(progress));
    display.end();
    let report = report?;
    // As with the summary of a whole job: who hangs up has seen enough.
    match tell(app, args, &report, out, err) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
        _ => {}
    }
    Ok(if report.stopped { STOPPED } else { OK })
}

fn tell(
    app: &App,
    args: &AnalyzeArgs,
    report: &ShardReport,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<()> {
    if args.json {
        serde_json::to_writer_pretty(&mut *out, report)?;
        writeln!(out)?;
        return out.flush();
    }
    for warning in report.warnings.iter().filter(|_| !args.quiet) {
        writeln!(err, "warning: {warning}")?;
    }
    if args.quiet {
        return Ok(());
    }
    let broken = Report {
        damage: report.damage.clone(),
        without_text: report.without_text.clone(),
        ..Report::default()
    };
    summary::print_damage(&broken, out)?;
    let ShardReport { shard, own_blocks, blocks, own_events, events, failed, damaged, seconds, .. } = report;
    writeln!(
        out,
        "shard {} of {}: {own_blocks} of {blocks} blocks, {own_events} of {events} events, {failed} lost, {damaged} damaged; {seconds:.2} s",
        shard.number(),
        shard.of()
    )?;
    match &report.part {
        Some(part) => {
            let (when, all) = match shard.of() {
                1 => ("to make the outputs".into(), part.path.display().to_string()),
                of if args.part.is_some() => (format!("when all {of} are there"), "PART...".into()),
                of => (format!("when all {of} are there"), parts(&part.path, shard)),
            };
            let name = Path::new(&app.program).file_name().unwrap_or_default().to_string_lossy();
            writeln!(out, "wrote {}: {} bytes", part.path.display(), part.bytes)?;
            writeln!(out, "{when}: {name} merge {all}")?;
        }
        None => writeln!(out, "stopped before the end, as you asked: {NO_PART}")?,
    }
    out.flush()
}

/// `out/run00042.3of8.part` as `out/run00042.*of8.part`.
fn parts(path: &Path, shard: &Shard) -> String {
    let own = format!(".{}of{}.part", shard.number(), shard.of());
    let name = path.display().to_string();
    match name.strip_suffix(&own) {
        Some(stem) => format!("{stem}.*of{}.part", shard.of()),
        None => name,
    }
}
