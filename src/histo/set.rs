//! All histograms of a run, or of several.

use std::collections::BTreeSet;

use super::histogram::Histogram;

/// Histograms with the runs that filled them.
#[derive(Clone, Debug, Default)]
pub struct Histograms {
    /// Numbers of the runs.
    pub runs: BTreeSet<u32>,
    /// The histograms, in the order in which they were booked.
    pub list: Vec<Histogram>,
}

impl Histograms {
    /// The histogram of this name, a path; of its last parts alone, `ADC0/02` of `Trigger/ADC0/02`, if there is
    /// only one such.
    pub fn get(&self, name: &str) -> Option<&Histogram> {
        let exact = self.list.iter().find(|h| h.name() == name);
        exact.or_else(|| {
            let ends = |path: &str| {
                let at = path.len().checked_sub(name.len())?;
                let is_part = at == 0 || path.as_bytes()[at - 1] == b'/';
                (is_part && path.get(at..)?.eq_ignore_ascii_case(name)).then_some(())
            };
            let mut found = self.list.iter().filter(|h| ends(h.name()).is_some());
            found.next().filter(|_| found.next().is_none())
        })
    }

    /// Adds those of other runs, or of another part of the same run. Histograms that only the other
    /// has are taken over. The answer: what could not be added because its bins differ, by name; these
    /// stay as they were.
    pub fn join(&mut self, other: &Histograms) -> Vec<String> {
        self.runs.extend(&other.runs);
        let mut refused = Vec::new();
        for new in &other.list {
            match self.list.iter_mut().find(|own| own.name() == new.name()) {
                Some(own) => {
                    if let Err(error) = own.join(new) {
                        refused.push(error.name);
                    }
                }
                None => self.list.push(new.clone()),
            }
        }
        refused
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}
