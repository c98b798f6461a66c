//! The test server by itself, with bytes of recorded exchanges.

#[path = "mserver/mod.rs"]
mod mserver;
