//! `exit` and `quit`: the end.

use super::{Call, Command, Result};

pub(super) const EXIT: Command =
    Command { name: "exit", usage: "exit", help: "leave the shell; so does Ctrl-D", takes: &[], run };

pub(super) const QUIT: Command = Command { name: "quit", usage: "quit", ..EXIT };

fn run(call: &mut Call<'_>) -> Result<()> {
    call.nothing()?;
    call.shell.ended = true;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{Capture, Shell, answer, answers, sample};
    use crate::Odb;

    #[test]
    fn the_shell_has_ended() {
        for word in ["exit", "quit"] {
            let mut shell = Shell::new(Odb::from(sample()));
            assert_eq!(answers(&mut shell, &mut Capture::default(), &["pwd", word]), "/\n");
            assert!(shell.ended());
        }
        let wanted = "! nothing expected behind 'exit', 'now' found; usage: exit\n";
        assert_eq!(answer(&sample(), false, &["exit now"]), wanted);
    }
}
