//! A chapter as steps: commands, and files that the reader writes, in the order of the page.

use std::path::{Path, PathBuf};

/// What the reader does at a line of the page.
#[derive(Debug, PartialEq)]
pub(crate) struct Step {
    /// From 1.
    pub(crate) line: usize,
    pub(crate) what: What,
}

#[derive(Debug, PartialEq)]
pub(crate) enum What {
    /// Commands of bash; they end with this code.
    Run { script: String, says: Says, code: i32 },
    /// The whole text of a file.
    Write { path: String, text: String },
    /// Changes to a file.
    Patch { path: String, diff: String },
    /// A piece of a definition, that is TOML.
    Toml(String),
}

/// What a command says, as far as the page shows it.
#[derive(Debug, PartialEq)]
pub(crate) enum Says {
    /// The page does not show it.
    Unseen,
    /// These lines.
    Lines(Vec<String>),
}

/// A chapter of the guide.
pub(crate) struct Chapter {
    pub(crate) path: PathBuf,
    pub(crate) steps: Vec<Step>,
}

impl Chapter {
    /// Reads a chapter; what is wrong with its page is an error that begins with its line.
    pub(crate) fn read(path: &Path) -> Result<Chapter, String> {
        let page = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let steps = steps(&page).map_err(|e| format!("{}:{e}", path.display()))?;
        Ok(Chapter { path: path.to_owned(), steps })
    }
}

/// A block of the page between its fences.
struct Block {
    /// Line of the opening fence, from 1.
    line: usize,
    /// What stands behind the backticks.
    words: Vec<String>,
    lines: Vec<String>,
}

impl Block {
    fn text(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }

    fn has(&self, word: &str) -> bool {
        self.words.iter().any(|found| found == word)
    }
}

/// The steps of a page.
fn steps(page: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut lines = (1..).zip(page.lines());
    while let Some((line, text)) = lines.next() {
        if let Some(script) = text.trim().strip_prefix("<!-- run:") {
            let mut script = script.to_owned();
            while !script.contains("-->") {
                let (_, next) = lines.next().ok_or_else(|| format!("{line}: the comment does not end"))?;
                script += &format!("\n{next}");
            }
            let script = script.split("-->").next().unwrap_or_default().trim().to_owned();
            steps.push(Step { line, what: What::Run { script, says: Says::Unseen, code: 0 } });
            continue;
        }
        let Some((indent, ticks, words)) = fence(text) else { continue };
        let mut block = Block { line, words, lines: Vec::new() };
        loop {
            let (_, inside) = lines.next().ok_or_else(|| format!("{line}: the block does not end"))?;
            if fence(inside).is_some_and(|(_, end, words)| end >= ticks && words.is_empty()) {
                break;
            }
            let dedented = inside.len() - inside.trim_start_matches(' ').len();
            block.lines.push(inside[dedented.min(indent)..].to_owned());
        }
        steps.extend(block_steps(&block).map_err(|(line, fault)| format!("{line}: {fault}"))?);
    }
    Ok(steps)
}

/// Indentation, number of backticks and words of a line that opens or closes a block.
fn fence(line: &str) -> Option<(usize, usize, Vec<String>)> {
    let fence = line.trim_start_matches(' ');
    let words = fence.trim_start_matches('`');
    let ticks = fence.len() - words.len();
    if ticks < 3 || words.contains('`') {
        return None;
    }
    // rustdoc separates by commas, too.
    let words = words.split([' ', ',']).filter(|word| !word.is_empty()).map(str::to_owned).collect();
    Some((line.len() - fence.len(), ticks, words))
}

type Fault = (usize, String);

/// What a block asks of the reader.
fn block_steps(block: &Block) -> Result<Vec<Step>, Fault> {
    let at = |what| Ok(vec![Step { line: block.line, what }]);
    let language = block.words.first().map_or("", String::as_str);
    if let Some(path) = block.words.iter().find_map(|word| word.strip_prefix("file=")) {
        let (path, text) = (path.to_owned(), block.text());
        return match language {
            "diff" => at(What::Patch { path, diff: text }),
            _ => at(What::Write { path, text }),
        };
    }
    match language {
        "console" => console(block),
        "sh" if block.has("no-run") => Ok(Vec::new()),
        "sh" => at(What::Run { script: block.text(), says: Says::Unseen, code: 0 }),
        "toml" => at(What::Toml(block.text())),
        "rust" if block.has("ignore") => {
            Err((block.line, "`rust ignore` is forbidden: let it compile, or give it a file=".to_owned()))
        }
        // A doctest of the crate that includes the chapter.
        "rust" => Ok(Vec::new()),
        "c" | "cpp" | "text" | "json" => Ok(Vec::new()),
        "diff" => Err((block.line, "a diff wants to know of what: diff file=PATH".to_owned())),
        other => Err((
            block.line,
            format!(
                "a block of {other:?}: console, sh, toml, rust, c, cpp, text, json are known, or give it a file="
            ),
        )),
    }
}

