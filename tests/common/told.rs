//! What a program tells in lines of JSON while it is at work.

use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

/// The lines as they come; the channel closes behind the last.
pub fn lines(out: impl Read + Send + 'static) -> Receiver<Value> {
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines() {
            let line = line.unwrap();
            let value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            if tell.send(value).is_err() {
                return;
            }
        }
    });
    told
}
