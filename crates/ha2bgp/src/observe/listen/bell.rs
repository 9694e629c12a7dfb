//! The doorbell of the listen observer, hung up once for as long as the program runs.
//!
//! It takes capabilities that nothing else here needs: they are given back as soon as it hangs, or
//! cannot. So a reload does not hang it up again; another process does.

use ha2bgp_sys::doorbell::Doorbell;
use ha2bgp_sys::privileges;

use super::ListenConfig;

/// A doorbell, or why there is none.
#[derive(Debug)]
pub struct Bell {
    pub(super) doorbell: Option<Doorbell>,
    /// What it is, or why it is not there, in words for people.
    pub(super) words: String,
}

impl Bell {
    /// Hangs up a doorbell where one is wanted and the host permits it. Needs a tokio runtime.
    pub fn hang(config: &ListenConfig) -> Self {
        if !config.doorbell {
            return Self::none("turned off");
        }
        if !config.rings() {
            return Self::none("UDP does not ring");
        }
        match Doorbell::hang() {
            Ok(doorbell) => {
                let mut words = "a doorbell in the kernel (eBPF)".to_owned();
                words.push_str(match doorbell.tells_places() {
                    (true, true) => "",
                    (true, false) => " that tells where for IPv4 only",
                    (false, _) => " that does not tell where",
                });
                if !doorbell.tells_namespaces() {
                    words.push_str(", with the rings of other network namespaces");
                }
                Self { doorbell: Some(doorbell), words }
            }
            Err(error) => Self::none(&error.to_string()),
        }
    }

    fn none(why: &str) -> Self {
        Self { doorbell: None, words: format!("no doorbell: {why}") }
    }

    /// Gives back what it took to hang it up, in the calling thread and those that come from it.
    #[must_use]
    pub fn give_back(mut self) -> Self {
        match privileges::give_back() {
            Ok(names) if names.is_empty() => {}
            Ok(names) => self.words.push_str(&format!("; gave back {}", names.join(", "))),
            Err(error) => self.words.push_str(&format!("; cannot give back capabilities: {error}")),
        }
        self
    }
}
