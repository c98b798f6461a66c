//! `analyzer.toml`: a definition is refused in one line, or it runs.

use pactolus::{Analyzer, Definition, Job};

use super::run;

pub fn definition(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else { return false };
    let definition = match Definition::parse(text, "analyzer.toml") {
        Ok(definition) => definition,
        Err(error) => {
            one_line(&error.to_string(), text);
            return !text.is_empty();
        }
    };
    assert_eq!(definition.text, text);
    let catalogue = pactolus_modules::catalogue();
    let analyzer = match Analyzer::from_definition(&definition, &catalogue) {
        Ok(analyzer) => analyzer,
        Err(error) => {
            one_line(&error.to_string(), text);
            return true;
        }
    };
    if let Err(error) = analyzer.rehearse() {
        one_line(&error.to_string(), text);
        return true;
    }
    let mut job = Job::new().input(run::small()).threads(1);
    job.block = 4096;
    match analyzer.run(&job) {
        Ok(report) => assert_eq!(report.runs.len(), 1),
        Err(error) => one_line(&error.to_string(), text),
    }
    true
}

/// Messages are one line, unless they repeat one that the user broke.
fn one_line(message: &str, text: &str) {
    assert!(!message.is_empty());
    let broken = text.contains("\\n") || text.contains("\"\"\"") || text.contains("'''");
    assert!(broken || text.contains("\\u") || !message.contains('\n'), "{message}");
    assert!(message.len() <= 1000 + 8 * text.len(), "a message of {} bytes", message.len());
}
