//! `move`: another place among its neighbours.

use super::{Call, Command, Result, Takes};

pub(super) const COMMAND: Command = Command {
    name: "move",
    usage: "move PATH PLACE",
    help: "move a key to another place in its directory\n\
        PLACE is top, bottom, or the number of keys before it.\n\
        Example: move /Equipment/Trigger top",
    takes: &[Takes::Path, Takes::Other],
    run,
};

fn run(call: &mut Call<'_>) -> Result<()> {
    let (path, place) = call.two("a path and a place")?;
    let path = call.path(&path)?;
    let place = match place.as_str() {
        "top" => 0,
        "bottom" => usize::MAX,
        number => number
            .parse()
            .map_err(|_| call.usage(format!("top, bottom or a number expected, '{number}' found")))?,
    };
    call.change(|tree| Ok(tree.reorder(&path.to_string(), place)?))
}

#[cfg(test)]
mod tests {
    use super::super::{answer, sample};

    #[test]
    fn a_key_has_its_place() {
        let order = |line: &str| {
            let listed = answer(&sample(), false, &[line, "ls"]);
            let names = listed.lines().map(|line| line.split(' ').next().unwrap_or_default());
            names.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(order("move Lost top"), "Lost Runinfo Equipment Here");
        assert_eq!(order("move Runinfo bottom"), "Equipment Here Lost Runinfo");
        assert_eq!(order("move Runinfo 1"), "Equipment Runinfo Here Lost");
        assert_eq!(
            answer(&sample(), false, &["move Lost up"]),
            "! top, bottom or a number expected, 'up' found; usage: move PATH PLACE\n"
        );
    }
}
