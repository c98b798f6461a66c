//! `get`: a value.

use super::{Call, Command, Result, Takes, plain};

pub(super) const COMMAND: Command = Command {
    name: "get",
    usage: "get PATH",
    help: "print a value, each element on a line\n\
        `PATH[3]` is one element, `PATH[1..4]` are several, `PATH[*]` all. With --json,\n\
        a single element is a JSON value, several are an array.",
    takes: &[Takes::Path],
    run,
};

fn run(call: &mut Call<'_>) -> Result<()> {
    let path = call.path(&call.wanted("a path")?)?;
    let value = call.tree.value(&path.to_string())?;
    let mut out = Vec::new();
    if call.shell.json {
        plain::value(&value, &mut out);
        out.push(b'\n');
    } else {
        for index in 0..value.len() {
            value.write_exact(index, &mut out);
            out.push(b'\n');
        }
    }
    call.say(out)
}

#[cfg(test)]
mod tests {
    use super::super::{answer, sample};

    fn check(json: bool, line: &str, wanted: &str) {
        assert_eq!(answer(&sample(), json, &["cd /Equipment/Trigger", line]), wanted, "{line}");
    }

    #[test]
    fn a_value_is_printed_by_elements() {
        check(false, "get Common/Buffer", "SYSTEM\n");
        check(false, "get Variables/ADC0", "17\n18\n19\n");
        check(false, "get Variables/ADC0[1]", "18\n");
        check(false, "get Variables/ADC0[1..2]", "18\n19\n");
        check(false, "get '/Runinfo/Run number'", "8\n");
        check(false, "get /Here/Common/Buffer", "SYSTEM\n");
    }

    #[test]
    fn a_bitfield_is_hexadecimal() {
        let lines =
            ["create bitfield b", "set b 15", "get b", "create bitfield c[2]", "set c 1 255", "get c"];
        assert_eq!(answer(&sample(), false, &lines), "0x0f\n0x01\n0xff\n");
        assert_eq!(answer(&sample(), true, &["create bitfield b", "set b 0x0f", "get b"]), "15\n");
    }

    #[test]
    fn machines_get_json() {
        check(true, "get Common/Buffer", "\"SYSTEM\"\n");
        check(true, "get Variables/ADC0[*]", "[17,18,19]\n");
        check(true, "get Variables/ADC0[0]", "17\n");
    }

    #[test]
    fn a_link_that_leads_nowhere_is_named() {
        let lines = ["mkdir A/x", "create int A/x/y", "ln A/x L", "ln L M", "ren A A2"];
        let said = |line| answer(&sample(), false, &[&lines[..], &[line]].concat());
        let wanted = "no key /A, did you mean 'A2'?\n";
        assert_eq!(said("get L"), format!("! /L leads to /A/x: {wanted}"));
        assert_eq!(said("set L/y 1"), format!("! /L leads to /A/x: {wanted}"));
        assert_eq!(said("cd L/z/y"), format!("! /L leads to /A/x: {wanted}"));
        assert_eq!(
            said("ls A2 M/y"),
            "! one word expected, 'M/y' is a second one (paths with blanks need quotes); \
            usage: ls [-lrv] [PATH]\n"
        );
        assert_eq!(said("get M/y"), format!("! /M leads to /L: {wanted}"));
        assert_eq!(said("get /A/x"), format!("! {wanted}"));
    }

    #[test]
    fn what_is_no_value_is_named() {
        check(false, "get Variables", "! /Equipment/Trigger/Variables is a directory, not a value\n");
        check(
            false,
            "get Variables/ADC0[3]",
            "! /Equipment/Trigger/Variables/ADC0 has no element 3: its length is 3\n",
        );
        check(
            false,
            "get Variables/ACD0",
            "! no key /Equipment/Trigger/Variables/ACD0, did you mean 'ADC0'?\n",
        );
        check(false, "get /Lost", "! /Lost leads to /Nothing: no key /Nothing\n");
    }
}
