//! What is asked for in the buffers of the experiment.

use crate::Sampling;
use crate::analyzer::Analyzer;
use crate::midas::{Buffer, Client, Result};

/// MIDAS's read cache at the server, as all its programs have it [bytes].
const CACHE: u32 = 100_000;

/// Requests that MIDAS allows for in one buffer.
const REQUESTS: usize = 10;

/// The requests of one buffer: event id, trigger mask, sampling.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wanted {
    buffer: String,
    requests: Vec<(Option<u16>, Option<u16>, Sampling)>,
}

impl Wanted {
    /// What the chains want.
    pub(super) fn of(analyzer: &Analyzer, sampling: Option<Sampling>) -> Vec<Wanted> {
        let mut wanted: Vec<Wanted> = Vec::new();
        for chain in &analyzer.chains {
            let request = &chain.request;
            let any = |number: i32| u16::try_from(number).ok();
            let own = (any(request.id), any(request.mask), sampling.unwrap_or(request.sampling));
            match wanted.iter_mut().find(|wanted| wanted.buffer == request.buffer) {
                Some(wanted) if wanted.requests.contains(&own) => {}
                Some(wanted) => wanted.requests.push(own),
                None => wanted.push(Wanted { buffer: request.buffer.clone(), requests: vec![own] }),
            }
        }
        if wanted.is_empty() {
            let all = (None, None, sampling.unwrap_or_default());
            wanted.push(Wanted { buffer: "SYSTEM".into(), requests: vec![all] });
        }
        for wanted in &mut wanted {
            if wanted.requests.len() > REQUESTS {
                let samplings = wanted.requests.iter().map(|(_, _, sampling)| *sampling);
                // One for all, which must not be stricter than any.
                let first = wanted.requests[0].2;
                let same = samplings.clone().all(|sampling| sampling == first);
                wanted.requests = vec![(None, None, if same { first } else { Sampling::default() })];
            }
        }
        wanted
    }

    /// Whether the readout may wait for us.
    pub(super) fn is_strict(&self) -> bool {
        self.requests.iter().any(|(_, _, sampling)| *sampling == Sampling::All)
    }

    /// Whether only recent events are wanted.
    pub(super) fn is_recent(&self) -> bool {
        self.requests.iter().all(|(_, _, sampling)| *sampling == Sampling::Recent)
    }

    /// Opens the buffer, and asks for its events.
    pub(super) fn ask(&self, client: &mut Client) -> Result<Buffer> {
        let buffer = client.open_buffer(&self.buffer)?;
        if !self.requests.iter().any(|(_, _, sampling)| *sampling == Sampling::Recent) {
            client.cache(buffer, CACHE)?;
        }
        for ((id, mask, sampling), number) in self.requests.iter().zip(0..) {
            client.request(buffer, *id, *mask, *sampling, number)?;
        }
        Ok(buffer)
    }
}
