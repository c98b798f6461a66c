//! A module more in a crate that is there.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use pactolus::formats::WholeFile;
use pactolus::{Definition, Error};

use super::names::ModuleName;
use super::templates::{Names, OF_A_MODULE};
use super::write;
use crate::{DAMAGED, OK, Outcome};

/// Adds a module to the crate that the working directory is in.
pub(super) fn add(module: ModuleName, out: &mut dyn Write) -> Outcome {
    let here = std::env::current_dir().map_err(|e| format!("the working directory is gone: {e}"))?;
    let (root, package, ident) = crate_around(&here)?;
    let bank = module.bank(|bank| is_used(&root.join("src"), bank));
    let names = Names { package: &package, ident: &ident, module: &module, bank: &bank };
    let files = OF_A_MODULE.iter().map(|(file, template)| (names.fill_in(file), names.fill_in(template)));
    let files: Vec<(String, String)> = files.collect();
    if let Some((file, _)) = files.iter().find(|(file, _)| root.join(file).symlink_metadata().is_ok()) {
        return Err(format!("{file} exists, and nothing was changed: give the module another name").into());
    }
    let library = Change::of(&root.join("src/lib.rs"), |text| registered(text, &module));
    let definition = Change::of(&root.join("analyzer.toml"), |text| mounted(text, &names));
    let (registered, mounted) = (library.is_some(), definition.is_some());
    let mut done: Vec<Change> = Vec::new();
    let made = files.iter().map(|(file, text)| Change::new(root.join(file), text));
    for change in made.chain(library).chain(definition) {
        if let Err(error) = change.make() {
            // As it was: a half of it would be in the way of the next attempt.
            done.iter().for_each(Change::undo);
            return Err(error.into());
        }
        done.push(change);
    }
    writeln!(out, "Made {} and {}.", files[0].0, files[1].0)?;
    if registered {
        writeln!(out, "Changed src/lib.rs: {} is in the catalogue.", module.kind)?;
    } else {
        writeln!(out)?;
        writeln!(out, "src/lib.rs is not as it was made, and was left as it is. Add to it by hand")?;
        writeln!(out, "  {}", declaration(&module))?;
        writeln!(out, "and in catalogue(), behind the other modules,")?;
        writeln!(out, "  {}", in_catalogue(&module))?;
    }
    if mounted {
        writeln!(out, "Changed analyzer.toml: it is mounted on the events with ADC0.")?;
    } else {
        writeln!(out)?;
        writeln!(out, "analyzer.toml is not as it was made, and was left as it is. Add to it by hand,")?;
        writeln!(out, "below the [[request]] of the events with ADC0,")?;
        for line in names.mount().lines() {
            writeln!(out, "{}", format!("  {line}").trim_end())?;
        }
    }
    Ok(if registered && mounted { OK } else { DAMAGED })
}

/// The directory of the crate around a place, its name, and that of its library.
fn crate_around(here: &Path) -> Result<(PathBuf, String, String), String> {
    let none = || {
        "there is no crate around this directory: go to one that `pactolus new NAME` has made, or give a NAME"
            .to_owned()
    };
    let root = here.ancestors().find(|place| place.join("Cargo.toml").exists()).ok_or_else(none)?;
    let manifest = root.join("Cargo.toml");
    let shown = manifest.display();
    let text = fs::read_to_string(&manifest).map_err(|e| format!("cannot read {shown}: {e}"))?;
    let table: toml::Table = text.parse().map_err(|e| format!("{shown}: {}", one_line(&e)))?;
    let name = table.get("package").and_then(|package| package.get("name")?.as_str());
    let uses = |name: &str| table.get("dependencies").is_some_and(|all| all.get(name).is_some());
    match name {
        Some(name) if uses("pactolus") && root.join("src/lib.rs").exists() => {
            let library = table.get("lib").and_then(|lib| lib.get("name")?.as_str());
            let ident = library.map_or_else(|| name.replace('-', "_"), str::to_owned);
            Ok((root.to_owned(), name.to_owned(), ident))
        }
        _ => Err(format!(
            "{shown} is not that of a crate with modules, which has src/lib.rs and depends on pactolus: \
             `pactolus new NAME` makes one"
        )),
    }
}

