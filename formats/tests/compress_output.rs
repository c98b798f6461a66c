//! What a compressed file holds depends on its content and level alone, and it holds all or says so.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

mod compress_common;

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind, Write};
use std::rc::Rc;

use compress_common::{adc, pack, read};
use pactolus_formats::compress::Output;
use pactolus_formats::{Compression, Pool};

/// Every compression, with the bytes of content in a piece.
const WAYS: [(Compression, Option<u32>, usize); 7] = [
    (Compression::Gzip, None, 1 << 20),
    (Compression::Gzip, Some(1), 1 << 20),
    (Compression::Lz4, None, 1 << 20),
    (Compression::Bzip2, Some(1), 99_000),
    (Compression::Bzip2, Some(2), 198_000),
    (Compression::Zstd, None, 4 << 20),
    (Compression::Zstd, Some(1), 4 << 20),
];

/// Random numbers, the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end.max(1)
    }
}

/// ADC words, zeros, and noise that nothing compresses, in turns.
fn content(bytes: usize) -> Vec<u8> {
    let mut dice = Dice(bytes as u64);
    let mut content = adc(bytes, 1);
    for (i, part) in content.chunks_mut(300_000).enumerate() {
        match i % 4 {
            1 => part.fill(0),
            3 => part.iter_mut().for_each(|byte| *byte = dice.below(256) as u8),
            _ => {}
        }
    }
    content
}

fn pools() -> [Option<Pool>; 4] {
    [None, Some(Pool::new(1).unwrap()), Some(Pool::new(2).unwrap()), Some(Pool::new(3).unwrap())]
}

fn output<W: Write>(way: (Compression, Option<u32>, usize), pool: Option<&Pool>, inner: W) -> Output<W> {
    let output = Output::new(way.0, way.1, inner).unwrap();
    match pool {
        Some(pool) => output.with_pool(pool.clone()),
        None => output,
    }
}

fn whole(way: (Compression, Option<u32>, usize), content: &[u8]) -> Vec<u8> {
    let mut output = output(way, None, Vec::new());
    output.write_all(content).unwrap();
    output.finish().unwrap()
}

#[test]
fn neither_threads_nor_writes_nor_flushes_change_the_file() {
    let mut dice = Dice(7);
    for way in WAYS {
        for bytes in [0, 1, 500, way.2 - 1, way.2, way.2 + 1, 2 * way.2, 5 * way.2 / 2] {
            let content = content(bytes);
            let file = whole(way, &content);
            let given = read("file", &file);
            assert!(given.errors.is_empty() && given.pieces.concat() == content, "{way:?}, {bytes} bytes");
            for pool in pools() {
                let mut output = output(way, pool.as_ref(), Vec::new());
                let most = 1 << (4 + dice.below(17));
                let mut rest = &content[..];
                while !rest.is_empty() {
                    let (now, later) = rest.split_at(rest.len().min(1 + dice.below(most)));
                    output.write_all(now).unwrap();
                    rest = later;
                    if dice.below(1000) == 0 {
                        output.flush().unwrap();
                    }
                }
                // Where a piece ends here, nothing is left for the end.
                if dice.below(2) == 0 {
                    output.flush().unwrap();
                }
                let found = output.finish().unwrap();
                assert!(found == file, "{way:?}, {bytes} bytes, {pool:?}, writes below {most}");
            }
        }
    }
}

#[test]
fn files_that_share_a_pool_do_not_mix() {
    let pool = Pool::new(2).unwrap();
    let content = content(9_500_000);
    let mut outputs = WAYS.map(|way| output(way, Some(&pool), Vec::new()));
    for piece in content.chunks(70_001) {
        outputs.iter_mut().for_each(|output| output.write_all(piece).unwrap());
    }
    for (way, output) in WAYS.into_iter().zip(outputs) {
        assert!(output.finish().unwrap() == whole(way, &content), "{way:?}");
    }
}

#[test]
fn a_pool_may_come_late_and_an_output_may_be_given_up() {
    let pool = Pool::new(2).unwrap();
    for way in WAYS {
        let content = content(3 * way.2);
        let mut late = output(way, None, Vec::new());
        late.write_all(&content[..way.2 / 2]).unwrap();
        let mut late = late.with_pool(Pool::new(1).unwrap());
        // The first pieces are on their way when the next pool comes.
        late.write_all(&content[way.2 / 2..way.2 * 5 / 2]).unwrap();
        let mut late = late.with_pool(pool.clone());
        late.write_all(&content[way.2 * 5 / 2..]).unwrap();
        assert!(late.finish().unwrap() == whole(way, &content), "{way:?}");

        let mut given_up = output(way, Some(&pool), Vec::new());
        given_up.write_all(&content).unwrap();
    }
}

