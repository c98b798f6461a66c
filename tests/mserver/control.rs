//! The listener: lists experiments, and starts a child for each client.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use super::fault::Fault;
use super::{Shared, Version, child, lock};

pub fn listen(shared: &Arc<Shared>, listener: &TcpListener) {
    for connection in listener.incoming() {
        if !shared.goes_on() {
            return;
        }
        let Ok(stream) = connection else { continue };
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            let _ = serve(&shared, stream);
        });
    }
}

/// Bytes up to a NUL or the end of a line.
pub fn read_text(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let (mut text, mut byte) = (Vec::new(), [0]);
    while text.len() < 256 && stream.read(&mut byte)? == 1 && byte[0] != 0 && byte[0] != b'\n' {
        text.push(byte[0]);
    }
    Ok(text)
}

fn serve(shared: &Arc<Shared>, mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let text = read_text(&mut stream)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let command = text.chars().next().unwrap_or(' ').to_ascii_uppercase();
    let mut faults = lock(&shared.faults);
    let fault = match (command, faults.front()) {
        ('C', Some(_)) => faults.pop_front(),
        ('I', Some(fault)) if fault.is_control() => faults.pop_front(),
        _ => None,
    };
    drop(faults);
    match &fault {
        Some(Fault::Refuse) => return Ok(()),
        Some(Fault::Answer(bytes)) => return stream.write_all(bytes),
        Some(Fault::NoAnswer(time)) => {
            std::thread::sleep(*time);
            return Ok(());
        }
        _ => {}
    }
    match command {
        'I' => {
            let names = shared.options.experiments.iter().map(|name| format!("{name}\0"));
            stream.write_all(format!("{}\0", names.collect::<String>()).as_bytes())
        }
        'C' => connect(shared, stream, &text, fault),
        _ => {
            shared.offence(format!("'{text}' to the listener"));
            Ok(())
        }
    }
}

fn connect(
    shared: &Arc<Shared>,
    mut stream: TcpStream,
    text: &str,
    fault: Option<Fault>,
) -> std::io::Result<()> {
    let words: Vec<&str> = text.split(' ').collect();
    let ports: Vec<u16> = words.iter().skip(1).take(3).filter_map(|word| word.parse().ok()).collect();
    let (["C", _, _, _, version, experiment], [rpc, notify, event]) = (words.as_slice(), ports.as_slice())
    else {
        shared.offence(format!("'{text}' to the listener"));
        return Ok(());
    };
    let own = match shared.options.version {
        Version::V2014 => "2.0.0",
        _ => "2.1",
    };
    if version.split('.').take(2).ne(own.split('.').take(2)) {
        shared.message(format!("client MIDAS version {version} differs from local version {own}"));
    }
    let known = |name: &String| name.eq_ignore_ascii_case(experiment);
    if *experiment != "Default" && !shared.options.experiments.iter().any(known) {
        return stream.write_all(b"2\0");
    }
    if !shared.options.experiments.iter().any(|name| name == experiment) {
        // It is taken, but the real child then opens an ODB of just this name, beside the true one.
        shared.offence(format!("experiment '{experiment}' in place of the name that the server has"));
    }
    stream.write_all(format!("1 {own}\0").as_bytes())?;
    let host = stream.peer_addr()?.ip();
    let back = |port: u16| call_back(host, port);
    if let Some(Fault::CallBack(some)) = fault {
        let kept: Vec<_> = [*rpc, *notify, *event].into_iter().take(some).map(back).collect();
        std::thread::sleep(Duration::from_secs(30));
        drop(kept);
        return Ok(());
    }
    child::serve(shared, [back(*rpc)?, back(*notify)?, back(*event)?], host, fault)
}

fn call_back(host: IpAddr, port: u16) -> std::io::Result<TcpStream> {
    TcpStream::connect_timeout(&SocketAddr::new(host, port), Duration::from_secs(10))
}
