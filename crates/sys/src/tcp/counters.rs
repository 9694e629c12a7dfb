//! What the kernel counted of segments it dropped: why a peer's packets do not arrive.

use std::fmt;
use std::io;

/// Where they stand, for the network namespace of the calling thread.
const PATH: &str = "/proc/thread-self/net/netstat";

/// Counters of `TcpExt` in netstat, since the namespace was made.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Segments without a signature where we have a key.
    pub md5_not_found: u64,
    /// Segments with a signature where we have no key.
    pub md5_unexpected: u64,
    /// Segments whose signature is wrong.
    pub md5_failure: u64,
    /// Segments with a TTL below the minimum.
    pub min_ttl_drop: u64,
}

impl Counters {
    /// The counters now.
    ///
    /// # Errors
    /// When procfs cannot be read.
    pub fn read() -> io::Result<Self> {
        Ok(Self::parse(&std::fs::read_to_string(PATH)?))
    }

    /// What has been added since `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            md5_not_found: self.md5_not_found.saturating_sub(before.md5_not_found),
            md5_unexpected: self.md5_unexpected.saturating_sub(before.md5_unexpected),
            md5_failure: self.md5_failure.saturating_sub(before.md5_failure),
            min_ttl_drop: self.min_ttl_drop.saturating_sub(before.min_ttl_drop),
        }
    }

    /// Reads pairs of lines: names, then numbers, both behind the same first word.
    fn parse(text: &str) -> Self {
        let mut found = Self::default();
        let mut lines = text.lines();
        while let (Some(names), Some(numbers)) = (lines.next(), lines.next()) {
            let numbers = numbers.split_whitespace().skip(1);
            for (name, number) in names.split_whitespace().skip(1).zip(numbers) {
                let field = match name {
                    "TCPMD5NotFound" => &mut found.md5_not_found,
                    "TCPMD5Unexpected" => &mut found.md5_unexpected,
                    "TCPMD5Failure" => &mut found.md5_failure,
                    "TCPMinTTLDrop" => &mut found.min_ttl_drop,
                    _ => continue,
                };
                *field = number.parse().unwrap_or(0);
            }
        }
        found
    }
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { md5_not_found, md5_unexpected, md5_failure, min_ttl_drop } = self;
        write!(
            f,
            "TCPMD5NotFound {md5_not_found}, TCPMD5Unexpected {md5_unexpected}, \
             TCPMD5Failure {md5_failure}, TCPMinTTLDrop {min_ttl_drop}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_matched_by_position() {
        let text = "TcpExt: SyncookiesSent TCPMD5NotFound TCPMD5Unexpected TCPMD5Failure X\n\
                    TcpExt: 1 2 3 4 5\nIpExt: TCPMD5NotFoundX TCPMinTTLDrop\nIpExt: 9 6\nodd\n";
        let found = Counters::parse(text);
        assert_eq!(
            found,
            Counters { md5_not_found: 2, md5_unexpected: 3, md5_failure: 4, min_ttl_drop: 6 }
        );
        assert_eq!(found.since(Counters { md5_failure: 1, ..found }).md5_failure, 3);
        assert_eq!(Counters::parse("TcpExt: TCPMD5Failure\nTcpExt: x\n"), Counters::default());
    }
}