/// Takes so many bytes, in small pieces and with interruptions, then fails for good.
struct Failing {
    file: Rc<RefCell<Vec<u8>>>,
    room: usize,
    calls: usize,
}

impl Write for Failing {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.calls += 1;
        if self.calls.is_multiple_of(5) {
            return Err(ErrorKind::Interrupted.into());
        }
        let mut file = self.file.borrow_mut();
        let n = buf.len().min(self.room - file.len()).min(1 << 18);
        if n == 0 && !buf.is_empty() {
            return Err(io::Error::new(ErrorKind::StorageFull, "the disk is full"));
        }
        file.extend_from_slice(&buf[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_error_of_the_inner_writer_stays_to_the_end() {
    let mut dice = Dice(3);
    for way in WAYS {
        let content = content(3 * way.2);
        let file = whole(way, &content);
        for pool in [None, Some(Pool::new(2).unwrap())] {
            for round in 0..6 {
                let room = if round == 0 { 0 } else { dice.below(file.len()) };
                let taken = Rc::new(RefCell::new(Vec::new()));
                let failing = Failing { file: taken.clone(), room, calls: 0 };
                let mut output = output(way, pool.as_ref(), failing);
                let written = content.chunks(50_000).try_for_each(|piece| output.write_all(piece));
                let same = |error: io::Error| {
                    let found = (error.kind(), error.to_string());
                    assert_eq!(found, (ErrorKind::StorageFull, "the disk is full".to_owned()), "{way:?}");
                };
                if let Err(error) = written {
                    same(error);
                    same(output.flush().unwrap_err());
                }
                same(output.finish().map(|_| "whole").unwrap_err());
                assert!(*taken.borrow() == file[..room], "{way:?} {pool:?}: room for {room} bytes");
            }
            let taken = Rc::new(RefCell::new(Vec::new()));
            let mut output =
                output(way, pool.as_ref(), Failing { file: taken.clone(), room: file.len(), calls: 0 });
            output.write_all(&content).unwrap();
            output.finish().map(drop).unwrap();
            assert!(*taken.borrow() == file, "{way:?} {pool:?}");
        }
    }
}

/// Fails once, then takes everything: a full disk where somebody makes room.
struct Full(bool);

impl Write for Full {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if std::mem::take(&mut self.0) { Err(ErrorKind::StorageFull.into()) } else { Ok(buf.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn behind_an_error_nothing_is_taken() {
    for way in WAYS.into_iter().chain([(Compression::None, None, 1000)]) {
        for pool in [None, Some(Pool::new(2).unwrap())] {
            let mut output = output(way, pool.as_ref(), Full(true));
            let content = content(2 * way.2);
            let written = output.write_all(&content).and_then(|()| output.flush());
            assert_eq!(written.unwrap_err().kind(), ErrorKind::StorageFull, "{way:?}");
            let full = |error: io::Error| assert_eq!(error.kind(), ErrorKind::StorageFull, "{way:?}");
            full(output.write(&[]).unwrap_err());
            full(output.write(b"more").unwrap_err());
            full(output.write_vectored(&[]).unwrap_err());
            full(output.write_vectored(&[io::IoSlice::new(b"more")]).unwrap_err());
            full(output.flush().unwrap_err());
            full(output.finish().map(drop).unwrap_err());
        }
    }
}

#[test]
fn an_error_met_while_a_pool_is_given_comes_with_the_next_write() {
    let way = (Compression::Gzip, None, 1 << 20);
    for small in [b"".as_slice(), b"more"] {
        let pool = Pool::new(1).unwrap();
        let mut output = output(way, Some(&pool), Full(true));
        // Packed while the next piece is filled, so that nobody has written it yet.
        let _ = output.write_all(&content(way.2 + 100));
        let mut output = output.with_pool(pool);
        assert_eq!(output.write(small).unwrap_err().kind(), ErrorKind::StorageFull);
    }
}

#[test]
fn a_call_that_is_interrupted_can_be_made_again() {
    let taken = Rc::new(RefCell::new(Vec::new()));
    let failing = Failing { file: taken.clone(), room: 1000, calls: 0 };
    let mut output = Output::new(Compression::None, None, failing).unwrap();
    (0..1000_usize).for_each(|n| output.write_all(&[n as u8]).unwrap());
    output.finish().map(drop).unwrap();
    assert_eq!(taken.borrow().len(), 1000);
}

/// Knows how much content was accepted, and how much of it has come out.
struct Slow {
    accepted: Rc<Cell<usize>>,
    passed_on: Rc<Cell<usize>>,
    /// Where each piece ends in the file.
    ends: Vec<usize>,
    bytes: usize,
    most: usize,
    piece: usize,
}

impl Write for Slow {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        // Threads that only waited for a slow disk would have all the time they want.
        std::thread::sleep(std::time::Duration::from_millis(2));
        let ahead = self.accepted.get() - self.passed_on.get();
        assert!(ahead <= self.most, "{ahead} bytes ahead, {} expected", self.most);
        self.bytes += buf.len();
        self.passed_on.set(self.piece * self.ends.iter().filter(|&&end| end <= self.bytes).count());
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn content_runs_ahead_of_the_file_by_no_more_than_is_said() {
    for way in [WAYS[0], WAYS[3]] {
        let (compression, level, piece) = way;
        let content = content(12 * piece + 17);
        let packed = |piece: &[u8]| whole(way, piece).len();
        let ends: Vec<usize> = content
            .chunks_exact(piece)
            .scan(0, |end, piece| {
                *end += packed(piece);
                Some(*end)
            })
            .collect();
        for (pool, pieces) in pools().into_iter().zip([1, 3, 5, 7]) {
            let (accepted, passed_on) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
            let most = pieces * piece;
            let slow = Slow {
                accepted: accepted.clone(),
                passed_on: passed_on.clone(),
                ends: ends.clone(),
                bytes: 0,
                most,
                piece,
            };
            let mut output = output((compression, level, piece), pool.as_ref(), slow);
            for some in content.chunks(10_007) {
                let mut rest = some;
                while !rest.is_empty() {
                    let n = output.write(rest).unwrap();
                    rest = &rest[n..];
                    accepted.set(accepted.get() + n);
                    let ahead = accepted.get() - passed_on.get();
                    assert!(ahead <= most, "{compression}, {pool:?}: {ahead} bytes ahead of the file");
                }
            }
            output.flush().unwrap();
            assert_eq!(passed_on.get(), 12 * piece, "{compression}, {pool:?}: all that is complete");
            output.finish().map(drop).unwrap();
        }
    }
}

#[test]
fn files_have_the_form_that_is_said() {
    // Members like those of one piece each, without flags, time and name.
    let content = content(9_000_000);
    for way in WAYS {
        let (compression, _, piece) = way;
        let units: Vec<u8> = content.chunks(piece).flat_map(|piece| whole(way, piece)).collect();
        let file = whole(way, &content);
        match compression {
            Compression::Gzip => {
                assert_eq!(file[..8], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
                assert!(file == units);
            }
            Compression::Bzip2 => assert!(file == units),
            Compression::Zstd => {
                assert!(file == units);
                let descriptor = file[4];
                assert_eq!(descriptor & 0x04, 0x04, "a checksum");
                assert_ne!(descriptor & 0xe0, 0, "a length");
            }
            // One frame of independent blocks with both checksums, without a length or a dictionary.
            _ => {
                assert_eq!(file[..6], [0x04, 0x22, 0x4d, 0x18, 0x74, 0x60]);
                let (mut at, mut blocks) = (7, 0);
                loop {
                    let word = u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
                    at += 4;
                    if word == 0 {
                        break;
                    }
                    at += (word & 0x7fff_ffff) as usize + 4;
                    blocks += 1;
                }
                assert_eq!((at + 4, blocks), (file.len(), content.len().div_ceil(1 << 20)));
            }
        }
    }
}

#[test]
fn a_broken_member_costs_no_more_than_its_piece() {
    let content = adc(3 << 20, 5);
    let file = pack(Compression::Gzip, &content);
    let mut broken = file.clone();
    broken[file.len() / 2] ^= 0x55;
    let given = read("a.gz", &broken);
    assert!(!given.errors.is_empty());
    assert!(given.pieces[0].starts_with(&content[..1 << 20]));
    assert!(given.pieces.concat().ends_with(&content[2 << 20..]));
}
