#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

use std::io::{self, Cursor, Read, Write};
use std::path::{Path, PathBuf};

use flate2::GzBuilder;
use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};

use super::{ByteSource, Compression, Input, Output};

/// Something like ADC words: a slow pedestal, noise in the low bits, a pulse now and then.
fn adc(bytes: usize) -> Vec<u8> {
    let mut seed = 1_u32;
    let mut word = |n: usize| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let pulse = if n % 97 < 5 { 800 } else { 0 };
        (2000 + (n / 1000 % 50) as u16 + (seed >> 28) as u16 + pulse).to_le_bytes()
    };
    let mut content: Vec<u8> = (0..bytes.div_ceil(2)).flat_map(&mut word).collect();
    content.truncate(bytes);
    content
}

/// Few bytes with literals, near and far matches, runs.
fn small() -> Vec<u8> {
    let mut content = adc(120);
    content.extend_from_slice(&[7; 700]);
    content.extend_from_within(..60);
    content.extend_from_slice(&adc(200)[120..]);
    content
}

fn pack(compression: Compression, content: &[u8]) -> Vec<u8> {
    let mut output = Output::new(compression, None, Vec::new()).unwrap();
    output.write_all(content).unwrap();
    output.finish().unwrap()
}

fn lz4(frame: FrameInfo, content: &[u8]) -> Vec<u8> {
    let mut encoder = FrameEncoder::with_frame_info(frame, Vec::new());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn linked() -> FrameInfo {
    FrameInfo::new().block_size(BlockSize::Max64KB).block_mode(BlockMode::Linked)
}

fn lz4_legacy(content: &[u8]) -> Vec<u8> {
    let mut file = vec![0x02, 0x21, 0x4c, 0x18];
    for block in content.chunks(8 << 20) {
        let block = lz4_flex::block::compress(block);
        file.extend_from_slice(&(block.len() as u32).to_le_bytes());
        file.extend_from_slice(&block);
    }
    file
}

fn skippable(content: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x5a, 0x2a, 0x4d, 0x18];
    frame.extend_from_slice(&(content.len() as u32).to_le_bytes());
    frame.extend_from_slice(content);
    frame
}

/// Every way to write a file that we know, with a name for it.
fn every_way(content: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut named = GzBuilder::new()
        .filename("run00042.mid")
        .comment("night shift")
        .extra(vec![1, 2, 3, 4, 5])
        .write(Vec::new(), flate2::Compression::new(6));
    named.write_all(content).unwrap();
    let checked = linked().block_checksums(true);
    let sized = FrameInfo::new().content_size(Some(content.len() as u64)).content_checksum(true);
    vec![
        ("a.gz", pack(Compression::Gzip, content)),
        ("named.gz", named.finish().unwrap()),
        ("a.lz4", pack(Compression::Lz4, content)),
        ("linked.lz4", lz4(linked().content_checksum(true), content)),
        ("checked.lz4", lz4(checked, content)),
        ("bare.lz4", lz4(linked(), content)),
        ("sized.lz4", lz4(sized, content)),
        ("legacy.lz4", lz4_legacy(content)),
        ("a.bz2", pack(Compression::Bzip2, content)),
        ("a.zst", pack(Compression::Zstd, content)),
    ]
}

/// Gives its bytes in small pieces, with an interruption now and then, as a slow pipe does.
struct Trickle {
    bytes: Cursor<Vec<u8>>,
    calls: usize,
}

impl Read for Trickle {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.calls += 1;
        if self.calls.is_multiple_of(5) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let len = buf.len().min(1 + self.calls % 3);
        self.bytes.read(&mut buf[..len])
    }
}

fn open(name: &str, file: &[u8]) -> Input {
    Input::new(Cursor::new(file.to_vec()), name).unwrap()
}

/// Everything an input gives, and the error that ends it.
fn drain(input: &mut Input, piece: usize) -> (Vec<u8>, Option<io::Error>) {
    let mut all = Vec::new();
    let mut buf = vec![0; piece];
    loop {
        match input.read(&mut buf) {
            Ok(0) => return (all, None),
            Ok(n) => all.extend_from_slice(&buf[..n]),
            Err(e) => return (all, Some(e)),
        }
    }
}

