//! `pactolus man` and `pactolus completions`: what `--help` says, for `man` and for a shell.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use pactolus::Error;
use pactolus::formats::WholeFile;

use crate::{App, Cli, OK, Outcome};

/// Print the manual page, or write those of all commands into a directory.
#[derive(Args)]
#[command(after_help = MAN_EXAMPLES)]
pub(crate) struct ManArgs {
    /// Directory for the pages, pactolus.1, pactolus-analyze.1 and so on; it is made if need be. Without
    /// one, the page of the program goes to standard output
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
}

const MAN_EXAMPLES: &str = "\
Examples:
  pactolus man | man -l -
  pactolus man ~/.local/share/man/man1";

/// Print what a shell needs to complete the words of this program.
#[derive(Args)]
#[command(after_help = COMPLETIONS_EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    shell: Shell,
}

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  mkdir -p ~/.local/share/bash-completion/completions
  cd ~/.local/share/bash-completion/completions
  pactolus completions bash > pactolus
  pactolus completions zsh > ~/.zfunc/_pactolus
  pactolus completions fish > ~/.config/fish/completions/pactolus.fish";

pub(crate) fn man(args: &ManArgs, out: &mut dyn Write) -> Outcome {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let Some(directory) = &args.directory else {
        page(&program).render(out)?;
        return Ok(OK);
    };
    fs::create_dir_all(directory)
        .map_err(|e| format!("cannot make the directory {}: {e}", directory.display()))?;
    let pages = pages(&program, directory)?;
    writeln!(out, "Wrote {pages} pages into {}.", directory.display())?;
    Ok(OK)
}

/// The page of a command.
fn page(command: &Command) -> Man {
    Man::new(command.clone()).source(concat!("pactolus ", env!("CARGO_PKG_VERSION"))).manual("Pactolus")
}

/// Writes the pages of a command and of those below it; how many.
fn pages(command: &Command, directory: &Path) -> Result<usize, Box<dyn std::error::Error>> {
    let page = page(command);
    let mut text = Vec::new();
    page.render(&mut text)?;
    WholeFile::write(directory.join(page.get_filename()), &text).map_err(Error::Output)?;
    let mut pages = 1;
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        pages += self::pages(below, directory)?;
    }
    Ok(pages)
}

pub(crate) fn completions(app: &App, args: &CompletionsArgs, out: &mut dyn Write) -> Outcome {
    // A user's own analyzer has its own name.
    let program = Path::new(&app.program).file_name().unwrap_or_default().to_string_lossy();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), program, &mut script);
    out.write_all(&script)?;
    Ok(OK)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use pactolus::Catalogue;
    use tempfile::TempDir;

    use super::*;

    /// What the program prints.
    fn printed(args: &[&str]) -> String {
        let app = App::new(Catalogue::new());
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = crate::run(&app, &args, &mut out, &mut err);
        assert_eq!((code, String::from_utf8(err).unwrap().as_str()), (OK, ""), "{args:?}");
        String::from_utf8(out).unwrap()
    }

    /// The commands below one, each with the words that call it.
    fn commands(command: &Command, words: &[String]) -> Vec<(Vec<String>, Command)> {
        let mut all = vec![(words.to_vec(), command.clone())];
        for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
            let words = [words, &[below.get_name().to_owned()]].concat();
            all.extend(commands(below, &words));
        }
        all
    }

    /// All commands.
    fn all() -> Vec<(Vec<String>, Command)> {
        let mut program = Cli::command().disable_help_subcommand(true);
        program.build();
        commands(&program, &[])
    }

    #[test]
    fn every_long_flag_is_in_help_page_and_completion() {
        let dir = TempDir::new().unwrap();
        let pages = dir.path().join("man1");
        let said = printed(&["man", pages.to_str().unwrap()]);
        let all = all();
        assert!(all.len() > 15 && said.starts_with(&format!("Wrote {} pages into ", all.len())), "{said}");
        let bash = printed(&["completions", "bash"]);
        let fish = printed(&["completions", "fish"]);
        let zsh = printed(&["completions", "zsh"]);
        for (words, command) in all {
            let name = [&["pactolus".to_owned()], words.as_slice()].concat().join("-");
            let page =
                fs::read_to_string(pages.join(format!("{name}.1"))).unwrap_or_else(|e| panic!("{name}: {e}"));
            let mut ask: Vec<&str> = words.iter().map(String::as_str).collect();
            ask.push("--help");
            let help = printed(&ask);
            for flag in
                command.get_arguments().filter(|arg| !arg.is_hide_set()).filter_map(|arg| arg.get_long())
            {
                let dashed = format!("--{flag}");
                // roff has its own dash.
                let in_page = format!("\\-\\-{}", flag.replace('-', "\\-"));
                assert!(page.contains(&in_page), "{name}: {dashed} is not in its page");
                assert!(help.contains(&dashed), "{name}: {dashed} is not in its help");
                assert!(bash.contains(&dashed), "{name}: {dashed} is not completed by bash");
                assert!(zsh.contains(&dashed), "{name}: {dashed} is not completed by zsh");
                assert!(fish.contains(&format!("-l {flag} ")), "{name}: {dashed} is not completed by fish");
            }
        }
    }

    #[test]
    fn the_page_of_the_program_names_all_commands() {
        let page = printed(&["man"]);
        assert!(page.contains(".TH pactolus 1"), "{page}");
        for (words, _) in all().into_iter().filter(|(words, _)| words.len() == 1) {
            assert!(page.contains(&format!("pactolus\\-{}(1)", words[0])), "{words:?}");
        }
    }

    #[test]
    fn a_users_own_program_is_completed_under_its_own_name() {
        let app = App { program: "target/debug/my-analyzer".into(), ..App::new(Catalogue::new()) };
        let mut out = Vec::new();
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish, Shell::PowerShell] {
            out.clear();
            completions(&app, &CompletionsArgs { shell }, &mut out).unwrap();
            let script = String::from_utf8_lossy(&out);
            assert!(script.contains("my-analyzer") && !script.contains("target/debug"), "{shell}: {script}");
        }
    }
}
