//! XML cut into tags and texts, byte by byte.

use std::borrow::Cow;

use super::super::draft::Text;
use crate::Result;

/// A tag that opens an element.
pub(super) struct Tag<'a> {
    pub(super) name: &'a [u8],
    /// Does it close itself, `<dir name="x"/>`?
    pub(super) closed: bool,
    attributes: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> Tag<'a> {
    /// The value of an attribute, entities replaced.
    pub(super) fn attribute(&self, name: &[u8]) -> Option<Cow<'a, [u8]>> {
        let (_, value) = self.attributes.iter().find(|(found, _)| *found == name)?;
        Some(unescape(value))
    }

    /// An attribute that is a number.
    pub(super) fn number(&self, name: &[u8]) -> Option<usize> {
        std::str::from_utf8(&self.attribute(name)?).ok()?.trim().parse().ok()
    }
}

/// Attributes a tag may have; MIDAS's have four.
const MAX_ATTRIBUTES: usize = 32;

/// One piece of a document.
pub(super) enum Piece<'a> {
    Open(Tag<'a>),
    Close(&'a [u8]),
    Text(Cow<'a, [u8]>),
}

/// The pieces of a document in order; comments, declarations and processing instructions are left
/// out.
pub(super) struct Pieces<'a> {
    text: Text<'a>,
    offset: usize,
}

impl<'a> Pieces<'a> {
    pub(super) fn new(text: Text<'a>) -> Pieces<'a> {
        Pieces { text, offset: 0 }
    }

    /// The next piece and where it begins.
    pub(super) fn next(&mut self) -> Result<Option<(usize, Piece<'a>)>> {
        loop {
            let start = self.offset;
            let rest = &self.text.bytes[start..];
            if rest.is_empty() {
                return Ok(None);
            }
            if rest[0] != b'<' {
                let len = rest.iter().position(|&byte| byte == b'<').unwrap_or(rest.len());
                self.offset += len;
                return Ok(Some((start, Piece::Text(unescape(&rest[..len])))));
            }
            if rest.starts_with(b"<![CDATA[") {
                let inside = self.until(b"<![CDATA[", b"]]>", "a CDATA section")?;
                return Ok(Some((start, Piece::Text(inside.into()))));
            }
            if rest.starts_with(b"<!--") {
                self.until(b"<!--", b"-->", "a comment")?;
            } else if rest.starts_with(b"<?") {
                self.until(b"<?", b"?>", "an instruction")?;
            } else if rest.starts_with(b"<!") {
                self.until(b"<!", b">", "a declaration")?;
            } else if rest.starts_with(b"</") {
                let inside = self.until(b"</", b">", "a closing tag")?;
                return Ok(Some((start, Piece::Close(inside.trim_ascii()))));
            } else {
                return Ok(Some((start, Piece::Open(self.tag()?))));
            }
        }
    }

    fn until(&mut self, open: &[u8], end: &[u8], what: &str) -> Result<&'a [u8]> {
        let inside = &self.text.bytes[self.offset + open.len()..];
        let len = inside.windows(end.len()).position(|window| window == end);
        let len = len.ok_or_else(|| self.text.error(self.offset, format!("{what} that does not end")))?;
        self.offset += open.len() + len + end.len();
        Ok(&inside[..len])
    }

    fn tag(&mut self) -> Result<Tag<'a>> {
        let start = self.offset;
        let (text, bytes) = (self.text, self.text.bytes);
        let unfinished = || text.error(start, "a tag that does not end");
        let mut at = start + 1;
        let word = |at: usize| {
            let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'=' | b'/' | b'>' | b'<');
            at + bytes[at..].iter().position(ends).unwrap_or(bytes.len() - at)
        };
        let blank = |at: usize| at + bytes[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let end = word(at);
        let mut tag = Tag { name: &bytes[at..end], closed: false, attributes: Vec::new() };
        if tag.name.is_empty() {
            return Err(text.error(start, "a name of an element expected after '<'"));
        }
        at = end;
        loop {
            at = blank(at);
            match bytes.get(at).ok_or_else(unfinished)? {
                b'>' => break,
                b'/' if bytes.get(at + 1) == Some(&b'>') => {
                    tag.closed = true;
                    at += 1;
                    break;
                }
                _ => {}
            }
            let end = word(at);
            let name = &bytes[at..end];
            at = blank(end);
            bytes.get(at).ok_or_else(unfinished)?;
            if name.is_empty() || bytes.get(at) != Some(&b'=') {
                return Err(text.error(at, "an attribute 'name=\"value\"' expected"));
            }
            at = blank(at + 1);
            let quote = *bytes.get(at).filter(|byte| matches!(byte, b'"' | b'\'')).ok_or_else(|| {
                text.error(at, format!("a quote expected after '{}='", name.escape_ascii()))
            })?;
            let value = &bytes[at + 1..];
            let len = value.iter().position(|&byte| byte == quote).ok_or_else(unfinished)?;
            if tag.attributes.len() == MAX_ATTRIBUTES {
                return Err(
                    text.error(at, format!("at most {MAX_ATTRIBUTES} attributes expected, more found"))
                );
            }
            tag.attributes.push((name, &value[..len]));
            at += len + 2;
        }
        self.offset = at + 1;
        Ok(tag)
    }
}

/// Replaces entities; an unknown one stays as it is written.
fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'&') {
        return text.into();
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.iter().position(|&byte| byte == b'&') {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        // The longest entity is `&#x10ffff;`.
        let end = rest.iter().take(12).position(|&byte| byte == b';');
        match end.and_then(|end| Some((entity(&rest[1..end])?, end))) {
            Some((character, end)) => {
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                rest = &rest[end + 1..];
            }
            None => {
                out.push(b'&');
                rest = &rest[1..];
            }
        }
    }
    out.extend_from_slice(rest);
    out.into()
}

fn entity(name: &[u8]) -> Option<char> {
    Some(match name {
        b"lt" => '<',
        b"gt" => '>',
        b"amp" => '&',
        b"quot" => '"',
        b"apos" => '\'',
        [b'#', b'x' | b'X', hex @ ..] => number(hex, 16)?,
        [b'#', digits @ ..] => number(digits, 10)?,
        _ => return None,
    })
}

fn number(digits: &[u8], radix: u32) -> Option<char> {
    char::from_u32(u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()?)
}
