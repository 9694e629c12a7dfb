//! What machine the numbers are of.

use std::fs;

/// Processor, how many of it, memory, kernel, and how busy it is: on one line.
#[must_use]
pub fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("a processor without a name", |(_, name)| name.trim());
    let count = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = kib.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    let gib = kib.unwrap_or_default().div_ceil(1 << 20);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    // Of the last five minutes, the bench's own included.
    let load = load.split(' ').nth(1).unwrap_or("unknown").to_owned();
    let virtual_one = if cpu.contains(" hypervisor") { "a virtual machine, " } else { "" };
    format!("{virtual_one}{count} × {model}, {gib} GiB, Linux {}, load {load}", kernel.trim())
}
