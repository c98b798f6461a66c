//! `help`: what can be done.

use super::{Call, Command, Error, Result, Shell, Takes};
use crate::nearest;

pub(super) const COMMAND: Command = Command {
    name: "help",
    usage: "help [COMMAND]",
    help: "list the commands, or explain one",
    takes: &[Takes::Command],
    run,
};

fn run(call: &mut Call<'_>) -> Result<()> {
    let Some(name) = call.word()?.map(str::to_owned) else {
        let lines = Shell::commands().iter().map(|command| {
            let summary = command.help.lines().next().unwrap_or_default();
            format!("{:<22} {summary}\n", command.usage)
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
ls [-lrv] [PATH]       list a directory or a key
cd [PATH]              go to a directory; to the root without a path
pwd                    print the current directory
get PATH               print a value, each element on a line
set PATH VALUE...      set a value, which keeps its type
create TYPE PATH       make a key of zeros, `n` or empty strings
mkdir PATH...          make directories
del [-f] PATH...       delete keys, and directories with all below them
rm [-f] PATH...        delete keys, and directories with all below them
cp SOURCE DEST         copy a key, or a directory with all below it
ren PATH NAME          give a key another name, in the same directory
move PATH PLACE        move a key to another place in its directory
ln TARGET LINK         make a link that leads to a key
chmod MODE PATH        say what may be done with a key, or in a directory
trunc PATH LEN         cut an array to its first elements
resize PATH LEN        cut an array, or add zeros, `n` or empty strings
find PATTERN           print the paths of keys by their name
watch [PATH]           print each change below a path, until Ctrl-C
diff WHAT [PATH]       compare two directories or keys, or a dump and the ODB
load [-x] FILE         load a dump: .odb, .xml or .json
save [-xj] FILE [PATH] save a directory as .odb, .xml or .json
json [PATH]            print a directory or a value as MIDAS's JSON
jsls [PATH]            print one directory as JSON, without what is below it
jsvalues [PATH]        print the values below as JSON, links followed
help [COMMAND]         list the commands, or explain one
exit                   leave the shell; so does Ctrl-D
quit                   leave the shell; so does Ctrl-D
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
