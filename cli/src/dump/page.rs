//! Text on its way to standard output.

use std::io::{self, Write};

/// Text that is passed on when there is much of it, so that a line costs no call of the system. What
/// is asked for most is appended to the bytes themselves, as `std::fmt` would take most of the time.
pub(crate) struct Page<'o> {
    text: Vec<u8>,
    out: &'o mut dyn Write,
}

/// Bytes that are passed on together.
const FULL: usize = 1 << 16;

impl<'o> Page<'o> {
    pub(crate) fn new(out: &'o mut dyn Write) -> Page<'o> {
        Page { text: Vec::with_capacity(2 * FULL), out }
    }

    /// The end of the text, with room for a line or a few: an event may be of any size.
    #[inline]
    pub(crate) fn line(&mut self) -> io::Result<&mut Vec<u8>> {
        if self.text.len() >= FULL {
            self.pass_on()?;
        }
        Ok(&mut self.text)
    }

    #[cold]
    fn pass_on(&mut self) -> io::Result<()> {
        self.out.write_all(&self.text)?;
        self.text.clear();
        Ok(())
    }
}

impl Write for Page<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() > FULL {
            self.pass_on()?;
            return self.out.write_all(bytes);
        }
        self.line()?.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pass_on()?;
        self.out.flush()
    }
}

/// What `write` puts on a page.
#[cfg(test)]
pub(crate) fn written(write: impl FnOnce(&mut Page<'_>) -> io::Result<()>) -> String {
    let mut out = Vec::new();
    let mut page = Page::new(&mut out);
    write(&mut page).and_then(|()| page.flush()).unwrap();
    String::from_utf8(out).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_passed_on_whole_and_never_grows() {
        let mut out = Vec::new();
        let mut page = Page::new(&mut out);
        for i in 0..100_000 {
            let line = page.line().unwrap();
            line.extend_from_slice(format!("{i}\n").as_bytes());
        }
        page.write_all(&[b'x'; 10 * FULL]).unwrap();
        page.write_all(b"\n").unwrap();
        assert_eq!(page.text.capacity(), 2 * FULL);
        page.flush().unwrap();
        let lines: String = (0..100_000).map(|i| format!("{i}\n")).collect();
        assert!(out == [lines.as_bytes(), &[b'x'; 10 * FULL], b"\n"].concat());
    }
}
