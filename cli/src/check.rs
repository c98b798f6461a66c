//! `pactolus check`: what a definition comes to.

mod facts;
mod page;
mod picture;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use pactolus::Definition;
use pactolus::wiring::Wiring;

use crate::analyze::BUILT_IN;
use crate::{App, OK, Outcome};

/// Explain a definition: its chains, banks and parameters, and what is unused.
///
/// Nothing is read but the definition. Without a FILE, that which the program brings along. What `analyze`
/// would refuse whatever the run and the ODB say is refused here, too; other doubts are warnings.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CheckArgs {
    /// The definition, as analyzer.toml
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// The same as one JSON object
    #[arg(long)]
    json: bool,

    /// Write the JSON schema of definitions, with the modules of this program, for editors
    #[arg(long, conflicts_with_all = ["file", "json"])]
    schema: bool,
}

const EXAMPLES: &str = "\
Examples:
  pactolus check analyzer.toml
  pactolus check analyzer.toml --json | jq '.requests[].stages[].name'
  pactolus check --schema > analyzer.schema.json

With `#:schema ./analyzer.schema.json` as its first line, editors that know TOML
complete and check a definition as it is typed.

Exit codes: 0 all well, also with warnings; 2 the definition is refused; 5 the
output could not be written.";

pub(crate) fn run(app: &App, args: &CheckArgs, out: &mut dyn Write) -> Outcome {
    let text = if args.schema {
        format!("{:#}\n", Definition::schema(&app.catalogue))
    } else {
        let definition = definition(app, args.file.as_deref())?;
        let wiring = Wiring::of(&definition, &app.catalogue)?;
        let file = definition.path.display().to_string();
        match args.json {
            true => json(&file, &wiring)?,
            false => page::page(&file, &wiring),
        }
    };
    out.write_all(text.as_bytes()).and_then(|()| out.flush())?;
    Ok(OK)
}

fn definition(app: &App, file: Option<&Path>) -> Result<Definition, Box<dyn std::error::Error>> {
    Ok(match (file, app.definition) {
        (Some(path), _) => Definition::read(path)?,
        (None, Some(text)) => Definition::parse(text, BUILT_IN)?,
        (None, None) => {
            return Err("no definition: name a file, as in `pactolus check analyzer.toml`".into());
        }
    })
}

fn json(file: &str, wiring: &Wiring) -> Result<String, serde_json::Error> {
    let mut object = serde_json::json!({ "file": file });
    if let (Some(all), serde_json::Value::Object(wired)) =
        (object.as_object_mut(), serde_json::to_value(wiring)?)
    {
        all.extend(wired);
    }
    serde_json::to_string_pretty(&object).map(|text| text + "\n")
}
