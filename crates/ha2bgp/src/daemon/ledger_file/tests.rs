//! The file of overrides on a disk that loses its power at any octet, and between any two system calls.

use std::collections::BTreeMap;
use std::path::Path;

use ha2bgp_core::net::Prefix;
use ha2bgp_core::overrides::{OVERRIDES_MAX, OverrideId, OverrideKind, Scope};
use proptest::prelude::*;

use super::*;
use crate::control::level::LevelChange;
use crate::control::orders::{Author, DrainPlan, NewOverride};
use crate::daemon::log_level::KeptLevel;
use crate::events::Level;

const PATH: &str = "/d/overrides.json";

/// What a file holds, and what of it is on the platter.
#[derive(Clone, Debug, Default)]
struct Inode {
    bytes: Vec<u8>,
    synced: bool,
}

/// A change of names that may not be on the platter yet.
#[derive(Clone, Debug)]
enum Naming {
    Create(PathBuf, usize),
    Rename(PathBuf, PathBuf),
}

type Names = BTreeMap<PathBuf, usize>;

/// A disk in memory.
///
/// What is not synced may be there in part: of a file any beginning, with zeros behind it or not; of
/// the changes of names any number of the first ones. That is what journals of file systems promise at
/// the least.
#[derive(Clone, Debug, Default)]
struct Disk {
    inodes: Vec<Inode>,
    names: Names,
    /// Names that are on the platter, and what came after that.
    safe_names: Names,
    pending: Vec<Naming>,
    calls: usize,
    /// The power fails in this call, which is done so far: a part of 255.
    fails_at: Option<(usize, u8)>,
    /// This call fails, and does half of its work.
    error_at: Option<usize>,
    off: bool,
}

fn apply(names: &mut Names, naming: &Naming) {
    match naming {
        Naming::Create(path, inode) => drop(names.insert(path.clone(), *inode)),
        Naming::Rename(from, to) => {
            if let Some(inode) = names.remove(from) {
                names.insert(to.clone(), inode);
            }
        }
    }
}

impl Disk {
    /// Counts a call. Returns how much of it is to be done, in parts of 255, and whether it says so.
    fn call(&mut self) -> io::Result<(u8, io::Result<()>)> {
        let lost = || io::Error::other("no power");
        if self.off {
            return Err(lost());
        }
        self.calls += 1;
        if let Some((_, part)) = self.fails_at.filter(|(at, _)| *at == self.calls) {
            self.off = true;
            return Ok((part, Err(lost())));
        }
        if self.error_at == Some(self.calls) {
            return Ok((127, Err(io::Error::other("EIO"))));
        }
        Ok((255, Ok(())))
    }

    fn naming(&mut self, naming: Naming) {
        apply(&mut self.names, &naming);
        self.pending.push(naming);
    }

    /// What is there when the power is back: `keep` says how much of each file and of the names.
    fn reboot(&self, keep: u8, zeros: bool) -> Self {
        let part = |length: usize| length * usize::from(keep) / 255;
        let mut names = self.safe_names.clone();
        self.pending.iter().take(part(self.pending.len())).for_each(|it| apply(&mut names, it));
        let inodes = self.inodes.iter().map(|inode| {
            let mut bytes = inode.bytes.clone();
            if !inode.synced {
                bytes.truncate(part(inode.bytes.len()));
                if zeros {
                    bytes.resize(inode.bytes.len(), 0);
                }
            }
            Inode { bytes, synced: true }
        });
        let inodes = inodes.collect();
        Self { inodes, safe_names: names.clone(), names, ..Self::default() }
    }
}

impl Files for Disk {
    fn read(&mut self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        let inode = self.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        let most = usize::try_from(most).unwrap();
        Ok(self.inodes[*inode].bytes.iter().take(most).copied().collect())
    }

    fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let (part, said) = self.call()?;
        // A file that is there is cut to nothing first; the old one may come back.
        self.inodes.push(Inode::default());
        let number = self.inodes.len() - 1;
        self.naming(Naming::Create(path.to_owned(), number));
        let done = bytes.len() * usize::from(part) / 255;
        self.inodes[number].bytes = bytes[..done].to_vec();
        said
    }

    fn sync(&mut self, path: &Path) -> io::Result<()> {
        let (part, said) = self.call()?;
        let number = *self.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        self.inodes[number].synced |= part == 255;
        said
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (part, said) = self.call()?;
        if part > 127 || said.is_ok() {
            self.naming(Naming::Rename(from.to_owned(), to.to_owned()));
        }
        said
    }

    fn sync_directory(&mut self, path: &Path) -> io::Result<()> {
        assert_eq!(path, Path::new("/d"));
        let (part, said) = self.call()?;
        let done = self.pending.len() * usize::from(part) / 255;
        let done: Vec<Naming> = self.pending.drain(..done).collect();
        done.iter().for_each(|it| apply(&mut self.safe_names, it));
        said
    }
}

fn now() -> Timestamp {
    "2026-11-26T12:00:00Z".parse().unwrap()
}

fn new(number: u8, lasts: Option<Duration>) -> NewOverride {
    let kind = OverrideKind::ALL[usize::from(number % 2)];
    let plan = DrainPlan { wait_connections: Some(0), timeout_seconds: Some(120) };
    NewOverride {
        kind,
        scope: Scope::Service(format!("s{number}").into()),
        reason: "why, \"quoted\" \\ é".to_owned(),
        author: Author("anna (uid 0)".to_owned()),
        lasts,
        drain: (kind == OverrideKind::Drain).then_some(plan),
    }
}

#[derive(Clone, Debug)]
enum Order {
    Add(u8),
    Lift(usize),
    Drained(usize),
}

fn orders() -> impl Strategy<Value = Vec<Order>> {
    let order = prop_oneof![
        3 => (0u8..12).prop_map(Order::Add),
        2 => (0usize..12).prop_map(Order::Lift),
        1 => (0usize..12).prop_map(Order::Drained),
    ];
    prop::collection::vec(order, 1..12)
}

