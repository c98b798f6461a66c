//! Changes to a file, as a chapter shows them.

/// A text with the changes of a diff. What a hunk changes is found by its lines, which must stand
/// in the text just once; the numbers of `@@` may be missing, and mean nothing.
pub(crate) fn patched(text: &str, diff: &str) -> Result<String, String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for hunk in hunks(diff)? {
        let places: Vec<usize> = match hunk.old.len() {
            0 => return Err("a hunk has nothing but new lines: show one that is there".to_owned()),
            n => (0..lines.len().saturating_sub(n - 1)).filter(|&at| lines[at..at + n] == hunk.old).collect(),
        };
        match places[..] {
            [at] => drop(lines.splice(at..at + hunk.old.len(), hunk.new)),
            [] => return Err(format!("these lines are not in the file:\n{}", hunk.old.join("\n"))),
            _ => {
                let lines = hunk.old.join("\n");
                return Err(format!(
                    "these lines are {} times in the file, show more:\n{lines}",
                    places.len()
                ));
            }
        }
    }
    Ok(lines.iter().map(|line| format!("{line}\n")).collect())
}

#[derive(Default)]
struct Hunk {
    old: Vec<String>,
    new: Vec<String>,
}

fn hunks(diff: &str) -> Result<Vec<Hunk>, String> {
    let mut hunks = Vec::new();
    let mut hunk = Hunk::default();
    let mut changes = false;
    for line in diff.lines().filter(|line| !line.starts_with("--- ") && !line.starts_with("+++ ")) {
        if line.starts_with("@@") {
            if !hunk.old.is_empty() || !hunk.new.is_empty() {
                hunks.push(std::mem::take(&mut hunk));
            }
            continue;
        }
        match (line.get(..1).unwrap_or(" "), line.get(1..).unwrap_or_default().to_owned()) {
            ("-", old) => hunk.old.push(old),
            ("+", new) => hunk.new.push(new),
            (" ", both) => {
                hunk.old.push(both.clone());
                hunk.new.push(both);
                continue;
            }
            _ => return Err(format!("a line of a diff begins with a blank, - or +: {line}")),
        }
        changes = true;
    }
    hunks.push(hunk);
    if changes { Ok(hunks) } else { Err("the diff changes nothing".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_replaced_where_they_stand() {
        let text = "a\nb\n\nc\nd\n";
        assert_eq!(patched(text, " a\n-b\n+B\n+BB\n").unwrap(), "a\nB\nBB\n\nc\nd\n");
        let two = "--- f\n+++ f\n@@ -1,2 +1,1 @@\n a\n-b\n@@ -4 +3 @@\n c\n+e\n";
        assert_eq!(patched(text, two).unwrap(), "a\n\nc\ne\nd\n");
        // A blank line need not have the blank.
        assert_eq!(patched(text, " b\n\n-c\n").unwrap(), "a\nb\n\nd\n");
    }

    #[test]
    fn a_place_that_is_not_there_or_not_clear_is_refused() {
        let check = |diff: &str, wanted: &str| {
            let error = patched("a\nb\na\n", diff).unwrap_err();
            assert!(error.starts_with(wanted), "{error}");
        };
        check("-c\n+d\n", "these lines are not in the file:\nc");
        check("-a\n+d\n", "these lines are 2 times in the file");
        check("+d\n", "a hunk has nothing but new lines");
        check(" a\n b\n", "the diff changes nothing");
        check("a\n", "a line of a diff begins with");
    }
}
