//! The checksums that MIDAS's logger writes beside its files.
//!
//! A side file is one line: eight hexadecimal digits of CRC-32C, the number of bytes, the file's
//! path when it was written. `run00042.mid.crc32c` is of the events uncompressed,
//! `run00042.mid.lz4.crc32c` of the file `run00042.mid.lz4` as it stands.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use pactolus::formats::{Compression, Input};
use serde::{Serialize, Serializer};

/// The extension of side files.
const EXTENSION: &str = "crc32c";
/// More bytes than the line of any path.
const LONGEST: u64 = 1 << 16;

/// A checksum with the bytes it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Sum {
    #[serde(serialize_with = "digits")]
    crc32c: u32,
    bytes: u64,
}

fn digits<S: Serializer>(crc: &u32, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{crc:08x}"))
}

/// What a side file is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Of {
    /// The events, uncompressed.
    Events,
    /// The file as it stands.
    File,
}

/// A side file and what came of it.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    side_file: String,
    of: Of,
    ok: bool,
    wanted: Option<Sum>,
    found: Option<Sum>,
    /// Why one of them is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// All side files of an input.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct Checks {
    checks: Vec<Check>,
    /// Where they were looked for; none for standard input.
    #[serde(skip)]
    places: Vec<PathBuf>,
}

impl Checks {
    /// Looks for the side files of `input` and compares.
    pub(super) fn of(input: &Path) -> Checks {
        let mut wanted = Vec::new();
        if input.as_os_str() != "-" {
            let packed = input.extension().and_then(|e| Compression::from_extension(e.to_str()?));
            if packed.is_some() {
                wanted.push((beside(&input.with_extension("")), Of::Events));
            }
            wanted.push((beside(input), Of::File));
        }
        let found = wanted.iter().filter(|(path, _)| path.exists());
        let checks = found.map(|(path, of)| Check::new(input, path, *of)).collect();
        Checks { checks, places: wanted.into_iter().map(|(path, _)| path).collect() }
    }

    /// Whether a side file was found.
    pub(super) fn is_any(&self) -> bool {
        !self.checks.is_empty()
    }

    /// Whether a side file says otherwise.
    pub(super) fn is_wrong(&self) -> bool {
        self.checks.iter().any(|check| !check.ok)
    }

    /// For people.
    pub(super) fn print(&self, out: &mut Vec<u8>) -> io::Result<()> {
        if self.checks.is_empty() {
            let names: Vec<_> = self.places.iter().map(|path| name(path)).collect();
            return match names.is_empty() {
                true => writeln!(out, "  checksum: standard input has no side file"),
                false => writeln!(out, "  checksum: no side file {}", names.join(" or ")),
            };
        }
        for check in &self.checks {
            let of = if check.of == Of::Events { "of the events" } else { "of the file" };
            match (check.wanted, check.found, &check.error) {
                (Some(sum), Some(_), _) if check.ok => {
                    let Sum { crc32c, bytes } = sum;
                    writeln!(out, "  checksum {of}: ok, {crc32c:08x}, {bytes} bytes")?;
                }
                (Some(wanted), Some(found), _) => {
                    writeln!(out, "  checksum {of}: differs from {}:", check.side_file)?;
                    writeln!(out, "    wanted {:08x}, {} bytes", wanted.crc32c, wanted.bytes)?;
                    writeln!(out, "    found  {:08x}, {} bytes", found.crc32c, found.bytes)?;
                }
                (_, _, error) => {
                    writeln!(out, "  checksum {of}: {}:", check.side_file)?;
                    writeln!(out, "    {}", error.as_deref().unwrap_or_default())?;
                }
            }
        }
        Ok(())
    }
}

impl Check {
    fn new(input: &Path, side_file: &Path, of: Of) -> Check {
        let wanted = read(side_file);
        let found = sum(input, of).map_err(|e| format!("cannot be compared: {e}"));
        let error = wanted.as_ref().err().or(found.as_ref().err()).cloned();
        let (wanted, found) = (wanted.ok(), found.ok());
        Check {
            side_file: name(side_file),
            of,
            ok: wanted.is_some() && wanted == found,
            wanted,
            found,
            error,
        }
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(EXTENSION);
    PathBuf::from(name)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// What a side file says.
fn read(path: &Path) -> Result<Sum, String> {
    let mut line = Vec::new();
    let file = File::open(path).and_then(|file| file.take(LONGEST).read_to_end(&mut line));
    file.map_err(|e| format!("cannot be read: {e}"))?;
    let line = String::from_utf8_lossy(&line);
    let mut words = line.split_whitespace();
    let crc32c = words.next().filter(|w| w.len() == 8).and_then(|w| u32::from_str_radix(w, 16).ok());
    let bytes = words.next().and_then(|w| w.parse().ok());
    match (crc32c, bytes) {
        (Some(crc32c), Some(bytes)) => Ok(Sum { crc32c, bytes }),
        _ => Err("no checksum: eight hexadecimal digits and a number of bytes wanted".into()),
    }
}

/// The checksum of a file as it stands, or uncompressed.
fn sum(path: &Path, of: Of) -> Result<Sum, String> {
    let input: Result<Box<dyn Read>, String> = match of {
        Of::Events => Input::open(path).map(|input| Box::new(input) as _).map_err(|e| e.to_string()),
        Of::File => File::open(path).map(|file| Box::new(file) as _).map_err(|e| e.to_string()),
    };
    let mut input = input?;
    let mut sum = Sum { crc32c: 0, bytes: 0 };
    let mut piece = vec![0; 1 << 20];
    loop {
        match input.read(&mut piece) {
            Ok(0) => return Ok(sum),
            Ok(n) => {
                sum.crc32c = crc32c::crc32c_append(sum.crc32c, &piece[..n]);
                sum.bytes += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(format!("{e} behind {} bytes", sum.bytes)),
        }
    }
}
