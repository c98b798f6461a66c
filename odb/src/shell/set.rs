//! `set`: a value.

use pactolus_formats::Tid;

use super::{Call, Command, Error, Result, Takes};
use crate::{Index, Tree, Value, spelling};

pub(super) const COMMAND: Command = Command {
    name: "set",
    usage: "set PATH VALUE...",
    help: "set a value, which keeps its type\n\
        Of an array, `PATH[3]` is one element, `PATH[1..4]` are several, `PATH[*]` all;\n\
        they take one value, or as many as they are. Without an index, as many values\n\
        as elements are needed. Values of BOOL are y and n; whole numbers may be\n\
        hexadecimal (0x1f). Text with blanks needs quotes.\n\
        Examples: set Pedestal[3] 174\n\
        \x20         set 'Software Gain[*]' 1\n\
        \x20         set '/Experiment/Run parameters/Comment' 'a test'",
    takes: &[Takes::Path, Takes::Value],
    run,
};

fn run(call: &mut Call<'_>) -> Result<()> {
    let mut words = call.words.clone();
    if words.len() < 2 {
        return Err(call.needs("a path and a value"));
    }
    let path = call.path(&words.remove(0))?.to_string();
    let several = |wanted: &str| {
        call.usage(format!("one value expected, '{wanted}' is a second one (text with blanks needs quotes)"))
    };
    // Text of several words is the usual slip.
    let single = |tree: &Tree| tree.value(&path).is_ok_and(|value| value.len() == 1);
    if let (true, Some(second)) = (single(&call.tree), words.get(1)) {
        return Err(several(second));
    }
    call.change(|tree| set(tree, &path, &words))
}

/// Sets elements from what a user typed.
fn set(tree: &mut Tree, path: &str, texts: &[String]) -> Result<()> {
    let found = tree.find(path)?;
    let at = found.path.to_string();
    let old = found.key.value_at(&found.path)?;
    let len = old.len();
    let (first, last) = match found.index {
        Some(Index::One(index)) => (index, index),
        Some(Index::Range(first, last)) => (first, last),
        None | Some(Index::All) => (0, len.saturating_sub(1)),
    };
    let is_one = found.index.is_some() || len == 1;
    let parse = |at: String, text: &str| {
        let error = || crate::Error::Text { path: at, tid: old.tid(), text: text.to_owned() };
        // Bytes that are no UTF-8 stand in the text as private characters.
        let bytes = spelling::to_bytes(text);
        match (old.tid(), bytes.as_slice()) {
            (Tid::String, _) => Ok(Value::string(bytes)),
            (Tid::Char, &[byte]) => Ok(Value::Char(vec![byte])),
            (tid, _) => Value::parse(tid, text).ok_or_else(error),
        }
    };
    if let ([text], true) = (texts, is_one) {
        let value = parse(path.to_owned(), text)?;
        return Ok(tree.set(path, value)?);
    }
    if last >= len || first > last {
        return Err(crate::Error::Index { path: at, index: last, len }.into());
    }
    let wanted = last - first + 1;
    if texts.len() != wanted {
        return Err(Error::Count { path: at, wanted, found: texts.len() });
    }
    let mut new = old.clone();
    for (index, text) in (first..=last).zip(texts) {
        new.put(index, &parse(format!("{at}[{index}]"), text)?, 0);
    }
    Ok(tree.set(&at, new)?)
}

#[cfg(test)]
mod tests {
    use super::super::{answer, sample};

    fn check(lines: &[&str], wanted: &str) {
        let lines = [&["cd /Equipment/Trigger/Variables"], lines].concat();
        assert_eq!(answer(&sample(), false, &lines), wanted, "{lines:?}");
    }

    #[test]
    fn a_value_is_set_and_keeps_its_type() {
        check(&["set '../Common/Event ID' 0x10", "get '../Common/Event ID'"], "16\n");
        check(&["set /runinfo/STATE -1", "ls /Runinfo/State"], "State                           -1\n");
        check(&["set ../Common/Buffer 'two words'", "get ../Common/Buffer"], "two words\n");
        check(&["set ../Common/Buffer ''", "get ../Common/Buffer"], "\n");
        check(&["set /Here/Common/Buffer x", "get ../Common/Buffer"], "x\n");
    }

