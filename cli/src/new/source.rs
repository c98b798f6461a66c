//! Where the crate of a user gets Pactolus from.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// Where cargo finds the packages of Pactolus.
#[derive(Debug, PartialEq)]
pub(crate) enum Source {
    /// A checkout.
    Directory(PathBuf),
    /// A repository.
    Git(String),
    /// A version in the registry.
    Version(String),
}

/// A source that is none.
#[derive(Debug)]
pub(crate) enum BadSource {
    /// A directory without a checkout.
    NoCheckout(PathBuf),
    /// Neither directory nor URL nor version.
    Unknown(String),
    /// A path that a manifest cannot hold.
    NotUtf8(PathBuf),
}

impl fmt::Display for BadSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadSource::NoCheckout(path) => write!(
                f,
                "--pactolus {}: this is no checkout of Pactolus, which has cli/Cargo.toml and \
                 modules/Cargo.toml",
                path.display()
            ),
            BadSource::Unknown(text) => write!(
                f,
                "--pactolus {text}: a directory, a git URL or a version wanted: ../pactolus, \
                 https://example.org/pactolus.git, {}",
                env!("CARGO_PKG_VERSION")
            ),
            BadSource::NotUtf8(path) => {
                write!(
                    f,
                    "--pactolus {}: a manifest cannot name this directory, it is not UTF-8",
                    path.display()
                )
            }
        }
    }
}

impl std::error::Error for BadSource {}

impl Source {
    /// What the user names.
    pub(crate) fn new(text: &str) -> Result<Source, BadSource> {
        let path = Path::new(text);
        if path.is_dir() {
            let directory = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
            if directory.to_str().is_none() {
                return Err(BadSource::NotUtf8(directory));
            }
            return match is_checkout(&directory) {
                true => Ok(Source::Directory(directory)),
                false => Err(BadSource::NoCheckout(directory)),
            };
        }
        if text.contains("://") {
            return Ok(Source::Git(text.to_owned()));
        }
        // As git has it; cargo wants a URL.
        if let Some((host, path)) = text.strip_prefix("git@").and_then(|rest| rest.split_once(':')) {
            return Ok(Source::Git(format!("ssh://git@{host}/{path}")));
        }
        let part =
            |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let begins = text.starts_with(|c: char| c.is_ascii_digit());
        if begins && text.split('.').count() <= 4 && text.split('.').all(part) {
            return Ok(Source::Version(text.to_owned()));
        }
        Err(BadSource::Unknown(text.to_owned()))
    }

    /// The checkout that this program was built from, if it is still there; or its version.
    pub(crate) fn of_this_program() -> Source {
        let built = Path::new(env!("CARGO_MANIFEST_DIR")).parent().filter(|directory| is_checkout(directory));
        match built.filter(|directory| directory.to_str().is_some()) {
            Some(directory) => Source::Directory(directory.to_owned()),
            None => Source::Version(env!("CARGO_PKG_VERSION").to_owned()),
        }
    }

    /// The dependency on a package, as a manifest has it; `room` is its directory in the checkout.
    pub(crate) fn dependency(&self, room: &str) -> String {
        match self {
            Source::Directory(directory) => {
                format!("{{ path = {} }}", quoted(&directory.join(room).display().to_string()))
            }
            Source::Git(url) => format!("{{ git = {} }}", quoted(url)),
            Source::Version(version) => quoted(version),
        }
    }

    /// The versions of all packages that it was tested with.
    pub(crate) fn lock(&self) -> Option<Vec<u8>> {
        let Source::Directory(directory) = self else { return None };
        fs::read(directory.join("Cargo.lock")).ok()
    }
}

/// Whether a directory has the packages that a crate needs.
fn is_checkout(directory: &Path) -> bool {
    let package = |manifest: &str, name: &str| {
        let text = fs::read_to_string(directory.join(manifest)).unwrap_or_default();
        text.lines().any(|line| line.trim() == format!("name = \"{name}\""))
    };
    package("Cargo.toml", "pactolus")
        && package("cli/Cargo.toml", "pactolus-cli")
        && package("modules/Cargo.toml", "pactolus-modules")
}

/// A text of TOML.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_directory_a_url_or_a_version() {
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let checkout = fs::canonicalize(checkout).unwrap();
        let named = Source::new(checkout.to_str().unwrap()).unwrap();
        assert_eq!(named, Source::Directory(checkout));
        assert!(named.lock().is_some());
        assert_eq!(named, Source::of_this_program());
        let url = "https://example.org/pactolus.git";
        let git = Source::new(url).unwrap();
        assert_eq!(git.dependency("cli"), format!("{{ git = \"{url}\" }}"));
        assert_eq!(Source::new("0.1.0").unwrap().dependency("cli"), "\"0.1.0\"");
        assert_eq!(Source::new("1.0.0-beta.2").unwrap(), Source::Version("1.0.0-beta.2".into()));
        assert!(matches!(Source::new(env!("CARGO_MANIFEST_DIR")), Err(BadSource::NoCheckout(_))));
        for text in ["", "nowhere", "../nowhere", "v1", "1..2", "1.2.3.4.5"] {
            assert!(matches!(Source::new(text), Err(BadSource::Unknown(_))), "{text}");
        }
    }

    #[test]
    fn a_path_is_quoted_as_toml_wants_it() {
        let source = Source::Directory(PathBuf::from("/a \"b\"\\c"));
        let manifest: toml::Table = format!("pactolus = {}", source.dependency("cli")).parse().unwrap();
        assert_eq!(manifest["pactolus"]["path"].as_str(), Some("/a \"b\"\\c/cli"));
    }
}
