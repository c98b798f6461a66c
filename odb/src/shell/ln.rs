//! `ln`: links.

use super::call::destination;
use super::{Call, Command, Result, Takes};
use crate::Index;

pub(super) const COMMAND: Command = Command {
    name: "ln",
    usage: "ln TARGET LINK",
    help: "make a link that leads to a key\n\
        If LINK is a directory, the link comes into it under the target's name.\n\
        `TARGET[3]` is one element.\n\
        Example: ln '/Experiment/Run parameters/Comment' /Experiment/Edit/Comment",
    takes: &[Takes::Path],
    run,
};

fn run(call: &mut Call<'_>) -> Result<()> {
    let (target, link) = call.two("a target and a path")?;
    let (target, link) = (call.path(&target)?, call.path(&link)?);
    call.change(|tree| {
        // A link to nothing is a slip of the finger.
        let found = tree.find_link(&target.to_string())?;
        let name = found.path.name().unwrap_or_default().to_owned();
        let index = match found.index {
            None => String::new(),
            Some(Index::One(index)) => format!("[{index}]"),
            Some(Index::Range(first, last)) => format!("[{first}..{last}]"),
            Some(Index::All) => "[*]".to_owned(),
        };
        let target = format!("{}{index}", found.path);
        let link = destination(tree, &link, &name)?;
        Ok(tree.create_link(&link.to_string(), &target)?)
    })
}

#[cfg(test)]
mod tests {
    use super::super::check;

    #[test]
    fn a_link_leads_to_its_target() {
        check(
            &["cd Runinfo", "ln 'run number' /x/Number", "ls /x", "set /x/Number 9", "get 'Run number'"],
            "Number -> /Runinfo/Run number   8\n9\n",
        );
        check(&["ln Runinfo/State Equipment", "ls Equipment/S*"], "State -> /Runinfo/State         3\n");
        check(
            &["cd Here/Variables", "ln ADC0[2] /x", "ls /x"],
            "x -> /Equipment/Trigger/Variables/ADC0[2]\n                                19\n",
        );
    }

    #[test]
    fn what_cannot_be_linked_is_said() {
        check(&["ln Runinof x"], "! no key /Runinof, did you mean 'Runinfo'?\n");
        check(&["ln Runinfo/State Lost"], "! /Lost exists already\n");
        check(&["ln Runinfo"], "! 'ln' needs a target and a path; usage: ln TARGET LINK\n");
    }
}
