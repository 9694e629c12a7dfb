//! Users and groups by name: `/etc/passwd` and `/etc/group` (passwd(5), group(5)).
//!
//! Name services beside these files (LDAP, systemd's dynamic users) are not asked: they may be
//! down when ha2bgp starts. Such a user is given as a number.

use std::io;

use ha2bgp_sys::child::Identity;

/// The kernel takes more; nobody is in more groups than this.
const GROUPS_MAX: usize = 1024;

/// Reads a file.
type ReadFile<'a> = &'a dyn Fn(&str) -> io::Result<Vec<u8>>;

/// The group's number.
pub(super) fn group(text: &str, read_file: ReadFile<'_>) -> Result<u32, String> {
    if let Ok(gid) = text.parse::<u32>() {
        return id(text, gid);
    }
    let groups = lines("/etc/group", read_file)?;
    let found = groups.iter().map(|line| fields(line)).find(|fields| field(fields, 0) == text);
    let gid = found.and_then(|fields| field(&fields, 2).parse().ok());
    gid.ok_or_else(|| format!("there is no group \"{text}\" in /etc/group: write a name or number"))
}

/// The user with all of its groups; with `group` as the first where that is given.
pub(super) fn user(
    text: &str,
    group: Option<u32>,
    read_file: ReadFile<'_>,
) -> Result<Identity, String> {
    let number = text.parse::<u32>().ok();
    let users = match (number, lines("/etc/passwd", read_file)) {
        (_, Ok(users)) => users,
        (Some(_), Err(_)) => Vec::new(),
        (None, Err(error)) => return Err(error),
    };
    let place = if number.is_some() { 2 } else { 0 };
    let found = users.iter().map(|line| fields(line)).find(|fields| field(fields, place) == text);
    let Some(fields) = found else {
        return match (number, group) {
            (Some(uid), Some(gid)) => Ok(Identity { uid: id(text, uid)?, gid, groups: vec![gid] }),
            (Some(_), None) => Err(format!(
                "user {text} is not in /etc/passwd, so its group is not known: add group"
            )),
            (None, _) => Err(format!(
                "there is no user \"{text}\" in /etc/passwd: write another, or a number and a group"
            )),
        };
    };
    let (name, uid, gid) = (field(&fields, 0), field(&fields, 2), field(&fields, 3));
    let (Ok(uid), Ok(own)) = (uid.parse(), gid.parse()) else {
        return Err(format!("the line of \"{text}\" in /etc/passwd is not as passwd(5) says"));
    };
    let gid = group.unwrap_or(own);
    let mut groups = vec![gid];
    for line in lines("/etc/group", read_file).unwrap_or_default() {
        let fields = self::fields(&line);
        let member = field(&fields, 3).split(',').any(|member| member == name);
        if let Ok(gid) = field(&fields, 2).parse::<u32>()
            && member
            && !groups.contains(&gid)
            && groups.len() < GROUPS_MAX
        {
            groups.push(gid);
        }
    }
    Ok(Identity { uid: id(text, uid)?, gid, groups })
}

/// The last number means "unchanged" to the kernel (setresuid(2)).
fn id(text: &str, number: u32) -> Result<u32, String> {
    if number == u32::MAX {
        return Err(format!("{text} is nobody's number: write one from 0 to {}", u32::MAX - 1));
    }
    Ok(number)
}

fn lines(path: &str, read_file: ReadFile<'_>) -> Result<Vec<String>, String> {
    let octets = read_file(path)
        .map_err(|error| format!("{path} cannot be read: {error}: write a number instead"))?;
    Ok(String::from_utf8_lossy(&octets).lines().map(str::to_owned).collect())
}

fn fields(line: &str) -> Vec<&str> {
    line.split(':').collect()
}

fn field<'a>(fields: &[&'a str], at: usize) -> &'a str {
    fields.get(at).copied().unwrap_or_default()
}
