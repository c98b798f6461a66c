//! An experiment that runs, over its mserver: its ODB, its events, its transitions.

mod address;
mod answer;
mod calls;
mod client;
mod control;
mod error;
mod inbox;
mod key;
mod line;
mod listener;
mod login;
mod notify;
mod password;
mod receive;
mod reverse;
mod routine;
mod rpc;
#[doc(hidden)]
pub mod script;
mod status;
mod wire;

pub use address::{Address, Callbacks};
pub use client::{Client, Message};
pub use control::experiments;
pub use error::Error;
pub use inbox::{Inbox, Note, Transition, TransitionKind};
pub use key::{Key, KeyInfo};
pub use login::{Login, Sequences};
pub use receive::{Buffer, Received, Sampling};

/// What a call to an experiment gives.
pub type Result<T> = std::result::Result<T, Error>;
