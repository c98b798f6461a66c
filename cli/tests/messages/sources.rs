//! The texts of the sources from which messages are made.

/// The texts of a source file with three words or more, without comments and tests; what is put
/// into them is `...`.
pub(crate) fn texts(source: &str) -> Vec<String> {
    let source = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let mut texts = Vec::new();
    for line in joined(source).lines() {
        let code = line.trim_start();
        // Attributes are of the command line; those of errors are messages.
        if code.starts_with("//") || code.starts_with("#[") && !code.starts_with("#[error(") {
            continue;
        }
        let parts: Vec<&str> = code.split('"').collect();
        let inside = parts.iter().skip(1).step_by(2).map(|text| pattern(text).trim().to_owned());
        texts.extend(inside.filter(|text| text.split_whitespace().count() > 2));
    }
    texts
}

/// The source with each text on one line, its quotes as `\u{1}`.
fn joined(source: &str) -> String {
    let source =
        source.replace("'\"'", "").replace("b\"", "\"").replace("\\\\", "\u{2}").replace("\\\"", "\u{1}");
    let mut whole = String::new();
    for line in source.lines() {
        match line.strip_suffix('\\') {
            Some(begun) => whole.push_str(begun.trim_start()),
            None => whole += &format!("{}\n", line.trim_start()),
        }
    }
    whole
}

/// `{limit} bytes` as `... bytes`.
fn pattern(text: &str) -> String {
    let text =
        text.replace('\u{1}', "\"").replace('\u{2}', "\\").replace("{{", "\u{3}").replace("}}", "\u{4}");
    let mut pattern = String::new();
    for (i, part) in text.split('{').enumerate() {
        match part.split_once('}') {
            Some((_, behind)) if i > 0 => pattern += &format!("...{behind}"),
            _ => pattern += part,
        }
    }
    pattern.replace('\u{3}', "{").replace('\u{4}', "}")
}
