//! An experiment that runs, over its mserver: its ODB, its events, its transitions.

mod address;
mod carry;
mod client;
mod desk;
mod error;
mod inbox;
mod key;
mod login;
mod mirror;
mod session;
mod status;
mod steps;
mod value;
mod walk;

pub use address::{Address, Callbacks};
pub use client::{Buffer, Client, Message, Received, Sampling, experiments};
pub use error::Error;
pub use inbox::{Inbox, Note, Transition, TransitionKind};
pub use key::{Key, KeyInfo};
pub use login::{Login, Sequences};
pub use mirror::Mirror;
pub use session::Session;
pub use steps::Writes;

/// What a call to an experiment gives.
pub type Result<T, E = Error> = std::result::Result<T, E>;
