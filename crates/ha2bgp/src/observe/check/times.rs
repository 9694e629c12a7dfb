//! How long a probe took, and its parts, for the detail text.

use std::fmt::{self, Write as _};

use tokio::time::Instant;

/// The times of one probe. Shown as ` in 3.2 ms (connect 0.1, tls 1.2)`.
#[derive(Debug)]
pub struct Times {
    begun: Instant,
    part: Instant,
    parts: String,
}

impl Times {
    /// A probe begins, and its first part.
    pub fn begin() -> Self {
        let now = Instant::now();
        Self { begun: now, part: now, parts: String::new() }
    }

    /// A part is over, and the next begins.
    pub fn part(&mut self, what: &str) {
        let now = Instant::now();
        let comma = if self.parts.is_empty() { "" } else { ", " };
        let took = (now - self.part).as_secs_f64() * 1000.0;
        let _ = write!(self.parts, "{comma}{what} {took:.1}");
        self.part = now;
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " in {:.1} ms", self.begun.elapsed().as_secs_f64() * 1000.0)?;
        if self.parts.is_empty() { Ok(()) } else { write!(f, " ({})", self.parts) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn parts_and_the_whole() {
        let mut times = Times::begin();
        assert_eq!(times.to_string(), " in 0.0 ms");
        tokio::time::advance(Duration::from_micros(1500)).await;
        times.part("connect");
        tokio::time::advance(Duration::from_millis(2)).await;
        times.part("tls");
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(times.to_string(), " in 4.5 ms (connect 1.5, tls 2.0)");
    }
}
