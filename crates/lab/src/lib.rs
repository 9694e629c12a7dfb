//! The lab: tests of ha2bgp with real peers in network namespaces that the tests make themselves.
//!
//! * [`netns`], [`link`]: hosts and cables. * [`child`], [`wait`]: processes and waiting, both
//!   bounded. * [`bird`], [`router`], [`exabgp`],
//!   [`service`], [`syn`], [`fake_exabgp`], [`stand_in`], [`source`]: who plays along.
//! * [`haproxy`], [`http_server`], [`grpc_server`], [`dns_server`], [`ntp_server`] on [`daemon`]: real servers.
//!   [`certs`], [`traffic`], [`plugins`]: what goes with them. [`misbehave`]: hostile ones.
//! * [`bfd_scene`]: a host that is watched by BFD, and a path that can be cut; [`witness`]: when what was
//!   lost. * [`bgp`]: messages by hand. [`samples`]: what a bench has measured.
//! * [`api`]: what a stream of API lines adds up to. * [`readme`]: the set-up of the original's
//!   README. * [`tools`], [`skip`]: what is installed, and what follows where it is not.
//!
//! Everything is cleaned up on drop, also when a test fails: processes by pid, namespaces by
//! their unique names. What a killed test run left behind is removed by the next one.
//! Nothing here may become a dependency of the program.

pub mod api;
pub mod args;
pub mod bfd_scene;
pub mod bgp;
pub mod bird;
pub mod certs;
pub mod chain;
pub mod child;
pub mod confine;
pub mod daemon;
pub mod dns_server;
pub mod error;
pub mod exabgp;
pub mod fake_exabgp;
pub mod grpc_server;
pub mod haproxy;
pub mod http_server;
pub mod link;
pub mod misbehave;
pub mod netns;
pub mod ntp_server;
pub mod plugins;
pub mod procfs;
pub mod program;
pub mod readme;
pub mod report;
pub mod rivals;
pub mod router;
pub mod samples;
pub mod service;
pub mod skip;
pub mod source;
pub mod stand_in;
pub mod syn;
pub mod tools;
pub mod traffic;
pub mod transcript;
pub mod wait;
pub mod witness;

pub use error::{LabError, Result};
