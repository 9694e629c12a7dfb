//! The program under test: `HA2BGP_BIN`, or what cargo built last beside the tests.

use crate::tools;
use std::path::PathBuf;
use std::process::Command;

/// Where it is, or why it is not there.
pub fn path() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("HA2BGP_BIN") {
        let path = PathBuf::from(path);
        return match path.is_file() {
            true => Ok(path),
            false => Err(format!("HA2BGP_BIN={} is no file", path.display())),
        };
    }
    let target = tools::target_dir().ok_or("no target directory")?;
    ["quick", "lab", "release", "debug"]
        .iter()
        .map(|profile| target.join(profile).join("ha2bgp"))
        .find(|path| path.is_file())
        .ok_or_else(|| "not built: cargo build --profile quick -p ha2bgp".to_owned())
}

/// The program with arguments, and of the environment only the path. It keeps no state and no history
/// unless a test says where: tests that run side by side would share the default place.
///
/// The program's absence is what [`crate::skip::Need::Ha2bgp`] is for; here it makes a command
/// that does not start.
#[must_use]
pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(path().unwrap_or_else(|_| PathBuf::from("ha2bgp")));
    command.env_clear();
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command.env("HA2BGP_STATE_FILE", "off").env("HA2BGP_HISTORY_FILE", "off").args(args);
    command
}
