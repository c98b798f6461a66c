//! What looks odd and is no error.

use super::{Fold, Live, SHOWN};
use crate::histo::Histograms;

impl Fold<'_> {
    /// Tells of what looks odd, once.
    pub(super) fn warn(&mut self, text: String) {
        if !self.report.warnings.contains(&text) {
            self.report.warnings.push(text);
            if self.job.odb.is_some() {
                self.tell(false);
            }
        }
    }

    /// Tells of a change that does not take effect: of the first ones of a run.
    pub(super) fn untaken(&mut self, text: String) {
        let Some(live) = &mut self.live else { return self.warn(text) };
        live.untaken += 1;
        match live.untaken {
            n if n <= SHOWN => self.warn(text),
            n if n == SHOWN + 1 => {
                let run = live.epoch.run.number;
                self.warn(format!("run {run}: more changes do not take effect, they are not listed"));
            }
            _ => {}
        }
    }

    /// Histograms cannot be added to those of the runs before.
    pub(super) fn warn_of_bins(&mut self, live: &Live, refused: &[String]) {
        for name in refused {
            let run = live.epoch.run.number;
            self.warn(format!(
                "histogram \"{name}\" has other bins in run {run} than before: the two are not added"
            ));
        }
    }

    /// Says which marked banks have filled nothing: a wrong name or type is easily written.
    pub(super) fn unfilled(&mut self, live: &Live, filled: &Histograms) {
        for (chain, counts) in live.epoch.chains.iter().zip(live.counts.requests()) {
            let empty = chain.automatic.iter().filter(|automatic| automatic.is_empty(filled));
            for automatic in empty.filter(|_| counts.sum().kept > 0) {
                self.report.warnings.push(format!(
                    "run {}: no event of \"{}\" has filled the histograms of bank {}: is there a bank of that name and type {}?",
                    live.epoch.run.number,
                    chain.name,
                    automatic.bank,
                    automatic.tid
                ));
            }
        }
    }
}
