//! Who started us? ExaBGP gives up on a helper process that dies too often, so as its child a bad
//! configuration must not end the program.

use std::fs;
use std::os::fd::AsFd;

use ha2bgp_proto::exabgp::{Detection, detect};
use rustix::fs::{FileType, fstat};

/// How many generations are looked at: ExaBGP, perhaps a shell, a wrapper script, us.
const GENERATIONS_MAX: usize = 4;

/// True when stdin and stdout are pipes or sockets: somebody talks to us through them.
pub fn has_pipes() -> bool {
    let piped = |fd: std::os::fd::BorrowedFd<'_>| {
        fstat(fd).is_ok_and(|stat| {
            matches!(FileType::from_raw_mode(stat.st_mode), FileType::Fifo | FileType::Socket)
        })
    };
    piped(std::io::stdin().as_fd()) && piped(std::io::stdout().as_fd())
}

/// What environment and ancestors say about ExaBGP. It is our parent only if it also talks to us
/// through pipes.
pub fn detect_exabgp() -> Detection {
    let variable = |name: &str| std::env::var(name).ok();
    let mut found = detect(&variable, None);
    found.child_of_exabgp = has_pipes()
        && command_lines().iter().any(|line| detect(&variable, Some(line)).child_of_exabgp);
    found
}

/// The command lines of our ancestors, nearest first.
fn command_lines() -> Vec<String> {
    let mut lines = Vec::new();
    let mut pid = "self".to_owned();
    for _ in 0..GENERATIONS_MAX {
        let Some(parent) = parent_of(&pid) else { break };
        let Ok(line) = fs::read(format!("/proc/{parent}/cmdline")) else { break };
        lines.push(String::from_utf8_lossy(&line).replace('\0', " "));
        pid = parent;
    }
    lines
}

/// The parent's pid from /proc/PID/stat (proc_pid_stat(5)): the second field behind the name,
/// which stands in parentheses and may hold anything.
fn parent_of(pid: &str) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let behind_name = stat.rsplit_once(')')?.1;
    let parent = behind_name.split_whitespace().nth(1)?;
    (parent != "0").then(|| parent.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ancestors_are_found() {
        assert!(!command_lines().is_empty());
    }
}
