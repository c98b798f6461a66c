//! The summary of a job, in 80 columns.

use std::io::{self, Write};

use pactolus::{EpochReport, Report, RunReport, WithoutText};

use crate::dump::text::count;
use crate::progress::thousands;

/// Places of broken bytes that are shown.
const SHOWN: usize = 20;

/// Runs, events per request, damage, time per stage, files.
pub(crate) fn print(report: &Report, verbose: bool, out: &mut dyn Write) -> io::Result<()> {
    if let Some(dir) = &report.odb_dir {
        writeln!(out, "ODB in {}", dir.display())?;
    }
    for run in &report.runs {
        print_run(run, verbose, out)?;
    }
    print_rest(report, out)
}

/// What [`print`] prints behind the runs.
pub(crate) fn print_rest(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    print_damage(report, out)?;
    if report.earlier.outputs > 0 {
        writeln!(out, "wrote {} before the following", count(report.earlier.outputs, "file"))?;
    }
    for file in &report.outputs {
        let rows = file.rows.map(|rows| format!(", {rows} rows")).unwrap_or_default();
        writeln!(out, "wrote {}: {} bytes{rows}", file.path.display(), file.bytes)?;
    }
    totals(report, out)
}

/// What went wrong and how much, for a user who wants to hear of nothing else.
pub(crate) fn trouble(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    for run in &report.runs {
        print_trouble(run, false, out)?;
    }
    print_damage(report, out)?;
    totals(report, out)
}

/// Broken bytes, and what text does not hold.
pub(crate) fn print_damage(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    for text in &report.without_text {
        without_text(text, out)?;
    }
    let broken = &report.damage;
    for place in broken.places.iter().take(SHOWN) {
        writeln!(out, "damage in {}: {}", place.input.display(), place.damage)?;
    }
    if broken.count > SHOWN as u64 {
        writeln!(out, "and {} more; {} bytes lost in all:", broken.count - SHOWN as u64, broken.bytes)?;
        for (reason, count) in &broken.reasons {
            writeln!(out, "{count:>10} {reason}")?;
        }
    }
    if broken.reasons.contains_key("event too large") && report.total().offered > 0 {
        writeln!(out, "larger events are read with --max-event SIZE, if they are that large")?;
    }
    Ok(())
}

/// What the text of an input does not hold.
pub(crate) fn without_text(text: &WithoutText, out: &mut dyn Write) -> io::Result<()> {
    let WithoutText { input, banks, events, first } = text;
    let (banks, events) = (count(*banks, "bank"), count(*events, "event"));
    writeln!(out, "the text of {} does not hold {banks}, {events}:", input.display())?;
    for refusal in first {
        writeln!(out, "  {refusal}")?;
    }
    Ok(())
}

fn totals(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let total = report.total();
    let seconds = report.seconds.max(1e-9);
    let runs = report.earlier.runs + report.runs.len() as u64;
    let refused = report.earlier.refused + report.runs.iter().map(|run| run.refused).sum::<u64>();
    writeln!(
        out,
        "{}, {} events, {} lost, {} damaged; {seconds:.2} s, {} events/s, {}B/s",
        count(runs, "run"),
        total.offered,
        report.failed(),
        total.damaged + report.damage.count + refused,
        thousands(total.offered as f64 / seconds).trim_end(),
        thousands(report.bytes as f64 / seconds),
    )
}

