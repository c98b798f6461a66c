//! The standard tools read our files, and we read theirs.
//!
//! Wants `gzip`, `bzip2`, `lz4`, `zstd` (with `pzstd`), `pigz`, `pbzip2`, `lbzip2`, Python and a C
//! compiler with zlib. One that is missing is a failure where `CI` is set, else it is left out.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pactolus_formats::compress::Output;
use pactolus_formats::{ByteSource, Compression, Input, Limits, Pool};
use tempfile::TempDir;

/// Something like ADC words: a slow pedestal, noise in the low bits, a pulse now and then.
fn adc(bytes: usize) -> Vec<u8> {
    let mut seed = 1_u32;
    let mut word = |n: usize| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let pulse = if n % 97 < 5 { 800 } else { 0 };
        (2000 + (n / 1000 % 50) as u16 + (seed >> 28) as u16 + pulse).to_le_bytes()
    };
    (0..bytes / 2).flat_map(&mut word).collect()
}

/// A directory with a file of this content in it.
struct Scratch {
    dir: TempDir,
    content: Vec<u8>,
}

const NAME: &str = "run00042.mid";

impl Scratch {
    fn new(content: Vec<u8>) -> Scratch {
        let dir = TempDir::new().unwrap();
        std::fs::write(dir.path().join(NAME), &content).unwrap();
        Scratch { dir, content }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What a command writes to its standard output; `None` if there is no such program.
    fn output(&self, program: &str, args: &[&str], input: &[u8]) -> Option<Vec<u8>> {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.dir.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                missing(program);
                return None;
            }
            Err(e) => panic!("{program}: {e}"),
        };
        let mut stdin = child.stdin.take().unwrap();
        let output = std::thread::scope(|scope| {
            // A program that reads a file closes the pipe early.
            scope.spawn(move || drop(stdin.write_all(input)));
            child.wait_with_output().unwrap()
        });
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {args:?}: {}, {told}", output.status);
        Some(output.stdout)
    }

    /// Checks that we read what a tool makes of the file, and of the same bytes from a pipe.
    fn check_written(&self, program: &str, args: &str, compression: Compression) {
        let mut args: Vec<&str> = args.split_whitespace().collect();
        let Some(piped) = self.output(program, &args, &self.content) else { return };
        let what = format!("{program} {args:?}");
        check(&piped, &self.content, compression, &what);
        args.push(NAME);
        let Some(named) = self.output(program, &args, &[]) else { return };
        check(&named, &self.content, compression, &what);
        let three = [&named[..], &piped, &named].concat();
        check(&three, &self.content.repeat(3), compression, &format!("{what}, thrice"));
    }
}

fn missing(what: &str) {
    assert!(std::env::var_os("CI").is_none(), "{what} is missing: see tests/run.sh");
    println!("{what} is missing: left out");
}

fn read(file: &[u8]) -> (Compression, Vec<u8>) {
    let mut input = Input::new(Cursor::new(file.to_vec()), "file").unwrap();
    let mut found = Vec::new();
    let result = input.read_to_end(&mut found);
    assert!(result.is_ok(), "{result:?} behind {} bytes", found.len());
    (input.compression(), found)
}

#[track_caller]
fn check(file: &[u8], content: &[u8], compression: Compression, what: &str) {
    let (found_compression, found) = read(file);
    assert_eq!(found_compression, compression, "{what}");
    assert!(found == content, "{what}: {} bytes, {} expected", found.len(), content.len());
}

fn small_and_medium() -> [Scratch; 3] {
    [Scratch::new(Vec::new()), Scratch::new(adc(500)), Scratch::new(adc(300_000))]
}

fn levels(range: std::ops::RangeInclusive<u32>, rest: &str) -> Vec<String> {
    range.map(|level| format!("-{level} {rest}")).collect()
}

