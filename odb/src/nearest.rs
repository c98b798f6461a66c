//! The name a user may have meant.

/// The candidate most like `name`, if one is close: at most a third of its letters wrong, ignoring
/// case. Of equally close ones, the first.
///
/// ```
/// let found = pactolus_odb::nearest("Pedestals", ["Gain", "Pedestal"]);
/// assert_eq!(found, Some("Pedestal"));
/// ```
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted: Vec<char> = name.to_lowercase().replace('_', " ").chars().collect();
    let limit = (wanted.len() / 3).clamp(1, 4);
    let close = candidates.into_iter().filter_map(|candidate| {
        let found: Vec<char> = candidate.to_lowercase().replace('_', " ").chars().collect();
        // Names of very different length are never close, and need no table.
        (found.len().abs_diff(wanted.len()) <= limit).then(|| (distance(&wanted, &found), candidate))
    });
    close
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Letters to insert, delete, replace or swap with their neighbour to get from one to the other.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut best = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_understood() {
        let names = ["ADC calibration", "ADC summing", "Global"];
        let check = |name, wanted| assert_eq!(nearest(name, names), wanted, "{name}");
        check("ADC calibratoin", Some("ADC calibration"));
        check("adc_sumimng", Some("ADC summing"));
        check("Golbal", Some("Global"));
        check("Local switch", None);
        check("", None);
    }
}
