//! A line cut into words: blanks separate them, quotes and backslashes keep blanks.

use super::{Error, Result};

/// The words of a line. Between single quotes every character stands for itself; between double
/// quotes and outside, a backslash takes its meaning from the next one.
pub(super) fn split(line: &str) -> Result<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<(char, usize)> = None;
    let mut characters = line.chars().zip(1..);
    while let Some((c, at)) = characters.next() {
        match (c, quote) {
            ('\\', None | Some(('"', _))) => {
                let (next, _) = characters.next().ok_or(Error::Open { what: "the backslash", at })?;
                word.get_or_insert_default().push(next);
            }
            (c, Some((open, _))) if c == open => quote = None,
            ('"' | '\'', None) => {
                quote = Some((c, at));
                word.get_or_insert_default();
            }
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    if let Some((_, at)) = quote {
        return Err(Error::Open { what: "the quote", at });
    }
    words.extend(word);
    Ok(words)
}

/// A line that is being typed, up to the cursor.
#[derive(Debug, PartialEq)]
pub(super) struct Partial {
    /// The words before the one that is being typed.
    pub(super) before: Vec<String>,
    /// Where that begins, with its quote.
    pub(super) start: usize,
    /// What of it there is.
    pub(super) word: String,
    /// The quote that is open.
    pub(super) quote: Option<char>,
}

/// As [`split`], of a line that has not ended: its last word is the one being typed.
pub(super) fn partial(line: &str) -> Partial {
    let mut partial = Partial { before: Vec::new(), start: line.len(), word: String::new(), quote: None };
    let mut is_word = false;
    let mut characters = line.char_indices();
    while let Some((at, c)) = characters.next() {
        if c.is_whitespace() && partial.quote.is_none() {
            if std::mem::take(&mut is_word) {
                partial.before.push(std::mem::take(&mut partial.word));
            }
            continue;
        }
        if !std::mem::replace(&mut is_word, true) {
            partial.start = at;
        }
        match (c, partial.quote) {
            ('\\', None | Some('"')) => partial.word.extend(characters.next().map(|(_, next)| next)),
            (c, Some(open)) if c == open => partial.quote = None,
            ('"' | '\'', None) => partial.quote = Some(c),
            (c, _) => partial.word.push(c),
        }
    }
    if !is_word {
        partial.start = line.len();
    }
    partial
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
    use super::*;

    #[test]
    fn quotes_and_backslashes_keep_blanks() {
        let check = |line: &str, wanted: &[&str]| assert_eq!(split(line).unwrap(), wanted, "{line}");
        check("", &[]);
        check("  ls  -l ", &["ls", "-l"]);
        check(r#"ls "/Runinfo/Run number""#, &["ls", "/Runinfo/Run number"]);
        check(r"ls /Runinfo/Run\ number", &["ls", "/Runinfo/Run number"]);
        check(r#"find 'a"b\' "c\"d" e''f"#, &["find", "a\"b\\", "c\"d", "ef"]);
        check(r#"get """#, &["get", ""]);
    }

    #[test]
    fn what_is_open_is_an_error() {
        let check = |line: &str, wanted: &str| assert_eq!(split(line).unwrap_err().to_string(), wanted);
        check("ls \"/Run", "the quote at character 4 does not end");
        check("ls x\\", "the backslash at character 5 does not end");
    }
    #[test]
    fn the_last_word_may_be_open() {
        let check = |line: &str, before: &[&str], start: usize, word: &str, quote: Option<char>| {
            let before = before.iter().map(|word| (*word).to_owned()).collect();
            let wanted = Partial { before, start, word: word.to_owned(), quote };
            assert_eq!(partial(line), wanted, "{line}");
        };
        check("", &[], 0, "", None);
        check("ls", &[], 0, "ls", None);
        check("ls ", &["ls"], 3, "", None);
        check("ls \"/Run n", &["ls"], 3, "/Run n", Some('"'));
        check("ls '/Run n' /x", &["ls", "/Run n"], 12, "/x", None);
        check("ls '/Run n'", &["ls"], 3, "/Run n", None);
        check(r"ls a\ b\", &["ls"], 3, "a b", None);
        check("\u{e9} \u{e9}", &["\u{e9}"], 3, "\u{e9}", None);
    }
}
