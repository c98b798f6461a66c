//! Completion of a line that is being typed, without a terminal.

use pactolus_formats::Tid;

use super::words::{self, Partial};
use super::{COMMANDS, Command, Shell, Takes};
use crate::Value;

/// What a word may become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// What is shown in a list: the name alone, a directory with a slash behind it.
    pub shown: String,
    /// What comes in place of the word, quoted if it must be.
    pub text: String,
}

/// A candidate before it is quoted.
struct Found {
    shown: String,
    text: String,
    /// More may follow in the same word: it is a directory.
    goes_on: bool,
}

impl Found {
    fn word(text: &str) -> Found {
        Found { shown: text.to_owned(), text: text.to_owned(), goes_on: false }
    }
}

impl Shell {
    /// What the word at `cursor`, a byte of the line, may become, and where that word begins: commands,
    /// flags, types, and paths as they are seen from the current directory, ignoring case. `files` gives
    /// the files whose path begins with a text, directories with a slash behind them.
    pub fn complete(
        &self,
        line: &str,
        cursor: usize,
        files: &mut dyn FnMut(&str) -> Vec<String>,
    ) -> (usize, Vec<Candidate>) {
        let Some(line) = line.get(..cursor) else { return (cursor, Vec::new()) };
        let partial = words::partial(line);
        let found = self.found(&partial, files);
        (partial.start, quoted(found, partial.quote))
    }

    fn found(&self, partial: &Partial, files: &mut dyn FnMut(&str) -> Vec<String>) -> Vec<Found> {
        let word = partial.word.as_str();
        let Some((name, before)) = partial.before.split_first() else { return commands(word) };
        let Some(command) = COMMANDS.iter().find(|command| command.name == name) else { return Vec::new() };
        if word.starts_with('-') && partial.quote.is_none() {
            return flags(command, word);
        }
        let place = before.iter().filter(|word| !word.starts_with('-')).count();
        let Some(takes) = command.takes.get(place).or(command.takes.last()) else { return Vec::new() };
        match takes {
            Takes::Path => self.keys(word, false),
            Takes::Directory => self.keys(word, true),
            Takes::File => paths(files(word)),
            Takes::Either => self.keys(word, false).into_iter().chain(paths(files(word))).collect(),
            Takes::Type => types(word),
            Takes::Value if place == 1 && word.is_empty() => self.value(&before[0]).into_iter().collect(),
            Takes::Value => Vec::new(),
            Takes::Command => commands(word),
            Takes::Other => Vec::new(),
        }
    }

    /// The value that is there, to be changed; as in odbedit.
    fn value(&self, path: &str) -> Option<Found> {
        let path = self.at.join(path).ok()?;
        let value = self.odb.value(&path.to_string()).ok().filter(|value| value.len() == 1)?;
        let mut text = Vec::new();
        value.write_exact(0, &mut text);
        String::from_utf8(text).ok().filter(|text| !text.is_empty()).map(|text| Found::word(&text))
    }

    /// Keys whose path begins with the word.
    fn keys(&self, word: &str, only_directories: bool) -> Vec<Found> {
        let (above, begin) = match word.rfind('/') {
            Some(slash) => word.split_at(slash + 1),
            None => ("", word),
        };
        let list = || {
            let tree = self.odb.snapshot().ok()?;
            let at = self.at.join(above).ok()?;
            let at = tree.find(&at.to_string()).ok()?.path;
            let keys = tree.directory(&at.to_string()).ok()?.iter();
            let mut found = Vec::new();
            for key in keys.filter(|key| begins(key.name(), begin)) {
                let leads = |path: crate::Path| tree.directory(&path.to_string()).is_ok();
                let is_directory = match key.value() {
                    Some(Value::Link(_)) => at.child(key.name()).is_ok_and(leads),
                    value => value.is_none(),
                };
                if is_directory || !only_directories {
                    let slash = if is_directory { "/" } else { "" };
                    let shown = format!("{}{slash}", key.name());
                    found.push(Found { text: format!("{above}{shown}"), shown, goes_on: is_directory });
                }
            }
            Some(found)
        };
        list().unwrap_or_default()
    }
}

