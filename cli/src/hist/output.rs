//! Which picture goes into which file.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use pactolus::formats::WholeFile;
use pactolus::histo::Histogram;

use super::picture::Picture;
use super::{Look, png, svg};

/// Width and height of a picture in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Size {
    /// Smaller, there is no room for text; larger, memory would go to waste.
    const ALLOWED: std::ops::RangeInclusive<u32> = 200..=8000;
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Size, String> {
        let (width, height) = text.split_once(['x', 'X']).ok_or("two numbers wanted, such as 800x600")?;
        let number = |text: &str| {
            let number = text.parse().ok().filter(|number| Size::ALLOWED.contains(number));
            number.ok_or("from 200 to 8000 pixels wanted, as in 800x600")
        };
        Ok(Size { width: number(width)?, height: number(height)? })
    }
}

#[derive(Clone, Copy)]
enum Form {
    Svg,
    Png,
}

/// Histograms with the files that their pictures go to.
pub(crate) struct Pictures<'h> {
    form: Form,
    files: Vec<(PathBuf, &'h Histogram)>,
}

impl<'h> Pictures<'h> {
    /// Finds the names of all files before any is written.
    pub(crate) fn new(output: &Path, chosen: &[&'h Histogram]) -> Result<Pictures<'h>, String> {
        let form = match output.extension().and_then(|extension| extension.to_str()) {
            Some(ending) if ending.eq_ignore_ascii_case("svg") => Form::Svg,
            Some(ending) if ending.eq_ignore_ascii_case("png") => Form::Png,
            _ => return Err(format!("\"{}\": pictures are .svg or .png", output.display())),
        };
        let pattern = output.to_str().filter(|text| text.contains("%s"));
        if pattern.is_none() && chosen.len() > 1 {
            let count = chosen.len();
            return Err(format!(
                "{}: {count} histograms need {count} pictures: put %s, their name, into the name of the output",
                output.display()
            ));
        }
        let mut files: BTreeMap<PathBuf, &str> = BTreeMap::new();
        let mut list = Vec::new();
        for histogram in chosen {
            let path = pattern.map_or_else(
                || output.to_owned(),
                |pattern| PathBuf::from(pattern.replace("%s", &file_name(histogram.name()))),
            );
            if path.is_dir() {
                return Err(format!("picture {} is a directory: name a file", path.display()));
            }
            if let Some(other) = files.insert(path.clone(), histogram.name()) {
                let (name, path) = (histogram.name(), path.display());
                return Err(format!(
                    "\"{other}\" and \"{name}\" would both be written to {path}: draw one at a time"
                ));
            }
            list.push((path, *histogram));
        }
        Ok(Pictures { form, files: list })
    }

    /// Draws and writes them, one after the other, and says which.
    pub(crate) fn write(
        &self,
        look: &Look,
        size: Size,
        out: &mut dyn Write,
    ) -> Result<(), Box<dyn std::error::Error>> {
        for (path, histogram) in &self.files {
            let picture = Picture::of(histogram, look, size)?;
            let bytes = match self.form {
                Form::Svg => svg::write(&picture).into_bytes(),
                Form::Png => png::write(&picture)?,
            };
            WholeFile::write(path, &bytes).map_err(pactolus::Error::Output)?;
            writeln!(out, "{}: {}", path.display(), histogram.name())?;
        }
        Ok(())
    }
}

/// A name of a histogram as part of the name of a file: `ADC calibration/CADC00` as
/// `ADC-calibration-CADC00`.
fn file_name(name: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || "._+-".contains(c) { c } else { '-' };
    let name: String = name.chars().map(plain).collect();
    // No hidden files.
    match name.strip_prefix('.') {
        Some(rest) => format!("-{rest}"),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_two_numbers() {
        assert_eq!("800x600".parse(), Ok(Size { width: 800, height: 600 }));
        for wrong in ["800", "x", "800x", "1x1", "800x9000", "-800x600", "800x600x3", "1e3x600"] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_are_names_of_files() {
        assert_eq!(file_name("ADC calibration/CADC00"), "ADC-calibration-CADC00");
        assert_eq!(file_name("../../etc/x"), "-.-..-etc-x");
        assert_eq!(file_name("µ/%d"), "µ--d");
    }
}
