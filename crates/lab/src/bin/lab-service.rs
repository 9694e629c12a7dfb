//! A service of the lab: listens on the addresses it is given until it is killed.
//!
//! Ends by itself when the test that started it is gone.
#![expect(clippy::print_stdout, reason = "tells the test that it listens")]

use ha2bgp_lab::service::{Options, open};
use ha2bgp_lab::wait;
use std::net::SocketAddr;
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let parent = rustix::process::getppid();
    let mut sockets = Vec::new();
    for arg in std::env::args().skip(1) {
        let address: SocketAddr = arg.parse()?;
        sockets.push(open(address, socket2::Type::STREAM, Options::default())?);
    }
    println!("listening on {}", sockets.len());
    while rustix::process::getppid() == parent {
        wait::pause(Duration::from_millis(500));
    }
    drop(sockets);
    Ok(())
}
