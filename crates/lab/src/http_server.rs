//! nginx as the service behind a VIP: plain, over TLS, with client certificates, behind the PROXY
//! protocol; always with the same paths.
//!
//! | path | answer |
//! |---|---|
//! | `/` | 200, `ok` |
//! | `/status/N` | the status N, one of [`STATUS`]; 3xx with `Location: /` |
//! | `/health` | 200 `healthy` while [`HttpServer::set_healthy`] says so, as it does at first; else 503 |
//! | `/echo` | 200, one line for each of: method, host, uri, sni, remote, proxied, client, agent |
//! | `/slow` | 200 and [`SLOW`] octets, 16 each second |
//! | `/big` | 200 and [`BIG`] octets, all zero |
//! | others | 404 |

use crate::certs::Pair;
use crate::daemon::Daemon;
use crate::netns::Netns;
use crate::{LabError, Result, tools, wait};
use std::fs::File;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The statuses of `/status/N`.
pub const STATUS: [u16; 16] =
    [200, 201, 202, 204, 301, 302, 307, 400, 401, 403, 404, 418, 429, 500, 502, 503];
/// The length of `/slow`: half a minute.
pub const SLOW: u64 = 480;
/// The length of `/big`: 10 MiB.
pub const BIG: u64 = 10 << 20;

/// What a listener speaks.
#[derive(Clone, Debug)]
pub enum Kind {
    /// HTTP.
    Http,
    /// HTTP, and idle connections end after two seconds.
    Brief,
    /// HTTPS with this certificate.
    Https(Pair),
    /// HTTPS with this certificate, for clients with one of the second's authority only.
    Mutual(Pair, PathBuf),
    /// HTTP behind a PROXY header of version 1 or 2.
    Proxy,
    /// HTTPS behind a PROXY header.
    ProxyHttps(Pair),
}

/// A running nginx: one process.
#[derive(Debug)]
pub struct HttpServer {
    daemon: Daemon,
    dir: PathBuf,
}

impl HttpServer {
    /// Starts one on `host` with files in a new directory `dir/NAME`, waits until all listen.
    pub fn start(
        host: &Netns,
        name: &str,
        dir: &Path,
        listeners: &[(SocketAddr, Kind)],
    ) -> Result<Self> {
        let dir = dir.join(name);
        let io = || LabError::io(dir.display().to_string());
        std::fs::create_dir(&dir).map_err(io())?;
        std::fs::write(dir.join("slow"), "x".repeat(SLOW as usize)).map_err(io())?;
        let big = File::create(dir.join("big")).map_err(io())?;
        big.set_len(BIG).map_err(io())?;
        let conf = dir.join("nginx.conf");
        std::fs::write(&conf, config(&dir, listeners)).map_err(io())?;

        let program = tools::find("nginx").unwrap_or("nginx".into());
        let mut command = Command::new(program);
        command.arg("-e").arg("stderr").arg("-p").arg(&dir).arg("-c").arg(&conf);
        let daemon = Daemon::start(host, "nginx", &mut command, &dir)?;
        let mut server = Self { daemon, dir };
        server.set_healthy(true)?;
        for (address, _) in listeners {
            wait::until(Duration::from_secs(20), &format!("{address} listens"), || {
                server.daemon.runs().map_err(|error| error.to_string())?;
                let connected = host.within(|| TcpStream::connect(address));
                match connected {
                    Ok(Ok(_)) => Ok(()),
                    Ok(Err(error)) => Err(format!("{error}\n{}", server.daemon.tail())),
                    Err(error) => Err(error.to_string()),
                }
            })?;
        }
        Ok(server)
    }

    /// What `/health` answers from now on.
    pub fn set_healthy(&self, healthy: bool) -> Result<()> {
        let file = self.dir.join("healthy");
        let outcome = match healthy {
            true => File::create(&file).map(drop),
            false => std::fs::remove_file(&file),
        };
        outcome.map_err(LabError::io(file.display().to_string()))
    }

    /// The requests so far, one line each: listener's port, request line, status.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.dir.join("access")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Its process: to stop it, to freeze it, to kill it.
    pub fn daemon(&mut self) -> &mut Daemon {
        &mut self.daemon
    }
}

fn config(dir: &Path, listeners: &[(SocketAddr, Kind)]) -> String {
    let dir = dir.display();
    let mut text = format!(
        "daemon off;\nmaster_process off;\npid {dir}/pid;\nerror_log stderr notice;\n\
         events {{ worker_connections 4096; }}\nhttp {{\n\
         log_format lab '$server_port \"$request\" $status';\naccess_log {dir}/access lab;\n\
         default_type text/plain;\nserver_tokens off;\nroot {dir};\n"
    );
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        text.push_str(&format!("{kind}_temp_path {dir}/{kind};\n"));
    }
    for (address, kind) in listeners {
        text.push_str("server {\n");
        text.push_str(&listen(*address, kind));
        text.push_str(
            "location = / { return 200 \"ok\\n\"; }\n\
             location = /slow { limit_rate 16; }\n\
             location = /big { }\n\
             location = /health { if (-f $document_root/healthy) { return 200 \"healthy\\n\"; } \
             return 503 \"sick\\n\"; }\n\
             location = /echo { return 200 \"method=$request_method\\nhost=$http_host\\n\
             uri=$request_uri\\nsni=$ssl_server_name\\nremote=$remote_addr\\n\
             proxied=$proxy_protocol_addr\\nclient=$ssl_client_s_dn\\n\
             agent=$http_user_agent\\n\"; }\n",
        );
        for status in STATUS {
            let what = if (300..400).contains(&status) { "/" } else { "\"as asked\\n\"" };
            text.push_str(&format!("location = /status/{status} {{ return {status} {what}; }}\n"));
        }
        text.push_str("location / { return 404 \"no such path\\n\"; }\n}\n");
    }
    text.push_str("}\n");
    text
}

fn listen(address: SocketAddr, kind: &Kind) -> String {
    let pair = |pair: &Pair| {
        format!(
            "ssl_certificate {};\nssl_certificate_key {};\n",
            pair.cert.display(),
            pair.key.display()
        )
    };
    match kind {
        Kind::Http => format!("listen {address};\n"),
        Kind::Brief => format!("listen {address};\nkeepalive_timeout 2s;\n"),
        Kind::Https(server) => format!("listen {address} ssl;\n{}", pair(server)),
        Kind::Mutual(server, ca) => format!(
            "listen {address} ssl;\n{}ssl_client_certificate {};\nssl_verify_client on;\n",
            pair(server),
            ca.display()
        ),
        Kind::Proxy => format!("listen {address} proxy_protocol;\n"),
        Kind::ProxyHttps(server) => {
            format!("listen {address} ssl proxy_protocol;\n{}", pair(server))
        }
    }
}
