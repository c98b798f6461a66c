//! The modules of my-analyzer.

pub mod amplitude;

use pactolus::Catalogue;

/// All that `analyzer.toml` may mount, under the names by which it does.
pub fn catalogue() -> Catalogue {
    pactolus_modules::catalogue()
        // Those above are of MIDAS's sample experiment, those below are ours.
        .module::<amplitude::Amplitude>("Amplitude")
}
