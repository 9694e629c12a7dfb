//! `[control]`: the socket of the control interface, and who may use it.

use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::raw::Raw;
use super::reader::{Host, Reader};

/// The longest path: `sun_path` has 108 octets (unix(7)), and the socket has a longer name for a
/// moment.
pub const PATH_MAX: usize = 96;
/// Where a group has its number (group(5)).
const GROUPS: &str = "/etc/group";

/// The control socket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ControlSettings {
    /// The socket file.
    pub path: PathBuf,
    /// Its permissions, 0 to 0o777, with 0o600 in them.
    pub mode: u32,
    /// Its group; `None`: that of the process.
    pub group: Option<u32>,
}

/// Reads the section. Everything that is wrong is told.
pub(super) fn read(reader: &mut Reader, raw: &Raw, host: &Host<'_>) -> Option<ControlSettings> {
    let values = &raw.values;
    let path = reader.one(values, "control.unix", path);
    let mode = reader.one(values, "control.mode", mode).unwrap_or(0o660);
    let group = reader.one(values, "control.group", |text| group(text, host));
    if values.is_missing("control.unix") && raw.is_whole() {
        for name in ["control.mode", "control.group"] {
            if let Some(at) = values.one(name) {
                let error = "is of the control socket: add unix = \"/run/ha2bgp/ha2bgp.sock\", or \
                             leave it out";
                reader.errors.push(ConfigError::new(at, error));
            }
        }
    }
    Some(ControlSettings { path: path?, mode, group })
}

fn path(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    if text.len() > PATH_MAX {
        return Err(format!(
            "\"{text}\" is longer than {PATH_MAX} octets, which is too long for a socket: write a \
             shorter one"
        ));
    }
    if path.file_name().is_none() || text.ends_with('/') || text.contains('\0') {
        return Err(format!(
            "\"{text}\" is no path of a file: write for example /run/ha2bgp/ha2bgp.sock"
        ));
    }
    Ok(path.to_owned())
}

fn mode(text: &str) -> Result<u32, String> {
    let octal = text.len() <= 4 && text.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
    let mode = octal.then(|| u32::from_str_radix(text, 8).ok()).flatten();
    match mode {
        Some(mode) if mode <= 0o777 && mode & 0o600 == 0o600 => Ok(mode),
        _ => Err(format!(
            "\"{text}\" is no mode from 0600 to 0777 that lets the owner read and write: write for \
             example \"0660\""
        )),
    }
}

fn group(text: &str, host: &Host<'_>) -> Result<u32, String> {
    if !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit()) {
        // The largest one means "none" (chown(2)).
        let number = text.parse().ok().filter(|number| *number != u32::MAX);
        return number.ok_or_else(|| format!("\"{text}\" is too large for the number of a group"));
    }
    let bytes = (host.read_file)(GROUPS).map_err(|error| {
        format!("\"{text}\" cannot be looked up in {GROUPS}: {error}: write its number")
    })?;
    find(&String::from_utf8_lossy(&bytes), text).ok_or_else(|| {
        format!("\"{text}\" is no group in {GROUPS}: add it there, or write the number of a group")
    })
}

/// The number of a group: `name:password:number:members`.
fn find(groups: &str, name: &str) -> Option<u32> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then_some(())?;
        fields.nth(1)?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::super::settings::tests::read_with;
    use super::*;

    fn control(text: &str) -> Result<Option<ControlSettings>, String> {
        let files = [("a.toml", text), (GROUPS, "root:x:0:\nbroken\nweb:x:33:a,b\nodd:x:much:\n")];
        read_with(&["--config", "a.toml"], &[], &files).map(|settings| settings.control)
    }

    #[test]
    fn a_socket_with_its_permissions() {
        assert_eq!(control(""), Ok(None));
        let unix = "[control]\nunix = \"/run/x.sock\"\n";
        let settings = |mode, group| {
            Ok(Some(ControlSettings { path: PathBuf::from("/run/x.sock"), mode, group }))
        };
        assert_eq!(control(unix), settings(0o660, None));
        let more = |more: &str| control(&format!("{unix}{more}\n"));
        assert_eq!(more("mode = \"600\"\ngroup = \"web\""), settings(0o600, Some(33)));
        assert_eq!(more("mode = \"0666\"\ngroup = \"1000\""), settings(0o666, Some(1000)));
    }

    #[test]
    fn what_is_wrong_is_told() {
        let unix = "[control]\nunix = \"/run/x.sock\"\n";
        let long = format!("[control]\nunix = \"/run/{}\"", "x".repeat(PATH_MAX));
        for (text, want) in [
            (long.as_str(), "2:8: control.unix: "),
            ("[control]\nunix = \"/run/x/\"", "is no path of a file"),
            ("[control]\nunix = 3", "2:8: control.unix: "),
            ("[control]\ngroup = \"web\"", "2:9: control.group: is of the control socket"),
            ("[control]\nunux = \"x\"", "did you mean unix?"),
            (&format!("{unix}mode = \"0060\""), "\"0060\" is no mode from 0600 to 0777"),
            (&format!("{unix}mode = \"1660\""), "no mode"),
            (&format!("{unix}mode = \"rw\""), "no mode"),
            (&format!("{unix}mode = 660"), "3:8: control.mode: this is an integer"),
            (&format!("{unix}group = \"wev\""), "\"wev\" is no group in /etc/group"),
            (&format!("{unix}group = \"odd\""), "\"odd\" is no group in /etc/group"),
            (&format!("{unix}group = \"4294967295\""), "too large"),
            (&format!("{unix}status-file = \"x\""), "writes no status file"),
        ] {
            let error = control(text).unwrap_err();
            assert!(error.contains(want), "{text}\n{error}");
        }
    }
}
