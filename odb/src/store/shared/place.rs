//! The directory of a shared database: is it a place for one?

use std::io;
use std::path::{Path, PathBuf};

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
    let at = dir.display();
    Error::Store(match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => format!(
            "no rights to read and write {} ({error}): give them to the directory (chmod g+rwx {at}), and let \
             the owner of the files open it once",
            refused(dir).display()
        ),
        io::ErrorKind::OutOfMemory => {
            format!(
                "{at} cannot be mapped ({error}): a limit of virtual memory is too small for it (ulimit -v)"
            )
        }
        _ if is_full(dir) => format!("the disk of {at} is full, nothing was changed"),
        _ => format!("{at}: {error}"),
    })
}

/// The file that may not be written, or else the directory.
fn refused(dir: &Path) -> PathBuf {
    #[cfg(unix)]
    {
        use rustix::fs::{Access, access};
        let files = [super::env::DATA, super::env::LOCK, super::env::BELL].map(|file| dir.join(file));
        let wanted = Access::READ_OK | Access::WRITE_OK;
        let refused = |file: &PathBuf| access(file, wanted) == Err(rustix::io::Errno::ACCESS);
        if let (Ok(()), Some(file)) = (access(dir, Access::EXEC_OK), files.into_iter().find(refused)) {
            return file;
        }
    }
    dir.to_owned()
}

/// Is there no room for another page? LMDB tells of it as of an error of the device.
fn is_full(dir: &Path) -> bool {
    #[cfg(unix)]
    return rustix::fs::statvfs(dir).is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < 1 << 16);
    #[cfg(not(unix))]
    return false;
}

/// Makes the files of the database as open to others as its directory, for the same group. Who may not is
/// not their owner, and has to take them as they are.
#[cfg(unix)]
pub(super) fn share(dir: &Path, files: &[&str]) {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    let Ok(directory) = std::fs::metadata(dir) else { return };
    let mode = 0o600 | directory.mode() & 0o066;
    for file in files.iter().map(|file| dir.join(file)) {
        let Ok(known) = std::fs::metadata(&file) else { continue };
        if known.gid() != directory.gid() {
            let _ = chown(&file, None, Some(directory.gid()));
        }
        if known.mode() & 0o777 != mode {
            let _ = std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode));
        }
    }
}

/// Files of the database are as open to others as the system makes them.
#[cfg(not(unix))]
pub(super) fn share(_: &Path, _: &[&str]) {}

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