#[test]
fn we_read_what_gzip_and_pigz_write() {
    let large = Scratch::new(adc(2_500_000));
    large.check_written("gzip", "-c", Compression::Gzip);
    large.check_written("pigz", "-c -p 2", Compression::Gzip);
    large.check_written("pigz", "-c -p 2 -i -b 128", Compression::Gzip);
    for scratch in small_and_medium() {
        for args in levels(1..=9, "-c") {
            scratch.check_written("gzip", &args, Compression::Gzip);
            scratch.check_written("gzip", &format!("{args} --rsyncable"), Compression::Gzip);
            scratch.check_written("pigz", &args, Compression::Gzip);
        }
        for args in ["-c -n", "-c -N", "-c --fast", "-c --best"] {
            scratch.check_written("gzip", args, Compression::Gzip);
        }
        for args in ["-0", "-i", "-R", "-U", "-H", "-n", "-N", "-b 32", "-p 1", "-C night", "-11 -I 1"] {
            scratch.check_written("pigz", &format!("-c {args}"), Compression::Gzip);
        }
    }
}

#[test]
fn we_read_what_lz4_writes() {
    let large = Scratch::new(adc(9_000_000));
    for args in ["-c", "-c -BD", "-c -BX", "-c -l", "-c -BD -BX -B6 --content-size"] {
        large.check_written("lz4", args, Compression::Lz4);
    }
    for scratch in small_and_medium() {
        for args in levels(0..=12, "-c") {
            scratch.check_written("lz4", &args, Compression::Lz4);
            scratch.check_written("lz4", &format!("{args} -BD --favor-decSpeed"), Compression::Lz4);
            scratch.check_written("lz4", &format!("{args} -l"), Compression::Lz4);
        }
        for size in ["-B4", "-B5", "-B6", "-B7", "-B100", "-B32"] {
            for linked in ["-BI", "-BD"] {
                for checked in ["", "-BX"] {
                    for frame in ["", "--no-frame-crc", "--content-size", "--content-size --no-frame-crc"] {
                        if size == "-B32" && scratch.content.len() > 1000 {
                            continue;
                        }
                        let args = format!("-c {size} {linked} {checked} {frame}");
                        scratch.check_written("lz4", &args, Compression::Lz4);
                    }
                }
            }
        }
        for args in ["-c --fast=4", "-c --best"] {
            scratch.check_written("lz4", args, Compression::Lz4);
        }
    }
}

#[test]
fn we_read_what_bzip2_and_its_parallel_versions_write() {
    let large = Scratch::new(adc(2_000_000));
    for (program, args) in [("bzip2", "-zc"), ("lbzip2", "-zc -n 2"), ("pbzip2", "-zc -p2")] {
        large.check_written(program, args, Compression::Bzip2);
    }
    for scratch in small_and_medium() {
        for args in levels(1..=9, "-zc") {
            scratch.check_written("bzip2", &args, Compression::Bzip2);
            scratch.check_written("lbzip2", &args, Compression::Bzip2);
            scratch.check_written("pbzip2", &args, Compression::Bzip2);
        }
        for args in ["-zc --small", "-zc --fast", "-zc --best"] {
            scratch.check_written("bzip2", args, Compression::Bzip2);
        }
        scratch.check_written("pbzip2", "-zc -b1 -1", Compression::Bzip2);
        scratch.check_written("lbzip2", "-zc -1 -n 1", Compression::Bzip2);
    }
    // Long runs: a block holds far more than 900 kB.
    let runs = [vec![0; 3_000_000], adc(1000), vec![7; 2_000_000]].concat();
    Scratch::new(runs).check_written("bzip2", "-zc", Compression::Bzip2);
}