fn unpack(name: &str, file: &[u8]) -> (Vec<u8>, Option<io::Error>) {
    drain(&mut open(name, file), 1 << 20)
}

#[track_caller]
fn check(name: &str, file: &[u8], content: &[u8]) {
    let (found, error) = unpack(name, file);
    assert!(error.is_none(), "{name}: {error:?} behind {} bytes", found.len());
    assert!(found == content, "{name}: {} bytes, {} expected", found.len(), content.len());
}

/// Checks that `content` comes first, then an error with this text.
#[track_caller]
fn check_broken(name: &str, file: &[u8], content: &[u8], kind: io::ErrorKind, text: &str) {
    let mut input = open(name, file);
    let (found, error) = drain(&mut input, 1 << 20);
    assert!(found == content, "{name}: {} bytes, {} expected", found.len(), content.len());
    let error = error.expect("an error");
    assert_eq!((error.kind(), error.to_string()), (kind, text.to_owned()), "{name}");
    let again = input.read(&mut [0]).expect_err("the same error again");
    assert_eq!(again.to_string(), text);
}

fn promised(name: &str) -> Compression {
    let extension = Path::new(name).extension().unwrap().to_str().unwrap();
    Compression::from_extension(extension).unwrap_or_default()
}

fn cut_short(name: &str) -> String {
    format!("{} stream cut short", promised(name))
}

#[test]
fn every_format_gives_back_what_was_written() {
    for content in [small(), adc(3_000_000), vec![0; 9_000_000], vec![42], Vec::new()] {
        for (name, file) in every_way(&content) {
            check(name, &file, &content);
        }
    }
}

#[test]
fn every_level_can_be_read() {
    let content = adc(100_000);
    for (compression, levels) in
        [(Compression::Gzip, 0..=9), (Compression::Bzip2, 1..=9), (Compression::Zstd, 1..=22)]
    {
        for level in levels {
            let mut output = Output::new(compression, Some(level), Vec::new()).unwrap();
            output.write_all(&content).unwrap();
            check("level", &output.finish().unwrap(), &content);
        }
    }
}

#[test]
fn an_unknown_level_is_refused() {
    for (compression, level, text) in [
        (Compression::Gzip, 10, "gzip level 0 to 9 wanted, 10 found"),
        (Compression::Bzip2, 0, "bzip2 level 1 to 9 wanted, 0 found"),
        (Compression::Zstd, 23, "zstd level 1 to 22 wanted, 23 found"),
        (Compression::Lz4, 1, "compression lz4 has no levels, 1 found"),
    ] {
        let error = Output::new(compression, Some(level), Vec::new()).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (io::ErrorKind::InvalidInput, text));
    }
}

#[test]
fn the_same_bytes_give_the_same_file() {
    for compression in Compression::ALL {
        assert_eq!(pack(compression, &small()), pack(compression, &small()));
    }
}

#[test]
fn a_slow_pipe_and_a_small_buffer_make_no_difference() {
    let content = adc(70_000);
    for (name, file) in every_way(&content) {
        for piece in [1, 3, 4096] {
            let mut input = Input::new(Trickle { bytes: Cursor::new(file.clone()), calls: 0 }, name).unwrap();
            let (found, error) = drain(&mut input, piece);
            assert!(error.is_none(), "{name}: {error:?}");
            assert!(found == content, "{name}");
        }
    }
}

