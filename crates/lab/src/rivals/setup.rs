//! How each program is configured and started.

use super::{CHECK, Site, anycast, vip};
use crate::bird::Bird;
use crate::exabgp::{self, Version};
use crate::{LabError, Result, program};
use std::path::PathBuf;
use std::process::Command;

impl Site {
    /// One configuration for all services; what listens is found.
    pub(super) fn ours(&mut self, at_once: bool, plugin: bool) -> Result<()> {
        let mut text = String::from(
            "backend = \"speaker\"\nlocal-as = 65000\nrouter-id = \"10.1.1.1\"\n\
             networks = [\"100.64.0.0/24\"]\n\
             [[peer]]\naddress = \"10.9.1.2\"\nremote-as = 65001\n\
             [discover]\nlisten-filter = \"sport = :80\"\n\
             [defaults]\ndamping = false\nup-delay = \"0s\"\n",
        );
        if at_once {
            text.push_str("down-delay = \"0s\"\n");
        }
        if plugin {
            let vips = (0..self.services).map(|index| format!("\"{}\"", vip(index)));
            text.push_str(&format!(
                "[[service]]\nname = \"web\"\nvips = [{}]\nrule = \"all(listen, address, tcp)\"\n\
                 [service.checks.tcp]\ntype = \"plugin\"\ncommand = [\"{CHECK}\", \"-H\", \
                 \"{{vip}}\", \"-p\", \"80\"]\ninterval = \"5s\"\n",
                vips.collect::<Vec<_>>().join(", ")
            ));
        }
        let file = self.write("ha2bgp.toml", &text)?;
        let mut command = program::command(&["run", "--config", &file.to_string_lossy()]);
        self.run("ha2bgp", &mut command)
    }

    /// As its manual has it: `process` sections that `neighbor` lists. A service that is down is
    /// withdrawn, which is an option there: by default its MED grows.
    pub(super) fn exabgp(&mut self, version: Version) -> Result<()> {
        let exabgp = version.program().map_err(|(reason, _)| LabError::Missing(reason))?;
        let python =
            exabgp.with_file_name(if version == Version::Debian { "python3" } else { "python" });
        // Debian's program may be a link in another directory than Python's.
        let python = if python.is_file() { python } else { PathBuf::from("/usr/bin/python3") };
        let mut text = String::new();
        let mut names = Vec::new();
        for index in 0..self.services {
            let vip = vip(index);
            let script = self.write(
                &format!("service{index}.sh"),
                &format!(
                    "exec {} -m exabgp healthcheck --no-syslog --withdraw-on-down --no-ip-setup \
                     --ip {vip}/32 --cmd '{CHECK} -H {vip} -p 80'\n",
                    python.display()
                ),
            )?;
            text.push_str(&format!(
                "process service{index} {{ run /bin/sh {}; encoder text; }}\n",
                script.display()
            ));
            names.push(format!("service{index}"));
        }
        text.push_str(&format!(
            "neighbor 10.9.1.2 {{ router-id 10.1.1.1; local-address 10.9.1.1; local-as 65000; \
             peer-as 65001; family {{ ipv4 unicast; }} api {{ processes [ {} ]; }} }}\n",
            names.join(", ")
        ));
        let file = self.write("exabgp.conf", &text)?;
        let mut command = exabgp::command(exabgp, &file, self.dir.path(), None);
        self.run("exabgp", &mut command)
    }

    /// As its README has it: it writes the prefixes that BIRD may export, and has BIRD read them.
    pub(super) fn anycast(&mut self) -> Result<()> {
        let bin = anycast().ok_or_else(|| LabError::Missing("anycast-healthchecker".to_owned()))?;
        let list = "define ACAST_PS_ADVERTISE = [ 10.189.200.255/32 ];\n";
        let list = self.write("anycast-prefixes.conf", list)?;
        let own = format!(
            "router id 10.1.1.1;\nlog stderr all;\ninclude \"{}\";\nprotocol device {{}}\n\
             protocol direct {{ ipv4; }}\n\
             protocol bgp upstream {{ local 10.9.1.1 as 65000; neighbor 10.9.1.2 as 65001; \
             connect delay time 1;\n  ipv4 {{ import none; next hop self; export where \
             net ~ ACAST_PS_ADVERTISE; }};\n}}\n",
            list.display()
        );
        self.own_bird = Some(Bird::start(&self.host, "own-bird", self.dir.path(), &own)?);
        let socket = self.dir.path().join("own-bird.ctl");
        let mut text = format!(
            "[DEFAULT]\ninterface = lo\n[daemon]\npidfile = {}\nbird_conf = {}\n\
             bird_reconfigure_cmd = /usr/sbin/birdc -s {} configure\n",
            self.dir.path().join("anycast.pid").display(),
            list.display(),
            socket.display()
        );
        // Its README's, but for the time between two looks that it has by default.
        for index in 0..self.services {
            let vip = vip(index);
            text.push_str(&format!(
                "[service{index}]\ncheck_cmd = {CHECK} -H {vip} -p 80\ncheck_disabled = false\n\
                 on_disabled = withdraw\nip_prefix = {vip}/32\n"
            ));
        }
        let file = self.write("anycast.conf", &text)?;
        let empty = self.dir.path().join("anycast.d");
        std::fs::create_dir(&empty).map_err(LabError::io(empty.display().to_string()))?;
        let mut command = Command::new(bin.join("anycast-healthchecker"));
        command.arg("-f").arg(file).arg("-d").arg(empty);
        self.run("anycast-healthchecker", &mut command)
    }

    fn run(&mut self, name: &str, command: &mut Command) -> Result<()> {
        self.children.push(self.host.start(name, command, self.dir.path())?);
        Ok(())
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).map_err(LabError::io(path.display().to_string()))?;
        Ok(path)
    }
}
