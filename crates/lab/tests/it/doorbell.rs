//! How ha2bgp notices listeners, with and without the right to a doorbell.

use crate::stage::{AT_ONCE, SOON, VIP, host};
use ha2bgp_lab::child::Child;
use ha2bgp_lab::netns::Netns;
use ha2bgp_lab::skip::Need;
use ha2bgp_lab::{Result, program, readme, require, service, wait};
use std::process::Command;

/// Starts `command`, waits until it has said how it notices, and has it announce and withdraw.
fn notices(host: &Netns, command: &mut Command, how: &str) -> Result<()> {
    let dir = readme::workdir()?;
    let ha2bgp = host.start("ha2bgp", command, dir.path())?;
    let said = format!("listeners are noticed by {how}");
    until(&ha2bgp, "it says how it notices", || ha2bgp.stderr().contains(&said))?;
    let listener = service::listen(host, &format!("{VIP}:8080"))?;
    let announced = format!("announce route {VIP} ");
    until(&ha2bgp, "announced", || ha2bgp.stdout().contains(&announced))?;
    drop(listener);
    let withdrawn = format!("withdraw route {VIP} ");
    until(&ha2bgp, "withdrawn", || ha2bgp.stdout().contains(&withdrawn))
}

fn until(ha2bgp: &Child, what: &str, done: impl Fn() -> bool) -> Result<()> {
    wait::until(SOON, what, || if done() { Ok(()) } else { Err(ha2bgp.tail()) })
}

fn arguments(more: &[&'static str]) -> Vec<&'static str> {
    [&AT_ONCE, &["--bgp-backend", "test"][..], more].concat()
}

#[test]
fn with_the_right_to_a_doorbell_it_hangs() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Doorbell);
    let host = host("bell-root")?;
    notices(&host, &mut program::command(&arguments(&[])), "a doorbell in the kernel (eBPF)")
}

#[test]
fn it_can_be_told_to_do_without() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp);
    let host = host("bell-off")?;
    let mut command = program::command(&arguments(&["--doorbell", "off"]));
    notices(&host, &mut command, "events and polling")
}

#[test]
fn without_the_right_it_says_so_and_works() -> Result<()> {
    require!(Need::Root, Need::Ha2bgp, Need::Tool("setpriv"));
    let host = host("bell-none")?;
    let ha2bgp = program::command(&arguments(&[]));
    let mut command = Command::new("setpriv");
    let none = "-bpf,-perfmon,-sys_admin";
    command.args(["--inh-caps", none, "--bounding-set", none]);
    command.arg(ha2bgp.get_program()).args(ha2bgp.get_args());
    let how = "events and polling: no doorbell: cannot create a ring buffer: Operation not permitted \
               (os error 1); it takes CAP_BPF and CAP_PERFMON";
    notices(&host, &mut command, how)
}
