//! The password files, read again on request while sessions go on.

use ha2bgp_proto::bgp::PeerAddress;
use ha2bgp_sys::tcp::Key;
use tokio::sync::watch;

use crate::announce::speaker::Keys;
use crate::config::peer::read_key;
use crate::config::speaker::SpeakerSettings;

/// The files with the keys of peers, and whom to tell when they are read again.
#[derive(Clone, Debug)]
pub(super) struct KeyFiles {
    files: Vec<(PeerAddress, String)>,
    keys: watch::Sender<Keys>,
}

impl KeyFiles {
    /// The files that the settings name.
    pub(super) fn new(speaker: Option<&SpeakerSettings>, keys: watch::Sender<Keys>) -> Self {
        let peers = speaker.map_or(&[][..], |speaker| &speaker.peers);
        let files =
            peers.iter().filter_map(|peer| Some((peer.config.peer, peer.key_file.clone()?)));
        Self { files: files.collect(), keys }
    }

    /// Reads all of them, in a thread for blocking work. Of a file that is no good, the key that
    /// was read before stays.
    pub(super) fn read_again(&self) {
        if self.files.is_empty() {
            return;
        }
        let Self { files, keys } = self.clone();
        tokio::task::spawn_blocking(move || {
            let good: Keys = files.iter().filter_map(|(peer, path)| read(*peer, path)).collect();
            if !good.is_empty() {
                keys.send_replace(good);
            }
        });
    }
}

fn read(peer: PeerAddress, path: &str) -> Option<(PeerAddress, Key)> {
    match read_key(path, std::fs::read(path)) {
        Ok(key) => {
            tracing::info!(%peer, path, "password file read again: its key counts now");
            Some((peer, key))
        }
        Err(error) => {
            tracing::error!(%peer, "the old key stays: password-file: {error}");
            None
        }
    }
}
