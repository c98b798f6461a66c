//! `find`: keys by name.

use super::{Call, Command, Result, Takes, pattern};
use crate::spelling;

pub(super) const COMMAND: Command = Command {
    name: "find",
    usage: "find PATTERN",
    help: "print the paths of keys by their name\n\
        All that is below the current directory is looked through. `*` is any text, `?`\n\
        one character, and case does not matter. A name without either is looked for\n\
        anywhere in the names of keys.",
    takes: &[Takes::Other],
    run,
};

fn run(call: &mut Call<'_>) -> Result<()> {
    let mut wanted = call.wanted("a pattern")?;
    if !pattern::is_pattern(&wanted) {
        wanted = format!("*{wanted}*");
    }
    let mut out = Vec::new();
    for (path, key) in call.tree.walk(&call.shell.at.to_string())? {
        if pattern::matches(&wanted, key.name()) {
            out.extend(spelling::to_bytes(&path.to_string()));
            out.push(b'\n');
        }
    }
    call.say(out)
}

#[cfg(test)]
mod tests {
    use super::super::{answer, sample};

    #[test]
    fn keys_are_found_by_name() {
        let check =
            |line: &str, wanted: &str| assert_eq!(answer(&sample(), false, &[line]), wanted, "{line}");
        check("find *id", "/Equipment/Trigger/Common/Event ID\n");
        check("find run", "/Runinfo\n/Runinfo/Run number\n");
        check("find ADC?", "/Equipment/Trigger/Variables/ADC0\n");
        check("find none", "");
        check("find", "! 'find' needs a pattern; usage: find PATTERN\n");
    }

    #[test]
    fn only_what_is_below_here_is_found() {
        assert_eq!(
            answer(&sample(), false, &["cd Runinfo", "find e"]),
            "/Runinfo/State\n/Runinfo/Run number\n"
        );
    }
}
