//! `trunc` and `resize`: the length of an array.

use super::{Call, Command, Result, Takes};

pub(super) const TRUNC: Command = Command {
    name: "trunc",
    usage: "trunc PATH LEN",
    help: "cut an array to its first elements\n\
        It cannot grow by this: that is `resize`.\n\
        Example: trunc Pedestal 4",
    takes: &[Takes::Path, Takes::Other],
    run: trunc,
};

pub(super) const RESIZE: Command = Command {
    name: "resize",
    usage: "resize PATH LEN",
    help: "cut an array, or add zeros, `n` or empty strings\n\
        Example: resize Pedestal 16",
    takes: &[Takes::Path, Takes::Other],
    run: resize,
};

fn trunc(call: &mut Call<'_>) -> Result<()> {
    change(call, false)
}

fn resize(call: &mut Call<'_>) -> Result<()> {
    change(call, true)
}

fn change(call: &mut Call<'_>, may_grow: bool) -> Result<()> {
    let (path, len) = call.two("a path and a length")?;
    let (path, len) = (call.path(&path)?, call.len(&len)?);
    let (name, usage) = (call.command.name, call.command.usage);
    let refused = |what: String| super::Error::Usage { what, usage };
    call.change(|tree| {
        let found = tree.find(&path.to_string())?;
        let at = found.path.to_string();
        let old = found.key.value_at(&found.path)?.len();
        if found.index.is_some() {
            return Err(refused(format!("'{name}' changes whole arrays, an index found")));
        }
        if len > old && !may_grow {
            return Err(refused(format!("{at} has {old} elements and cannot be cut to {len}: use resize")));
        }
        Ok(tree.resize(&at, len)?)
    })
}

#[cfg(test)]
mod tests {
    use super::super::{answer, sample};

    fn check(lines: &[&str], wanted: &str) {
        let lines = [&["cd /Equipment/Trigger/Variables"], lines].concat();
        assert_eq!(answer(&sample(), false, &lines), wanted, "{lines:?}");
    }

    #[test]
    fn an_array_is_cut_or_grows() {
        check(&["trunc ADC0 2", "get ADC0"], "17\n18\n");
        check(&["trunc ADC0 3", "get ADC0"], "17\n18\n19\n");
        check(&["resize ADC0 1", "get ADC0"], "17\n");
        check(&["resize ADC0 5", "get ADC0"], "17\n18\n19\n0\n0\n");
        check(&["resize ../Common/Buffer 2", "get ../Common/Buffer"], "SYSTEM\n\n");
    }

    #[test]
    fn what_cannot_be_resized_is_said() {
        check(
            &["trunc ADC0 4", "get ADC0[2]"],
            "! /Equipment/Trigger/Variables/ADC0 has 3 elements and cannot be cut to 4: use resize; \
             usage: trunc PATH LEN\n19\n",
        );
        check(
            &["resize ADC0 0"],
            "! a number of elements from 1 to 16777216 expected, '0' found; usage: resize PATH LEN\n",
        );
        check(
            &["resize ADC0[1] 2"],
            "! 'resize' changes whole arrays, an index found; usage: resize PATH LEN\n",
        );
        check(&["trunc /Runinfo 2"], "! /Runinfo is a directory, not a value\n");
        check(&["chmod R ADC0", "trunc ADC0 2"], "! /Equipment/Trigger/Variables/ADC0 is write protected\n");
        check(&["trunc ADC0"], "! 'trunc' needs a path and a length; usage: trunc PATH LEN\n");
    }
}
