//! Task runner of the workspace.

fn main() {}
