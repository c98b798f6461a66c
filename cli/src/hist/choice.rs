//! Which histograms the names on a command line stand for.

use std::path::Path;

use glob::{MatchOptions, Pattern};
use pactolus::histo::{Histogram, Histograms};
use pactolus::odb::nearest;

/// Ambiguous and unknown names list so many.
const LISTED: usize = 5;

/// The histograms that `names` stand for, in order, none twice; without names, the only one.
pub(crate) fn choose<'h>(
    histograms: &'h Histograms,
    names: &[String],
    file: &Path,
) -> Result<Vec<&'h Histogram>, String> {
    let list = &histograms.list;
    if names.is_empty() {
        return match list.as_slice() {
            [only] => Ok(vec![only]),
            [] => Err(format!("{}: there is no histogram in it", file.display())),
            several => Err(format!(
                "{}: there are {} histograms in it: name those to draw, or '*' for all",
                file.display(),
                several.len()
            )),
        };
    }
    let mut chosen: Vec<&Histogram> = Vec::new();
    for name in names {
        for found in find(list, name, file)? {
            if !chosen.iter().any(|known| std::ptr::eq(*known, found)) {
                chosen.push(found);
            }
        }
    }
    Ok(chosen)
}

fn last_part(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn find<'h>(list: &'h [Histogram], name: &str, file: &Path) -> Result<Vec<&'h Histogram>, String> {
    let same = |other: &str| other.to_lowercase() == name.to_lowercase();
    // The more of it agrees, the sooner it is the one that was meant.
    let end = format!("/{name}");
    let lower = end.to_lowercase();
    let rules: [&dyn Fn(&Histogram) -> bool; 4] =
        [&|h| h.name() == name, &|h| h.name().ends_with(&end), &|h| same(h.name()), &|h| {
            h.name().to_lowercase().ends_with(&lower)
        }];
    for rule in rules {
        let found: Vec<&Histogram> = list.iter().filter(|h| rule(h)).collect();
        match found.len() {
            0 => {}
            1 => return Ok(found),
            several => {
                let names = some(found.iter().map(|h| h.name()));
                return Err(format!("{}: \"{name}\" is the end of {several} names: {names}", file.display()));
            }
        }
    }
    if name.contains(['*', '?', '[']) {
        let pattern = Pattern::new(name)
            .map_err(|e| format!("pattern \"{name}\": {e}; brackets of a name are written [[] and []]"))?;
        // `*` goes over `/`, so that '*' is all of them.
        let options = MatchOptions { case_sensitive: false, ..MatchOptions::new() };
        let matches = |h: &&Histogram| {
            pattern.matches_with(h.name(), options) || pattern.matches_with(last_part(h.name()), options)
        };
        let found: Vec<&Histogram> = list.iter().filter(matches).collect();
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Err(unknown(list, name, file))
}

fn unknown(list: &[Histogram], name: &str, file: &Path) -> String {
    let file = file.display();
    if list.is_empty() {
        return format!("{file}: there is no histogram in it");
    }
    let names = list.iter().map(Histogram::name);
    let near = nearest(name, names.clone()).or_else(|| {
        let last = nearest(last_part(name), names.clone().map(last_part))?;
        names.clone().find(|whole| last_part(whole) == last)
    });
    // Or part of a name was meant.
    let lower = name.to_lowercase();
    let within: Vec<&str> = names.clone().filter(|whole| whole.to_lowercase().contains(&lower)).collect();
    match near {
        Some(near) => format!("{file}: no histogram \"{name}\", did you mean '{near}'?"),
        None if !within.is_empty() && !name.is_empty() => {
            format!("{file}: no histogram \"{name}\", but as a part of {}", some(within.into_iter()))
        }
        None => format!("{file}: no histogram \"{name}\"; there are {}", some(names)),
    }
}

fn some<'n>(mut names: impl Iterator<Item = &'n str>) -> String {
    let listed: Vec<String> = names.by_ref().take(LISTED).map(|name| format!("'{name}'")).collect();
    let more = names.count();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    listed.join(", ") + &more
}

#[cfg(test)]
mod tests {
    use super::*;
    use pactolus::histo::{Axis, Hist1};

    fn all() -> Histograms {
        let names = ["ADC/CADC00", "ADC/CADC01", "TDC/Time", "Slow/Time", "slow/rate", "Odd[1]"];
        let book =
            |name: &str| Histogram::filled(name, Hist1::new(Axis::regular(2, 0.0, 1.0)), [0.5]).unwrap();
        Histograms { list: names.into_iter().map(book).collect(), ..Histograms::default() }
    }

    fn names(wanted: &[&str]) -> Result<Vec<String>, String> {
        let wanted: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
        let all = all();
        let chosen = choose(&all, &wanted, Path::new("f"))?;
        Ok(chosen.into_iter().map(|h| h.name().to_owned()).collect())
    }

    #[test]
    fn names_may_be_short() {
        assert_eq!(names(&["ADC/CADC00"]).unwrap(), ["ADC/CADC00"]);
        assert_eq!(names(&["cadc01"]).unwrap(), ["ADC/CADC01"]);
        assert_eq!(names(&["RATE", "slow/time"]).unwrap(), ["slow/rate", "Slow/Time"]);
        assert_eq!(names(&["Odd[1]"]).unwrap(), ["Odd[1]"]);
        assert_eq!(names(&["CADC0?", "ADC/*"]).unwrap(), ["ADC/CADC00", "ADC/CADC01"]);
        assert_eq!(names(&["*"]).unwrap().len(), 6);
    }

    #[test]
    fn unknown_names_have_neighbours() {
        assert_eq!(
            names(&["Time"]).unwrap_err(),
            "f: \"Time\" is the end of 2 names: 'TDC/Time', 'Slow/Time'"
        );
        assert_eq!(names(&["CADX00"]).unwrap_err(), "f: no histogram \"CADX00\", did you mean 'ADC/CADC00'?");
        assert_eq!(
            names(&["adc/"]).unwrap_err(),
            "f: no histogram \"adc/\", but as a part of 'ADC/CADC00', 'ADC/CADC01'"
        );
        let other = names(&["pedestals"]).unwrap_err();
        assert!(other.ends_with("'slow/rate' and 1 more"), "{other}");
        assert!(names(&["x*"]).is_err() && names(&["[", "*"]).is_err());
        assert!(names(&[]).unwrap_err().contains("there are 6 histograms"));
    }
}
