//! Bytes of files as text for a terminal: times, strings, bytes.

use std::io::{self, Write};

use pactolus::formats::event::Kind;

/// Columns of a terminal.
const WIDTH: usize = 80;

/// A time as `2026-11-21T01:42:36Z`.
pub(crate) fn utc(unix_seconds: u32) -> String {
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
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
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
pub(crate) fn write_wrapped(out: &mut impl Write, bytes: &[u8], indent: usize) -> io::Result<()> {
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
pub(crate) fn write_lines(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    for (piece, last) in pieces(bytes) {
        write!(out, "{}{}", escaped(piece), if last { "\n" } else { "" })?;
    }
    Ok(())
}

/// Sixteen bytes a line, in hexadecimal and as ASCII, with the offset of the first.
pub(crate) fn write_bytes(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let digits = digits(bytes.len().saturating_sub(1)).max(5);
    for (at, line) in (0..).step_by(16).zip(bytes.chunks(16)) {
        write!(out, "  {at:>digits$} ")?;
        for (i, byte) in line.iter().enumerate() {
            write!(out, "{}{byte:02x}", if i == 8 { "  " } else { " " })?;
        }
        let missing = 3 * (16 - line.len()) + usize::from(line.len() <= 8);
        let ascii: String =
            line.iter().map(|&b| if (b' '..=b'~').contains(&b) { char::from(b) } else { '.' }).collect();
        writeln!(out, "{:missing$}  {ascii}", "")?;
    }
    Ok(())
}

/// `1 event`, `2 events`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Decimal digits of a number.
pub(crate) fn digits(number: usize) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

#[cfg(test)]
mod tests {
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
            let mut out = Vec::new();
            write_bytes(&mut out, bytes).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), wanted);
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
