//! Bytes of files as text for a terminal: times, strings, bytes.

use std::io::{self, Write};

use pactolus::formats::event::Kind;
use pactolus::formats::text::{hex, push_unsigned, put_unsigned};

use super::page::Page;

/// Columns of a terminal.
const WIDTH: usize = 80;

/// A time as `2026-11-21T01:42:36Z`.
pub(crate) fn utc(unix_seconds: u32) -> String {
    let mut text = Vec::with_capacity(20);
    push_utc(&mut text, unix_seconds);
    String::from_utf8_lossy(&text).into_owned()
}

/// Appends a time.
pub(super) fn push_utc(out: &mut Vec<u8>, unix_seconds: u32) {
    let (days, second) = (unix_seconds / 86_400, unix_seconds % 86_400);
    // Days since 1 March of the year 0 make leap days the last of their year, and of their cycle
    // of 400 years, which has 146,097 days.
    let days = days + 719_468;
    let (cycle, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // Five months from March or August on have 153 days.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = match month {
        0..10 => (400 * cycle + year, month + 3),
        _ => (400 * cycle + year + 1, month - 9),
    };
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let mut text = *b"0000-00-00T00:00:00Z";
    for (end, number) in [(4, year), (7, month), (10, day), (13, hour), (16, minute), (19, second)] {
        put_unsigned(&mut text[..end], number.into());
    }
    out.extend_from_slice(&text);
}

/// What a kind of event is called.
pub(crate) fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Data => "data",
        Kind::Bor => "BOR",
        Kind::Eor => "EOR",
        Kind::Message => "message",
        Kind::FragmentFirst | Kind::FragmentNext => "fragment",
        Kind::System => "system",
    }
}

/// Text that cannot move the cursor: UTF-8 as it is, other bytes and control characters escaped.
pub(crate) fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() {
                text.extend(c.escape_default());
            } else {
                text.push(c);
            }
        }
        text.extend(chunk.invalid().escape_ascii().map(char::from));
    }
    text
}

/// The first `chars` characters.
pub(crate) fn cut(text: &str, chars: usize) -> &str {
    text.char_indices().nth(chars).map_or(text, |(end, _)| &text[..end])
}

/// Bytes of a line that are escaped at a time: a broken file may hold one line of 100 MB. A
/// character that is longer than its piece is shown as bytes.
const PIECE: usize = 1 << 16;

/// Pieces of the lines of a text, and whether each is the last of its line.
fn pieces(bytes: &[u8]) -> impl Iterator<Item = (&[u8], bool)> {
    bytes.trim_ascii_end().split(|&byte| byte == b'\n').flat_map(|line| {
        let count = line.len().div_ceil(PIECE).max(1);
        (1..=count).map(move |i| (&line[(i - 1) * PIECE..line.len().min(i * PIECE)], i == count))
    })
}

/// Lines of a text, each indented and broken where the terminal ends.
pub(super) fn write_wrapped(out: &mut impl Write, bytes: &[u8], indent: usize) -> io::Result<()> {
    for (piece, _) in pieces(bytes) {
        let line = escaped(piece);
        let mut rest = line.as_str();
        loop {
            let mut head = cut(rest, WIDTH - indent);
            // Between words, if the line has two.
            if rest[head.len()..].starts_with(|c| c != ' ')
                && let Some(space @ 1..) = head.rfind(' ')
            {
                head = &head[..space];
            }
            writeln!(out, "{:indent$}{head}", "")?;
            rest = rest[head.len()..].trim_start_matches(' ');
            if rest.is_empty() {
                break;
            }
        }
    }
    Ok(())
}

/// Lines of a text as they are, but for control characters.
pub(super) fn write_lines(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    for (piece, last) in pieces(bytes) {
        write!(out, "{}{}", escaped(piece), if last { "\n" } else { "" })?;
    }
    Ok(())
}

/// Room for any line of columns: an index may be wide, and a line of one column longer than [`WIDTH`].
pub(super) const LINE: usize = 128;

/// Sixteen bytes a line, in hexadecimal and as ASCII, with the offset of the first.
pub(super) fn write_bytes(out: &mut Page<'_>, bytes: &[u8]) -> io::Result<()> {
    let digits = digits(bytes.len().saturating_sub(1)).max(5);
    let (start, ascii) = (digits + 4, digits + 4 + 16 * 3 + 2);
    for (at, bytes) in (0..).step_by(16).zip(bytes.chunks(16)) {
        let mut line = [b' '; LINE];
        put_unsigned(&mut line[..2 + digits], at);
        for (i, &byte) in bytes.iter().enumerate() {
            let at = start + 3 * i + usize::from(i >= 8);
            line[at..at + 2].copy_from_slice(&hex(byte));
            line[ascii + i] = if (b' '..=b'~').contains(&byte) { byte } else { b'.' };
        }
        let end = ascii + bytes.len();
        line[end] = b'\n';
        out.line()?.extend_from_slice(&line[..=end]);
    }
    Ok(())
}

/// `1 event`, `2 events`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Appends `1 event`, `2 events`.
pub(super) fn push_count(out: &mut Vec<u8>, number: u64, noun: &str) {
    push_unsigned(out, number);
    out.push(b' ');
    out.extend_from_slice(noun.as_bytes());
    if number != 1 {
        out.push(b's');
    }
}

/// Decimal digits of a number.
pub(super) fn digits(number: usize) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

#[cfg(test)]
mod tests {
    use super::super::page::written;
    use super::*;

    #[test]
    fn times_follow_the_calendar() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(utc(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(utc(951_868_800), "2000-03-01T00:00:00Z");
        assert_eq!(utc(1_506_859_200), "2017-10-01T12:00:00Z");
        assert_eq!(utc(1_795_225_356), "2026-11-21T01:42:36Z");
        assert_eq!(utc(u32::MAX), "2106-02-07T06:28:15Z");
    }

    #[test]
    fn text_cannot_move_the_cursor() {
        assert_eq!(escaped(b"a\x1b[2Jb\xff\tc"), "a\\u{1b}[2Jb\\xff\\tc");
        assert_eq!(escaped("µm".as_bytes()), "µm");
    }

    #[test]
    fn bytes_stand_sixteen_in_a_line() {
        let check = |bytes: &[u8], wanted: &str| {
            assert_eq!(written(|page| write_bytes(page, bytes)), wanted);
        };
        check(b"", "");
        check(
            b"lab166\0\x01\x02\x03ABCDEFG",
            "      0  6c 61 62 31 36 36 00 01  02 03 41 42 43 44 45 46  lab166....ABCDEF\n\
             \x20    16  47                                                G\n",
        );
    }

    #[test]
    fn long_lines_are_broken() {
        let mut out = Vec::new();
        write_wrapped(&mut out, &[b'x'; 100], 2).unwrap();
        let lines: Vec<usize> = String::from_utf8(out).unwrap().lines().map(str::len).collect();
        assert_eq!(lines, [80, 24]);

        let mut out = Vec::new();
        let text = ["a".repeat(PIECE), "b\n\nc\n".into()].concat();
        write_lines(&mut out, text.as_bytes()).unwrap();
        assert!(out == text.as_bytes());
    }
}
