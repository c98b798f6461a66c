//! A client that knows no more than how frames are made, for tests of the server itself.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "a part of the tests")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use super::mserver::Server;

/// A client that knows nothing but how frames are made.
pub struct Raw {
    pub rpc: TcpStream,
    pub notify: TcpStream,
    pub events: TcpStream,
    /// Its directory in the ODB.
    pub own: i32,
}

pub fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

pub fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut padded = bytes.to_vec();
    padded.resize(bytes.len().div_ceil(8) * 8, 0);
    padded
}

pub fn int(value: i32) -> Vec<u8> {
    padded(&value.to_le_bytes())
}

pub fn text(text: &str) -> Vec<u8> {
    padded(format!("{text}\0").as_bytes())
}

pub fn block(bytes: &[u8]) -> Vec<u8> {
    [int(bytes.len() as i32), padded(bytes)].concat()
}

pub fn first(reply: &[u8]) -> i32 {
    i32::from_le_bytes(reply[..4].try_into().unwrap())
}

pub fn control(port: u16, line: &str) -> (TcpStream, Vec<u8>) {
    let mut control = TcpStream::connect(("127.0.0.1", port)).unwrap();
    control.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    control.write_all(line.as_bytes()).unwrap();
    let mut answer = Vec::new();
    control.read_to_end(&mut answer).unwrap();
    (control, answer)
}

impl Raw {
    pub fn try_connect(server: &Server, experiment: &str) -> std::io::Result<Raw> {
        let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = listeners.each_ref().map(|listener| listener.local_addr().unwrap().port().to_string());
        let mut control = TcpStream::connect(("127.0.0.1", server.port()))?;
        control.write_all(format!("C {} 2.1 {experiment}\0", ports.join(" ")).as_bytes())?;
        let mut answer = [0; 2];
        control.read_exact(&mut answer)?;
        if &answer != b"1 " {
            return Err(std::io::Error::other(format!("{}", answer.escape_ascii())));
        }
        let [rpc, notify, events] = listeners.map(|listener| listener.accept().unwrap().0);
        rpc.set_nodelay(true)?;
        for stream in [&rpc, &notify, &events] {
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        }
        Ok(Raw { rpc, notify, events, own: 0 })
    }

    pub fn hello(&mut self, name: &str) {
        self.rpc.write_all(format!("44 {name}\0").as_bytes()).unwrap();
        assert_eq!(self.bytes(3), b"44\0");
    }

    pub fn connect(server: &Server, name: &str) -> Raw {
        let mut raw = Raw::try_connect(server, "lab").unwrap();
        raw.hello(name);
        let (status, reply) = raw.call(11_200, &[text("ODB"), int(1 << 20), text(name)]);
        assert_eq!((status, first(&reply)), (1, 1));
        let who = [int(1), text("localhost"), text(name), int(44), text(""), int(10_000)];
        let (status, reply) = raw.call(11_000, &who);
        assert_eq!(status, 1);
        raw.own = first(&reply);
        raw
    }

    pub fn bytes(&mut self, size: usize) -> Vec<u8> {
        let mut bytes = vec![0; size];
        self.rpc.read_exact(&mut bytes).unwrap();
        bytes
    }

    pub fn reply(&mut self) -> (i32, Vec<u8>) {
        let header = self.bytes(8);
        (first(&header), self.bytes(first(&header[4..]) as usize))
    }

    pub fn say(&mut self, id: u32, params: &[Vec<u8>]) {
        let params = params.concat();
        let header = [id.to_le_bytes(), (params.len() as u32).to_le_bytes()].concat();
        self.rpc.write_all(&[header, params].concat()).unwrap();
    }

    pub fn call(&mut self, id: u32, params: &[Vec<u8>]) -> (i32, Vec<u8>) {
        self.say(id, params);
        self.reply()
    }

    pub fn status(&mut self, id: u32, params: &[Vec<u8>]) -> i32 {
        self.call(id, params).0
    }

    pub fn find(&mut self, root: i32, path: &str) -> (i32, i32) {
        let (status, reply) = self.call(11_207, &[int(1), int(root), text(path)]);
        (status, first(&reply))
    }

    pub fn watch(&mut self, path: &str) -> i32 {
        let (_, key) = self.find(0, path);
        assert_eq!(self.status(11_222, &[int(1), int(key), int(0x80)]), 1);
        key
    }

    pub fn path(&mut self, key: i32) -> String {
        let (status, reply) = self.call(11_209, &[int(1), int(key), int(256)]);
        assert_eq!(status, 1);
        String::from_utf8_lossy(&reply[..reply.iter().position(|&byte| byte == 0).unwrap()]).into_owned()
    }

    pub fn note(&mut self) -> Vec<u8> {
        let mut header = [0; 8];
        self.notify.read_exact(&mut header).unwrap();
        let mut rest = vec![0; first(&header[4..]) as usize];
        self.notify.read_exact(&mut rest).unwrap();
        [header.to_vec(), rest].concat()
    }

    /// Opens a buffer and asks for events, of any id unless said.
    pub fn open(&mut self, buffer: &str, sampling: i32, cache: i32) -> i32 {
        let (status, reply) = self.call(11_100, &[text(buffer), int(100_000)]);
        assert!([1, 202].contains(&status));
        let handle = first(&reply);
        assert_eq!(self.status(11_106, &[int(handle), int(cache), int(0)]), 1);
        let request = [int(handle), int(-1), int(-1), int(sampling), int(0), int(0)];
        assert_eq!(self.status(11_107, &request), 1);
        handle
    }

    pub fn receive(&mut self, handle: i32, size: i32, wait: i32) -> (i32, Vec<u8>) {
        self.call(11_111, &[int(handle), int(size), int(wait)])
    }

    /// The serial numbers of all that is there.
    pub fn serials(&mut self, handle: i32) -> Vec<i32> {
        let next = || match self.receive(handle, 1 << 20, 1) {
            (1, reply) => Some(first(&reply[12..])),
            (status, _) => {
                assert_eq!(status, 209);
                None
            }
        };
        std::iter::from_fn(next).collect()
    }
}
