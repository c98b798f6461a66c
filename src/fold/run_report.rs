//! A run that has ended, as a report.

use super::epochs::Values;
use super::{Live, SHOWN};
use crate::Run;
use crate::analyzer::Analyzer;
use crate::histo::Histograms;
use crate::provenance::texts;
use crate::report::{Explained, HistogramReport, RequestReport, RunReport, StageReport};

/// What a run has come to.
pub(super) fn run_report(
    analyzer: &Analyzer,
    live: &Live,
    histograms: &Histograms,
    files: usize,
    tests: Vec<(String, u64)>,
    errors: Vec<String>,
) -> RunReport {
    // The values in force at the end.
    let tree = live.epochs.last().map(|epoch| epoch.tree.clone()).unwrap_or_default();
    let Run { number: run, .. } = live.epoch.run;
    let chains = &live.epoch.chains;
    let mut stages = Vec::new();
    for (chain, stage) in chains.iter().flat_map(|c| c.stages.iter().map(move |s| (c, s))) {
        let account = live.counts.stages[stage.number as usize];
        let sampled = account.nanos as f64 * 1e-9;
        let share = if account.timed > 0 { account.entered as f64 / account.timed as f64 } else { 0.0 };
        stages.push(StageReport {
            name: stage.name.clone(),
            request: chain.name.clone(),
            on: stage.on,
            entered: account.entered,
            skipped: account.skipped,
            failed: account.failed,
            seconds: sampled * share,
        });
    }
    let stage_name = |number: u32| {
        chains.iter().flat_map(|c| &c.stages).find(|s| s.number == number).map_or("", |s| &s.name)
    };
    let messages =
        live.counts.messages.iter().map(|m| format!("{}: {}", stage_name(m.stage), m.text)).collect();
    let damage = live.counts.damage.iter().map(|d| {
        format!("{} at byte {}, event {} (id {} serial {})", d.kind, d.offset, d.event, d.id, d.serial)
    });
    let parameters =
        texts(&tree, &format!("{}/Parameters", analyzer.root())).into_iter().map(|(path, value)| {
            let origin = live.origins.get(&path.to_lowercase()).cloned().unwrap_or_default();
            let value = match value {
                serde_json::Value::String(text) => text,
                serde_json::Value::Array(items) => {
                    let items: Vec<&str> = items.iter().filter_map(|v| v.as_str()).collect();
                    items.join(" ")
                }
                other => other.to_string(),
            };
            Explained { path, value, origin }
        });
    RunReport {
        run,
        input: live.input.path.clone(),
        files,
        events: live.counts.by_id(),
        system: live.counts.system,
        requests: requests(live),
        stages,
        tests,
        failures: live.counts.failures.clone(),
        damage: damage.collect(),
        reasons: live.counts.reasons.clone(),
        messages,
        histograms: histograms.list.iter().map(HistogramReport::new).collect(),
        refused: live.counts.retyped,
        refusals: live.refused.values().flatten().take(SHOWN).cloned().collect(),
        errors,
        gaps: live.gaps.clone(),
        broken: live.broken as u64,
        back_pressure: live.waited.as_secs_f64(),
        epochs: live.epochs.iter().filter_map(Values::report).collect(),
        parameters: parameters.collect(),
    }
}

/// The account of each request.
pub(super) fn requests(live: &Live) -> Vec<RequestReport> {
    let requests = live.epoch.chains.iter().zip(live.counts.requests());
    let reports = requests.map(|(chain, account)| RequestReport {
        name: chain.name.clone(),
        account: account.sum(),
        ids: account.by_id(),
    });
    reports.collect()
}