fn carry_out(ledger: &mut Ledger, order: &Order) {
    let id = |ledger: &Ledger, at: usize| ledger.entries().get(at).map(|it| OverrideId(it.id));
    match order {
        Order::Add(number) => drop(ledger.add(&new(*number, None), now())),
        Order::Lift(at) => drop(id(ledger, *at).and_then(|id| ledger.remove(id))),
        Order::Drained(at) => {
            drop(id(ledger, *at).and_then(|id| ledger.drained(id, Some(3))));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Orders, a power failure anywhere, a restart; and that again on what is left. What is found is
    /// what the last answered order made, or one that came after it: nothing that was said to be over
    /// comes back, nothing that was said to count is lost, and every start succeeds. An error of the
    /// disk in between is an order that is not answered as kept, and nothing more.
    #[test]
    fn power_fails_at_any_octet(
        boots in prop::collection::vec(
            (orders(), 0usize..48, any::<u8>(), any::<u8>(), any::<bool>(), prop::option::of(0usize..48)),
            1..4,
        ),
    ) {
        let mut disk = Disk::default();
        // What may be found at the next start.
        let mut possible = vec![Ledger::default()];
        for (orders, fails_at, part, keep, zeros, error_at) in boots {
            disk.fails_at = Some((fails_at, part));
            disk.error_at = error_at;
            let mut file = SafeFile::with(disk, PATH.into(), LENGTH_MAX);
            let mut ledger = read(&mut file, now());
            prop_assert!(possible.contains(&ledger), "{ledger:?}\n{possible:?}");
            possible = vec![ledger.clone()];
            for order in orders {
                carry_out(&mut ledger, &order);
                let kept = file.replace(&ledger.bytes()).is_ok();
                if kept {
                    possible.clear();
                }
                possible.push(ledger.clone());
            }
            disk = file.into_files().reboot(keep, zeros);
        }
        let mut file = SafeFile::with(disk, PATH.into(), LENGTH_MAX);
        let ledger = read(&mut file, now());
        prop_assert!(possible.contains(&ledger), "{ledger:?}\n{possible:?}");
    }

    /// Whatever is in the file, the program starts, and can keep something afterwards.
    #[test]
    fn any_content_is_a_start(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0usize..2000) {
        let mut ledger = Ledger::default();
        (0..4).for_each(|number| drop(ledger.add(&new(number, None), now())));
        let whole = ledger.bytes();
        let mut torn = whole.clone();
        torn.truncate(cut.min(whole.len() - 2));
        for content in [bytes, torn] {
            let mut disk = Disk::default();
            disk.write(Path::new(PATH), &content).unwrap();
            let mut file = SafeFile::with(disk, PATH.into(), LENGTH_MAX);
            prop_assert_eq!(read(&mut file, now()), Ledger::default());
            file.replace(&whole).unwrap();
            prop_assert_eq!(read(&mut file, now()), ledger.clone());
            // What could not be read is not lost.
            let aside = file.into_files().read(Path::new("/d/overrides.json.broken"), 1000).unwrap();
            prop_assert_eq!(&aside, &content[..content.len().min(1000)]);
        }
    }
}

/// The model is worth something: without the syncs it finds what goes wrong.
#[test]
fn the_disk_loses_what_is_not_synced() {
    let mut disk = Disk::default();
    disk.write(Path::new(PATH), b"old").unwrap();
    disk.sync(Path::new(PATH)).unwrap();
    disk.sync_directory(Path::new("/d")).unwrap();
    let new = Path::new("/d/overrides.json.new");
    disk.write(new, b"newer").unwrap();
    let held = |disk: &Disk, keep| disk.reboot(keep, false).read(Path::new(PATH), 99).unwrap();
    assert_eq!(held(&disk, 255), b"old");
    disk.rename(new, Path::new(PATH)).unwrap();
    assert_eq!((held(&disk, 0), held(&disk, 255)), (b"old".to_vec(), b"newer".to_vec()));
    // Half of the names is none of both changes; all of them with half of the content is torn.
    disk.sync_directory(Path::new("/d")).unwrap();
    assert_eq!(held(&disk, 128), b"ne");
}

#[test]
fn a_file_of_another_version_is_set_aside_and_said_so() {
    let mut disk = Disk::default();
    let newer = b"{\"version\": 2, \"overrides\": {\"otherwise\": true}}";
    disk.write(Path::new(PATH), newer).unwrap();
    let error = Ledger::read(newer, now()).unwrap_err().to_string();
    assert_eq!(error, "another ha2bgp has written it, in version 2 and not 1");
    let mut file = SafeFile::with(disk, PATH.into(), LENGTH_MAX);
    assert_eq!(read(&mut file, now()), Ledger::default());
    let aside = file.into_files().read(Path::new("/d/overrides.json.broken"), 99).unwrap();
    assert_eq!(aside, newer);
}

#[test]
fn what_is_said_of_the_log_is_kept_for_its_time() {
    let change = |lasts| LevelChange {
        level: Level::Debug,
        lasts,
        author: Author("anna".to_owned()),
        reason: "ticket".to_owned(),
    };
    let mut ledger = Ledger::default();
    ledger.set_level(Some(KeptLevel::new(&change(Some(Duration::from_secs(60))), now())));
    let read = |ledger: &Ledger, wall: &str| {
        Ledger::read(&ledger.bytes(), wall.parse().unwrap()).unwrap().0
    };
    assert_eq!(read(&ledger, "2026-11-26T12:00:59Z"), ledger);
    assert_eq!(read(&ledger, "2026-11-26T12:01:00Z"), Ledger::default());
    // A clock without a battery makes it no longer than it was.
    let early: Timestamp = "1970-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(ledger.level().unwrap().left(early), Some(Duration::from_secs(60)));
    ledger.set_level(Some(KeptLevel::new(&change(None), now())));
    assert_eq!(read(&ledger, "2036-01-01T00:00:00Z"), ledger);
    // Files of before have none; nonsense is said.
    let old = br#"{"version": 1, "next": 7, "overrides": []}"#;
    assert_eq!(Ledger::read(old, now()).unwrap().0.level(), None);
    let text = String::from_utf8(ledger.bytes()).unwrap();
    for (from, to, says) in [
        ("\"debug\"", "\"loud\"", "log_level: \"loud\" is no level"),
        ("2026-", "once-", "log_level: \"once-11-26T12:00:00Z\" is no time"),
    ] {
        let bad = text.replace(from, to);
        assert_ne!(bad, text);
        assert_eq!(Ledger::read(bad.as_bytes(), now()).unwrap_err().to_string(), says);
    }
}

#[test]
fn as_many_overrides_as_there_may_be_fit() {
    let mut ledger = Ledger::default();
    for number in 0..OVERRIDES_MAX {
        let text = "\u{1f}".repeat(crate::control::orders::TEXT_MAX);
        let vip: Prefix = format!("2001:db8::{number:x}/128").parse().unwrap();
        let scope = Scope::Network(vip);
        let author = Author(text.clone());
        let new = NewOverride { scope, reason: text, author, ..new(1, Some(Duration::MAX)) };
        assert!(ledger.add(&new, now()).is_some(), "{number}");
    }
    assert!(ledger.add(&new(1, None), now()).is_none());
    let bytes = ledger.bytes();
    assert!(u64::try_from(bytes.len()).unwrap() < LENGTH_MAX / 4, "{}", bytes.len());
    assert_eq!(Ledger::read(&bytes, now()).unwrap(), (ledger, Vec::new()));
}

#[test]
fn clocks_that_jump_make_no_override_longer_than_it_was() {
    let mut ledger = Ledger::default();
    let half_an_hour = Duration::from_secs(1800);
    ledger.add(&new(1, Some(half_an_hour)), now()).unwrap();
    ledger.add(&new(3, None), now()).unwrap();
    let left = |wall: &str| {
        let (ledger, over) = Ledger::read(&ledger.bytes(), wall.parse().unwrap()).unwrap();
        let now = ha2bgp_core::time::Instant::START;
        let list = ledger.for_engine(wall.parse().unwrap(), now);
        let left: Vec<_> = list.iter().map(|it| it.until.map(|until| until - now)).collect();
        let drains = ledger.drains().map(|it| it.time_left(wall.parse().unwrap()));
        (left, over.len(), drains.collect::<Vec<_>>())
    };
    let two_minutes = Some(Duration::from_secs(120));
    // No clock on the board: it begins in 1970 until somebody sets it.
    let before = (vec![Some(half_an_hour), None], 0, vec![two_minutes; 2]);
    assert_eq!(left("1970-01-01T00:00:10Z"), before);
    assert_eq!(left("2026-11-26T11:00:00Z"), before);
    let minute = Some(Duration::from_secs(60));
    let later = (vec![Some(Duration::from_secs(1740)), None], 0, vec![minute; 2]);
    assert_eq!(left("2026-11-26T12:01:00Z"), later);
    let over = (vec![None], 1, vec![Some(Duration::ZERO)]);
    assert_eq!(left("2036-01-01T00:00:00Z"), over);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_kept_is_said_so_and_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("not-there");
    let keeper = Keeper::start(Some(file(place.join("overrides.json"))));
    let mut ledger = Ledger::default();
    ledger.add(&new(1, None), now()).unwrap();
    let (tell, told) = tokio::sync::oneshot::channel();
    keeper.keep(&ledger, move |kept| tell.send(kept).unwrap());
    assert!(!told.await.unwrap() && !keeper.keeps());
    std::fs::create_dir(&place).unwrap();
    while !keeper.keeps() {
        tokio::time::sleep(RETRY).await;
    }
    assert_eq!(read(&mut file(place.join("overrides.json")), now()), ledger);
    // Nowhere at all.
    let keeper = Keeper::start(None::<LedgerFile>);
    let (tell, told) = tokio::sync::oneshot::channel();
    keeper.keep(&ledger, move |kept| tell.send(kept).unwrap());
    assert!(!told.await.unwrap() && !keeper.keeps());
}
