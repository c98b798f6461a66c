//! An ODB that others change and protect.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pactolus::odb::{Mode, Odb};

use crate::common::MidFile;
use crate::mid::run_of;
use crate::{Place, Provokers, Ran, provoke};

fn event(file: MidFile, serial: u32) -> MidFile {
    file.words(1, serial, "ADC0", &[200, 210, 220, 230])
}

/// The program on the sample experiment and a pipe; after the first event, somebody does `meanwhile`.
fn changed(place: &Place, meanwhile: impl Fn(&Odb)) -> Ran {
    sent(place, |odb, _| meanwhile(odb))
}

/// ... and may send events.
fn sent(place: &Place, meanwhile: impl Fn(&Odb, &mut dyn FnMut(MidFile))) -> Ran {
    let odb = Odb::create_in(place.path("odb")).unwrap();
    let fifo = place.path("run00042.mid");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let mut child = Command::new(env!("CARGO_BIN_EXE_pactolus"))
        .args(["analyze", "run00042.mid", "--odb", "odb", "-o", "o.mid", "-a"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/experiment/analyzer.toml"))
        .current_dir(place.path(""))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = std::fs::OpenOptions::new().read(true).write(true).open(fifo).unwrap();
    pipe.write_all(&event(MidFile::new().bor(42), 0).bytes).unwrap();
    let begun = Instant::now();
    while odb.get::<f64>("/Analyzer/Trigger/Statistics/Events received").unwrap_or(0.0) < 1.0 {
        assert!(child.try_wait().unwrap().is_none() && begun.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(5));
    }
    meanwhile(&odb, &mut |events| {
        pipe.write_all(&events.bytes).unwrap();
        // Each is to be read on its own.
        std::thread::sleep(Duration::from_millis(50));
    });
    pipe.write_all(&event(MidFile::new(), 1).eor(42).bytes).unwrap();
    drop(pipe);
    let ran = child.wait_with_output().unwrap();
    let said = String::from_utf8([ran.stdout, ran.stderr].concat()).unwrap();
    Ran { code: u8::try_from(ran.status.code().unwrap()).unwrap(), said }
}

pub(crate) fn all() -> Provokers {
    provoke! {
        "no ODB in ...: `pactolus odb --create ...` makes one" => |p| {
            p.put("run00042.mid", run_of(1).bytes).run("analyze @run00042.mid --odb @none")
        };
        "ODB in ...: ..." => |p| {
            Odb::create_in(p.path("odb")).unwrap();
            for file in std::fs::read_dir(p.path("odb")).unwrap() {
                let path = file.unwrap().path();
                let bytes = std::fs::metadata(&path).unwrap().len() as usize;
                std::fs::write(&path, vec![7; bytes]).unwrap();
            }
            // Another process: this one has it open.
            p.put("run00042.mid", run_of(1).bytes).process("", "analyze @run00042.mid --odb @odb", b"")
        };
        "--shard: a shared ODB may change from one shard to the next: leave --odb out" => |p| {
            Odb::create_in(p.path("odb")).unwrap();
            p.put("run00042.mid", run_of(1).bytes).run("analyze @run00042.mid --odb @odb -o @o.mid --shard 1/2")
        };
        "run ..., before event ...: the change of ... does not take effect, epoch ... goes on: ..." => |p| {
            changed(p, |odb| odb.set("/Analyzer/Parameters/ADC calibration/Pedestal", vec![1]).unwrap())
        };
        "run ...: the ODB was not written: ..." => |p| {
            changed(p, |odb| {
                let path = "/Analyzer/Trigger/Statistics";
                odb.change(|tree| tree.delete(path).and_then(|()| tree.create(path, 1))).unwrap();
            })
        };
        "run ...: ... is protected and stays as it is" => |p| {
            changed(p, |odb| {
                let path = "/Analyzer/Trigger/Statistics/Events received";
                odb.change(|tree| tree.set_mode(path, Mode::READ, false)).unwrap();
            })
        };
        "--odb-load: the ODB in ... is shared, and the file would overwrite it: load it with `pactolus odb`, or leave out --odb (PACTOLUS_ODB)" => |p| {
            Odb::create_in(p.path("odb")).unwrap();
            p.put("run00042.mid", run_of(1).bytes).run("analyze @run00042.mid --odb @odb --odb-load @old.odb")
        };
        "run ... does not begin with what is in the ODB, the values of the run before stay in force: ..." => |p| {
            sent(p, |odb, send| {
                odb.set("/Analyzer/Parameters/ADC calibration/Pedestal", vec![1]).unwrap();
                send(MidFile::new().eor(42).bor(43));
            })
        };
        "run ...: more changes do not take effect, they are not listed" => |p| {
            sent(p, |odb, send| {
                for n in 1..30 {
                    odb.set("/Analyzer/Parameters/ADC calibration/Pedestal", vec![n]).unwrap();
                    send(event(MidFile::new(), n as u32));
                }
            })
        };
        "run ...: events are not copied to ...: ..." => |p| {
            let odb = Odb::create_in(p.path("odb")).unwrap();
            odb.create("/Equipment/Trigger/Variables/ADC0", 1.5).unwrap();
            changed(p, |_| {})
        };
    }
}
