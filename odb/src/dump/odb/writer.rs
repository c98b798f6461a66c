//! ASCII dumps written.

use super::super::{Kind, Save};
use super::{FENCE, assignment};
use crate::key::{Content, Directory};
use crate::{Error, Path, Result, Value, spelling};

pub(in crate::dump) fn write(save: &Save, path: &Path, directory: &Directory) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let title = if save.absolute { path.clone() } else { Path::ROOT };
    write_directory(save, &title, directory, &mut out)?;
    Ok(out)
}

fn write_directory(save: &Save, path: &Path, directory: &Directory, out: &mut Vec<u8>) -> Result<()> {
    // A section opens with its first key, and again after each directory in between.
    let mut open = false;
    for key in directory.iter() {
        let at = path.child(key.name())?;
        match key.content() {
            Content::Directory(below) => {
                if std::mem::take(&mut open) {
                    out.push(b'\n');
                }
                write_directory(save, &at, below, out)?;
            }
            Content::Value(value) => {
                if !std::mem::replace(&mut open, true) {
                    write_title(save, path, out);
                }
                let start = out.len();
                out.extend_from_slice(&spelling::to_bytes(key.name()));
                // The name must be found again in the line.
                let probe = [&out[start..], b" = INT : 0"].concat();
                let sound = !probe.starts_with(b"[") && !probe.starts_with(b";");
                if !sound || assignment(&probe).is_none_or(|found| found.name != &out[start..]) {
                    return unwritable(&at, "its name would not be found again");
                }
                write_value(&at, value, out)?;
            }
        }
    }
    if open {
        out.push(b'\n');
    }
    Ok(())
}

fn write_title(save: &Save, path: &Path, out: &mut Vec<u8>) {
    let title = match (save.absolute, path.is_root()) {
        (true, _) => path.to_string(),
        (false, true) => ".".to_owned(),
        (false, false) => path.relative(),
    };
    out.push(b'[');
    out.extend_from_slice(&spelling::to_bytes(&title));
    out.extend_from_slice(b"]\n");
}

fn write_value(path: &Path, value: &Value, out: &mut Vec<u8>) -> Result<()> {
    let len = value.len();
    let count = if len == 1 { String::new() } else { format!("[{len}]") };
    out.extend_from_slice(format!(" = {}{count} :", value.tid()).as_bytes());
    out.push(if len == 1 { b' ' } else { b'\n' });
    for index in 0..len {
        match value {
            Value::String(_) | Value::Link(_) => {
                let text = value.bytes(index).unwrap_or(b"");
                if text.contains(&0) {
                    return unwritable(path, "a string holds a NUL");
                }
                if text.contains(&b'\n') {
                    if matches!(value, Value::Link(_)) {
                        return unwritable(path, "the target of a link holds a line end");
                    }
                    if len > 1 {
                        return unwritable(path, "an array of strings holds a line end");
                    }
                    write_fenced(path, text, out)?;
                    continue;
                }
                out.extend_from_slice(format!("[{}] ", value.item_size()).as_bytes());
            }
            Value::Char(text) if text.get(index) == Some(&b'\n') => {
                return unwritable(path, "a character is a line end");
            }
            Value::Bitfield(bits) if bits.iter().any(|&bits| bits != 0) => {
                return unwritable(path, "bitfields have no text");
            }
            _ if len == 1 => {}
            _ => out.extend_from_slice(format!("[{index}] ").as_bytes()),
        }
        value.write_exact(index, out);
        out.push(b'\n');
    }
    Ok(())
}

fn write_fenced(path: &Path, text: &[u8], out: &mut Vec<u8>) -> Result<()> {
    if text.split(|&byte| byte == b'\n').any(|line| line.trim_ascii_end() == FENCE) {
        return unwritable(path, "a line of the string looks like its end");
    }
    out.push(b'[');
    out.extend_from_slice(FENCE);
    out.extend_from_slice(b"]\n");
    out.extend_from_slice(text);
    out.push(b'\n');
    out.extend_from_slice(FENCE);
    out.push(b'\n');
    Ok(())
}

fn unwritable<T>(path: &Path, why: &'static str) -> Result<T> {
    Err(Error::Unwritable { kind: Kind::Odb, path: path.to_string(), why })
}
