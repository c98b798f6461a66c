//! Which program this is: every lab builds its own.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

/// The SHA-256 of the file of this program, if it can be read.
pub(crate) fn digest() -> Option<String> {
    static DIGEST: OnceLock<Option<String>> = OnceLock::new();
    let own = || std::env::current_exe().ok().and_then(|path| digest_of(&path));
    DIGEST.get_or_init(own).clone()
}

fn digest_of(path: &Path) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let (mut state, mut bytes) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut bytes) {
            Ok(0) => break,
            Ok(read) => state.update(&bytes[..read]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    Some(state.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
