//! Giving back what only the doorbell needs.
//!
//! Capabilities belong to threads: a thread that is started later has what its maker has left, one
//! that was started before gives back its own.

use std::io;

use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

/// What hanging up a doorbell takes, and nothing else in this program.
const OF_THE_DOORBELL: [(CapabilitySet, &str); 3] = [
    (CapabilitySet::SYS_ADMIN, "CAP_SYS_ADMIN"),
    (CapabilitySet::PERFMON, "CAP_PERFMON"),
    (CapabilitySet::BPF, "CAP_BPF"),
];

/// Takes CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN from the calling thread for good: from what it may
/// use, may take, and hands to programs that it executes (the ambient ones go with these). Programs
/// that root executes get all capabilities anew, as capabilities(7) has it. Returns the names of
/// those that it had.
///
/// # Errors
/// When capset(2) is forbidden (seccomp).
pub fn give_back() -> io::Result<Vec<&'static str>> {
    let mut sets = capabilities(None)?;
    let all = OF_THE_DOORBELL.iter().fold(CapabilitySet::empty(), |all, (one, _)| all | *one);
    let had = (sets.permitted | sets.inheritable) & all;
    if had.is_empty() {
        return Ok(Vec::new());
    }
    sets.effective -= all;
    sets.permitted -= all;
    sets.inheritable -= all;
    set_capabilities(None, sets)?;
    let names = OF_THE_DOORBELL.iter().filter(|(one, _)| had.contains(*one));
    Ok(names.map(|(_, name)| *name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_gives_back_its_own() {
        let thread = std::thread::spawn(|| {
            let had = give_back().unwrap();
            let left = capabilities(None).unwrap();
            for (capability, name) in OF_THE_DOORBELL {
                assert!(!left.permitted.contains(capability), "{name}");
                assert!(!left.effective.contains(capability), "{name}");
                assert!(!left.inheritable.contains(capability), "{name}");
            }
            assert_eq!(give_back().unwrap(), Vec::<&str>::new(), "there is nothing left to give");
            had
        });
        let had = thread.join().unwrap();
        let ours = capabilities(None).unwrap().permitted;
        assert_eq!(had.contains(&"CAP_BPF"), ours.contains(CapabilitySet::BPF));
    }
}