    #[test]
    fn bytes_that_are_no_utf_8_are_kept() {
        let line = crate::spelling::from_bytes(b"set ../Common/Buffer '5 \xb5s'");
        let mut tree = sample();
        tree.create("/c", crate::Value::Char(vec![0])).unwrap_or_default();
        tree.create("/names", crate::Value::from(vec!["a".to_owned(), "b".to_owned()])).unwrap_or_default();
        let mut shell = super::super::Shell::new(crate::Odb::from(tree));
        let mut capture = super::super::Capture::default();
        let char = crate::spelling::from_bytes(b"set /c \xb5");
        let names = crate::spelling::from_bytes(b"set /names \xb5 '\xc2\xb5'");
        let lines = ["cd Equipment/Trigger/Variables", &line, &char, &names];
        assert_eq!(super::super::answers(&mut shell, &mut capture, &lines), "");
        let value = |path: &str| {
            shell.odb().value(path).map(|value| {
                (0..value.len())
                    .map(|i| {
                        let mut out = Vec::new();
                        value.write_text(i, &mut out);
                        out
                    })
                    .collect::<Vec<_>>()
            })
        };
        assert_eq!(value("/Equipment/Trigger/Common/Buffer"), Ok(vec![b"5 \xb5s".to_vec()]));
        assert_eq!(value("/c"), Ok(vec![b"\xb5".to_vec()]));
        assert_eq!(value("/names"), Ok(vec![b"\xb5".to_vec(), b"\xc2\xb5".to_vec()]));
    }

    #[test]
    fn elements_are_set() {
        check(&["set ADC0[1] 5", "get ADC0"], "17\n5\n19\n");
        check(&["set ADC0[*] 5", "get ADC0"], "5\n5\n5\n");
        check(&["set ADC0[1..2] 5", "get ADC0"], "17\n5\n5\n");
        check(&["set ADC0[1-2] 5 6", "get ADC0"], "17\n5\n6\n");
        check(&["set ADC0 1 2 3", "get ADC0"], "1\n2\n3\n");
        check(&["set ADC0[*] 4 5 6", "get ADC0"], "4\n5\n6\n");
    }

    #[test]
    fn the_number_of_values_must_fit() {
        let adc0 = "! /Equipment/Trigger/Variables/ADC0";
        let or = format!("as many expected, or one for {}[0] or {}[*]\n", &adc0[2..], &adc0[2..]);
        check(&["set ADC0 5"], &format!("{adc0} has 3 elements, 1 value found: {or}"));
        check(&["set ADC0 5 6 7 8"], &format!("{adc0} has 3 elements, 4 values found: {or}"));
        check(&["set ADC0[0..1] 5 6 7"], &format!("{adc0} has 2 elements, 3 values found: {or}"));
        check(&["set ADC0[3] 5"], &format!("{adc0} has no element 3: its length is 3\n"));
        check(&["set ADC0[2..3] 5 6"], &format!("{adc0} has no element 3: its length is 3\n"));
        check(
            &["set ../Common/Buffer two words"],
            "! one value expected, 'words' is a second one (text with blanks needs quotes); \
             usage: set PATH VALUE...\n",
        );
        check(&["set ADC0"], "! 'set' needs a path and a value; usage: set PATH VALUE...\n");
    }

    #[test]
    fn what_is_no_value_of_the_type_says_what_was_expected() {
        check(
            &["set ADC0[0] 70000", "get ADC0[0]"],
            "! /Equipment/Trigger/Variables/ADC0[0]: a whole number from 0 to 65535 (WORD) expected, \
             '70000' found\n17\n",
        );
        check(
            &["set ADC0 1 2 3x", "get ADC0"],
            "! /Equipment/Trigger/Variables/ADC0[2]: a whole number from 0 to 65535 (WORD) expected, \
             '3x' found\n17\n18\n19\n",
        );
        check(
            &["create bool b", "set b maybe", "create float f", "set f 1e99", "create char c", "set c xy"],
            "! /Equipment/Trigger/Variables/b: y or n (BOOL) expected, 'maybe' found\n\
             ! /Equipment/Trigger/Variables/f: a number of at most 3.4e38 (FLOAT) expected, '1e99' found\n\
             ! /Equipment/Trigger/Variables/c: one character of one byte (CHAR) expected, 'xy' found\n",
        );
        check(&["set /Runinfo 5"], "! /Runinfo is a directory, not a value\n");
        check(&["set ACD0 5"], "! no key /Equipment/Trigger/Variables/ACD0, did you mean 'ADC0'?\n");
    }

    #[test]
    fn what_is_protected_is_not_set() {
        check(
            &["chmod R ADC0", "set ADC0[0] 5", "set ADC0 1 2 3", "get ADC0[0]"],
            "! /Equipment/Trigger/Variables/ADC0 is write protected\n\
             ! /Equipment/Trigger/Variables/ADC0 is write protected\n17\n",
        );
    }
}
