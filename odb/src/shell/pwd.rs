//! `pwd`: where am I?

use super::{Call, Command, Result};

pub(super) const COMMAND: Command =
    Command { name: "pwd", usage: "pwd", help: "print the current directory", takes: &[], run };

fn run(call: &mut Call<'_>) -> Result<()> {
    call.nothing()?;
    let at = call.shell.at.to_string();
    call.say(format!("{at}\n"))
}

#[cfg(test)]
mod tests {
    use super::super::{answer, sample};

    #[test]
    fn it_takes_no_word() {
        let wanted = "/\n! nothing expected behind 'pwd', 'x' found; usage: pwd\n";
        assert_eq!(answer(&sample(), false, &["pwd", "pwd x"]), wanted);
    }
}
