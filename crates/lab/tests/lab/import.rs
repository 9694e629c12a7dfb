//! `ha2bgp import exabgp-healthcheck` against the real one: the same command line makes both announce
//! and withdraw alike, and what its argparse refuses the import refuses too. And what the others told
//! BIRD in a file it hears by BGP.

use crate::stage::{SOON, VIP, host};
use ha2bgp_lab::bird::Bird;
use ha2bgp_lab::fake_exabgp::{Answer, FakeExaBgp};
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{LabError, Result, child::Child, program, readme, require, wait};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

/// The real program, from Debian's package of ExaBGP.
const HEALTHCHECK: &str = "exabgp-healthcheck";

/// One host with both programs, each of which looks at its own files.
struct Both {
    real: Child,
    fake: FakeExaBgp,
    toml: String,
    _host: Netns,
    dir: tempfile::TempDir,
}

impl Both {
    /// Starts both; `DIR` in the arguments is a directory, in which `up` is there.
    fn start(hint: &str, arguments: &str) -> Result<Self> {
        let host = host(hint)?;
        let dir = readme::workdir()?;
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(dir.path(), open).map_err(LabError::io("the directory"))?;
        put(dir.path(), "up", "")?;
        let line = arguments.replace("DIR", &dir.path().display().to_string());
        let words = ["-c", &format!("exec {HEALTHCHECK} {line} --no-ack --no-syslog")];
        let real = host.start("healthcheck", Command::new("sh").args(words), dir.path())?;
        put(dir.path(), "line.txt", &format!("exabgp healthcheck {line}"))?;
        let toml = imported("exabgp-healthcheck", dir.path(), "line.txt")?.1;
        put(dir.path(), "ha2bgp.toml", &toml)?;
        let file = dir.path().join("ha2bgp.toml").display().to_string();
        let args = ["run", "--config", &file, "--state-file", "off"];
        let fake = FakeExaBgp::start(&host, dir.path(), &args, &[], Answer::Done)?;
        Ok(Self { real, fake, toml, _host: host, dir })
    }

    /// Waits until the newest line of each is this one.
    fn both_say(&mut self, real: &str, ours: &str) -> Result<()> {
        wait::until(2 * SOON, real, || {
            let text = self.real.stdout();
            let last = text.lines().last().unwrap_or_default();
            if last == real { Ok(()) } else { Err(self.real.tail()) }
        })?;
        wait::until(2 * SOON, ours, || {
            let text = self.fake.text();
            let last = text.lines().last().unwrap_or_default().to_owned();
            let log = self.fake.child().tail();
            if last == ours { Ok(()) } else { Err(format!("{text}\n{}\n{log}", self.toml)) }
        })
    }

    fn remove(&self, name: &str) -> Result<()> {
        fs::remove_file(self.dir.path().join(name)).map_err(LabError::io(name))
    }

    fn put(&self, name: &str) -> Result<()> {
        put(self.dir.path(), name, "")
    }
}

fn put(dir: &Path, name: &str, text: &str) -> Result<()> {
    fs::write(dir.join(name), text).map_err(LabError::io(name))
}

