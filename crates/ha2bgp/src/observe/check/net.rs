//! Connections of probes: where they come from, and what their errors mean.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ha2bgp_core::check::{Outcome, ProbeResult};
use rustix::io::Errno;
use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream};

/// Where connections come from, so that a probe takes the way that traffic takes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SourceOptions {
    /// Our address (bind(2)); `None`: the kernel chooses.
    pub address: Option<IpAddr>,
    /// The interface (`SO_BINDTODEVICE`, socket(7)).
    pub device: Option<String>,
    /// The mark of packets (`SO_MARK`, socket(7)); needs CAP_NET_ADMIN.
    pub mark: Option<u32>,
}

impl SourceOptions {
    /// Gives a socket these options. Its family must be that of `target`.
    ///
    /// # Errors
    /// Those of setsockopt(2) and bind(2).
    pub fn apply(&self, socket: SockRef<'_>, target: IpAddr) -> io::Result<()> {
        if let Some(device) = &self.device {
            socket.bind_device(Some(device.as_bytes()))?;
        }
        if let Some(mark) = self.mark {
            socket.set_mark(mark)?;
        }
        if let Some(address) = self.address.filter(|own| own.is_ipv4() == target.is_ipv4()) {
            socket.bind(&SocketAddr::new(address, 0).into())?;
        }
        Ok(())
    }

    /// Connects. The connection is reset when it is closed, as HAProxy does with its checks: at
    /// thousands of probes a second the ports of this host would not suffice for TIME_WAIT.
    ///
    /// # Errors
    /// Those of socket(2), connect(2) and the options.
    pub async fn connect(&self, target: SocketAddr) -> io::Result<TcpStream> {
        let socket = if target.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_nodelay(true)?;
        self.apply(SockRef::from(&socket), target.ip())?;
        let stream = socket.connect(target).await?;
        SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
        Ok(stream)
    }
}

/// What an error of a probe says: of the target, or only of ourselves.
pub fn failure(what: &str, error: &io::Error) -> ProbeResult {
    let own = Errno::from_io_error(error).is_some_and(|errno| {
        matches!(
            errno,
            Errno::MFILE
                | Errno::NFILE
                | Errno::NOMEM
                | Errno::NOBUFS
                // epoll(7) has no place left (max_user_watches).
                | Errno::NOSPC
                // An address that cannot be used so, such as one of a link without its interface.
                | Errno::INVAL
                | Errno::PERM
                | Errno::ACCESS
                | Errno::ADDRNOTAVAIL
                | Errno::ADDRINUSE
                | Errno::NODEV
                | Errno::AFNOSUPPORT
                | Errno::PROTONOSUPPORT
        )
    });
    let (outcome, note) =
        if own { (Outcome::Unknown, ", on this host") } else { (Outcome::Fail, "") };
    ProbeResult::new(outcome, &format!("{what}: {}{note}", reason(error)))
}

/// The error without the number that the standard library puts behind it.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((text, _)) => text.to_lowercase(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_limits_say_nothing_of_the_target() {
        let of = |errno: Errno| failure("connecting", &errno.into());
        for own in [Errno::MFILE, Errno::NOSPC, Errno::INVAL] {
            assert_eq!(of(own).outcome, Outcome::Unknown, "{own}");
        }
        let refused = of(Errno::CONNREFUSED);
        assert_eq!(refused.outcome, Outcome::Fail);
        assert_eq!(&*refused.detail, "connecting: connection refused");
        assert_eq!(of(Errno::HOSTUNREACH).outcome, Outcome::Fail);
    }
}
