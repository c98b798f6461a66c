//! `pactolus odb convert`: a dump in another form.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use pactolus::odb::dump::Kind;
use pactolus::odb::{Mode, Save, Tree};

use super::source::Source;
use crate::dump::text::count;
use crate::{OK, Outcome};

/// Write the ODB of a run file or a dump as .odb, .xml or .json.
///
/// A key that the form cannot hold is an error that names it; .json holds everything. Access modes
/// and times are left out of .odb and .xml, directories without keys out of .odb, as odbedit does.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ConvertArgs {
    /// Run file or dump; `-` is standard input
    #[arg(value_name = "IN")]
    input: PathBuf,

    /// File to write, its form by its name; `-` is standard output
    #[arg(value_name = "OUT")]
    output: PathBuf,

    /// The form, whatever the name
    #[arg(long, value_enum, value_name = "FORM")]
    format: Option<Form>,

    /// Only this directory
    #[arg(long, value_name = "SUBTREE", default_value = "/")]
    path: String,

    /// The ODB at end of run
    #[arg(long)]
    eor: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Form {
    Odb,
    Xml,
    Json,
}

const EXAMPLES: &str = "\
Examples:
  pactolus odb convert run00042.mid.gz run00042.json
  pactolus odb convert run00042.mid gains.odb --path /Analyzer/Parameters
  pactolus odb convert settings.xml - --format odb

Exit codes: 0 all well; 2 could not run; 5 the output could not be written.";

pub(super) fn run(args: &ConvertArgs, out: &mut dyn Write, err: &mut dyn Write) -> Outcome {
    let save = save(args)?;
    let tree = Source::whole(&args.input, args.eor, err)?;
    let text = save.write(&tree, &args.path)?;
    super::program::write(&args.output, &text, out)?;
    if let Some(left_out) = left_out(&tree, &args.path, save.kind) {
        writeln!(err, "pactolus: {} does not hold {left_out}; .json does", save.kind)?;
    }
    Ok(OK)
}

/// The form by `--format` or the name; another name than MIDAS's three is no form.
fn save(args: &ConvertArgs) -> Result<Save, String> {
    let name = args.output.to_string_lossy();
    let extension = Path::new(&*name).extension().unwrap_or_default().to_ascii_lowercase();
    match (args.format, extension.to_str()) {
        (Some(Form::Odb), _) | (None, Some("odb")) => Ok(Save::odb()),
        (Some(Form::Xml), _) | (None, Some("xml")) => Ok(Save::xml()),
        (Some(Form::Json), _) | (None, Some("json" | "js")) => Ok(Save::json()),
        (None, _) => Err(format!("{name}: .odb, .xml or .json expected, or --format")),
    }
}

/// What the form leaves out of the tree.
fn left_out(tree: &Tree, path: &str, kind: Kind) -> Option<String> {
    let keys = || tree.walk(path).into_iter().flatten().map(|(_, key)| key);
    let modes = keys().filter(|key| key.value().is_some() && key.mode() != Mode::default()).count() as u64;
    let empty =
        keys().filter(|key| key.directory().is_some_and(|directory| directory.is_empty())).count() as u64;
    let mut parts = Vec::new();
    if kind != Kind::Json && modes > 0 {
        parts.push(format!("the access modes of {}", count(modes, "key")));
    }
    if kind == Kind::Odb && empty > 0 {
        let word = if empty == 1 { "directory" } else { "directories" };
        parts.push(format!("{empty} {word} without keys"));
    }
    (!parts.is_empty()).then(|| parts.join(" and "))
}
