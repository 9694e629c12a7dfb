//! Runs the real `ss`, and watches what it sends.

use std::collections::BTreeSet;
use std::process::{Command, Output};

use ha2bgp_proto::family::Family;

/// Fails with the reason why comparisons with `ss` make no sense here.
pub(crate) fn ss_usable() -> Result<(), String> {
    let output = Command::new("ss").arg("-V").output();
    let output = output.map_err(|error| format!("ss (package iproute2) does not run: {error}"))?;
    let version = String::from_utf8_lossy(&output.stdout).into_owned();
    // Another version may be right as well, but nobody has compared.
    if !version.contains("iproute2-6.1") {
        return Err(format!("the reference is ss of iproute2 6.1, not {version}"));
    }
    Ok(())
}

pub(crate) fn strace_usable() -> Result<(), String> {
    let output = Command::new("strace").arg("-V").output();
    let output = output.map_err(|error| format!("strace does not run: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err("strace does not run".into()),
    }
}

/// How the original ha2bgp gives a filter to `ss`: one argument, in parentheses unless empty.
fn argument(filter: &str) -> String {
    match filter.trim() {
        "" => String::new(),
        _ => format!("( {filter} )"),
    }
}

/// Inodes of the listening TCP sockets that `ss` shows for a filter, or what it says on stderr.
pub(crate) fn shown(filter: &str) -> Result<BTreeSet<u64>, String> {
    let output = Command::new("ss").args(["-tlnHOe", &argument(filter)]).output().expect("ss runs");
    accepted(&output)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let inode = |line: &str| {
        let word = line.split_whitespace().find_map(|word| word.strip_prefix("ino:"));
        word.and_then(|inode| inode.parse().ok()).expect("every line has an inode")
    };
    Ok(text.lines().map(inode).collect())
}

fn accepted(output: &Output) -> Result<(), String> {
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// The bytecode in each dump request of `ss`, in order; none when it refuses the filter.
pub(crate) fn sent_bytecode(filter: &str) -> Vec<(Family, Vec<u8>)> {
    let trace = tempfile::NamedTempFile::new().expect("a temporary file");
    let output = Command::new("strace")
        // Hexadecimal dumps of everything written, whatever strace takes it for.
        .args(["-e", "trace=sendmsg", "-e", "write=all", "-s", "1", "-o"])
        .arg(trace.path())
        .args(["ss", "-tlnHO", &argument(filter)])
        .output()
        .expect("strace runs");
    let text = std::fs::read_to_string(trace.path()).expect("a trace");
    if accepted(&output).is_err() {
        return Vec::new();
    }
    messages(&text).iter().filter_map(|buffers| request(buffers)).collect()
}

/// The buffers of each `sendmsg` in a trace with dumps.
fn messages(trace: &str) -> Vec<Vec<Vec<u8>>> {
    let mut messages: Vec<Vec<Vec<u8>>> = Vec::new();
    for line in trace.lines() {
        if line.starts_with("sendmsg(") {
            messages.push(Vec::new());
        } else if line.starts_with(" * ") {
            messages.last_mut().expect("a message").push(Vec::new());
        } else if let Some(dump) = line.strip_prefix(" | ") {
            // ` | 00000  14 00 01 00 ...  ....  |`: offset, at most 16 bytes, characters.
            let bytes = dump.get(7..56).expect("a dump line");
            let buffer = messages.last_mut().and_then(|buffers| buffers.last_mut());
            let bytes = bytes.split_whitespace();
            let bytes = bytes.map(|byte| u8::from_str_radix(byte, 16).expect("hexadecimal"));
            buffer.expect("a buffer").extend(bytes);
        }
    }
    messages
}

/// Takes a SOCK_DIAG_BY_FAMILY request for TCP apart; other messages are none.
///
/// With `cgroup`, `ss` first asks for sockets in no state at all, to see whether the kernel knows
/// the operation: no request for us.
fn request(buffers: &[Vec<u8>]) -> Option<(Family, Vec<u8>)> {
    let [header, rest @ ..] = buffers else {
        return None;
    };
    let is_dump = header.len() == 72
        && header.get(4..6) == Some(&20u16.to_ne_bytes()[..])
        && header.get(20..24) != Some(&[0; 4][..]);
    let family = match header.get(16).filter(|_| is_dump)? {
        2 => Family::V4,
        10 => Family::V6,
        _ => return None,
    };
    let mut code = rest.get(1).cloned().unwrap_or_default();
    clear_padding(&mut code);
    Some((family, code))
}

/// Zeroes the two padding bytes of each host condition: `ss` leaves there what `malloc` gave it.
fn clear_padding(code: &mut [u8]) {
    let mut rest = code;
    while let [operation, yes, ..] = *rest {
        if matches!(operation, 7 | 8)
            && let Some(padding) = rest.get_mut(6..8)
        {
            padding.fill(0);
        }
        rest = rest.get_mut(usize::from(yes.max(4))..).unwrap_or_default();
    }
}
