//! What /proc tells of the HAProxy process: whether it lives, and how it was started.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

/// A longer command line is cut.
const CMDLINE_MAX: usize = 1024 * 1024;

/// True while the process runs: neither gone nor a zombie (proc_pid_stat(5)).
pub(super) fn is_alive(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // The name stands in parentheses and may hold anything.
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.trim_start().chars().next());
    !matches!(state, None | Some('Z' | 'X' | 'x'))
}

/// True when the process that made a unix socket, by the pid that the kernel gives us, runs in another
/// pid namespace: what it calls its pid names nobody here, or somebody else (pid_namespaces(7)). Then
/// the kernel gives 0, or `NSpid` has more than one number (proc_pid_status(5)).
pub(super) fn is_elsewhere(maker: u32) -> bool {
    let status = || fs::read_to_string(format!("/proc/{maker}/status")).unwrap_or_default();
    let numbers = |status: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
        line.map_or(0, |line| line.split_whitespace().count())
    };
    maker == 0 || numbers(&status()) > 1
}

/// True when the program of a process is called after HAProxy.
pub(super) fn is_haproxy(pid: u32) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    is_called_haproxy(line.split(|octet| *octet == 0).next().unwrap_or_default())
}

fn is_called_haproxy(program: &[u8]) -> bool {
    let program = String::from_utf8_lossy(program);
    let name = Path::new(program.as_ref()).file_name();
    name.is_some_and(|name| name.to_string_lossy().contains("haproxy"))
}

/// The files and directories that its command line names with `-f` and behind `--` (haproxy(1)), in
/// their order. Empty when it cannot be read, or is none of HAProxy (another pid namespace).
pub(super) fn config_of(pid: u32) -> Vec<PathBuf> {
    let Ok(mut line) = fs::read(format!("/proc/{pid}/cmdline")) else { return Vec::new() };
    line.truncate(CMDLINE_MAX);
    let words: Vec<Vec<u8>> = line.split(|octet| *octet == 0).map(<[u8]>::to_vec).collect();
    if !words.first().is_some_and(|word| is_called_haproxy(word)) {
        return Vec::new();
    }
    let start = directory(pid, &words);
    let mut files = Vec::new();
    let mut words = words.into_iter().skip(1).peekable();
    let mut rest = false;
    while let Some(word) = words.next() {
        let path = match word.as_slice() {
            b"--" if !rest => {
                rest = true;
                continue;
            }
            b"" => continue,
            _ if rest => word,
            // Several may follow one `-f`, until the next option.
            b"-f" => {
                while let Some(path) = words.next_if(|next| !next.starts_with(b"-")) {
                    if !path.is_empty() {
                        files.push(start.join(OsString::from_vec(path)));
                    }
                }
                continue;
            }
            _ => continue,
        };
        files.push(start.join(OsString::from_vec(path)));
    }
    files
}

/// Where relative paths begin: `-C`, else the directory that it runs in.
fn directory(pid: u32, words: &[Vec<u8>]) -> PathBuf {
    let given = words.iter().zip(words.iter().skip(1)).find(|(word, _)| word.as_slice() == b"-C");
    match given {
        Some((_, path)) => PathBuf::from(OsString::from_vec(path.clone())),
        None => fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default(),
    }
}

/// A variable of its environment; only its own user and root may read that.
pub(super) fn environment_of(pid: u32) -> Vec<(String, String)> {
    let Ok(mut text) = fs::read(format!("/proc/{pid}/environ")) else { return Vec::new() };
    text.truncate(CMDLINE_MAX);
    let words = text.split(|octet| *octet == 0).filter_map(|word| {
        let word = String::from_utf8_lossy(word);
        let (name, value) = word.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn we_live_and_are_no_haproxy() {
        assert!(is_alive(std::process::id()));
        assert!(!is_alive(u32::MAX));
        assert!(!is_elsewhere(std::process::id()));
        assert!(is_elsewhere(0));
        assert!(!is_haproxy(std::process::id()));
        assert!(is_called_haproxy(b"/usr/sbin/haproxy") && !is_called_haproxy(b"/init"));
        assert_eq!(config_of(std::process::id()), Vec::<PathBuf>::new());
    }
}
