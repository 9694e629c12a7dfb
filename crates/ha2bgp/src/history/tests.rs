//! The history over a disk that fails at any octet.

use std::sync::Arc;

use super::*;

/// A disk that takes so many octets, then fails; and what is on it.
#[derive(Clone, Debug, Default)]
struct FakeDisk {
    growing: Vec<u8>,
    old: Vec<u8>,
    left: Option<usize>,
}

impl FakeDisk {
    fn spend(&mut self, wanted: usize) -> (usize, io::Result<()>) {
        match &mut self.left {
            Some(left) if *left < wanted => {
                (std::mem::take(left), Err(io::Error::other("no space")))
            }
            Some(left) => {
                *left -= wanted;
                (wanted, Ok(()))
            }
            None => (wanted, Ok(())),
        }
    }
}

impl Disk for FakeDisk {
    fn length(&mut self) -> io::Result<u64> {
        Ok(u64::try_from(self.growing.len()).unwrap())
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.growing.truncate(usize::try_from(length).unwrap());
        Ok(())
    }

    fn append(&mut self, octets: &[u8]) -> io::Result<()> {
        let (taken, result) = self.spend(octets.len());
        self.growing.extend_from_slice(&octets[..taken]);
        result
    }

    fn rotate(&mut self) -> io::Result<()> {
        // One octet, so that a power loss may come before and behind it.
        self.spend(1).1?;
        self.old = std::mem::take(&mut self.growing);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn stored(number: u64) -> Stored {
    let id = Id::of_start(jiff::Timestamp::from_second(7).unwrap(), None).plus(number);
    let line = format!("{{\"id\":\"{id}\",\"kind\":\"x\",\"text\":\"{}\"}}", "é".repeat(5));
    Stored { id, last: false, line: line.into() }
}

/// All records of a disk, and where the last whole line of the growing file ends.
fn read(disk: &FakeDisk) -> (Vec<Stored>, u64) {
    let (mut found, mut newest) = (Vec::new(), None);
    scan::scan(&*disk.old, &mut newest, &mut |stored| found.push(stored)).unwrap();
    let whole = scan::scan(&*disk.growing, &mut newest, &mut |stored| found.push(stored)).unwrap();
    (found, whole)
}

/// Writes records; returns those that were taken before the power went.
fn write(disk: FakeDisk, from: u64, count: u64, size: u64) -> (FakeDisk, u64) {
    let (_, whole) = read(&disk);
    let mut appender = Appender::new(disk, size, whole);
    for number in from..from + count {
        if let Some(Told::Failed(_)) = appender.append(&[stored(number)]) {
            return (appender.into_disk(), number);
        }
    }
    (appender.into_disk(), from + count)
}

/// The power goes at every octet there is, in turn; then everything that was written whole is
/// there, nothing is doubled or out of order, and what is written next is there too.
#[test]
fn a_power_loss_at_any_octet() {
    let size = 400;
    let mut rotated = false;
    for left in 0..2000 {
        let disk = FakeDisk { left: Some(left), ..FakeDisk::default() };
        let (mut disk, lost) = write(disk, 1, 30, size);
        rotated |= !disk.old.is_empty();
        disk.left = None;
        let (found, _) = read(&disk);
        let last = found.last().map_or(0, |stored| stored.id.to_string()[2..].parse().unwrap());
        // The last one may be whole although its end was not told.
        assert!(last == lost - 1 || last == lost, "{left}: {last} of {lost}");
        let (disk, _) = write(disk, lost + 1, 3, size);
        let (found, _) = read(&disk);
        let ids: Vec<String> = found.iter().rev().take(3).map(|it| it.id.to_string()).collect();
        let want: Vec<String> = (lost + 1..lost + 4).rev().map(|id| format!("7-{id}")).collect();
        assert_eq!(ids, want, "{left}");
        assert!(disk.growing.len() <= 400 && disk.old.len() <= 400);
    }
    assert!(rotated);
}

/// What the disk has of a block that it never wrote: zeros, or anything.
#[test]
fn a_tail_of_anything_is_cut_off() {
    for tail in [&b"\0\0\0\0"[..], b"\xff\xfe", b"{\"id\":\"7-3\",\"kind\":\"x\"}"] {
        let (mut disk, _) = write(FakeDisk::default(), 1, 2, 10_000);
        disk.growing.extend_from_slice(tail);
        let (disk, _) = write(disk, 5, 1, 10_000);
        let ids: Vec<String> = read(&disk).0.iter().map(|it| it.id.to_string()).collect();
        assert_eq!(ids, ["7-1", "7-2", "7-5"]);
    }
}

#[test]
fn a_full_disk_costs_the_records_of_its_time_and_says_so_once() {
    let mut appender =
        Appender::new(FakeDisk { left: Some(200), ..FakeDisk::default() }, 10_000, 0);
    let mut told = Vec::new();
    for number in 1..100 {
        if number == 50 {
            appender.disk().left = None;
        }
        told.extend(appender.append(&[stored(number)]).map(|told| (number, format!("{told:?}"))));
    }
    let (failed, again) = (&told[0], &told[1]);
    assert!(failed.1.starts_with("Failed"), "{told:?}");
    assert_eq!((told.len(), again.0), (2, 50));
    let found = read(&appender.into_disk()).0;
    assert_eq!(again.1, format!("Again({})", 50 - failed.0));
    assert_eq!(u64::try_from(found.len()).unwrap(), 99 - (50 - failed.0));
}

/// Everything through real files.
struct Real {
    dir: tempfile::TempDir,
}

impl Real {
    fn path(&self) -> PathBuf {
        self.dir.path().join("history")
    }

    fn open(&self) -> Option<Found> {
        let file = HistoryFile::Path(self.path());
        open(&HistorySettings { file, size: 2000 })
    }
}

async fn append(history: &mut History, numbers: std::ops::Range<u64>) {
    for number in numbers {
        history.append(vec![stored(number)]).await;
    }
    history.flush().await;
}

fn ids(reader: &Reader) -> Vec<String> {
    let mut ids = Vec::new();
    reader.each(&mut |stored| ids.push(stored.id.to_string()[2..].to_owned())).unwrap();
    ids
}

#[tokio::test]
async fn files_that_are_taken_away_or_replaced() {
    let real = Real { dir: tempfile::tempdir().unwrap() };
    let mut found = real.open().unwrap();
    append(&mut found.history, 1..3).await;
    assert_eq!(ids(&found.reader), ["1", "2"]);
    // Removed; then moved away by somebody who rotates logs; then replaced.
    std::fs::remove_file(real.path()).unwrap();
    append(&mut found.history, 3..5).await;
    assert_eq!(ids(&found.reader), ["3", "4"]);
    std::fs::write(real.path(), "no end of line").unwrap();
    append(&mut found.history, 5..6).await;
    assert_eq!(ids(&found.reader), ["5"]);
    // A directory in its place takes nothing; when it is gone everything goes on.
    std::fs::remove_file(real.path()).unwrap();
    std::fs::create_dir(real.path()).unwrap();
    append(&mut found.history, 6..8).await;
    assert!(found.reader.each(&mut |_| {}).is_err());
    std::fs::remove_dir(real.path()).unwrap();
    append(&mut found.history, 8..10).await;
    assert_eq!(ids(&found.reader), ["8", "9"]);
}

#[tokio::test]
async fn it_stays_small_and_what_is_kept_is_the_newest() {
    let real = Real { dir: tempfile::tempdir().unwrap() };
    let mut found = real.open().unwrap();
    append(&mut found.history, 1..500).await;
    let kept = ids(&found.reader);
    let want: Vec<String> = (1..500u64).map(|number| number.to_string()).collect();
    assert!(kept.len() > 10 && want.ends_with(&kept), "{kept:?}");
    let size = |path: &Path| std::fs::metadata(path).unwrap().len();
    assert!(size(&real.path()) <= 1000 && size(&disk::old(&real.path())) <= 1000);
    // The next process knows them, and one at a time writes.
    assert!(real.open().is_none());
    drop(found);
    let newest: Vec<Stored> = loop_open(&real).newest.into();
    assert_eq!(newest.len(), kept.len());
    assert_eq!(newest.last().unwrap().id.to_string(), "7-499");
}

/// The lock goes with the thread, a moment after the handle.
fn loop_open(real: &Real) -> Found {
    let begun = Instant::now();
    loop {
        if let Some(found) = real.open() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "never free");
        std::thread::yield_now();
    }
}

#[test]
fn what_cannot_be_opened_prevents_no_start() {
    let dir = tempfile::tempdir().unwrap();
    let open = |path: &Path| {
        let file = HistoryFile::Path(path.to_owned());
        open(&HistorySettings { file, ..HistorySettings::default() })
    };
    assert!(open(&dir.path().join("gone/history")).is_none());
    let path = dir.path().join("directory");
    std::fs::create_dir(&path).unwrap();
    assert!(open(&path).is_none());
    let path = dir.path().join("garbage");
    std::fs::write(&path, vec![0xff; 100_000]).unwrap();
    assert!(open(&path).unwrap().newest.is_empty());
}

#[test]
fn pieces_are_small() {
    let many: Vec<Stored> = (1..1000).map(stored).collect();
    let cut = pieces(many.clone());
    assert!(cut.iter().all(|piece| piece.len() <= PIECE_RECORDS));
    assert_eq!(cut.concat(), many);
    let large = Stored { line: Arc::from("x".repeat(PIECE_OCTETS)), ..stored(1) };
    assert_eq!(pieces(vec![large.clone(), large]).len(), 2);
    assert!(pieces(Vec::new()).is_empty());
}
