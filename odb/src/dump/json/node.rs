//! JSON as bytes: strings need not be UTF-8, and may hold control characters raw, as MIDAS writes
//! them. Numbers stay text, since their type is known only outside of them.

use super::super::draft::Draft;
use crate::Result;

/// A JSON value.
pub(super) enum Node<'t> {
    Null,
    True,
    False,
    Number(&'t [u8]),
    String(Vec<u8>),
    Array(Vec<Node<'t>>),
    Object(Vec<Member<'t>>),
}

/// A member of an object.
pub(super) struct Member<'t> {
    /// Where its name begins.
    pub(super) offset: usize,
    pub(super) name: Vec<u8>,
    pub(super) node: Node<'t>,
}

/// Objects and arrays within each other besides directories: the document, what `"N/key"` says, an
/// array, and one more.
const FURTHER: usize = 4;

/// Reads the members of the document up to the first damage, and gives that too. A value is among
/// them only if what follows it shows that it is whole.
pub(super) fn parse<'t>(draft: &mut Draft<'t>) -> (Vec<Member<'t>>, Result<()>) {
    let mut members = Vec::new();
    let mut parser = Parser { draft, offset: 0 };
    parser.blank();
    let read = match parser.peek() {
        Some(b'{') => parser.object(0, &mut members).and_then(|()| {
            parser.blank();
            if parser.peek().is_none() { Ok(()) } else { Err(parser.wanted("the end")) }
        }),
        _ => Err(parser.wanted("an object")),
    };
    (members, read)
}

struct Parser<'d, 't> {
    draft: &'d mut Draft<'t>,
    offset: usize,
}

impl<'t> Parser<'_, 't> {
    fn peek(&self) -> Option<u8> {
        self.draft.text.bytes.get(self.offset).copied()
    }

    fn blank(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.offset += 1;
        }
    }

    fn wanted(&self, what: &str) -> crate::Error {
        let found = match self.peek() {
            Some(byte) => format!("'{}'", byte.escape_ascii()),
            None => "the end".to_owned(),
        };
        self.draft.text.error(self.offset, format!("{what} expected, {found} found"))
    }

    /// Takes the byte if it comes next, after white space.
    fn take(&mut self, byte: u8) -> bool {
        self.blank();
        let found = self.peek() == Some(byte);
        self.offset += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<()> {
        if self.take(byte) { Ok(()) } else { Err(self.wanted(&format!("'{}'", char::from(byte)))) }
    }

    fn nested(&self, depth: usize) -> Result<()> {
        let limit = self.draft.limits.depth + FURTHER;
        if depth <= limit {
            return Ok(());
        }
        let what = format!("at most {limit} values within each other expected, more found");
        Err(self.draft.text.error(self.offset, what))
    }

    fn node(&mut self, depth: usize) -> Result<Node<'t>> {
        self.blank();
        let bytes = self.draft.text.bytes;
        match self.peek() {
            Some(b'{') => {
                let mut members = Vec::new();
                self.object(depth, &mut members)?;
                Ok(Node::Object(members))
            }
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Node::String),
            Some(b'-' | b'+' | b'.' | b'0'..=b'9') => {
                let rest = &bytes[self.offset..];
                let part = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
                let len = rest.iter().take_while(part).count();
                self.offset += len;
                Ok(Node::Number(&rest[..len]))
            }
            _ => {
                for (word, node) in [("null", Node::Null), ("true", Node::True), ("false", Node::False)] {
                    if bytes[self.offset..].starts_with(word.as_bytes()) {
                        self.offset += word.len();
                        return Ok(node);
                    }
                }
                Err(self.wanted("a value"))
            }
        }
    }

    fn object(&mut self, depth: usize, members: &mut Vec<Member<'t>>) -> Result<()> {
        self.nested(depth)?;
        self.expect(b'{')?;
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            self.blank();
            let offset = self.offset;
            let name = self.string()?;
            self.expect(b':')?;
            self.blank();
            // Twice: a vector that grows has both sizes for a moment.
            self.draft.spend(offset, 2 * size_of::<Member<'_>>())?;
            if self.peek() == Some(b'{') {
                // What a cut object has is kept: it may be a directory.
                let mut inside = Vec::new();
                let read = self.object(depth + 1, &mut inside);
                members.push(Member { offset, name, node: Node::Object(inside) });
                read?;
            } else {
                let node = self.node(depth + 1)?;
                self.blank();
                if !matches!(self.peek(), Some(b',' | b'}')) {
                    return Err(self.wanted("',' or '}'"));
                }
                members.push(Member { offset, name, node });
            }
            if self.take(b'}') {
                return Ok(());
            }
            if !self.take(b',') {
                return Err(self.wanted("',' or '}'"));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Node<'t>> {
        self.nested(depth)?;
        let start = self.offset;
        self.expect(b'[')?;
        let mut elements = Vec::new();
        if self.take(b']') {
            return Ok(Node::Array(elements));
        }
        loop {
            self.draft.element(start, elements.len(), 2 * size_of::<Node<'_>>())?;
            elements.push(self.node(depth + 1)?);
            if self.take(b']') {
                return Ok(Node::Array(elements));
            }
            if !self.take(b',') {
                return Err(self.wanted("',' or ']'"));
            }
        }
    }

    fn string(&mut self) -> Result<Vec<u8>> {
        let start = self.offset;
        if self.peek() != Some(b'"') {
            return Err(self.wanted("'\"'"));
        }
        self.offset += 1;
        let mut out = Vec::new();
        loop {
            let Some(byte) = self.peek() else {
                return Err(self.draft.text.error(start, "a string that does not end"));
            };
            self.offset += 1;
            self.draft.string(start, out.len())?;
            match byte {
                b'"' => {
                    self.draft.spend(start, out.len())?;
                    return Ok(out);
                }
                b'\\' => self.escape(&mut out)?,
                byte => out.push(byte),
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let Some(byte) = self.peek() else { return Err(self.wanted("an escape")) };
        self.offset += 1;
        out.push(match byte {
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let character = self.unicode()?;
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            // `\"`, `\\`, `\/`, and whatever else was escaped without need.
            byte => byte,
        });
        Ok(())
    }

    /// The character after `\u`, of one or two such escapes; half of a pair is U+FFFD.
    fn unicode(&mut self) -> Result<char> {
        let first = self.hex()?;
        if !(0xd800..0xdc00).contains(&first) || !self.draft.text.bytes[self.offset..].starts_with(b"\\u") {
            return Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let before = self.offset;
        self.offset += 2;
        let second = self.hex()?;
        if !(0xdc00..0xe000).contains(&second) {
            self.offset = before;
            return Ok(char::REPLACEMENT_CHARACTER);
        }
        let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex(&mut self) -> Result<u32> {
        let digits = self.draft.text.bytes.get(self.offset..self.offset + 4);
        let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let code = digits.and_then(|digits| u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        let code = code.ok_or_else(|| self.wanted("four hexadecimal digits"))?;
        self.offset += 4;
        Ok(code)
    }
}
