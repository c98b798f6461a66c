//! `help`: what can be done.

use super::{Call, Command, Error, Result, Shell};
use crate::nearest;

pub(super) const COMMAND: Command =
    Command { name: "help", usage: "help [COMMAND]", help: "list the commands, or explain one", run };

fn run(call: &mut Call<'_>) -> Result<()> {
    let Some(name) = call.word()?.map(str::to_owned) else {
        let lines = Shell::commands().iter().map(|command| {
            let summary = command.help.lines().next().unwrap_or_default();
            format!("{:<20} {summary}\n", command.usage)
        });
        let lines: String = lines.collect();
        return call.say(lines);
    };
    let names = || Shell::commands().iter().map(|command| command.name);
    let command = Shell::commands().iter().find(|command| command.name == name).ok_or_else(|| {
        let nearest = nearest(&name, names()).map(str::to_owned);
        Error::Unknown { name, nearest }
    })?;
    call.say(format!("{}\n\n{}\n", command.usage, command.help))
}

#[cfg(test)]
mod tests {
    use super::super::{Shell, answer, sample};

    #[test]
    fn every_command_has_a_line_of_help() {
        let wanted = "\
ls [-l] [-r] [PATH]  list a directory or a key
cd [PATH]            go to a directory; to the root without a path
pwd                  print the current directory
get PATH             print a value, each element on a line
find PATTERN         print the paths of keys by their name
json [PATH]          print a directory or a value as MIDAS's JSON
jsls [PATH]          print one directory as JSON, without what is below it
jsvalues [PATH]      print the values below a directory as JSON, links followed
save FILE [PATH]     save a directory as .odb, .xml or .json, by the file's name
help [COMMAND]       list the commands, or explain one
";
        assert_eq!(answer(&sample(), false, &["help"]), wanted);
        assert!(wanted.lines().all(|line| line.len() <= 80));
    }

    #[test]
    fn one_command_is_explained() {
        assert_eq!(answer(&sample(), false, &["help pwd"]), "pwd\n\nprint the current directory\n");
        assert_eq!(
            answer(&sample(), false, &["help fnid", "lss"]),
            "! no command 'fnid', did you mean 'find'?; `help` lists them\n\
             ! no command 'lss', did you mean 'ls'?; `help` lists them\n"
        );
        for command in Shell::commands() {
            assert!(command.usage.starts_with(command.name) && !command.help.ends_with('\n'));
            assert!(command.help.lines().all(|line| line.len() <= 80), "{}", command.name);
        }
    }
}
