//! Patterns of names: `*` is any text, `?` one character; case does not matter.

/// Does the text hold a character with a meaning in patterns?
pub(super) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Does the whole name match?
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let fold = |text: &str| -> Vec<char> { text.chars().map(|c| c.to_ascii_lowercase()).collect() };
    let (pattern, name) = (fold(pattern), fold(name));
    let (mut p, mut n) = (0, 0);
    // Behind the last `*`, and how much of the name it has taken.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                p += 1;
                star = Some((p, n));
            }
            Some('?') => (p, n) = (p + 1, n + 1),
            Some(c) if *c == name[n] => (p, n) = (p + 1, n + 1),
            _ => match star {
                Some((behind, taken)) => {
                    (p, n) = (behind, taken + 1);
                    star = Some((behind, taken + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_whole_names() {
        let check = |pattern: &str, name: &str, wanted| {
            assert_eq!(matches(pattern, name), wanted, "{pattern} {name}")
        };
        check("*", "", true);
        check("ADC*", "adc0", true);
        check("*hold", "ADC Threshold", true);
        check("*d*h*", "ADC Threshold", true);
        check("?DC0", "ADC0", true);
        check("?DC", "ADC0", false);
        check("ADC", "ADC0", false);
        check("*x*", "ADC0", false);
        check("a*a*a*a*b", &"a".repeat(200), false);
        check("\u{fc}*", "\u{fc}x", true);
    }
}
