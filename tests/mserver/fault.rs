//! What a test has a server do wrong.

use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// Taken by the next connection; several wait in a line. Bytes are counted on the RPC socket, from the first that the
/// server sends there (its hardware type).
#[derive(Clone, Debug)]
pub enum Fault {
    /// Nothing: one connection goes well.
    Pass,
    /// The control connection is closed without an answer: the host is not allowed.
    Refuse,
    /// The control connection is answered with these bytes, and nobody calls back.
    Answer(Vec<u8>),
    /// The control connection is not answered, for so long.
    NoAnswer(Duration),
    /// Answers well, and calls back on so many of the three ports only.
    CallBack(usize),
    /// All sockets are closed when so many bytes have gone out.
    CloseAfter(u64),
    /// After so many bytes nothing more goes out; the sockets stay open.
    HangAfter(u64),
    /// After so many bytes each byte takes so long.
    SlowAfter(u64, Duration),
    /// After so many bytes all others are wrong ones.
    GarbageAfter(u64),
    /// Reply `nth` (from 0) says that it has `claims` bytes of parameters; what follows is as it was.
    Size { nth: u64, claims: u32 },
    /// Reply `nth` has these bytes in place of its own, header and all.
    Reply { nth: u64, bytes: Vec<u8> },
    /// Calls of this id are not answered.
    Silent(u32),
}

impl Fault {
    /// Does it concern the control connection?
    pub fn is_control(&self) -> bool {
        matches!(self, Fault::Pass | Fault::Refuse | Fault::Answer(_) | Fault::NoAnswer(_))
    }
}

/// The way out of a child, on which faults happen.
pub struct Outlet {
    pub stream: TcpStream,
    fault: Option<Fault>,
    sent: u64,
    replies: u64,
}

impl Outlet {
    pub fn new(stream: TcpStream, fault: Option<Fault>) -> Outlet {
        Outlet { stream, fault, sent: 0, replies: 0 }
    }

    pub fn is_silent_to(&self, id: u32) -> bool {
        matches!(self.fault, Some(Fault::Silent(silent)) if silent == id)
    }

    /// May replies leave together? Not while each is looked at.
    pub fn is_sound(&self) -> bool {
        self.fault.is_none()
    }

    /// One reply.
    pub fn reply(&mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        let nth = self.replies;
        self.replies += 1;
        match &self.fault {
            Some(Fault::Size { nth: wanted, claims }) if *wanted == nth => {
                bytes[4..8].copy_from_slice(&claims.to_le_bytes());
            }
            Some(Fault::Reply { nth: wanted, bytes: other }) if *wanted == nth => bytes.clone_from(other),
            _ => {}
        }
        self.send(bytes)
    }

    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let before = self.sent;
        self.sent += bytes.len() as u64;
        let until = |after: u64| (after.saturating_sub(before) as usize).min(bytes.len());
        match self.fault {
            Some(Fault::CloseAfter(after)) if self.sent >= after => {
                self.stream.write_all(&bytes[..until(after)])?;
                Err(io::ErrorKind::ConnectionAborted.into())
            }
            Some(Fault::HangAfter(after)) if self.sent > after => {
                self.stream.write_all(&bytes[..until(after)])?;
                self.wait_for_end()
            }
            Some(Fault::SlowAfter(after, each)) if self.sent > after => {
                self.stream.write_all(&bytes[..until(after)])?;
                self.stream.set_nodelay(true)?;
                bytes[until(after)..].iter().try_for_each(|byte| {
                    std::thread::sleep(each);
                    self.stream.write_all(&[*byte])
                })
            }
            Some(Fault::GarbageAfter(after)) if self.sent > after => {
                let mut wrong = bytes.to_vec();
                let mut seed = self.sent;
                for byte in &mut wrong[until(after)..] {
                    seed =
                        seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    *byte = (seed >> 56) as u8;
                }
                self.stream.write_all(&wrong)
            }
            _ => self.stream.write_all(bytes),
        }
    }

    /// Says nothing until the client gives up.
    fn wait_for_end(&mut self) -> io::Result<()> {
        let mut rubbish = [0; 4096];
        while io::Read::read(&mut self.stream, &mut rubbish)? > 0 {}
        let _ = self.stream.shutdown(Shutdown::Both);
        Err(io::ErrorKind::ConnectionAborted.into())
    }
}