fn begins(name: &str, begin: &str) -> bool {
    name.get(..begin.len()).is_some_and(|head| head.eq_ignore_ascii_case(begin))
}

fn commands(word: &str) -> Vec<Found> {
    COMMANDS
        .iter()
        .filter(|command| begins(command.name, word))
        .map(|command| Found::word(command.name))
        .collect()
}

/// The flags that the usage of a command shows.
fn flags(command: &Command, word: &str) -> Vec<Found> {
    let words = command.usage.split(['[', ']', ' ']).filter_map(|word| word.strip_prefix('-'));
    let flags = words.flat_map(str::chars).map(|letter| format!("-{letter}"));
    flags.filter(|flag| flag.starts_with(word)).map(|flag| Found::word(&flag)).collect()
}

/// Types of keys; in lower case if the word is.
fn types(word: &str) -> Vec<Found> {
    let upper = word.starts_with(|c: char| c.is_ascii_uppercase());
    let of_keys = Tid::ALL.iter().filter(|tid| Value::empty(**tid).is_some() && **tid != Tid::Link);
    of_keys
        .map(|tid| if upper { tid.name().to_owned() } else { tid.name().to_ascii_lowercase() })
        .filter(|name| begins(name, word))
        .map(|name| Found::word(&name))
        .collect()
}

fn paths(files: Vec<String>) -> Vec<Found> {
    let found = |text: String| {
        let goes_on = text.ends_with('/');
        let name = text.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let slash = if goes_on { "/" } else { "" };
        Found { shown: format!("{name}{slash}"), text, goes_on }
    };
    files.into_iter().map(found).collect()
}