#[test]
fn we_read_what_zstd_writes() {
    let large = Scratch::new(adc(2_500_000));
    for args in ["-c", "-c -T2", "-c -T2 -1 --rsyncable", "-c --long=27", "-c --adapt"] {
        large.check_written("zstd", args, Compression::Zstd);
    }
    large.check_written("pzstd", "-c -p 2", Compression::Zstd);
    for scratch in small_and_medium() {
        for args in levels(1..=19, "-c") {
            scratch.check_written("zstd", &args, Compression::Zstd);
        }
        for args in [
            "--ultra -22",
            "--ultra -20 --no-check",
            "--long=27",
            "--long=24 --no-check",
            "--check",
            "--no-check",
            "--content-size",
            "--no-content-size",
            "--no-content-size --no-check",
            "--rsyncable -T2",
            "-T2",
            "-T0",
            "--single-thread",
            "--fast",
            "--fast=9",
            "--adapt",
            "--adapt=min=1,max=5",
            "--no-row-match-finder",
            "--row-match-finder",
            "--compress-literals",
            "--no-compress-literals",
            "--target-compressed-block-size=1340",
            "-B100000",
            "--no-asyncio",
            "--zstd=wlog=18,strat=5",
        ] {
            scratch.check_written("zstd", &format!("-c {args}"), Compression::Zstd);
        }
        for args in ["-c -p 2", "-c -p 1 -9", "-c --no-check -p 2"] {
            scratch.check_written("pzstd", args, Compression::Zstd);
        }
        // Where they are built in.
        let help = scratch.output("zstd", &["-H"], &[]).unwrap_or_default();
        let help = String::from_utf8_lossy(&help).into_owned();
        for (flag, compression) in [("--format=gzip", Compression::Gzip), ("--format=lz4", Compression::Lz4)]
        {
            match help.contains(flag) {
                true => scratch.check_written("zstd", &format!("-c {flag}"), compression),
                false => println!("zstd knows no {flag}: left out"),
            }
        }
    }
}

#[test]
fn a_zstd_window_beyond_the_limit_is_refused_until_it_is_allowed() {
    let scratch = Scratch::new(adc(300_000));
    let Some(file) = scratch.output("zstd", &["-c", "--long=28"], &scratch.content) else { return };
    let open = |limits: &Limits| Input::new_with(Cursor::new(file.clone()), "a.zst", limits).unwrap();
    let error = open(&Limits::default()).read(&mut [0]).unwrap_err();
    assert_eq!(error.to_string(), "zstd window of 268435456 bytes: at most 134217728 expected");
    let mut found = Vec::new();
    let larger = Limits { window: 256 << 20, ..Limits::default() };
    open(&larger).read_to_end(&mut found).unwrap();
    assert!(found == scratch.content);
}

#[test]
fn we_read_what_loggers_write() {
    let scratch = Scratch::new(adc(9_000_000));
    // The logger's own frames: linked blocks of 4 MB, content checksum.
    if let Some(file) = scratch.output("lz4", &["-c", "-B7", "-BD"], &scratch.content) {
        assert_eq!(file[..6], [0x04, 0x22, 0x4d, 0x18, 0x44, 0x70]);
        check(&file, &scratch.content, Compression::Lz4, "lz4 as mlogger writes it");
    }
    let scratch = Scratch::new(adc(1_000_000));
    for args in ["-z -c", "-z -9 -c"] {
        scratch.check_written("bzip2", args, Compression::Bzip2);
    }
    // Through zlib's gzopen, as mlogger does, in pieces of an event and with appended runs.
    let Some(zlib) = Zlib::new() else { return };
    for level in ["wb1", "wb6", "wb9", "wb1h", "wb6R", "wb0"] {
        let packed = scratch.path("a.gz");
        zlib.run(&scratch, "write", &packed, level);
        check(&std::fs::read(&packed).unwrap(), &scratch.content, Compression::Gzip, level);
        zlib.run(&scratch, "write", &packed, "ab6");
        check(&std::fs::read(&packed).unwrap(), &scratch.content.repeat(2), Compression::Gzip, level);
    }
}

/// A C program around zlib's file functions.
struct Zlib {
    dir: TempDir,
}

const ZLIB_C: &str = r#"
#include <stdio.h>
#include <string.h>
#include <zlib.h>
int main(int argc, char **argv) {
    static char buf[40000];
    int n, count = 0;
    if (argc < 4) return 2;
    gzFile f = gzopen(argv[2], argv[3]);
    if (!f) return 3;
    if (!strcmp(argv[1], "write")) {
        while ((n = fread(buf, 1, 1 + 7919 * (count++ % 5), stdin)) > 0) {
            if (gzwrite(f, buf, n) != n) return 4;
            if (count % 50 == 0 && gzflush(f, count % 100 ? Z_SYNC_FLUSH : Z_FULL_FLUSH) != Z_OK) return 5;
        }
    } else {
        while ((n = gzread(f, buf, sizeof buf)) > 0) fwrite(buf, 1, n, stdout);
        if (n < 0) return 6;
    }
    return gzclose(f) == Z_OK ? 0 : 7;
}
"#;

