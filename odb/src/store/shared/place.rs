//! The directory of a shared database: is it a place for one?

use std::io;
use std::path::Path;

use crate::{Error, Result};

/// Refuses a directory whose files the processes of this computer do not share through its memory.
pub(super) fn check(dir: &Path) -> Result<()> {
    #[cfg(target_os = "linux")]
    {
        let found = rustix::fs::statfs(dir).map_err(|error| no_access(dir, &error.into()))?;
        if let Some(kind) = network(found.f_type as u32) {
            return Err(Error::Store(format!(
                "{} is on a network file system ({kind}), where processes do not share memory: take a \
                 directory on a disk of this computer, or below /dev/shm",
                dir.display()
            )));
        }
    }
    Ok(())
}

/// The name of a file system that is elsewhere, by the number that Linux has for its kind.
#[cfg(target_os = "linux")]
fn network(kind: u32) -> Option<&'static str> {
    Some(match kind {
        0x6969 => "NFS",
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => "SMB",
        0x564c => "NCP",
        0x5346_414f | 0x6b41_4653 => "AFS",
        0x7375_7245 => "Coda",
        0x00c3_6400 => "Ceph",
        0x0bd0_0bd0 => "Lustre",
        0x4750_4653 => "GPFS",
        0x1983_0326 => "BeeGFS",
        0x7461_636f => "OCFS2",
        0x0116_1970 => "GFS2",
        0x0102_1997 => "9P",
        0x6573_5546 => "FUSE, as sshfs",
        0xaad7_aaea => "PanFS",
        _ => return None,
    })
}

/// What a refusal of the system means here.
pub(super) fn no_access(dir: &Path, error: &io::Error) -> Error {
    let dir = dir.display();
    Error::Store(match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            format!("no rights to read and write in {dir} ({error}): its owner can give them, chmod g+rw")
        }
        io::ErrorKind::OutOfMemory => format!(
            "{dir} cannot be mapped ({error}): a limit of virtual memory is too small for it (ulimit -v)"
        ),
        io::ErrorKind::StorageFull => format!("the disk of {dir} is full: nothing was changed"),
        _ => format!("{dir}: {error}"),
    })
}

/// Files of the database are as open to others as its directory.
#[cfg(unix)]
pub(super) fn share(dir: &Path, files: &[&str]) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let open = std::fs::metadata(dir)?.permissions().mode() & 0o066;
    for file in files {
        std::fs::set_permissions(dir.join(file), std::fs::Permissions::from_mode(0o600 | open))?;
    }
    Ok(())
}

/// Files of the database are as open to others as the system makes them.
#[cfg(not(unix))]
pub(super) fn share(_: &Path, _: &[&str]) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known() {
        assert_eq!(network(0x6969), Some("NFS"));
        assert_eq!(network(0xff53_4d42), Some("SMB"));
        // ext4, xfs, btrfs, tmpfs, overlay.
        for local in [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630] {
            assert_eq!(network(local), None, "{local:x}");
        }
    }
}
