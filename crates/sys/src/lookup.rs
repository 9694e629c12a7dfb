//! Names that people use to numbers that the kernel uses.

use std::io;
use std::num::NonZeroU32;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::statfs;
use rustix::net::{AddressFamily, SocketType, netdevice, socket};

/// `CGROUP2_SUPER_MAGIC` (include/uapi/linux/magic.h).
const CGROUP2_MAGIC: u64 = 0x6367_7270;

/// The index of the network interface `name` in the network namespace of the calling thread.
pub fn device_index(name: &str) -> Option<u32> {
    // Any socket will do to ask with; this kind needs no address family but AF_UNIX.
    let socket = socket(AddressFamily::UNIX, SocketType::DGRAM, None).ok()?;
    let index = netdevice::name_to_index(socket, name).ok()?;
    NonZeroU32::new(index).map(NonZeroU32::get)
}

/// The id of a cgroup by the path of its directory: the inode number, which `INET_DIAG_CGROUP_ID`
/// and the cgroup condition of socket filters use (`cgroup_id` in include/linux/cgroup.h).
///
/// # Errors
/// When the path does not exist, or is not in a cgroup2 file system.
pub fn cgroup_id(path: &Path) -> io::Result<u64> {
    let metadata = std::fs::metadata(path)?;
    let magic = statfs(path)?.f_type;
    if !metadata.is_dir() || u64::try_from(magic).ok() != Some(CGROUP2_MAGIC) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{} is not a directory of cgroup2", path.display()),
        ));
    }
    Ok(metadata.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_have_indexes() {
        assert_eq!(device_index("lo"), Some(1));
        assert_eq!(device_index("no-such-dev"), None);
        assert_eq!(device_index("a name that is far too long"), None);
        assert_eq!(device_index(""), None);
    }

    #[test]
    fn only_cgroup2_directories_have_ids() {
        let refused = cgroup_id(Path::new("/proc")).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
        let missing = cgroup_id(Path::new("/no/such/path")).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        for root in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] {
            if let Ok(id) = cgroup_id(Path::new(root)) {
                assert_ne!(id, 0, "{root}");
                return;
            }
        }
        println!("skipped: no cgroup2 mounted where it usually is");
    }
}
