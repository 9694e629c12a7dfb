//! The lab's tests: one binary, run by `cargo xtask test` after all others.
//!
//! Tests run in parallel; each has namespaces, directories and processes of its own. They need
//! root and the tools of `cargo xtask lab-setup`, and say what they skip where those are missing.

mod answers;
mod bad_input;
mod checks_dns;
mod checks_grpc;
mod checks_haproxy;
mod checks_http;
mod checks_icmp;
mod checks_local;
mod checks_net;
mod checks_plugin;
mod checks_push;
mod checks_source;
mod checks_stage;
mod commands;
mod control_api;
mod discovery;
mod doorbell;
mod exabgp_facts;
mod exabgp_stalled;
mod exabgp_stops;
mod guides;
mod harness;
mod lab_haproxy;
mod lab_hostile;
mod lab_plugins;
mod lab_servers;
mod last_choice;
mod load;
mod probes;
mod readme;
mod readme_ipv6;
mod signals;
mod sockets;
mod speaker_attributes;
mod speaker_change;
mod speaker_drain;
mod speaker_hostile;
mod speaker_link_local;
mod speaker_load;
mod speaker_paths;
mod speaker_peers;
mod speaker_protect;
mod speaker_readme;
mod speaker_reconfigure;
mod speaker_refresh;
mod speaker_restart;
mod speaker_routes;
mod speaker_stage;
mod speaker_state;
mod stage;
mod transcripts;
