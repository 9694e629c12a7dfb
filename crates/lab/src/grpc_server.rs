//! The health service of gRPC as gRPC's own implementation has it: grpcio for Python, in the virtual
//! environment that `cargo xtask lab-setup` makes.

use crate::certs::Pair;
use crate::daemon::Daemon;
use crate::netns::Netns;
use crate::{LabError, Result, tools, wait};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Serves health, and sets what the file says: lines `SERVICE STATUS`, `-` for the whole server.
/// The file is replaced as a whole, and looked at fifty times a second.
const SCRIPT: &str = r#"
import concurrent.futures, sys, time
import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

address, path, certificate, key = sys.argv[1:5]
server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=4))
servicer = health.HealthServicer()
if path != "none":
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
if certificate == "none":
    server.add_insecure_port(address)
else:
    pair = (open(key, "rb").read(), open(certificate, "rb").read())
    server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
server.start()
old = None
while True:
    new = open(path).read() if path != "none" else None
    if new != old:
        for line in new.splitlines():
            name, status = line.split(" ")
            value = health_pb2.HealthCheckResponse.ServingStatus.Value(status)
            servicer.set("" if name == "-" else name, value)
        old = new
    time.sleep(0.02)
"#;

/// A running server.
#[derive(Debug)]
pub struct GrpcServer {
    daemon: Daemon,
    dir: PathBuf,
}

/// The interpreter that has grpcio, if it was installed.
#[must_use]
pub fn python() -> Option<PathBuf> {
    let venv = tools::lab_dir()?.join("venv-grpc");
    venv.join("ready").is_file().then(|| venv.join("bin/python"))
}

impl GrpcServer {
    /// Starts one on `host` with files in a new directory `dir/NAME`, with TLS where there is a
    /// certificate, and waits until it listens. Without `statuses` it has no health service at all.
    pub fn start(
        host: &Netns,
        name: &str,
        dir: &Path,
        address: SocketAddr,
        statuses: Option<&str>,
        tls: Option<&Pair>,
    ) -> Result<Self> {
        let dir = dir.join(name);
        let io = || LabError::io(dir.display().to_string());
        std::fs::create_dir(&dir).map_err(io())?;
        let script = dir.join("server.py");
        std::fs::write(&script, SCRIPT).map_err(io())?;
        let none = PathBuf::from("none");
        let python = python().ok_or_else(|| LabError::Missing("no grpcio here".to_owned()))?;
        let mut command = Command::new(python);
        command.arg(&script).arg(address.to_string());
        command.arg(if statuses.is_some() { dir.join("statuses") } else { none.clone() });
        command.arg(tls.map_or(&none, |pair| &pair.cert));
        command.arg(tls.map_or(&none, |pair| &pair.key));
        let set = |dir: &Path| statuses.map_or(Ok(()), |statuses| write(dir, statuses));
        set(&dir)?;
        let daemon = Daemon::start(host, "grpc", &mut command, &dir)?;
        let mut server = Self { daemon, dir };
        wait::until(Duration::from_secs(30), &format!("{address} listens"), || {
            server.daemon.runs().map_err(|error| error.to_string())?;
            match host.within(|| TcpStream::connect(address)) {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => Err(format!("{error}\n{}", server.daemon.tail())),
                Err(error) => Err(error.to_string()),
            }
        })?;
        Ok(server)
    }

    /// What it says from now on.
    pub fn set(&self, statuses: &str) -> Result<()> {
        write(&self.dir, statuses)
    }

    /// Its process.
    pub fn daemon(&mut self) -> &mut Daemon {
        &mut self.daemon
    }
}

fn write(dir: &Path, statuses: &str) -> Result<()> {
    let (new, file) = (dir.join("statuses.new"), dir.join("statuses"));
    let io = || LabError::io(file.display().to_string());
    std::fs::write(&new, statuses).map_err(io())?;
    std::fs::rename(&new, &file).map_err(io())
}
