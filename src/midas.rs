//! An experiment that runs, over its mserver: its ODB, its events, its transitions.

mod address;
mod client;
mod error;
mod inbox;
mod key;
mod login;
mod status;

pub use address::{Address, Callbacks};
pub use client::{Buffer, Client, Message, Received, Sampling, experiments};
pub use error::Error;
pub use inbox::{Inbox, Note, Transition, TransitionKind};
pub use key::{Key, KeyInfo};
pub use login::{Login, Sequences};

/// What a call to an experiment gives.
pub type Result<T> = std::result::Result<T, Error>;