/// The exit code of an import and what it prints.
fn imported(other: &str, dir: &Path, file: &str) -> Result<(Option<i32>, String)> {
    let path = dir.join(file).display().to_string();
    let mut command = program::command(&["import", other, &path]);
    let output = command.output().map_err(LabError::io("ha2bgp import"))?;
    Ok((output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// Often, and two results in a row.
const OFTEN: &str = "-i 0.2 -f 0.2 --rise 2 --fall 2 --ip 100.64.0.10/32 --no-ip-setup";

#[test]
fn what_fails_is_withdrawn() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"), Need::Tool(HEALTHCHECK));
    let line = format!("--cmd 'test -e DIR/up' {OFTEN} --withdraw-on-down");
    let mut both = Both::start("import", &line)?;
    let up = (
        "announce route 100.64.0.10/32 next-hop self med 100",
        format!("announce route {VIP} next-hop self"),
    );
    both.both_say(up.0, &up.1)?;
    both.remove("up")?;
    let down = format!("withdraw route {VIP} next-hop self");
    both.both_say("withdraw route 100.64.0.10/32 next-hop self", &down)?;
    both.put("up")?;
    both.both_say(up.0, &up.1)
}

#[test]
fn what_fails_is_the_last_choice() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"), Need::Tool(HEALTHCHECK));
    let line = format!(
        "--cmd \"test -e DIR/up || {{ echo '{{no}}' >&2; exit 1; }}\" {OFTEN} --down-metric 700 \
         --local-preference 200 --disabled-community 65000:9 --disable DIR/off --disabled-metric 700"
    );
    let mut both = Both::start("import", &line)?;
    let up = (
        "announce route 100.64.0.10/32 next-hop self med 100 local-preference 200",
        format!("announce route {VIP} next-hop self"),
    );
    let last = "next-hop self med 700 local-preference 200 community [ 65000:9 ]";
    let down =
        (format!("announce route 100.64.0.10/32 {last}"), format!("announce route {VIP} {last}"));
    both.both_say(up.0, &up.1)?;
    both.remove("up")?;
    both.both_say(&down.0, &down.1)?;
    both.put("up")?;
    both.both_say(up.0, &up.1)?;
    both.put("off")?;
    both.both_say(&down.0, &down.1)?;
    both.remove("off")?;
    both.both_say(up.0, &up.1)
}

/// A command that exits with 1 fails as often as `--fall` says, not at once: to our own plugins that
/// would be a warning.
#[test]
fn a_file_of_options_counts_like_a_command_line() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"), Need::Tool(HEALTHCHECK));
    let dir = readme::workdir()?;
    let options = "# Of a healthcheck.\nname = web\nip = 100.64.0.10\nwithdraw-on-down\n\
                   no-ip-setup\ninterval = 0\ncommand = exit 1\nfall = 1\n";
    put(dir.path(), "web.conf", options)?;
    let path = dir.path().join("web.conf").display().to_string();
    let mut real = Command::new(HEALTHCHECK);
    real.args(["--config", &path, "--no-ack", "--no-syslog"]);
    let output = real.output().map_err(LabError::io(HEALTHCHECK))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("withdraw route 100.64.0.10/32 next-hop self"), "{output:?}");
    let (_, toml) = imported("exabgp-healthcheck", dir.path(), "web.conf")?;
    for want in [
        "name = \"web\"",
        "vips = [\"100.64.0.10\"]",
        "fall = 1",
        "\"/bin/sh\", \"-c\", \"exit 1\"]",
    ] {
        assert!(toml.contains(want), "{want}\n{toml}");
    }
    Ok(())
}

/// Ways to write arguments, good and bad: both take the same ones.
#[test]
fn the_same_arguments_are_taken() -> Result<()> {
    require!(Need::Ha2bgp, Need::Tool(HEALTHCHECK));
    let dir = readme::workdir()?;
    for line in [
        "--ip=100.64.0.10",
        "--ip 100.64.0.10/24",
        "--ip 100.64.0.300",
        "--ip 100.64.0.10 --local-pref 5 --withdraw",
        "--ip 100.64.0.10 --dis /x",
        "--ip 100.64.0.10 --disabled-c 65000:1",
        "--ip 100.64.0.10 -dn web",
        "--ip 100.64.0.10 -nweb",
        "--ip 100.64.0.10 -n=web",
        "--ip 100.64.0.10 -n",
        "--ip 100.64.0.10 -n -d",
        "--ip 100.64.0.10 -n '-d x'",
        "--ip 100.64.0.10 --name -5",
        "--ip 100.64.0.10 --debug=1",
        "--ip 100.64.0.10 --debug 1",
        "--ip 100.64.0.10 --intervall 5",
        "--ip 100.64.0.10 --start-ip x",
        "--ip 100.64.0.10 --start-ip ' 1 '",
        "--ip 100.64.0.10 --fast-interval .5",
        "--ip 100.64.0.10 --fast-interval x",
        "--ip 100.64.0.10 --timeout 1.5",
        "--ip 100.64.0.10 --neighbor x",
        "--ip 100.64.0.10 --neighbor 192.0.2.1 --neighbor 192.0.2.2",
        "--ip 100.64.0.10 --next-hop 192.0.2.1",
        "--ip 100.64.0.10 --next-hop 192.0.2.1/32",
        "--ip 100.64.0.10 -- x",
        "--ip 100.64.0.10 x",
        "--ip",
        "",
    ] {
        // It ends after the first announcement; what it cannot read it says with 2.
        let whole =
            format!("exec {HEALTHCHECK} {line} -i 0 --rise 1 --no-ip-setup --no-ack --no-syslog");
        let mut real = Command::new("timeout");
        real.args(["20", "sh", "-c", &whole]).current_dir(dir.path());
        let real = real.output().map_err(LabError::io(HEALTHCHECK))?;
        let taken = match (real.status.code(), line) {
            // Without --ip it looks at lo, on which this test may have nothing.
            (_, "") => continue,
            (Some(0), _) => true,
            (Some(2), _) => false,
            (code, line) => return Err(LabError::Missing(format!("{line}: {code:?} {real:?}"))),
        };
        put(
            dir.path(),
            "line.txt",
            &format!("exabgp healthcheck {line} -i 0 --rise 1 --no-ip-setup"),
        )?;
        let (code, toml) = imported("exabgp-healthcheck", dir.path(), "line.txt")?;
        assert_eq!(
            code != Some(2),
            taken,
            "{line}\n{toml}\n{}",
            String::from_utf8_lossy(&real.stderr)
        );
    }
    Ok(())
}

