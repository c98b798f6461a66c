//! An experiment that runs, over its mserver: its ODB, its events, its transitions.
//!
//! [`Client::connect`] logs in, and the owner of the client calls its methods, one after the other. What the
//! server and other programs say of their own accord is in an [`Inbox`], which outlives clients:
//!
//! ```no_run
//! use std::time::Duration;
//! use pactolus::midas::{Client, Inbox, Login, Note, Sampling};
//!
//! # fn main() -> Result<(), pactolus::midas::Error> {
//! let inbox = Inbox::new();
//! let login = Login::new("daq:1175".parse()?, "Watcher").experiment("trigger");
//! let mut client = Client::connect(&login, &inbox)?;
//! let buffer = client.open_buffer("SYSTEM")?;
//! client.request(buffer, None, None, Sampling::NonBlocking, 0)?;
//! let mut events = Vec::new();
//! while !inbox.take().contains(&Note::StopAsked) {
//!     let received = client.receive(buffer, 1000, 1 << 20, &mut events)?;
//!     events.clear();
//!     if received.is_empty {
//!         inbox.wait(Duration::from_millis(10));
//!     }
//! }
//! client.exit()
//! # }
//! ```
//!
//! **How it goes.** Verified against servers of 2014, 2017 and 2022; all speak alike.
//!
//! ```text
//! we                                      mserver, port 1175
//!   I                              ->       experiments, and we take its spelling of ours
//!   listen on three ports
//!   C port port port 2.1 expt      ->       starts a process for us
//!                                  <-       1 2.1
//!   calls   <------------------------------ the process connects to the first port,
//!   notes   <------------------------------ the second,
//!   events  <------------------------------ and the third, which a reader has no use for
//!   calls:  "44 name"              ->  "44"
//!           routine, parameters    ->  status, parameters      one at a time, or several in a row
//!   notes:  ODB changed, events there, are you there (answered at once)
//!
//! programs of the experiment -> our own port: transitions, "please end"
//! ```
//!
//! The process is an ordinary client of MIDAS in our stead: our entry in `/System/Clients` is its entry, and it
//! dies with our connection. Events are pulled, never pushed. There is no encryption, and nothing but a list
//! of hosts says who may connect.
//!
//! `wire` knows the bytes, `rpc` the calls in their order, `control` and `reverse` the way there; `client` logs in
//! and out, `calls` is the ODB, `receive` the events; `notify` and `listener` with `answer` are the threads that
//! hear others. Here is no tree of the ODB and no analysis, and nothing is tried again: an error that
//! [loses](Error::is_lost) the connection leaves that to the owner.
//!
//! **What is never done**: to start or stop runs, to run commands, to shut a server down, to wait inside the
//! server for an event (no other call could be made meanwhile), or to copy the ODB with the call that kills
//! servers of 2022.

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
pub(crate) mod status;
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
