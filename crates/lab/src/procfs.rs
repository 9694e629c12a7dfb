//! What /proc tells about a process.

use std::fs;
use std::time::Duration;

/// A field of `/proc/PID/status` in bytes, such as `VmRSS` or `VmHWM`.
#[must_use]
pub fn memory(pid: u32, field: &str) -> Option<u64> {
    Some(field_of_status(pid, field)? * 1024)
}

/// How often the first thread of a process has slept.
#[must_use]
pub fn sleeps(pid: u32) -> Option<u64> {
    field_of_status(pid, "voluntary_ctxt_switches")
}

fn field_of_status(pid: u32, field: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The direct children of a process.
#[must_use]
pub fn children(pid: u32) -> Vec<u32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// Whether all threads of a process are stopped by a signal, or it is gone.
#[must_use]
pub fn stopped(pid: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return true;
    };
    threads.flatten().all(|thread| {
        let status = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        let state = status.lines().find_map(|line| line.strip_prefix("State:"));
        state.is_none_or(|state| state.trim_start().starts_with(['T', 'Z']))
    })
}

/// The words of a process's command line.
#[must_use]
pub fn command_line(pid: u32) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

/// The children of a process, their children and so on, at most 10 000.
#[must_use]
pub fn descendants(pid: u32) -> Vec<u32> {
    let mut found = children(pid);
    let mut at = 0;
    while let Some(next) = found.get(at).copied() {
        if found.len() > 10_000 {
            break;
        }
        found.extend(children(next));
        at += 1;
    }
    found
}

/// The processor time that these processes have used, and the children that they have waited for.
///
/// Of living threads to the nanosecond (`schedstat`), of dead children in ticks of a hundredth of a
/// second (proc(5), `stat`, fields 16 and 17).
#[must_use]
pub fn cpu(pids: &[u32]) -> Duration {
    pids.iter().map(|pid| living(*pid) + dead(*pid)).sum()
}

fn living(pid: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let times = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(times.sum())
}

fn dead(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(13).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second().max(1))
}

/// What these processes hold of memory, in octets, where what several share is split among them
/// (`Pss` of `smaps_rollup`).
#[must_use]
pub fn share(pids: &[u32]) -> u64 {
    let of = |pid: &u32| {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    pids.iter().filter_map(of).sum::<u64>() * 1024
}
