//! What a command has said, beside what the page says of it.

/// Where lines differ from those of the page, in which a line `...` stands for any lines and `…`
/// for any text; `None` if they do not.
pub(crate) fn difference(wanted: &[String], found: &str) -> Option<String> {
    let found: Vec<&str> = found
        .lines()
        .map(str::trim_end)
        // Chapters share a directory of builds, and may wait for one another.
        .filter(|line| !line.trim_start().starts_with("Blocking waiting for file lock"))
        .collect();
    let end = found.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    let found = &found[..end];

    // Numbers of found lines that the wanted ones up to here may have taken.
    let mut taken = vec![0];
    for want in wanted {
        let next: Vec<usize> = match want.trim() {
            "..." => (taken[0]..=found.len()).collect(),
            _ => {
                let fits = |&at: &usize| found.get(at).is_some_and(|line| line_fits(want, line));
                taken.iter().copied().filter(fits).map(|at| at + 1).collect()
            }
        };
        if next.is_empty() {
            let at = taken[0];
            let instead = match found.get(at) {
                Some(line) if taken.len() == 1 => format!("found instead: {line}"),
                Some(_) => format!("not found behind line {at}"),
                None => "found instead: nothing more".to_owned(),
            };
            return Some(format!("wanted: {want}\n{instead}"));
        }
        taken = next;
    }
    match taken.last() {
        Some(&last) if last < found.len() => {
            Some(format!("wanted: nothing more\nfound instead: {}", found[last]))
        }
        _ => None,
    }
}

/// Whether a line is a pattern in which `…` stands for any text.
fn line_fits(pattern: &str, line: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('…') else { return pattern == line };
    let Some(behind) = line.strip_prefix(first) else { return false };
    (0..=behind.len()).any(|at| behind.is_char_boundary(at) && line_fits(rest, &behind[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(wanted: &[&str], found: &str) -> Option<String> {
        let wanted: Vec<String> = wanted.iter().map(|&line| line.to_owned()).collect();
        difference(&wanted, found)
    }

    #[test]
    fn lines_are_compared_one_by_one() {
        assert_eq!(check(&["a", "b"], "a\nb  \n\n"), None);
        assert_eq!(check(&["a", "", "b"], "a\n\nb\n"), None);
        assert_eq!(check(&["a", "b"], "a\nc\n").unwrap(), "wanted: b\nfound instead: c");
        assert_eq!(check(&["a", "b"], "a\n").unwrap(), "wanted: b\nfound instead: nothing more");
        assert_eq!(check(&["a"], "a\nb\n").unwrap(), "wanted: nothing more\nfound instead: b");
    }

    #[test]
    fn dots_stand_for_lines_and_an_ellipsis_for_text() {
        assert_eq!(check(&["a", "...", "d"], "a\nb\nc\nd\n"), None);
        assert_eq!(check(&["...", "d", "..."], "d\n"), None);
        assert_eq!(check(&["...", "d"], "d\nx\nd\n"), None);
        assert_eq!(check(&["took … s, …"], "took 1.5 s, all well\n"), None);
        assert_eq!(check(&["a…"], "a\n"), None);
        assert_eq!(check(&["a", "...", "d"], "a\nb\n").unwrap(), "wanted: d\nnot found behind line 1");
        assert_eq!(check(&["…b"], "bc\n").unwrap(), "wanted: …b\nfound instead: bc");
        assert_eq!(check(&["...", "d"], "d\ne\n").unwrap(), "wanted: nothing more\nfound instead: e");
    }

    #[test]
    fn who_waits_for_another_build_is_not_heard() {
        assert_eq!(check(&["a"], "    Blocking waiting for file lock on build directory\na\n"), None);
    }
}
