//! Writing a part of a tree as text.

use super::{Kind, json, odb, xml};
use crate::{Error, Result, Tree};

/// How a tree is saved. Without comment, file name and program, the text depends on the tree alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Save {
    /// The form.
    pub kind: Kind,
    /// Say where the keys were saved: section titles of `.odb` begin with a slash, JSON has
    /// `/ODB path`. `odbedit` does, dumps inside run files do not. XML always says it.
    pub absolute: bool,
    /// The comment of XML, such as `created by MXML on Sat Nov 21 01:49:45 2026`.
    pub comment: Option<String>,
    /// The file name that XML and JSON can mention.
    pub filename: Option<String>,
    /// The place of the XML schema.
    pub schema: String,
    /// Version and revision of MIDAS, the first members of JSON.
    pub version: Option<(String, String)>,
}

impl Save {
    /// As `.odb` text. Access modes and times are not written, and neither are directories without
    /// keys: the format has no place for them, and `odbedit` leaves them out too.
    pub fn odb() -> Save {
        Save {
            kind: Kind::Odb,
            absolute: true,
            comment: None,
            filename: None,
            schema: "http://midas.psi.ch/odb.xsd".to_owned(),
            version: None,
        }
    }

    /// As XML. Access modes and times are not written: the format has no place for them.
    pub fn xml() -> Save {
        Save { kind: Kind::Xml, ..Save::odb() }
    }

    /// As JSON, which holds everything but the access modes of directories.
    pub fn json() -> Save {
        Save { kind: Kind::Json, ..Save::odb() }
    }

    /// Saves by the extension of a file: `.xml`, `.json` and `.js`, else ASCII, as `odbedit` does.
    pub fn by_name(name: &str) -> Save {
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
        match extension.as_str() {
            "xml" => Save::xml(),
            "json" | "js" => Save::json(),
            _ => Save::odb(),
        }
    }

    /// The text of the directory at `path` and all below it, byte for byte as `odbedit` writes it
    /// where that loses nothing. Strings beyond 255 bytes are written whole in `.odb` too, and
    /// numbers with as many digits as they need to be read back as they were.
    ///
    /// # Errors
    /// Those of [`Tree::directory`], and [`Error::Unwritable`] for what the form cannot hold.
    pub fn write(&self, tree: &Tree, path: &str) -> Result<Vec<u8>> {
        let found = tree.find(path)?;
        let directory =
            found.key.directory().ok_or_else(|| Error::NotDirectory { path: found.path.to_string() })?;
        match self.kind {
            Kind::Odb => odb::write(self, &found.path, directory),
            Kind::Xml => xml::write(self, &found.path, directory),
            Kind::Json => json::write(self, tree, &found.path, directory),
        }
    }
}