/// Candidates as the user would have typed them. If one needs quotes all have them, so that what they
/// have in common can be typed at once.
fn quoted(found: Vec<Found>, open: Option<char>) -> Vec<Candidate> {
    let special = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\\' | '#');
    let quote = match open {
        // Nothing can stand for a single quote between single quotes.
        Some('\'') if found.iter().any(|found| found.text.contains('\'')) => Some('"'),
        Some(open) => Some(open),
        None => found.iter().any(|found| found.text.contains(special)).then_some('"'),
    };
    let is_single = found.len() == 1;
    let written = |Found { shown, text, goes_on }: Found| {
        let mut written: String = quote.into_iter().collect();
        for c in text.chars() {
            if quote == Some('"') && matches!(c, '"' | '\\') {
                written.push('\\');
            }
            written.push(c);
        }
        if !goes_on {
            written.extend(quote);
            written.extend(is_single.then_some(' '));
        }
        Candidate { shown, text: written }
    };
    found.into_iter().map(written).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Capture, Shell, answers, sample};
    use crate::Odb;

    /// Completes at `|`: the line with each candidate in place, `|` where the cursor is then.
    fn check(lines: &[&str], line: &str, wanted: &[&str]) {
        let mut shell = Shell::new(Odb::from(sample()));
        answers(&mut shell, &mut Capture::default(), lines);
        let cursor = line.find('|').unwrap_or(line.len());
        let line = line.replace('|', "");
        let mut files = |begin: &str| -> Vec<String> {
            let files = ["before.odb", "my run.json", "runs/"];
            files.iter().filter(|file| file.starts_with(begin)).map(|file| (*file).to_owned()).collect()
        };
        let (start, candidates) = shell.complete(&line, cursor, &mut files);
        let lines: Vec<String> = candidates
            .iter()
            .map(|candidate| format!("{}{}|{}", &line[..start], candidate.text, &line[cursor..]))
            .collect();
        assert_eq!(lines, wanted, "{line}");
    }

    #[test]
    fn the_first_word_is_a_command() {
        check(&[], "l", &["ls|", "ln|", "load|"]);
        check(&[], "  js", &["  json|", "  jsls|", "  jsvalues|"]);
        check(&[], "fi", &["find |"]);
        check(&[], "help fi", &["help find |"]);
        check(&[], "nonsense x", &[]);
        check(&[], "fin| /Runinfo", &["find | /Runinfo"]);
    }

    #[test]
    fn paths_are_seen_from_here() {
        check(&[], "ls ", &["ls Runinfo/|", "ls Equipment/|", "ls Here/|", "ls Lost|"]);
        check(&[], "ls /runinfo/st", &["ls /runinfo/State |"]);
        check(&["cd Equipment"], "ls t", &["ls Trigger/|"]);
        check(&["cd Equipment"], "ls ../RUN", &["ls ../Runinfo/|"]);
        check(&["cd Equipment"], "ls Trigger/", &["ls Trigger/Common/|", "ls Trigger/Variables/|"]);
        check(&[], "ls Here/V", &["ls Here/Variables/|"]);
        check(&[], "get /Runinfo", &["get /Runinfo/|"]);
        check(&[], "get /Nowhere/x", &[]);
        check(&[], "get Runinfo/State/x", &[]);
        check(&[], "cp Runinfo/State Equ", &["cp Runinfo/State Equipment/|"]);
        check(&[], "del Lost Runinfo Equ", &["del Lost Runinfo Equipment/|"]);
    }

    #[test]
    fn a_value_is_the_one_that_is_there() {
        check(&[], "set Runinfo/State ", &["set Runinfo/State 3 |"]);
        check(&[], "set Runinfo/State 4 ", &[]);
        check(&[], "set Runinfo/State 1", &[]);
        check(&[], "set Here/Variables/ADC0 ", &[]);
        check(&[], "set Here/Variables/ADC0[1] ", &["set Here/Variables/ADC0[1] 18 |"]);
        let lines = ["set Here/Common/Buffer 'two words'"];
        check(&lines, "set Here/Common/Buffer ", &["set Here/Common/Buffer \"two words\" |"]);
        check(&[], "set Runinfo ", &[]);
        check(&["create bitfield b", "set b 15"], "set b ", &["set b 0x0f |"]);
    }

    #[test]
    fn cd_knows_directories_only() {
        check(&[], "cd ", &["cd Runinfo/|", "cd Equipment/|", "cd Here/|"]);
        check(&[], "cd Runinfo/", &[]);
    }

    #[test]
    fn names_with_blanks_are_quoted() {
        check(&[], "get Runinfo/R", &["get \"Runinfo/Run number\" |"]);
        check(&[], "get 'Runinfo/Run n", &["get 'Runinfo/Run number' |"]);
        check(&[], "get \"Runinfo/r", &["get \"Runinfo/Run number\" |"]);
        check(&[], r"get Runinfo/Run\ n", &["get \"Runinfo/Run number\" |"]);
        check(&[], "get Runinfo/", &["get \"Runinfo/State\"|", "get \"Runinfo/Run number\"|"]);
        check(&["mkdir 'a b/c'"], "ls a", &["ls \"a b/|"]);
        check(&["mkdir 'a b/c'"], "ls \"a b/", &["ls \"a b/c/|"]);
        check(&["mkdir \"don't\""], "ls 'don", &["ls \"don't/|"]);
        check(&["create int 'say \"x\"'"], "ls say", &["ls \"say \\\"x\\\"\" |"]);
    }

    #[test]
    fn files_types_and_flags_too() {
        check(&[], "load ", &["load \"before.odb\"|", "load \"my run.json\"|", "load \"runs/|"]);
        check(&[], "load -x b", &["load -x before.odb |"]);
        check(&[], "save r", &["save runs/|"]);
        check(&[], "save before.odb Run", &["save before.odb Runinfo/|"]);
        check(&[], "diff r", &["diff Runinfo/|", "diff runs/|"]);
        check(&[], "create d", &["create dword|", "create double|"]);
        check(&[], "create FL", &["create FLOAT |"]);
        check(&[], "create int Equ", &["create int Equipment/|"]);
        check(&[], "ls -", &["ls -l|", "ls -r|", "ls -v|"]);
        check(&[], "ls -l Run", &["ls -l Runinfo/|"]);
    }

    #[test]
    fn a_line_without_a_word_has_no_candidates() {
        check(&[], "pwd ", &[]);
        assert!(Shell::new(Odb::local()).complete("\u{e9}", 1, &mut |_| Vec::new()).1.is_empty());
        assert!(Shell::new(Odb::local()).complete("ls", 9, &mut |_| Vec::new()).1.is_empty());
    }
}
