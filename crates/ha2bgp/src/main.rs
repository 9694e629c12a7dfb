//! The ha2bgp program.

fn main() {}