#[test]
fn first_bytes_decide() {
    for (bytes, compression) in [
        (&[][..], Compression::None),
        (&[0x1f, 0x8b, 0x08], Compression::None),
        (&[0x1f, 0x8b, 0x08, 0x08], Compression::Gzip),
        (&[0x1f, 0x8b, 0x08, 0x20], Compression::None),
        (&[0x1f, 0x8b, 0x00, 0x00], Compression::None),
        (&[0x04, 0x22, 0x4d, 0x18, 0x44], Compression::Lz4),
        (&[0x02, 0x21, 0x4c, 0x18], Compression::Lz4),
        (b"BZh9", Compression::Bzip2),
        (b"BZh0", Compression::None),
        (&[0x28, 0xb5, 0x2f, 0xfd], Compression::Zstd),
        (&[0x50, 0x2a, 0x4d, 0x18], Compression::Zstd),
        (&[0x5f, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9, 0x28, 0xb5, 0x2f, 0xfd], Compression::Zstd),
        (&[0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 9, 0x04, 0x22, 0x4d, 0x18], Compression::Lz4),
        (&[0x50, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0xff, 9, 0x04, 0x22, 0x4d], Compression::Zstd),
        (&[0x00, 0x80, 0x4d, 0x49, 1, 0, 0, 0], Compression::None),
    ] {
        assert_eq!(Compression::detect(bytes), compression, "{bytes:02x?}");
    }
}

#[test]
fn names_and_extensions_agree() {
    for compression in Compression::ALL {
        let extension = compression.extension().unwrap();
        assert_eq!(Compression::from_extension(extension), Some(compression));
        assert_eq!(Compression::from_extension(&extension.to_uppercase()), Some(compression));
    }
    assert_eq!(Compression::from_extension("mid"), None);
    assert_eq!(Compression::None.extension(), None);
    assert_eq!(Compression::Zstd.to_string(), "zstd");
}

#[test]
fn a_plain_file_keeps_its_bytes_whatever_its_name() {
    for content in [small(), Vec::new(), vec![0], vec![0x1f, 0x8b]] {
        let mut input = open("run.mid", &content);
        assert_eq!(input.compression(), Compression::None);
        assert_eq!(drain(&mut input, 100).0, content);
        assert_eq!(input.compressed_offset(), None);
    }
    check("run.mid.gz", &small(), &small());
}

#[test]
fn members_and_frames_follow_each_other() {
    let content = small();
    let twice = [&content[..], &content].concat();
    for (name, file) in every_way(&content) {
        check(name, &[&file[..], &file].concat(), &twice);
        if !name.ends_with(".gz") && !name.ends_with(".bz2") {
            let skip = skippable(b"index");
            check(name, &[&skip[..], &file, &skip, &skip, &file, &skip].concat(), &twice);
        }
    }
    let empty = pack(Compression::Gzip, &[]);
    check("a.gz", &[&empty[..], &pack(Compression::Gzip, &content), &empty].concat(), &content);
}

#[test]
fn lz4_frames_of_different_kinds_follow_each_other() {
    let content = adc(150_000);
    let lz4s = every_way(&content).into_iter().filter(|(name, _)| name.ends_with(".lz4"));
    let mut file = Vec::new();
    let mut all = Vec::new();
    for (_, frame) in lz4s.clone().chain(lz4s.rev()) {
        file.extend(frame);
        all.extend_from_slice(&content);
    }
    check("mixed.lz4", &file, &all);
}

#[test]
fn zeros_behind_the_last_gzip_member_are_padding() {
    let content = small();
    let mut file = pack(Compression::Gzip, &content);
    file.resize(file.len() + 1_000_000, 0);
    check("a.gz", &file, &content);
    file.push(1);
    let text = "foreign bytes behind the end of the gzip stream";
    check_broken("a.gz", &file, &content, io::ErrorKind::InvalidData, text);
}

#[test]
fn foreign_bytes_behind_the_last_member_are_an_error_behind_all_content() {
    let content = small();
    for (name, file) in every_way(&content) {
        // A legacy frame has no end; what follows counts as a block of 0x67616261 bytes.
        let text = match name {
            "legacy.lz4" => "lz4 block of 1734435425 bytes: at most 8421520 expected".to_owned(),
            _ => format!("foreign bytes behind the end of the {} stream", promised(name)),
        };
        check_broken(name, &[&file[..], b"abag"].concat(), &content, io::ErrorKind::InvalidData, &text);
    }
}

