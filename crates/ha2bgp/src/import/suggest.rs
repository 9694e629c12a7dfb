//! Which check of ours may do what a command does: a hint, no more.

use std::net::IpAddr;

use super::value::quoted;

/// Types of records that `dig` may be asked for, beside A.
const RECORDS: [&str; 7] = ["AAAA", "SOA", "NS", "MX", "TXT", "PTR", "CNAME"];

/// The inside of an inline table of a check, as TOML.
pub(super) fn instead(words: &[String], vips: &[IpAddr]) -> Option<String> {
    let (program, rest) = words.split_first()?;
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    let plain: Vec<&str> = rest.iter().copied().filter(|word| !word.starts_with('-')).collect();
    match program.rsplit('/').next()? {
        "curl" | "wget" => {
            let web = |word: &&str| word.starts_with("http://") || word.starts_with("https://");
            let url = rest.iter().copied().find(web)?;
            let braces = url.contains(['{', '}', ' ', '"', '\\']);
            (!braces).then(|| format!("type = \"http\", url = {}", quoted(&with_vip(url, vips))))
        }
        "dig" => {
            let server = rest.iter().find_map(|word| word.strip_prefix('@'));
            let mut names = plain.iter().filter(|word| !word.starts_with(['@', '+']));
            let name = names.find(|word| word.contains('.') && word.parse::<IpAddr>().is_err())?;
            let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            if !name.chars().all(good) || name.len() > 200 || name.contains("..") {
                return None;
            }
            let mut table = format!("type = \"dns\", name = {}", quoted(name));
            if let Some(record) = RECORDS.iter().find(|record| plain.contains(record)) {
                table.push_str(&format!(", query-type = \"{record}\""));
            }
            if let Some(address) = foreign(server.unwrap_or_default(), vips) {
                table.push_str(&format!(", address = \"{address}\""));
            }
            Some(table)
        }
        "nc" | "ncat" | "netcat" => {
            let [.., host, port] = plain.as_slice() else { return None };
            let port: u16 = port.parse().ok().filter(|port| *port > 0)?;
            let host = if *host == "localhost" { "127.0.0.1" } else { host };
            host.parse::<IpAddr>().ok()?;
            let address = foreign(host, vips);
            let address = address.map(|address| format!(", address = \"{address}\""));
            Some(format!("type = \"tcp\", port = {port}{}", address.unwrap_or_default()))
        }
        "systemctl" if plain.first() == Some(&"is-active") => {
            let unit = plain.get(1)?;
            let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
            let suffix = if unit.contains('.') { "" } else { ".service" };
            let fits = unit.chars().all(good) && unit.len() < 200;
            fits.then(|| format!("type = \"process\", unit = \"{unit}{suffix}\""))
        }
        _ => None,
    }
}

/// An address that is none of the service's own, which need not be written.
fn foreign(text: &str, vips: &[IpAddr]) -> Option<IpAddr> {
    let address: IpAddr = text.parse().ok()?;
    let good = !address.is_unspecified() && !address.is_multicast();
    (good && !vips.contains(&address)).then_some(address)
}

/// With `{vip}` in the place of the service's address, if it has one.
fn with_vip(url: &str, vips: &[IpAddr]) -> String {
    let [vip] = vips else { return url.to_owned() };
    let written = match vip {
        IpAddr::V4(v4) => format!("//{v4}"),
        IpAddr::V6(v6) => format!("//[{v6}]"),
    };
    match url.split_once(&written) {
        Some((before, after)) if after.is_empty() || after.starts_with(['/', ':', '?']) => {
            format!("{before}//{{vip}}{after}")
        }
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_command_could_be() {
        for (command, want) in [
            (
                "curl -sf -m 2 http://192.0.2.1:80/x?a=b",
                Some("type = \"http\", url = \"http://{vip}:80/x?a=b\""),
            ),
            ("/usr/bin/wget -q https://[::1]/", Some("type = \"http\", url = \"https://[::1]/\"")),
            ("curl http://192.0.2.10/", Some("type = \"http\", url = \"http://192.0.2.10/\"")),
            ("curl -w %{http_code} localhost", None),
            (
                "dig +short @127.0.0.1 SOA example.org",
                Some(
                    "type = \"dns\", name = \"example.org\", query-type = \"SOA\", \
                     address = \"127.0.0.1\"",
                ),
            ),
            ("dig @192.0.2.1 example.org", Some("type = \"dns\", name = \"example.org\"")),
            ("nc -z -w 1 localhost 25", Some("type = \"tcp\", port = 25, address = \"127.0.0.1\"")),
            ("nc -z 192.0.2.1 25", Some("type = \"tcp\", port = 25")),
            (
                "systemctl is-active --quiet nginx",
                Some("type = \"process\", unit = \"nginx.service\""),
            ),
            ("/opt/check", None),
        ] {
            let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
            let vips = ["192.0.2.1".parse().unwrap()];
            assert_eq!(instead(&words, &vips).as_deref(), want, "{command}");
        }
    }
}
