//! `[control]`: the socket of the control interface, its ports, and who may use them.

mod http;

use std::path::{Path, PathBuf};

pub use self::http::HttpSettings;
use super::error::ConfigError;
use super::raw::Raw;
use super::reader::{Host, Reader};

/// The longest path: `sun_path` has 108 octets (unix(7)), and the socket has a longer name for a
/// moment.
pub const PATH_MAX: usize = 96;
/// Where a group has its number (group(5)).
const GROUPS: &str = "/etc/group";
/// Where a user has its number (passwd(5)).
const USERS: &str = "/etc/passwd";
/// The most users who may write.
const USERS_MAX: usize = 64;

/// The ways in to the control interface, one at least.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ControlSettings {
    /// The socket.
    pub unix: Option<UnixSettings>,
    /// The ports.
    pub http: Option<HttpSettings>,
}

/// The control socket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnixSettings {
    /// The socket file.
    pub path: PathBuf,
    /// Its permissions, 0 to 0o777, with 0o600 in them.
    pub mode: u32,
    /// Its group; `None`: that of the process. Its members may write.
    pub group: Option<u32>,
    /// Other users who may write.
    pub writers: Vec<u32>,
}

/// Reads the section. Everything that is wrong is told.
pub(super) fn read(reader: &mut Reader, raw: &Raw, host: &Host<'_>) -> Option<ControlSettings> {
    let unix = unix(reader, raw, host);
    let http = http::read(reader, raw, host);
    (unix.is_some() || http.is_some()).then_some(ControlSettings { unix, http })
}

/// The socket; nothing when there is none, or something is wrong with it.
fn unix(reader: &mut Reader, raw: &Raw, host: &Host<'_>) -> Option<UnixSettings> {
    let values = &raw.values;
    let path = reader.one(values, "control.unix", path);
    let mode = reader.one(values, "control.mode", mode).unwrap_or(0o660);
    let group = reader.one(values, "control.group", |text| number(text, "group", GROUPS, host));
    let mut writers = Vec::new();
    for at in values.all("control.write-users") {
        let user = reader.keep(at, number(&at.text, "user", USERS, host));
        if writers.len() == USERS_MAX {
            let error = format!(
                "there are more than {USERS_MAX} users: give them a group, and write group"
            );
            reader.errors.push(ConfigError::new(at, error));
            break;
        }
        writers.extend(user);
    }
    let names = ["control.mode", "control.group", "control.write-users"];
    let of = "of the control socket: add unix = \"/run/ha2bgp/ha2bgp.sock\"";
    of_nothing(reader, raw, "control.unix", &names, of);
    Some(UnixSettings { path: path?, mode, group, writers })
}

/// Tells of keys that are given without the one that they belong to.
fn of_nothing(reader: &mut Reader, raw: &Raw, owner: &str, names: &[&str], of: &str) {
    if raw.values.is_missing(owner) && raw.is_whole() {
        for name in names {
            if let Some(at) = raw.values.one(name) {
                let error = format!("is {of}, or leave it out");
                reader.errors.push(ConfigError::new(at, error));
            }
        }
    }
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

/// The number of a group or a user.
fn number(text: &str, what: &str, table: &str, host: &Host<'_>) -> Result<u32, String> {
    if !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit()) {
        // The largest one means "none" (chown(2)).
        let number = text.parse().ok().filter(|number| *number != u32::MAX);
        return number.ok_or_else(|| format!("\"{text}\" is too large for the number of a {what}"));
    }
    let bytes = (host.read_file)(table).map_err(|error| {
        format!("\"{text}\" cannot be looked up in {table}: {error}: write its number")
    })?;
    find(&String::from_utf8_lossy(&bytes), text).ok_or_else(|| {
        format!("\"{text}\" is no {what} in {table}: add it there, or write the number of a {what}")
    })
}

/// The number in a line `name:password:number:…`.
fn find(table: &str, name: &str) -> Option<u32> {
    table.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then_some(())?;
        fields.nth(1)?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::super::settings::tests::read_with;
    use super::*;

    fn control(text: &str) -> Result<Option<UnixSettings>, String> {
        let files = [
            ("a.toml", text),
            (GROUPS, "root:x:0:\nbroken\nweb:x:33:a,b\nodd:x:much:\n"),
            (USERS, "root:x:0:0:\nann:x:1000:100:\n"),
        ];
        let settings = read_with(&["--config", "a.toml"], &[], &files)?;
        Ok(settings.control.and_then(|control| control.unix))
    }

    #[test]
    fn a_socket_with_its_permissions() {
        assert_eq!(control(""), Ok(None));
        let unix = "[control]\nunix = \"/run/x.sock\"\n";
        let settings = |mode, group, writers| {
            let path = PathBuf::from("/run/x.sock");
            Ok(Some(UnixSettings { path, mode, group, writers }))
        };
        assert_eq!(control(unix), settings(0o660, None, vec![]));
        let more = |more: &str| control(&format!("{unix}{more}\n"));
        assert_eq!(more("mode = \"600\"\ngroup = \"web\""), settings(0o600, Some(33), vec![]));
        assert_eq!(more("mode = \"0666\"\ngroup = \"1000\""), settings(0o666, Some(1000), vec![]));
        let users = "write-users = [\"ann\", \"7\"]";
        assert_eq!(more(users), settings(0o660, None, vec![1000, 7]));
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
            (&format!("{unix}write-users = [\"bob\"]"), "\"bob\" is no user in /etc/passwd"),
            ("[control]\nwrite-users = [\"ann\"]", "control.write-users: is of the control socket"),
        ] {
            let error = control(text).unwrap_err();
            assert!(error.contains(want), "{text}\n{error}");
        }
    }
}