/// A run.
pub(crate) fn print_run(run: &RunReport, verbose: bool, out: &mut dyn Write) -> io::Result<()> {
    let more = if run.files > 1 { format!(" and {} more", run.files - 1) } else { String::new() };
    writeln!(out, "run {} from {}{more}", run.run, run.input.display())?;
    print_ids(run, out)?;
    if run.back_pressure >= 0.05 {
        writeln!(out, "  who publishes was held back for {:.1} s by those who want all", run.back_pressure)?;
    }
    let width = run.requests.iter().map(|r| r.name.chars().count()).fold(7, usize::max).min(30);
    writeln!(out, "  {:width$} {:>12} {:>12} {:>12} {:>12}", "request", "events", "kept", "skipped", "lost")?;
    for pactolus::RequestReport { name, account: counts, .. } in &run.requests {
        let events = counts.matched + counts.created;
        // The request that catches what others leave is of interest only if it catches something.
        if events > 0 || name != "other" {
            let lost = counts.failed;
            writeln!(
                out,
                "  {name:width$} {events:>12} {:>12} {:>12} {lost:>12}",
                counts.kept, counts.skipped
            )?;
        }
    }
    let stages: Vec<_> = run.stages.iter().filter(|s| s.entered > 0 || verbose).collect();
    if !stages.is_empty() {
        let width = stages.iter().map(|s| s.name.chars().count()).fold(5, usize::max).min(30);
        writeln!(
            out,
            "  {:width$} {:>12} {:>12} {:>12} {:>12}",
            "stage", "events", "skipped", "lost", "seconds"
        )?;
        for stage in stages {
            let seconds = if stage.on { format!("{:.3}", stage.seconds) } else { "off".into() };
            writeln!(
                out,
                "  {:width$} {:>12} {:>12} {:>12} {seconds:>12}",
                stage.name, stage.entered, stage.skipped, stage.failed
            )?;
        }
    }
    print_epochs(run, verbose, out)?;
    if verbose {
        for (name, count) in &run.tests {
            writeln!(out, "  test \"{name}\": {count}")?;
        }
    }
    print_trouble(run, verbose, out)
}

/// What others have changed while the run went on.
fn print_epochs(run: &RunReport, verbose: bool, out: &mut dyn Write) -> io::Result<()> {
    let most = if verbose { usize::MAX } else { SHOWN };
    for EpochReport { epoch, first_event, changes, more, .. } in run.epochs.iter().take(most) {
        writeln!(out, "  epoch {epoch} from event {first_event} on:")?;
        let shown = if verbose { changes.len() } else { changes.len().min(5) };
        for change in &changes[..shown] {
            writeln!(out, "    {change}")?;
        }
        let more = more + changes.len() - shown;
        if more > 0 {
            writeln!(out, "    and {more} more")?;
        }
    }
    if run.epochs.len() > most {
        writeln!(out, "  and {} more epochs", run.epochs.len() - most)?;
    }
    Ok(())
}

/// What went wrong in a run.
fn print_trouble(run: &RunReport, verbose: bool, out: &mut dyn Write) -> io::Result<()> {
    for failure in run.failures.iter().take(if verbose { usize::MAX } else { 5 }) {
        writeln!(
            out,
            "  lost: event {} (id {} serial {}) in \"{}\": {}",
            failure.event, failure.id, failure.serial, failure.stage, failure.reason
        )?;
    }
    for damage in run.damage.iter().take(if verbose { usize::MAX } else { 5 }) {
        writeln!(out, "  damaged: {damage}")?;
    }
    for message in run.messages.iter().take(if verbose { usize::MAX } else { 5 }) {
        writeln!(out, "  message from {message}")?;
    }
    if run.refused > 0 {
        writeln!(out, "  {} events have a value that their table does not take: null there", run.refused)?;
    }
    for gap in &run.gaps {
        writeln!(out, "  gap: {gap}")?;
    }
    for refusal in run.refusals.iter().take(if verbose { usize::MAX } else { 5 }) {
        writeln!(out, "  refused: {refusal}")?;
    }
    for error in &run.errors {
        writeln!(out, "  error: {error}")?;
    }
    Ok(())
}

/// What was read of each event id, and what of it reached no request.
fn print_ids(run: &RunReport, out: &mut dyn Write) -> io::Result<()> {
    for (id, events) in &run.events {
        let parts = [
            (events.left_out, "not asked for"),
            (events.damaged, "with broken banks"),
            (events.unrequested, "that no request wants"),
            (events.overrun, "passed over while the analysis was behind"),
            (events.stale, "too old"),
            (events.too_big, "too big"),
        ];
        let parts = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}"));
        let parts: Vec<String> = parts.collect();
        let parts = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) };
        let s = if events.offered == 1 { "" } else { "s" };
        writeln!(out, "  id {id}: {} event{s}{parts}", events.offered)?;
        if events.unattended > 0 {
            writeln!(out, "    {} unattended: never offered", events.unattended)?;
        }
    }
    Ok(())
}

/// Each parameter with its value and where it comes from.
pub(crate) fn explain(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    for run in &report.runs {
        writeln!(out, "parameters of run {}:", run.run)?;
        for parameter in &run.parameters {
            writeln!(out, "  {} = {}", parameter.path, parameter.value)?;
            writeln!(out, "      from {}", parameter.origin)?;
        }
    }
    Ok(())
}
