use super::*;
use crate::config::raw::{Given, Raw};
use crate::config::reader::Host;

fn read(services: &str) -> Settings {
    let text = format!("networks = [\"100.64.0.0/24\"]\n{services}");
    let host = Host {
        device_exists: &|_| true,
        is_own_address: &|_| true,
        read_file: &|_| Ok(text.clone().into_bytes()),
        is_executable: &|_| Ok(true),
        ..Host::BARE
    };
    let flag = |name| if name == "config" { vec!["a.toml".to_owned()] } else { Vec::new() };
    let raw = Raw::collect(&Given { flag: &flag, variable: &|_| None }, &host);
    Settings::read(&raw, &host).unwrap()
}

fn service(name: &str, vip: u8, checks: &[(&str, &str)]) -> String {
    let mut text = format!("[[service]]\nname = \"{name}\"\nvips = [\"100.64.0.{vip}\"]\n");
    for (check, keys) in checks {
        text += &format!("[service.checks.{check}]\n{keys}\n");
    }
    text
}

/// The number and the place of a check, by its names.
fn at(settings: &Settings, service: &str, check: &str) -> (u32, usize) {
    let names = names(&settings.engine);
    let found = names.iter().find(|(_, (of, name))| (&**of, &**name) == (service, check));
    let (index, _) = found.unwrap();
    (index.0, settings.checks.of[index].0)
}

const TCP: &str = "type = \"tcp\"\nport = 80";
const HTTP: &str = "type = \"http\"\nurl = \"http://{vip}/\"";

#[test]
fn what_stays_keeps_its_numbers() {
    let dns = service("dns", 2, &[("x", TCP)]);
    let old = read(&(service("web", 1, &[("x", TCP), ("y", HTTP)]) + &dns));
    assert_eq!((at(&old, "web", "x"), at(&old, "web", "y")), ((2, 0), (3, 1)));
    assert_eq!(at(&old, "dns", "x"), (4, 0));
    // Another order, one that counts otherwise, one that is new, one that is gone.
    let other = format!("{HTTP}\nrise = 7");
    let mut new = read(&(dns + &service("web", 1, &[("z", "type = \"icmp\""), ("y", &other)])));
    carry_over(&old, &mut new);
    assert_eq!(at(&new, "dns", "x"), (4, 0));
    let (number, place) = at(&new, "web", "y");
    assert_eq!(place, 1, "the probe is the same");
    assert!(number > 4, "its results are counted otherwise");
    let (number, place) = at(&new, "web", "z");
    assert!(number > 4 && place > 1, "{number} {place}");
    // Every rule names checks that are there, and every probe is known.
    for service in &new.engine.services {
        service.rule.for_each(&mut |index| assert!(new.engine.checks.contains_key(index)));
    }
    assert!(new.checks.of.values().all(|(place, _)| new.checks.specs.contains_key(place)));
}

#[test]
fn the_same_is_the_same() {
    let text = service("web", 1, &[("x", TCP), ("y", HTTP)]) + &service("dns", 2, &[("x", TCP)]);
    let old = read(&text);
    let mut new = read(&text);
    carry_over(&old, &mut new);
    assert_eq!((&old.engine, &old.checks), (&new.engine, &new.checks));
    // Powers change what a verdict is worth, not how it is found.
    let mut new = read(&text.replacen(TCP, &format!("{TCP}\non-fail = \"warn\""), 1));
    carry_over(&old, &mut new);
    assert_eq!(at(&new, "web", "x"), at(&old, "web", "x"));
    assert_ne!(old.engine, new.engine);
}