#[test]
fn a_file_cut_anywhere_gives_its_beginning_and_an_error() {
    let content = small();
    for (name, file) in every_way(&content) {
        let mut longest = 0;
        for cut in 1..file.len() {
            let mut input = open(name, &file[..cut]);
            let (found, error) = drain(&mut input, 1 << 20);
            assert!(content.starts_with(&found), "{name} cut at {cut}");
            assert!(found.len() >= longest, "{name} cut at {cut}: fewer bytes than if cut before");
            longest = found.len();
            if name == "legacy.lz4" && cut == 4 {
                assert!(error.is_none(), "a legacy frame without blocks is whole");
                continue;
            }
            let error = error.unwrap_or_else(|| panic!("{name} cut at {cut}: no error"));
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{name} cut at {cut}: {error}");
            assert_eq!(error.to_string(), cut_short(name));
            assert_eq!(input.compressed_offset(), Some(cut as u64), "{name}");
        }
        assert_eq!(open(name, &[]).compression(), Compression::None, "an empty file is empty");
    }
}

#[test]
fn a_cut_lz4_block_gives_every_byte_that_is_certain() {
    let content = small();
    for (name, file) in every_way(&content).into_iter().filter(|(name, _)| name.ends_with(".lz4")) {
        // 60 of 120 ADC bytes are literals in the file: three quarters of it hold the run of sevens.
        let (found, _) = unpack(name, &file[..file.len() * 3 / 4]);
        assert!(found.len() >= 700, "{name}: {}", found.len());
    }
}

#[test]
fn a_cut_between_the_blocks_of_a_large_file_keeps_the_blocks_before_it() {
    let content = adc(1_200_000);
    for (name, file) in every_way(&content) {
        for percent in [1, 30, 55, 80, 99] {
            let (found, error) = unpack(name, &file[..file.len() * percent / 100]);
            assert!(content.starts_with(&found), "{name} {percent} %");
            assert_eq!(error.unwrap().kind(), io::ErrorKind::UnexpectedEof, "{name} {percent} %");
            // bzip2 has only blocks of 900 kB, Zstandard of 128 kB.
            let lost = match promised(name) {
                Compression::Bzip2 => 900_000,
                Compression::Zstd => 140_000,
                _ => 15_000,
            };
            let expected = (content.len() * percent / 100).saturating_sub(lost);
            assert!(found.len() >= expected, "{name} {percent} %: {}", found.len());
        }
    }
}

#[test]
fn a_wrong_byte_never_goes_unnoticed_where_there_are_checksums() {
    let content = small();
    for (name, file) in every_way(&content) {
        let unchecked = matches!(name, "bare.lz4" | "legacy.lz4");
        for at in 0..file.len() {
            for flip in [0xff, 1 << (at % 8), 0x80, 1] {
                // Whether a block is stored as it is: the one bit that no block checksum covers.
                if name == "checked.lz4" && at == 10 && flip & 0x80 != 0 {
                    continue;
                }
                let mut broken = file.clone();
                broken[at] ^= flip;
                let mut input = open(name, &broken);
                let (found, error) = drain(&mut input, 1 << 20);
                let noticed = error.is_some() || input.compression() == Compression::None;
                assert!(noticed || unchecked || found == content, "{name}: byte {at} ^ {flip:#x}");
                if let Some(error) = error {
                    let kind = error.kind();
                    assert!(
                        matches!(kind, io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof),
                        "{name}: byte {at} ^ {flip:#x}: {error}"
                    );
                }
                if name == "checked.lz4" && input.compression() == Compression::Lz4 {
                    assert!(content.starts_with(&found), "{name}: byte {at} ^ {flip:#x}");
                }
            }
        }
    }
}

#[test]
fn a_wrong_checksum_is_reported_behind_the_content() {
    let content = adc(100_000);
    for (name, back, text) in [
        ("a.gz", 8, "gzip checksum does not match"),
        ("a.gz", 4, "gzip length does not match"),
        ("a.lz4", 4, "lz4 content checksum does not match"),
        ("linked.lz4", 4, "lz4 content checksum does not match"),
        ("a.zst", 4, "zstd stream unreadable: restored data doesn't match checksum"),
    ] {
        let (_, mut file) = every_way(&content).into_iter().find(|(n, _)| *n == name).unwrap();
        let at = file.len() - back;
        file[at] ^= 1;
        check_broken(name, &file, &content, io::ErrorKind::InvalidData, text);
    }
}

