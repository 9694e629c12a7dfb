//! A host that dies without a sign: the router drops its routes long before the hold time. And a host
//! that is merely busy: nothing happens. Exact times are measured by `cargo xtask bench bfd`.

use ha2bgp_lab::bfd_scene::{Cut, Plan, ROUTE, Scene};
use ha2bgp_lab::router::{Bfd, Kind};
use ha2bgp_lab::{Result, wait};
use rustix::process::Signal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::speaker_stage::with_each_router;
use crate::stage::SOON;

/// What hosts that matter are watched with: 150 ms.
const FAST: Bfd = Bfd::new(50, 3);
/// Far less than the hold time, 9 s at least, and enough on a machine that has other work.
const NOTICED: Duration = Duration::from_secs(4);

/// Every way to die that leaves the carrier up, one after the other; in between everything comes back.
fn silence(kind: Kind) -> Result<()> {
    let scene = Scene::up(Plan::new(kind, FAST))?;
    for cut in [Cut::Both, Cut::FromUs, Cut::ToUs] {
        scene.cut(cut)?;
        let gone = scene.router.wait_route(ROUTE, false, NOTICED);
        gone.map_err(|error| scene.explain(error))?;
        scene.heal()?;
        scene.wait_up()?;
    }
    // Our port of the switch loses its carrier; the router's does not.
    scene.switch.ip(&["link", "set", "p1", "down"])?;
    scene.router.wait_route(ROUTE, false, NOTICED)?;
    scene.switch.ip(&["link", "set", "p1", "up"])?;
    scene.wait_up()
}
with_each_router!(silence: bird = Bird, frr = Frr);

/// A process that hangs keeps its sockets, and its kernel answers for it: BGP alone sees nothing for the
/// whole hold time.
fn a_process_that_hangs(kind: Kind) -> Result<()> {
    let mut scene = Scene::up(Plan::new(kind, FAST))?;
    scene.ha2bgp()?.signal(Signal::STOP)?;
    scene.router.wait_route(ROUTE, false, NOTICED)?;
    scene.ha2bgp()?.signal(Signal::CONT)?;
    scene.wait_up()
}
with_each_router!(a_process_that_hangs: bird = Bird, frr = Frr);

/// Every core has more to do than it can, and BFD goes first.
fn busy_is_not_dead(kind: Kind) -> Result<()> {
    let mut scene = Scene::up(Plan::new(kind, FAST))?;
    let over = AtomicBool::new(false);
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZeroUsize::get);
    let outcome = std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let outcome = live(&mut scene);
        over.store(true, Ordering::Relaxed);
        outcome
    });
    outcome?;
    let peers = scene.peers()?;
    let counts = ["ups", "downs"].map(|key| scene.number(key));
    assert!(matches!(counts, [Ok(1.0), Ok(0.0)]), "{peers}\n{}", scene.tail());
    assert!(scene.router.is_bfd_up()? && scene.router.is_established()?);
    Ok(())
}
with_each_router!(busy_is_not_dead: bird = Bird, frr = Frr);

/// Ten seconds with a reload each second.
fn live(scene: &mut Scene) -> Result<()> {
    for round in 0..10 {
        wait::pause(Duration::from_secs(1));
        let peer = scene.plan.peer.clone();
        let description = format!("description = \"round {round}\"\n{peer}");
        scene.reload(&description)?;
        scene.plan.peer = peer;
    }
    scene.wait_bfd("up", SOON)
}
