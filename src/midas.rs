//! An experiment that runs, over its mserver: its ODB, its events, its transitions.

mod address;
mod answer;
mod calls;
mod carry;
mod client;
mod control;
mod desk;
mod error;
mod inbox;
mod key;
mod line;
mod listener;
mod login;
mod mirror;
mod notify;
mod password;
mod receive;
mod reverse;
mod routine;
mod rpc;
#[doc(hidden)]
pub mod script;
mod session;
mod status;
mod steps;
mod value;
mod walk;
mod wire;

pub use address::{Address, Callbacks};
pub use client::{Client, Message};
pub use control::experiments;
pub use error::Error;
pub use inbox::{Inbox, Note, Transition, TransitionKind};
pub use key::{Key, KeyInfo};
pub use login::{Login, Sequences};
pub use mirror::Mirror;
pub use receive::{Buffer, Received};

pub use crate::request::Sampling;
pub use session::Session;
pub use steps::Writes;

/// What a call to an experiment gives.
pub type Result<T, E = Error> = std::result::Result<T, E>;