impl Zlib {
    fn new() -> Option<Zlib> {
        let dir = TempDir::new().unwrap();
        std::fs::write(dir.path().join("gz.c"), ZLIB_C).unwrap();
        let compiled = Command::new("cc").args(["-o", "gz", "gz.c", "-lz"]).current_dir(dir.path()).output();
        match compiled {
            Ok(output) if output.status.success() => Some(Zlib { dir }),
            _ => {
                missing("a C compiler with zlib.h");
                None
            }
        }
    }

    fn run(&self, scratch: &Scratch, what: &str, file: &Path, mode: &str) -> Vec<u8> {
        let program = self.dir.path().join("gz");
        let args = [what, file.to_str().unwrap(), mode];
        scratch.output(program.to_str().unwrap(), &args, &scratch.content).unwrap()
    }
}

fn python() -> String {
    std::env::var("PACTOLUS_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

#[test]
fn we_read_what_python_writes() {
    let script = "
import sys, gzip, bz2
content = sys.stdin.buffer.read()
for level in range(10):
    with gzip.open(f'{level}.gz', 'wb', compresslevel=level) as f: f.write(content)
    with gzip.open(f'{level}.gz', 'ab', compresslevel=level) as f: f.write(content)
    with open(f'named{level}.gz', 'wb') as raw:
        with gzip.GzipFile('run00042.mid', 'wb', level, raw, mtime=42) as f:
            f.write(content)
            f.flush()
            f.write(content)
    open(f'whole{level}.gz', 'wb').write(gzip.compress(content, level) + gzip.compress(content, level, mtime=0))
    if level:
        with bz2.open(f'{level}.bz2', 'wb', compresslevel=level) as f: f.write(content)
        with bz2.open(f'{level}.bz2', 'ab', compresslevel=level) as f: f.write(content)
";
    for scratch in small_and_medium() {
        if scratch.output(&python(), &["-c", script], &scratch.content).is_none() {
            return;
        }
        let mut files = 0;
        for entry in std::fs::read_dir(scratch.dir.path()).unwrap() {
            let path = entry.unwrap().path();
            let compression = match path.extension().unwrap().to_str().unwrap() {
                "gz" => Compression::Gzip,
                "bz2" => Compression::Bzip2,
                _ => continue,
            };
            let file = std::fs::read(&path).unwrap();
            check(&file, &scratch.content.repeat(2), compression, &path.display().to_string());
            files += 1;
        }
        assert_eq!(files, 39);
    }
}

/// Our files of this content, at the default level and others.
fn ours(compression: Compression, content: &[u8]) -> Vec<Vec<u8>> {
    let levels: &[Option<u32>] = match compression {
        Compression::Gzip => &[None, Some(0), Some(1), Some(6), Some(9)],
        Compression::Bzip2 => &[None, Some(1), Some(5)],
        Compression::Zstd => &[None, Some(1), Some(10), Some(19)],
        Compression::Lz4 | Compression::None => &[None],
    };
    let pack = |&level: &Option<u32>| {
        let pool = Pool::new(2).unwrap();
        let mut output = Output::new(compression, level, Vec::new()).unwrap().with_pool(pool);
        for piece in content.chunks(10_007) {
            output.write_all(piece).unwrap();
        }
        output.finish().unwrap()
    };
    levels.iter().map(pack).collect()
}

#[test]
fn the_standard_tools_read_what_we_write() {
    let zlib = Zlib::new();
    let python = python();
    let python_gzip = "import sys, gzip; sys.stdout.buffer.write(gzip.open(sys.argv[1]).read())";
    let python_bz2 = "import sys, bz2; sys.stdout.buffer.write(bz2.open(sys.argv[1]).read())";
    let python_gzip = ["-c", python_gzip];
    let python_bz2 = ["-c", python_bz2];
    // The last is several pieces in every compression.
    for scratch in [Scratch::new(Vec::new()), Scratch::new(adc(500)), Scratch::new(adc(4_500_000))] {
        for compression in Compression::ALL {
            let readers: &[(&str, &[&str])] = match compression {
                Compression::Gzip => {
                    &[("gzip", &["-dc"]), ("zcat", &[]), ("pigz", &["-dc"]), (&python, &python_gzip)]
                }
                Compression::Lz4 => &[("lz4", &["-dc"])],
                Compression::Bzip2 => &[
                    ("bzip2", &["-dc"]),
                    ("bzcat", &["-s"]),
                    ("pbzip2", &["-dc"]),
                    ("lbzip2", &["-dc"]),
                    (&python, &python_bz2),
                ],
                Compression::Zstd => &[("zstd", &["-dc"]), ("zstdcat", &[]), ("pzstd", &["-dc"])],
                Compression::None => &[],
            };
            let name = format!("a.{}", compression.extension().unwrap());
            for file in ours(compression, &scratch.content) {
                let path = scratch.path(&name);
                std::fs::write(&path, &file).unwrap();
                for (program, args) in readers {
                    let args = [args, &[name.as_str()][..]].concat();
                    if let Some(found) = scratch.output(program, &args, &[]) {
                        assert!(found == scratch.content, "{program} {args:?}: {} bytes", found.len());
                    }
                }
                if let (Some(zlib), Compression::Gzip) = (&zlib, compression) {
                    assert!(zlib.run(&scratch, "read", &path, "rb") == scratch.content, "gzread");
                }
            }
        }
    }
}

#[test]
fn files_of_the_tools_are_read_on_behind_damage() {
    let content = adc(2_000_000);
    let scratch = Scratch::new(content.clone());
    let third = content.len() / 3;
    // What may be lost at most of two million bytes.
    for (program, args, pieces, most) in [
        ("gzip", &["-c"][..], 3, third + 2),
        ("pigz", &["-c"], 3, third + 2),
        ("bzip2", &["-c"], 1, 900_000),
        ("bzip2", &["-c", "-1"], 1, 100_000),
        ("lbzip2", &["-c", "-1"], 1, 100_000),
        ("pbzip2", &["-c", "-2", "-b1"], 1, 200_000),
        ("lz4", &["-c", "-B4"], 1, 65_536),
        ("lz4", &["-c", "-B5", "-BX"], 1, 262_144),
        ("lz4", &["-c", "-BD"], 3, third + 2),
        ("lz4", &["-c", "-l"], 3, third + 2),
        ("zstd", &["-c"], 3, third + 2),
        ("zstd", &["-c", "--no-check"], 3, third + 2),
        ("pzstd", &["-c", "-p", "2"], 3, third + 2),
    ] {
        let mut file = Vec::new();
        for piece in content.chunks(content.len().div_ceil(pieces)) {
            let Some(packed) = scratch.output(program, args, piece) else { break };
            file.extend(packed);
        }
        if file.is_empty() {
            continue;
        }
        let middle = file.len() / 2;
        file[middle..middle + 6000].fill(0);
        let mut input = Input::new(Cursor::new(file), program).unwrap();
        let mut pieces = Vec::new();
        loop {
            let mut piece = Vec::new();
            let result = input.read_to_end(&mut piece);
            pieces.push(piece);
            if result.is_ok() || !input.resume().unwrap() {
                break;
            }
        }
        assert!(pieces.len() > 1, "{program} {args:?}: nothing behind the damage");
        let behind = &pieces[pieces.len() - 1];
        assert!(content.ends_with(behind), "{program} {args:?}: {} bytes", behind.len());
        let same = content.iter().zip(&pieces[0]).take_while(|(a, b)| a == b).count();
        let lost = content.len() - same - behind.len();
        assert!(lost <= most, "{program} {args:?}: {lost} bytes lost, {} before", pieces[0].len());
    }
}