/// Of what TOML says over several lines, the place and the fault.
fn one_line(error: &toml::de::Error) -> String {
    let text = error.to_string();
    let mut lines = text.lines();
    let (first, last) = (lines.next().unwrap_or_default(), lines.next_back().unwrap_or_default());
    format!("{first}: {last}")
}

/// Whether a source of the crate has a bank of that name.
fn is_used(sources: &Path, bank: &str) -> bool {
    let Ok(files) = fs::read_dir(sources) else { return false };
    let quoted = format!("b\"{bank}\"");
    files.flatten().any(|file| fs::read_to_string(file.path()).is_ok_and(|text| text.contains(&quoted)))
}

/// A file that is to be written.
struct Change {
    path: PathBuf,
    text: String,
    /// What was in it.
    before: Option<String>,
}

impl Change {
    /// One that is not there.
    fn new(path: PathBuf, text: &str) -> Change {
        Change { path, text: text.to_owned(), before: None }
    }

    /// One that is there, as `how` says; `None` if it cannot.
    fn of(path: &Path, how: impl Fn(&str) -> Option<String>) -> Option<Change> {
        // Where a link leads to, or it would be a file of its own.
        let path = path.canonicalize().ok()?;
        let before = fs::read_to_string(&path).ok()?;
        let text = match before.contains("\r\n") {
            true => how(&before.replace("\r\n", "\n"))?.replace('\n', "\r\n"),
            false => how(&before)?,
        };
        Some(Change { text, path, before: Some(before) })
    }

    fn make(&self) -> Result<(), Error> {
        match &self.before {
            Some(_) => self.replace(&self.text).map_err(Error::Output),
            None => write(&self.path, self.text.as_bytes()),
        }
    }

    /// Makes it as it was, as far as the disk lets us.
    fn undo(&self) {
        let _ = match &self.before {
            Some(before) => self.replace(before),
            None => fs::remove_file(&self.path).map_err(pactolus::formats::Error::io("remove", &self.path)),
        };
    }

    /// Wholly or not at all; whoever could read or write the file still can.
    fn replace(&self, text: &str) -> pactolus::formats::Result<()> {
        let failed = |what| pactolus::formats::Error::io(what, &self.path);
        let mode = fs::metadata(&self.path).map_err(failed("look at"))?.permissions();
        WholeFile::write(&self.path, text.as_bytes())?;
        fs::set_permissions(&self.path, mode).map_err(failed("set the mode of"))
    }
}

/// The line of a module in `lib.rs`.
fn declaration(module: &ModuleName) -> String {
    format!("pub mod {};", module.file)
}

/// Its line in the catalogue.
fn in_catalogue(module: &ModuleName) -> String {
    format!(".module::<{}::{kind}>(\"{kind}\")", module.file, kind = module.kind)
}

/// `lib.rs` with a module more; `None` if it is not as it was made.
fn registered(text: &str, module: &ModuleName) -> Option<String> {
    let declaration = declaration(module);
    if text.contains(&declaration) || text.contains(&format!("\"{}\"", module.kind)) {
        return None;
    }
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let is_declaration = |line: &String| line.starts_with("pub mod ") && line.ends_with(';');
    let first = lines.iter().position(is_declaration)?;
    let before =
        lines[first..].iter().take_while(|line| is_declaration(line) && **line < declaration).count();
    // What stands right above the first one, a comment or an attribute, belongs to it.
    if before == 0 && first > 0 && !lines[first - 1].trim().is_empty() {
        return None;
    }
    lines.insert(first + before, declaration);
    let catalogue = lines.iter().position(|line| line == "pub fn catalogue() -> Catalogue {")?;
    let end = catalogue + lines[catalogue..].iter().position(|line| line == "}")?;
    let last = &lines[end - 1];
    let is_chain = last.starts_with("        .module::<") || last.starts_with("        .sequential::<");
    if !is_chain || !last.ends_with("\")") {
        return None;
    }
    lines.insert(end, format!("        {}", in_catalogue(module)));
    Some(lines.iter().map(|line| format!("{line}\n")).collect())
}

