//! Programs that may not do everything, as a container or a unit file has it.

use crate::{LabError, Result, tools};
use std::process::Command;

/// A command under a filter of system calls by which nobody opens sockets of sock_diag.
pub fn without_sock_diag(command: &Command) -> Result<Command> {
    let python = tools::find("python3").ok_or_else(|| LabError::Missing("python3".to_owned()))?;
    let mut confined = Command::new(python);
    confined.args(["-c", CONFINE]).arg(command.get_program()).args(command.get_args());
    confined.env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            confined.env(name, value);
        }
    }
    Ok(confined)
}

/// seccomp(2): `socket(AF_NETLINK, …, NETLINK_SOCK_DIAG)` fails with EPERM, everything else is as
/// it was. Then it becomes the program.
const CONFINE: &str = r#"
import ctypes, os, platform, struct, sys
SOCKET = {"x86_64": 41, "aarch64": 198}[platform.machine()]
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, EPERM = 0x7fff0000, 0x00050000 | 1
program = [
    (LOAD, 0, 0, 0),
    (EQUAL, 0, 5, SOCKET),
    (LOAD, 0, 0, 16),
    (EQUAL, 0, 3, 16),
    (LOAD, 0, 0, 32),
    (EQUAL, 0, 1, 4),
    (RETURN, 0, 0, EPERM),
    (RETURN, 0, 0, ALLOW),
]
code = b"".join(struct.pack("HBBI", *it) for it in program)
code = ctypes.create_string_buffer(code, len(code))
class Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]
libc = ctypes.CDLL(None, use_errno=True)
given = Filter(len(program), ctypes.addressof(code))
for call in [(38, 1, 0, 0, 0), (22, 2, ctypes.byref(given), 0, 0)]:
    if libc.prctl(*call) != 0:
        sys.exit("prctl: " + os.strerror(ctypes.get_errno()))
os.execv(sys.argv[1], sys.argv[1:])
"#;
