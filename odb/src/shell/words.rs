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
}