/// The commands of a `console` block, each with what it says.
fn console(block: &Block) -> Result<Vec<Step>, Fault> {
    let mut steps = Vec::new();
    let mut lines = (block.line + 1..).zip(&block.lines).peekable();
    while let Some((line, text)) = lines.next() {
        let Some(command) = text.strip_prefix("$ ") else {
            return Err((line, "a console begins with a command: `$ COMMAND`".to_owned()));
        };
        let mut script = command.to_owned();
        while script.ends_with('\\') {
            let Some((_, more)) = lines.next() else {
                return Err((line, "the command goes on, and the block ends".to_owned()));
            };
            script += &format!("\n{}", more.strip_prefix("> ").unwrap_or(more));
        }
        let mut says = Vec::new();
        while let Some((_, said)) = lines.next_if(|(_, text)| !text.starts_with("$ ") && *text != "$") {
            says.push(said.trim_end().to_owned());
        }
        drop_blank_end(&mut says);
        let code = says.last().and_then(|last| last.strip_prefix("[exit ")?.strip_suffix(']')?.parse().ok());
        if code.is_some() {
            says.pop();
            drop_blank_end(&mut says);
        }
        let says = if says.is_empty() { Says::Unseen } else { Says::Lines(says) };
        steps.push(Step { line, what: What::Run { script, says, code: code.unwrap_or(0) } });
    }
    Ok(steps)
}

fn drop_blank_end(lines: &mut Vec<String>) {
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: usize, script: &str, says: &[&str], code: i32) -> Step {
        let says = match says {
            [] => Says::Unseen,
            says => Says::Lines(says.iter().map(|&line| line.to_owned()).collect()),
        };
        Step { line, what: What::Run { script: script.to_owned(), says, code } }
    }

    #[test]
    fn a_page_is_read_from_top_to_bottom() {
        let page = "\
# Title
<!-- run: mkdir data -->

```console
$ ls \\
    data
$ false
[exit 1]
$ cat a b

one
...

cat: b: …
[exit 1]
```
Text with ```ticks``` inside.

- A list:
  ```rust file=src/a.rs
  fn a() {
      b()
  }
  ```

```sh
one
two
```
```sh no-run
git clone x
```
```toml
a = 1
```
```diff file=src/a.rs
-fn a()
+fn b()
```
```rust
assert!(true);
```
";
        let text = |what: &str| what.to_owned();
        let wanted = [
            run(2, "mkdir data", &[], 0),
            run(5, "ls \\\n    data", &[], 0),
            run(7, "false", &[], 1),
            run(9, "cat a b", &["", "one", "...", "", "cat: b: …"], 1),
            Step {
                line: 20,
                what: What::Write { path: text("src/a.rs"), text: text("fn a() {\n    b()\n}\n") },
            },
            run(26, "one\ntwo\n", &[], 0),
            Step { line: 33, what: What::Toml(text("a = 1\n")) },
            Step { line: 36, what: What::Patch { path: text("src/a.rs"), diff: text("-fn a()\n+fn b()\n") } },
        ];
        assert_eq!(steps(page).unwrap(), wanted);
    }

    #[test]
    fn what_would_be_passed_over_is_refused() {
        let check = |page: &str, wanted: &str| {
            let error = steps(page).unwrap_err();
            assert!(error.starts_with(wanted), "{error}");
        };
        check("\n```rust ignore\n```", "2: `rust ignore` is forbidden");
        check("```consol\n$ a\n```", "1: a block of \"consol\"");
        check("```\n$ a\n```", "1: a block of \"\"");
        check("```diff\n+a\n```", "1: a diff wants to know of what");
        check("```console\nno command\n```", "2: a console begins with a command");
        check("```console\n$ a \\\n```", "2: the command goes on");
        check("text\n```sh\nls", "2: the block does not end");
        check("<!-- run: ls\n", "1: the comment does not end");
    }
}
