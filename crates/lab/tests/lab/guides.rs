//! Every example of the guides runs: on a host that has the addresses it names, each of its checks
//! comes to a result, and the program ends as it should.

use crate::stage::SOON;
use ha2bgp_lab::certs::Certs;
use ha2bgp_lab::fake_exabgp::{Answer, FakeExaBgp};
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{LabError, Result, link, readme, require, service, wait};
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Where the guides are.
fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// The examples of a page.
fn examples(page: &str) -> Result<Vec<String>> {
    let path = docs().join(page);
    let text = fs::read_to_string(&path).map_err(LabError::io(path.display().to_string()))?;
    let blocks = text.split("```toml\n").skip(1);
    Ok(blocks.filter_map(|block| Some(block.split_once("```")?.0.to_owned())).collect())
}

/// What looks like an address in the text, each once.
fn addresses(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_hexdigit() || matches!(c, '.' | ':')));
    let ours = |word: &&str| word.starts_with("100.64.") || word.starts_with("2001:db8:");
    let whole = |word: &&str| word.parse::<std::net::IpAddr>().is_ok();
    words.filter(ours).filter(whole).map(str::to_owned).collect()
}

/// Makes what an example says that it needs, and returns it with paths of the test.
fn prepared(example: &str, dir: &Path) -> Result<String> {
    let inside = dir.display().to_string();
    let mut text = example.replace("/run/ha2bgp/", &format!("{inside}/"));
    let line = example.lines().next().unwrap_or_default();
    let Some(needed) = line.strip_prefix("# needs: ") else { return Ok(text) };
    let ca = Certs::new(dir, "authority")?;
    let client = ca.client("somebody")?;
    for path in needed.split_whitespace().filter(|path| !Path::new(path).exists()) {
        let name = Path::new(path).file_name().unwrap_or_default();
        let file = dir.join(name);
        let name = name.to_string_lossy();
        let io = |error| LabError::io(file.display().to_string())(error);
        if name.ends_with(".key") {
            fs::copy(&client.key, &file).map(drop).map_err(io)?;
        } else if name.ends_with(".pem") {
            let from = if name.contains("client") { client.cert.clone() } else { ca.ca() };
            fs::copy(from, &file).map(drop).map_err(io)?;
        } else {
            fs::write(&file, "#!/bin/sh\necho 'OK - fine'\n").map_err(io)?;
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).map_err(io)?;
        }
        text = text.replace(&format!("\"{path}\""), &format!("\"{}\"", file.display()));
    }
    Ok(text)
}

/// Runs one example until each of its checks has a result.
fn run(example: &str) -> Result<()> {
    let host = Netns::new("guide")?;
    let dir = readme::workdir()?;
    // Plugins that run as another user come to their files through it.
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))
        .map_err(LabError::io("the directory of the example"))?;
    let text = prepared(example, dir.path())?;
    let mut own = addresses(example);
    own.insert("100.64.0.10".to_owned());
    for address in &own {
        let length = if address.contains(':') { 128 } else { 32 };
        link::add_address(&host, &format!("{address}/{length}"), "lo")?;
    }
    let listeners = [service::listen(&host, "0.0.0.0:80")?, service::listen(&host, "[::]:443")?];
    let file = dir.path().join("guide.toml");
    fs::write(&file, &text).map_err(LabError::io(file.display().to_string()))?;
    let args = ["run", "--config", &file.display().to_string(), "--state-file", "off"];
    let mut fake = FakeExaBgp::start(&host, dir.path(), &args, &[], Answer::Done)?;
    // A push that nobody has made is awaited for long.
    let awaited = text.contains("push");
    let mut from = 0;
    let what = format!("every check has a result\n{text}");
    let child = fake.child();
    wait::until(3 * SOON, &what, || {
        let log = child.stderr();
        // Before its first words the signal would end it.
        if log.is_empty() {
            return Err("it says nothing".to_owned());
        }
        let newest = log.get(from..).unwrap_or_default().to_owned();
        let told = newest.contains("status: 100.64.") || newest.contains("status: 2001:db8:");
        if told && (awaited || !newest.contains("check-pending")) {
            return Ok(());
        }
        from = log.len();
        child.signal(Signal::USR1).map_err(|error| error.to_string())?;
        Err(log)
    })?;
    assert!(!child.stderr().contains("panicked"), "{}", child.stderr());
    child.signal(Signal::TERM)?;
    let status = fake.wait_exit(SOON)?;
    assert_eq!(status.code(), Some(0), "{text}\n{}", fake.child().tail());
    drop(listeners);
    Ok(())
}

/// The example of the README, which is set in rather than fenced.
#[test]
fn readme() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"), Need::Tool("openssl"));
    require!(Need::File("/usr/lib/nagios/plugins/check_disk"));
    let path = docs().join("../README.md");
    let text = fs::read_to_string(&path).map_err(LabError::io(path.display().to_string()))?;
    let (_, after) = text.split_once("is said in a file:\n\n").unwrap_or_default();
    let inside = after.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
    let example: Vec<&str> = inside.map(str::trim_start).collect();
    assert!(example.len() > 15, "{example:?}");
    run(&example.join("\n"))
}

fn page(name: &str, count: usize) -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("ip"), Need::Tool("openssl"));
    require!(Need::File("/usr/lib/nagios/plugins/check_http"));
    let examples = examples(name)?;
    assert!(examples.len() >= count, "{name} has {} examples", examples.len());
    for example in examples {
        run(&example)?;
    }
    Ok(())
}

macro_rules! pages {
    ($($test:ident: $name:literal, $count:literal;)*) => {
        $(
            #[test]
            fn $test() -> Result<()> {
                page($name, $count)
            }
        )*

        /// A page that is new is run too.
        #[test]
        fn every_page_is_run() -> Result<()> {
            let known = [$($name),*];
            let folder = docs().join("checks");
            let entries = fs::read_dir(&folder).map_err(LabError::io("docs/checks"))?;
            for entry in entries.flatten() {
                let name = format!("checks/{}", entry.file_name().to_string_lossy());
                assert!(known.contains(&name.as_str()), "no test runs {name}");
            }
            Ok(())
        }
    };
}

pages! {
    accept_queue: "checks/accept-queue.md", 2;
    bfd: "checks/bfd.md", 1;
    checks: "checks.md", 1;
    control: "control.md", 1;
    dns: "checks/dns.md", 2;
    file: "checks/file.md", 2;
    grpc: "checks/grpc.md", 2;
    haproxy: "checks/haproxy.md", 2;
    http: "checks/http.md", 3;
    icmp: "checks/icmp.md", 1;
    plugin: "checks/plugin.md", 2;
    process: "checks/process.md", 2;
    push: "checks/push.md", 2;
    tcp: "checks/tcp.md", 3;
    tls: "checks/tls.md", 1;
}
