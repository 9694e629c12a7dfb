//! The programs that check, each on the second core.

use super::Outcome;
use ha2bgp_lab::child::Child;
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::program;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A program that checks, until this is dropped.
pub(crate) struct Checker {
    child: Child,
}

impl Checker {
    /// ha2bgp with one service that has all VIPs. It announces to nobody.
    pub(crate) fn ha2bgp(host: &Netns, dir: &Path, port: u16, vips: usize) -> Outcome<Self> {
        let list: Vec<String> = (0..vips).map(|number| format!("\"{}\"", vip(number))).collect();
        let text = format!(
            "backend = \"test\"\nnetworks = [\"100.64.0.0/16\"]\n[[service]]\nname = \"web\"\n\
             vips = [{}]\nrule = \"http\"\n[service.checks.http]\nurl = \"http://{{vip}}:{port}/\"\n\
             interval = \"1s\"\njitter = \"0%\"\n",
            list.join(", ")
        );
        let file = dir.join("bench.toml");
        std::fs::write(&file, text)?;
        let program = program::path().map_err(|reason| reason.to_string())?;
        let mut command = Command::new("taskset");
        command.args(["-c", "1"]).arg(program).args(["run", "--config"]).arg(&file);
        command.args(["--state-file", "off"]);
        Ok(Self { child: host.start("ha2bgp", &mut command, dir)? })
    }

    /// HAProxy with one backend that has them as servers.
    pub(crate) fn haproxy(host: &Netns, dir: &Path, port: u16, vips: usize) -> Outcome<Self> {
        let socket = dir.join("bench.sock");
        let mut text = format!(
            "global\n    nbthread 1\n    maxconn 1000\n    stats socket {}\ndefaults\n    mode http\n    \
             timeout connect 1s\n    timeout client 1s\n    timeout server 1s\nfrontend none\n    \
             bind unix@{}\nbackend all\n    option httpchk GET /\n    \
             default-server check inter 1s\n",
            socket.display(),
            dir.join("bench-web.sock").display()
        );
        for number in 0..vips {
            writeln!(text, "    server s{number} {}:{port}", vip(number))?;
        }
        let file = dir.join("bench.cfg");
        std::fs::write(&file, text)?;
        let mut command = Command::new("taskset");
        command.args(["-c", "1", "haproxy", "-db", "-f"]).arg(&file);
        Ok(Self { child: host.start("haproxy", &mut command, dir)? })
    }

    /// The CPU time that it has used.
    pub(crate) fn cpu(&self) -> Outcome<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.pid()))?;
        let (_, rest) = stat.rsplit_once(')').ok_or("no name in /proc/PID/stat")?;
        // utime and stime are fields 14 and 15 (proc_pid_stat(5)); the rest begins at field 3.
        let fields = rest.split_whitespace().skip(11).take(2);
        let ticks: u64 = fields.map(|field| field.parse::<u64>().unwrap_or_default()).sum();
        let per_second = rustix::param::clock_ticks_per_second();
        Ok(Duration::from_millis(ticks * 1000 / per_second.max(1)))
    }

    /// Says when it has ended.
    pub(crate) fn runs(&mut self) -> Outcome<()> {
        match self.child.exit_status()? {
            None => Ok(()),
            Some(status) => Err(format!("it ended: {status}\n{}", self.child.tail()).into()),
        }
    }
}

fn vip(number: usize) -> String {
    format!("100.64.{}.{}", 1 + number / 250, 1 + number % 250)
}