/// `analyzer.toml` with the module mounted on the first request with ADC0; `None` if there is none.
fn mounted(text: &str, names: &Names<'_>) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let begins: Vec<usize> = (0..lines.len()).filter(|&at| lines[at].trim() == "[[request]]").collect();
    let ends = begins.iter().skip(1).copied().chain([lines.len()]);
    let mut sections = begins.iter().copied().zip(ends).enumerate();
    let has_adc =
        |&(begin, end): &(usize, usize)| lines[begin..end].iter().any(|line| line.starts_with("ADC0 ="));
    let (request, (begin, end)) = sections.find(|(_, section)| has_adc(section))?;
    // What stands above the next request belongs to that.
    let is_above = |line: &&&str| line.trim().is_empty() || line.trim_start().starts_with('#');
    let above = lines[begin..end].iter().rev().take_while(is_above).count();
    let (before, behind) = lines.split_at(end - above);
    let mut whole: String = before.iter().map(|line| format!("{line}\n")).collect();
    whole += &format!("\n{}", names.mount());
    whole.extend(behind.iter().map(|line| format!("{line}\n")));
    // Whether it means what it should is seen by reading it.
    let mounts = |text: &str| {
        let definition = Definition::parse(text, "analyzer.toml").ok()?;
        let (_, mounts) = definition.requests.get(request)?;
        Some(mounts.iter().map(|mount| mount.module.clone()).collect::<Vec<_>>())
    };
    let wanted = [mounts(text)?, vec![names.module.kind.clone()]].concat();
    (mounts(&whole)? == wanted).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::new::templates::OF_A_CRATE;

    /// A file of a new crate.
    fn made(file: &str) -> String {
        let module = ModuleName::new("amplitude").unwrap();
        let names = Names { package: "my-analyzer", ident: "my_analyzer", module: &module, bank: "AMPL" };
        let (_, template) = OF_A_CRATE.iter().find(|(name, _)| *name == file).unwrap();
        names.fill_in(template)
    }

    fn module(name: &str) -> ModuleName {
        ModuleName::new(name).unwrap()
    }

    #[test]
    fn modules_are_declared_in_order_and_mounted_behind_the_others() {
        let text = registered(&made("src/lib.rs"), &module("peaks")).unwrap();
        let text = registered(&text, &module("drift")).unwrap();
        assert!(text.contains("\npub mod amplitude;\npub mod drift;\npub mod peaks;\n\n"), "{text}");
        let chain = "(\"Amplitude\")\n        .module::<peaks::Peaks>(\"Peaks\")\n        \
                     .module::<drift::Drift>(\"Drift\")\n}\n";
        assert!(text.ends_with(chain), "{text}");
        assert_eq!(registered(&text, &module("peaks")), None, "it is there");
    }

    #[test]
    fn a_catalogue_that_is_written_otherwise_is_left_alone() {
        let text = made("src/lib.rs");
        for (old, new) in [
            ("pub fn catalogue", "pub(crate) fn catalogue"),
            ("pub mod amplitude;", "mod amplitude;"),
            ("(\"Amplitude\")", "(\"Amplitude\")\n        .and(others())"),
        ] {
            assert!(text.contains(old));
            assert_eq!(registered(&text.replace(old, new), &module("peaks")), None, "{new}");
        }
        let commented = text.replace("pub mod amplitude;", "#[cfg(unix)]\npub mod amplitude;");
        assert_eq!(registered(&commented, &module("aaa")), None, "the attribute would be another's");
        assert!(registered(&commented, &module("peaks")).is_some());
    }

    #[test]
    fn a_module_is_mounted_on_the_request_with_adc0() {
        let peaks = module("peaks");
        let names = Names { package: "my-analyzer", ident: "my_analyzer", module: &peaks, bank: "PEAK" };
        let text = made("analyzer.toml");
        let once = mounted(&text, &names).unwrap();
        assert!(once.starts_with(&text) && once.contains("type = \"Peaks\""), "{once}");
        // Another request behind it, with a comment of its own.
        let scaler = "\n# Once a second.\n[[request]]\nname = \"Scaler\"\nid = 2\n";
        let with = mounted(&format!("{text}{scaler}"), &names).unwrap();
        assert_eq!(with, format!("{once}{scaler}"));
        // Nothing to mount it on, and no definition.
        assert_eq!(mounted(&text.replace("ADC0 =", "ADC1 ="), &names), None);
        assert_eq!(mounted(&text.replace("id = 1", "id = "), &names), None);
    }
}
