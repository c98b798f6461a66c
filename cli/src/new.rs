//! `pactolus new`: a crate of one's own, or a module more in it.

mod added;
mod names;
mod source;
mod templates;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use pactolus::Error;
use pactolus::simulate::Simulation;

use crate::{OK, Outcome};

use names::{CrateName, ModuleName};
use source::Source;
use templates::{Names, OF_A_CRATE, OF_A_MODULE};

/// Make a crate for modules of your own, or with --module add a module to it.
///
/// The crate has a module, its test, a definition that mounts it, and a small run; it builds, passes its
/// test and runs as it is.
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = "pactolus new <NAME> [OPTIONS]\n       pactolus new --module <MODULE>")]
pub(crate) struct NewArgs {
    /// Directory to make; its last part is the name of the crate
    #[arg(value_name = "NAME", required_unless_present = "module")]
    name: Option<PathBuf>,

    /// Name of the module: peak_finder makes src/peak_finder.rs with the type PeakFinder. Without NAME, it
    /// is added to the crate that the working directory is in; with NAME, it is amplitude by default
    #[arg(long, value_name = "MODULE")]
    module: Option<String>,

    /// Where cargo finds Pactolus: the directory of a checkout, a git URL, or a version. By default the
    /// checkout that this program was built from; if that is gone, the version of this program
    #[arg(long, value_name = "SOURCE", requires = "name")]
    pactolus: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  pactolus new my-analyzer
  pactolus new lxe --module drift_time --pactolus ~/src/pactolus
  cd my-analyzer && pactolus new --module peak_finder

Exit codes: 0 all well; 1 the module is there, but lines were left to be added
by hand; 2 could not run, nothing was made; 5 a file could not be written,
nothing was made.";

/// Module of a new crate, unless another is named.
const FIRST: &str = "amplitude";

/// Data events of the run that comes with a crate: some 30 kB.
const EVENTS: u64 = 500;

pub(crate) fn run(args: &NewArgs, out: &mut dyn Write) -> Outcome {
    match &args.name {
        Some(path) => new_crate(args, path, out),
        None => added::add(ModuleName::new(args.module.as_deref().unwrap_or(FIRST))?, out),
    }
}

/// Makes a crate.
fn new_crate(args: &NewArgs, path: &Path, out: &mut dyn Write) -> Outcome {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let name = CrateName::new(&name)?;
    let module = ModuleName::new(args.module.as_deref().unwrap_or(FIRST))?;
    let source = match &args.pactolus {
        Some(text) => Source::new(text)?,
        None => Source::of_this_program(),
    };
    let shown = path.display();
    if path.symlink_metadata().is_ok() {
        return Err(format!(
            "{shown} exists: give another name; a crate of that name gets another module with `cd {shown} && \
             pactolus new --module MODULE`"
        )
        .into());
    }
    let bank = module.bank(|_| false);
    let names = Names { package: &name.package, ident: &name.ident, module: &module, bank: &bank };
    fs::create_dir(path).map_err(failed("create", path))?;
    if let Err(error) = fill(path, &names, &source) {
        let _ = fs::remove_dir_all(path);
        return Err(error.into());
    }
    let (file, kind) = (&module.file, &module.kind);
    writeln!(
        out,
        "Made {shown}: the module {kind} (src/{file}.rs), its test (tests/{file}.rs), the definition"
    )?;
    writeln!(out, "that mounts it (analyzer.toml), and a run of {EVENTS} events (runs/run00001.mid).")?;
    writeln!(
        out,
        "
To test it, to analyze the run, and to see what the module has filled:
  cd {shown}
  cargo test
  cargo run -- analyze runs/run00001.mid -o run%05d.parquet
  cargo run -- hist run00001.histos.json Largest
README.md says what is where; `cargo run -- new --module MODULE` adds a module."
    )?;
    if let Source::Directory(directory) = &source {
        writeln!(
            out,
            "
Cargo takes Pactolus from {}, on this computer: before others
build the crate, put a git URL or a version into its Cargo.toml.",
            directory.display()
        )?;
    }
    Ok(OK)
}

/// Writes all files of a crate into its directory.
fn fill(path: &Path, names: &Names<'_>, source: &Source) -> Result<(), Error> {
    for (file, template) in OF_A_CRATE.iter().chain(OF_A_MODULE) {
        let text = names.fill_in(&source.fill_in(template));
        write(&path.join(names.fill_in(file)), text.as_bytes())?;
    }
    if let Some(lock) = source.lock() {
        write(&path.join("Cargo.lock"), &lock)?;
    }
    let mut run = Vec::new();
    let simulation = Simulation { run: 1, events: EVENTS, ..Simulation::default() };
    let file = path.join("runs/run00001.mid");
    simulation.write(&mut run).map_err(failed("write", &file))?;
    write(&file, &run)
}

/// Writes a file that is not there yet, and its directory.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(failed("create", directory))?;
    }
    let mut file = fs::File::create_new(path).map_err(failed("create", path))?;
    file.write_all(bytes).map_err(|error| {
        // Half a file is worse than none.
        let _ = fs::remove_file(path);
        failed("write", path)(error)
    })
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |error| Error::Output(pactolus::formats::Error::io(what, path)(error))
}
