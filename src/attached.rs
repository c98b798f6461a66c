//! Attached to an experiment: its runs and events as streams.
//!
//! One thread owns the connection ([`pull`]). It asks for events ([`wanted`]), batch by batch, looks what run
//! there is ([`runs`], by [`runinfo`]), brings what others change in the ODB into our mirror of it, and sends
//! what we write. What it has got goes through a bounded spool to the job, as the bytes of a `.mid` file: a
//! BOR with a snapshot of the ODB, events, an EOR. So everything behind is the same as for files.
//!
//! The server never waits for us: while the spool is full nobody asks for events, and what its buffer cannot
//! hold is passed over (or makes the readout wait, if the user wants every event).

mod border;
mod experiment;
mod gate;
mod pull;
mod runinfo;
mod runs;
mod wanted;

pub use experiment::Experiment;