#[test]
fn a_wrong_lz4_block_checksum_holds_the_block_back() {
    let content = adc(100_000);
    let mut file = lz4(linked().block_checksums(true), &content);
    let at = file.len() - 5; // the end mark is behind the last checksum
    file[at] ^= 1;
    let first = &content[..64 << 10];
    check_broken("a.lz4", &file, first, io::ErrorKind::InvalidData, "lz4 block checksum does not match");
}

#[test]
fn a_corrupt_lz4_block_gives_what_comes_before_the_damage() {
    // Literals "abcd", then a match 5 back with 4 there.
    let block = [0x40, b'a', b'b', b'c', b'd', 5, 0, 0x10, b'e'];
    let mut file = vec![0x02, 0x21, 0x4c, 0x18, block.len() as u8, 0, 0, 0];
    file.extend_from_slice(&block);
    check_broken("a.lz4", &file, b"abcd", io::ErrorKind::InvalidData, "lz4 block is corrupt");
    file[13] = 0;
    check_broken("a.lz4", &file, b"abcd", io::ErrorKind::InvalidData, "lz4 block is corrupt");
    file[13] = 4;
    check("a.lz4", &file, b"abcdabcde");
}

#[test]
fn an_lz4_block_that_decodes_to_too_much_stops_at_the_limit() {
    let mut bomb = vec![0x1f, 0, 1, 0];
    bomb.resize(1000, 0xff);
    bomb.extend_from_slice(&[0, 0x00]);
    let mut file = lz4(linked(), &[])[..7].to_vec();
    file.extend_from_slice(&(bomb.len() as u32).to_le_bytes());
    file.extend_from_slice(&bomb);
    file.extend_from_slice(&[0; 4]);
    let expected = vec![0; 64 << 10];
    check_broken("a.lz4", &file, &expected, io::ErrorKind::InvalidData, "lz4 block is corrupt");
}

#[test]
fn frames_that_we_do_not_support_say_so() {
    let header = |flg: u8, bd: u8| {
        let mut file = vec![0x04, 0x22, 0x4d, 0x18, flg, bd];
        if flg & 1 != 0 {
            file.extend_from_slice(&[1, 2, 3, 4]);
        }
        let check = twox_hash::XxHash32::oneshot(0, &file[4..]) >> 8;
        file.push(check as u8);
        file
    };
    for (flg, bd, text) in [
        (0x41, 0x70, "lz4 frame needs a dictionary: not supported"),
        (0x80, 0x70, "lz4 frame of an unknown version"),
        (0x42, 0x70, "lz4 frame of an unknown version"),
        (0x40, 0x30, "lz4 frame of an unknown block size"),
    ] {
        check_broken("a.lz4", &header(flg, bd), b"", io::ErrorKind::InvalidData, text);
    }
    // A window of 2 GiB.
    let file = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0, 0, 0];
    let text = "zstd window of 2147483648 bytes: at most 134217728 expected";
    check_broken("a.zst", &file, b"", io::ErrorKind::InvalidData, text);
}

#[test]
fn a_gzip_header_that_never_ends_is_given_up() {
    let mut file = vec![0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 0];
    file.resize(3 << 20, b'x');
    check_broken(
        "a.gz",
        &file,
        b"",
        io::ErrorKind::InvalidData,
        "gzip header without an end in 1048576 bytes",
    );
}

#[test]
fn a_wrong_gzip_header_checksum_is_an_error() {
    let plain = pack(Compression::Gzip, b"content");
    let mut file = plain[..10].to_vec();
    file[3] = 2;
    let mut crc = flate2::Crc::new();
    crc.update(&file);
    file.extend_from_slice(&crc.sum().to_le_bytes()[..2]);
    file.extend_from_slice(&plain[10..]);
    check("a.gz", &file, b"content");
    file[10] ^= 1;
    let text = "gzip header checksum does not match";
    check_broken("a.gz", &file, b"", io::ErrorKind::InvalidData, text);
}

