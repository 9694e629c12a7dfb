//! `cargo xtask bench …`: builds release, then lets the lab measure it.
//!
//! Each bench is a program of the lab, `bench-PROGRAM`; its head says what it measures, and
//! docs/benches.md how to read it. All of them report in one way, to `target/bench`.

use crate::{paths, sh};

/// A bench, by its name here.
struct Bench {
    name: &'static str,
    program: &'static str,
    /// What the program is told before what the person says.
    args: &'static [&'static str],
    /// For the list of them.
    what: &'static str,
}

const ALL: [Bench; 10] = [
    bench("latency", "listener close → withdrawal, beside floors"),
    bench("death", "service death → route gone, beside exabgp healthcheck and others"),
    Bench {
        name: "bulk",
        program: "speaker",
        args: &["burst", "routes"],
        what: "10 000 and 100 000 routes announced and withdrawn, beside BIRD and ExaBGP",
    },
    bench("steady", "processor and memory with nothing to do, beside others"),
    bench("checks", "ten thousand HTTP checks a second, beside HAProxy's own"),
    bench("scale", "what an event and a VIP cost beside 1 to 100 000 of them"),
    bench("plugin", "the CPU time of one run of a plugin, beside exabgp healthcheck"),
    bench("outage", "how long BIRD and FRR keep the route of a host that is gone"),
    bench("bfd", "the same with BFD, and whether a busy host is taken for dead"),
    Bench {
        name: "speaker",
        program: "speaker",
        args: &[],
        what: "the built-in speaker; parts: decision burst memory routes keepalive",
    },
];

const fn bench(name: &'static str, what: &'static str) -> Bench {
    Bench { name, program: name, args: &[], what }
}

/// What `all` leaves out: `speaker` has `bulk` in it, whose numbers it would measure twice.
const TWICE: &str = "speaker";

/// Runs the benches that the first word means; the rest is for their programs.
pub(crate) fn run(args: &[&str]) -> Result<(), String> {
    let ["readme"] = args else {
        return measure(args);
    };
    let readme = paths::root().join("README.md");
    build("readme")?;
    start("readme", &[&readme.to_string_lossy()])
}

fn measure(args: &[&str]) -> Result<(), String> {
    let (wanted, rest): (Vec<&Bench>, &[&str]) = match args {
        ["all"] => (ALL.iter().filter(|bench| bench.name != TWICE).collect(), &[]),
        ["all", ..] => return Err("bench all: takes nothing more".to_owned()),
        [name, rest @ ..] => {
            let found = ALL.iter().find(|bench| bench.name == *name);
            (vec![found.ok_or_else(|| format!("`{name}` is no bench.\n\n{}", list()))?], rest)
        }
        [] => return Err(format!("which bench?\n\n{}", list())),
    };
    sh::heading("release build");
    sh::run(&mut sh::cargo(&["build", "--release", "--locked", "-p", "ha2bgp"]))?;
    let mut failed = Vec::new();
    for bench in wanted {
        // One that cannot be measured here shall not take the others with it.
        let all: Vec<&str> = [bench.args, rest].concat();
        let outcome = build(bench.program).and_then(|()| {
            sh::heading(bench.name);
            start(bench.program, &all)
        });
        if let Err(reason) = outcome {
            println!("{}: {reason}", bench.name);
            failed.push(bench.name);
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("not measured: {}", failed.join(", "))) }
}

/// The benches for people.
pub(crate) fn list() -> String {
    let lines = ALL.iter().map(|bench| format!("  bench {:<9} {}\n", bench.name, bench.what));
    let mut text: String = lines.collect();
    text.push_str(
        "  bench all       all of them; `bench readme` then renews the README's numbers\n\
         \n(what each takes, --runs N and so on, is in the head of crates/lab/src/bin/bench-NAME)\n",
    );
    text
}

/// The program of one bench, and what it needs beside it.
fn build(program: &str) -> Result<(), String> {
    let name = format!("bench-{program}");
    let args = ["build", "--release", "--locked", "-p", "ha2bgp-lab"];
    let mut command = sh::cargo(&args);
    sh::run(command.args(["--bin", &name, "--bin", "lab-service"]))
}

fn start(program: &str, args: &[&str]) -> Result<(), String> {
    let release = paths::target().join("release");
    let out = paths::target().join("bench");
    std::fs::create_dir_all(&out).map_err(|error| format!("{}: {error}", out.display()))?;
    let measured = match std::env::var_os("HA2BGP_BIN") {
        Some(given) => given,
        None => release.join("ha2bgp").into_os_string(),
    };
    let path = release.join(format!("bench-{program}"));
    let mut command = sh::command(&path.to_string_lossy(), args);
    command.env("HA2BGP_BIN", measured).env("HA2BGP_BENCH_DIR", out);
    sh::run(command.env("HA2BGP_LAB_DIR", paths::lab()))
}
