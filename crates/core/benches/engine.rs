//! What it costs to decide: one listener closes and another opens in its place, beside other services.
#![expect(missing_docs, reason = "made by a macro")]
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on shall stop")]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use ha2bgp_core::config::EngineConfig;
use ha2bgp_core::damping::DampingConfig;
use ha2bgp_core::engine::{Engine, Input, Output};
use ha2bgp_core::fact::{
    AddressId, AddressState, ListenAddress, Listener, LocalAddress, Observation, Protocol,
    SocketId, Source,
};
use ha2bgp_core::net::{Networks, Prefix};
use ha2bgp_core::time::Instant;

/// An engine with services that are up.
struct Stage {
    engine: Engine,
    now: Instant,
    cookie: u64,
}

impl Stage {
    fn new(vips: u32, damping: Option<DampingConfig>) -> Self {
        let all = Prefix::truncating(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let mut config = EngineConfig {
            networks: Networks::new(all.into_iter().collect()),
            ..EngineConfig::default()
        };
        config.defaults.up_delay = Duration::ZERO;
        config.defaults.down_delay = Duration::ZERO;
        config.defaults.damping = damping;
        let now = Instant::from_secs(1);
        let mut stage = Self { engine: Engine::new(config, now), now, cookie: 0 };
        for index in 0..vips {
            stage.tell(Observation::AddressChanged(address(index)));
            stage.open(index);
        }
        for source in Source::ALL {
            stage.tell(Observation::Complete(source));
        }
        stage
    }

    fn tell(&mut self, observation: Observation) {
        self.now = self.now + Duration::from_micros(100);
        self.engine.handle(Input::Observation(observation), self.now);
        while let Some(output) = self.engine.poll_output() {
            black_box::<Output>(output);
        }
        black_box(self.engine.poll_timeout());
    }

    fn open(&mut self, index: u32) -> SocketId {
        self.cookie += 1;
        let id = SocketId { protocol: Protocol::Tcp, cookie: self.cookie };
        let address = ListenAddress::Address(vip(index));
        self.tell(Observation::ListenerOpened(Listener { id, address, port: 80 }));
        id
    }
}

fn vip(index: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(0x0a80_0000 + index))
}

fn address(index: u32) -> LocalAddress {
    LocalAddress {
        id: AddressId { ip: vip(index), prefix_length: 32, interface: 1 },
        device: "lo".into(),
        label: None,
        loopback: true,
        state: AddressState::Usable,
    }
}

fn measure(c: &mut Criterion) {
    let mut group = c.benchmark_group("engine");
    for vips in [1, 100, 10_000, 100_000] {
        let mut stage = Stage::new(vips, None);
        // The sockets of the start have the cookies from 1 on.
        let mut ids: Vec<u64> = (1..=u64::from(vips)).collect();
        let mut run = 0_u32;
        group.bench_function(format!("close and open one of {vips}"), |b| {
            b.iter(|| {
                run = run.wrapping_add(1);
                let index = run.wrapping_mul(0x9e37_79b1) % vips;
                let slot = &mut ids[usize::try_from(index).unwrap()];
                let id = SocketId { protocol: Protocol::Tcp, cookie: *slot };
                stage.tell(Observation::ListenerClosed(id));
                *slot = stage.open(index).cookie;
            });
        });
    }
    let mut damped = Stage::new(100, Some(DampingConfig::default()));
    let mut cookie = 1;
    group.bench_function("close and open one of 100, damped", |b| {
        b.iter(|| {
            damped.tell(Observation::ListenerClosed(SocketId { protocol: Protocol::Tcp, cookie }));
            cookie = damped.open(0).cookie;
        });
    });
    let mut stage = Stage::new(10_000, None);
    group.sample_size(20);
    group.bench_function("a wildcard listener opens and closes beside 10000", |b| {
        b.iter(|| {
            let id = SocketId { protocol: Protocol::Tcp, cookie: u64::MAX };
            let address = ListenAddress::AnyV4;
            stage.tell(Observation::ListenerOpened(Listener { id, address, port: 80 }));
            stage.tell(Observation::ListenerClosed(id));
        });
    });
    group.finish();
}

criterion_group!(benches, measure);
criterion_main!(benches);