/// Without `--ip` it takes what is on the loopback interface, and so does the import.
#[test]
fn addresses_of_the_loopback_interface() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"), Need::Tool(HEALTHCHECK));
    let host = host("import")?;
    host.ip(&["address", "add", "100.64.0.20/32", "dev", "lo", "label", "lo:web1"])?;
    host.ip(&["address", "add", "100.64.0.21/32", "dev", "lo", "label", "lo:web2"])?;
    host.ip(&["address", "add", "2001:db8:100::20/128", "dev", "lo"])?;
    let dir = readme::workdir()?;
    for (label, want) in [
        ("", &["100.64.0.10", "100.64.0.20", "100.64.0.21", "2001:db8:100::20"][..]),
        ("--label web", &["100.64.0.20", "100.64.0.21"]),
        ("--label web2", &["100.64.0.21"]),
    ] {
        put(dir.path(), "line.txt", &format!("exabgp healthcheck {label}"))?;
        let path = dir.path().join("line.txt").display().to_string();
        let mut import = program::command(&["import", "exabgp-healthcheck", &path]);
        // It has things without a counterpart, so it ends with 1.
        let mut child = host.start("import", &mut import, dir.path())?;
        assert_eq!(child.wait(SOON)?.code(), Some(1), "{}", child.tail());
        let whole =
            format!("{HEALTHCHECK} {label} -i 0 --rise 1 --no-ack --no-syslog --no-ip-setup");
        let real = host.run(Command::new("sh").args(["-c", &whole]))?;
        let announced =
            |line: &str| Some(line.split_whitespace().nth(2)?.split('/').next()?.to_owned());
        let mut announced: Vec<String> = real.lines().filter_map(announced).collect();
        announced.sort_unstable();
        announced.dedup();
        assert_eq!(announced, want, "{real}");
        let toml = child.stdout();
        let vips = toml.lines().find(|line| line.starts_with("vips = ")).unwrap_or_default();
        let mut vips: Vec<&str> = vips.split('"').skip(1).step_by(2).collect();
        vips.sort_unstable();
        assert_eq!(vips, want, "{toml}");
    }
    Ok(())
}

/// A file of one of the two that write BIRD's, with a command that looks for `up`.
fn bird_hears(other: &str, text: &str) -> Result<()> {
    let host = host("import")?;
    let dir = readme::workdir()?;
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(dir.path(), open).map_err(LabError::io("the directory"))?;
    put(dir.path(), "up", "")?;
    let text = text.replace("DIR", &dir.path().display().to_string());
    put(dir.path(), "other.conf", &text)?;
    let (code, toml) = imported(other, dir.path(), "other.conf")?;
    assert_eq!(code, Some(0), "{toml}");
    // Both sides as the file itself has them, for a person to fill in.
    let inside = |line: &str| line.strip_prefix("#     ").map(|line| format!("{line}\n"));
    let bird: String = toml.lines().filter_map(inside).collect();
    let bird = bird.replace("192.0.2.1/32", &format!("{VIP}/32"));
    let bird = format!("router id 10.255.0.1;\nprotocol device {{}}\n{bird}");
    let bird = Bird::start(&host, "bird", dir.path(), &bird)?;
    let ours = |line: &str| match line.strip_prefix('#') {
        Some(key) if !key.starts_with(' ') => format!("{key}\n"),
        _ => format!("{line}\n"),
    };
    let toml: String = toml.lines().map(ours).collect();
    put(dir.path(), "ha2bgp.toml", &toml)?;
    let file = dir.path().join("ha2bgp.toml").display().to_string();
    let mut command = program::command(&["run", "--config", &file, "--state-file", "off"]);
    let ha2bgp = host.start("ha2bgp", &mut command, dir.path())?;
    let route = format!("{VIP}/32");
    let told = |error: LabError| LabError::Missing(format!("{error}\n{}\n{toml}", ha2bgp.tail()));
    bird.wait_route(&route, true, 2 * SOON).map_err(told)?;
    fs::remove_file(dir.path().join("up")).map_err(LabError::io("up"))?;
    bird.wait_route(&route, false, 2 * SOON).map_err(told)
}

#[test]
fn bird_hears_what_birdwatcher_told_it() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"), Need::Tool("bird"));
    bird_hears(
        "birdwatcher",
        "[services.web]\ncommand = \"/usr/bin/test -e DIR/up\"\nprefixes = [\"100.64.0.10/32\"]\n",
    )
}

#[test]
fn bird_hears_what_anycast_healthchecker_told_it() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"), Need::Tool("bird"));
    bird_hears(
        "anycast-healthchecker",
        "[web]\ncheck_cmd = test -e DIR/up\ncheck_interval = 0.5\ncheck_disabled = false\n\
         ip_prefix = 100.64.0.10/32\n",
    )
}