#[test]
fn progress_follows_the_file_from_another_thread() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run00042.mid.gz");
    let file = pack(Compression::Gzip, &adc(3_000_000));
    std::fs::write(&path, &file).unwrap();

    let mut input = Input::open(&path).unwrap();
    assert_eq!(input.name(), path);
    assert_eq!(input.compression(), Compression::Gzip);
    assert_eq!(input.total(), Some(file.len() as u64));
    assert_eq!(input.compressed_offset(), Some(0));
    let progress = input.progress();
    assert!(progress.consumed() > 0 && progress.consumed() < file.len() as u64);

    let input = std::thread::spawn(move || {
        assert!(drain(&mut input, 1 << 16).1.is_none());
        input
    });
    let input = input.join().unwrap();
    assert_eq!(progress.consumed(), file.len() as u64);
    assert_eq!(progress.total(), input.total());
    assert_eq!(input.consumed(), file.len() as u64);
    assert_eq!(input.compressed_offset(), Some(file.len() as u64));
}

#[test]
fn a_file_that_is_not_there_is_an_error_with_its_path() {
    let error = Input::open("no/such/run.mid").unwrap_err().to_string();
    assert!(error.starts_with("cannot open no/such/run.mid: "), "{error}");
}

#[test]
fn an_error_of_the_system_is_passed_on_and_reading_can_go_on() {
    struct Flaky(Cursor<Vec<u8>>, bool);
    impl Read for Flaky {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 { self.0.read(buf) } else { Err(io::ErrorKind::TimedOut.into()) }
        }
    }
    let content = adc(2_000_000);
    let file = pack(Compression::Lz4, &content);
    let mut input = Input::new(Flaky(Cursor::new(file), false), "flaky").unwrap();
    let (mut all, mut errors) = (Vec::new(), 0);
    let error = loop {
        match drain(&mut input, 1 << 20) {
            (piece, Some(error)) if error.kind() == io::ErrorKind::TimedOut => {
                all.extend(piece);
                errors += 1;
            }
            (piece, error) => {
                all.extend(piece);
                break error;
            }
        }
    };
    assert!(error.is_none() && errors > 1, "{error:?} {errors}");
    assert!(all == content);
}

/// Run 6 of the real mlogger, compressed with the standard `gzip`, `lz4` and `bzip2`.
fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus/comp").join(name)
}

#[test]
fn files_of_the_standard_tools_give_the_run_back() {
    let run = std::fs::read(corpus("run00006.mid")).unwrap();
    for name in [
        "run00006.mid",
        "run00006.1.mid.gz",
        "run00006.9.mid.gz",
        "run00006.twomember.mid.gz",
        "run00006.default.mid.lz4",
        "run00006.linked.mid.lz4",
        "run00006.blockcrc_nofcrc.mid.lz4",
        "run00006.legacy.mid.lz4",
        "run00006.twoframe.mid.lz4",
        "run00006.mid.bz2",
        "run00006.twostream.mid.bz2",
    ] {
        let mut input = Input::open(corpus(name)).unwrap();
        assert_eq!(input.compression(), promised(name));
        let (found, error) = drain(&mut input, 1 << 16);
        assert!(error.is_none(), "{name}: {error:?}");
        assert!(found == run, "{name}");
    }
}

#[test]
fn cut_files_of_the_standard_tools_give_all_that_can_be_had() {
    let run = std::fs::read(corpus("run00006.mid")).unwrap();
    for (name, len) in [
        ("run00006.cut30000.mid.gz", 100_748),
        ("run00006.cut30000.mid.lz4", 77_529),
        // One block of 900 kB, and that is cut.
        ("run00006.cut30000.mid.bz2", 0),
        // Cut in the checksum behind the content.
        ("run00006.truncated.mid.gz", run.len()),
        ("run00006.truncated.mid.lz4", run.len()),
    ] {
        let (found, error) = drain(&mut Input::open(corpus(name)).unwrap(), 1 << 16);
        assert!(run.starts_with(&found), "{name}");
        assert_eq!(found.len(), len, "{name}");
        let error = error.unwrap();
        assert_eq!((error.kind(), error.to_string()), (io::ErrorKind::UnexpectedEof, cut_short(name)));
    }
}
