//! Every reader gets every record exactly once, in order, or is told of the gap: over any
//! interleaving of telling, reading, leaving and coming back, restarts and crashes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::Timestamp;
use proptest::prelude::*;
use tokio::task::JoinHandle;

use super::keeper::{BATCHES_MAX, start_with};
use super::*;
use crate::clock::Clock;
use crate::history::{self, HistoryFile, HistorySettings, Query};

/// Small, so that readers fall behind.
const RING: usize = 8;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    /// So many records are told.
    Tell(usize),
    /// This reader reads once.
    Read(usize),
    /// This reader goes on anew from one of the records that it has had.
    Resume(usize, usize),
    /// The program ends in order and starts again.
    Restart,
    /// It ends without a word.
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..20usize).prop_map(Step::Tell),
        6 => (0..3usize).prop_map(Step::Read),
        2 => (0..3usize, 0..200usize).prop_map(|(reader, at)| Step::Resume(reader, at)),
        1 => Just(Step::Restart),
        1 => Just(Step::Crash),
    ]
}

struct Program {
    teller: Teller,
    log: EventLog,
    keeper: JoinHandle<()>,
}

fn begin(file: &HistoryFile, second: i64) -> Program {
    let settings = HistorySettings { file: file.clone(), ..HistorySettings::default() };
    let begun = std::time::Instant::now();
    // A thread of the process before may still write.
    let found = loop {
        let found = history::open(&settings);
        if found.is_some() || *file == HistoryFile::Off {
            break found;
        }
        assert!(begun.elapsed().as_secs() < 30, "the history is never free");
        std::thread::yield_now();
    };
    let at = Timestamp::from_second(second).unwrap();
    let (teller, log, keeper) = start_with(found, Clock::start(), Ring::new(RING, usize::MAX), at);
    Program { teller, log, keeper: tokio::spawn(keeper.run()) }
}

/// What a reader has got, from its last beginning on.
#[derive(Default)]
struct Seen {
    ids: Vec<Id>,
    gaps: Vec<Gap>,
}

/// All that is there now. One item behind the newest is asked for, so that it must end by itself.
async fn read(subscription: &mut Subscription, newest: Id, seen: &mut Seen) {
    while subscription.cursor() < newest {
        for item in subscription.next().await.unwrap() {
            match item {
                Item::Record(stored) => seen.ids.push(stored.id),
                Item::Gap(gap) => seen.gaps.push(gap),
            }
        }
    }
}

/// Holds what a reader has got against all records there ever were.
fn check(all: &BTreeSet<Id>, from: Id, seen: &Seen) -> Result<(), TestCaseError> {
    prop_assert!(seen.ids.is_sorted_by(|a, b| a < b), "twice, or not in order: {:?}", seen.ids);
    let Some(last) = seen.ids.last() else { return Ok(()) };
    let got: BTreeSet<Id> = seen.ids.iter().copied().collect();
    prop_assert!(got.iter().all(|id| *id > from && all.contains(id)));
    for missing in all.range(from..=*last).filter(|id| **id != from && !got.contains(id)) {
        let told =
            |gap: &Gap| gap.after < *missing && gap.before.is_none_or(|before| *missing < before);
        prop_assert!(seen.gaps.iter().any(told), "{missing} is missing and no gap says so");
    }
    Ok(())
}

async fn run(steps: Vec<Step>, file: HistoryFile) -> Result<(), TestCaseError> {
    let mut second = 1000;
    let mut program = begin(&file, second);
    let mut all = BTreeSet::from([program.log.newest()]);
    let start = program.log.newest();
    let mut readers: BTreeMap<usize, (Id, Seen)> = BTreeMap::new();
    let mut positions: BTreeMap<usize, Id> = (0..3).map(|reader| (reader, start)).collect();
    let mut crashed = false;
    for step in steps {
        match step {
            Step::Tell(count) => {
                for number in 0..count {
                    let before = program.log.newest();
                    program.teller.tell(Draft::new(
                        Kind::Released,
                        Level::Debug,
                        number.to_string(),
                    ));
                    while program.log.newest() == before {
                        tokio::task::yield_now().await;
                    }
                    all.insert(program.log.newest());
                }
            }
            Step::Read(reader) => {
                let position = positions[&reader];
                let (_, seen) = readers.entry(reader).or_insert((position, Seen::default()));
                let mut subscription = program.log.subscribe(Some(position));
                read(&mut subscription, program.log.newest(), seen).await;
                positions.insert(reader, subscription.cursor());
            }
            Step::Resume(reader, at) => {
                let known: Vec<Id> = match readers.remove(&reader) {
                    Some((from, seen)) => {
                        check(&all, from, &seen)?;
                        std::iter::once(from).chain(seen.ids).collect()
                    }
                    None => vec![start],
                };
                positions.insert(reader, known[at % known.len()]);
            }
            Step::Restart | Step::Crash => {
                let is_crash = matches!(step, Step::Crash);
                if is_crash {
                    // Everything that was told is on disk, but not the word of the end.
                    program.keeper.abort();
                    crashed = true;
                }
                let before = program.log.newest();
                drop(program.teller);
                let _ = program.keeper.await;
                if !is_crash {
                    all.insert(before.plus(1));
                }
                // The clock goes back at times.
                second += if is_crash { -10 } else { 1 };
                program = begin(&file, second);
                all.insert(program.log.newest());
            }
        }
    }
    let newest = program.log.newest();
    for (reader, (from, mut seen)) in readers {
        let mut subscription = program.log.subscribe(Some(positions[&reader]));
        read(&mut subscription, newest, &mut seen).await;
        check(&all, from, &seen)?;
        if file != HistoryFile::Off && !crashed {
            prop_assert!(seen.gaps.is_empty(), "nothing was lost: {:?}", seen.gaps);
            prop_assert_eq!(seen.ids.len(), all.range(from..).filter(|id| **id != from).count());
        }
    }
    Ok(())
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn in_dir(dir: &Path) -> HistoryFile {
    HistoryFile::Path(dir.join("history"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn exactly_once_with_a_history(steps in proptest::collection::vec(step(), 1..60)) {
        let dir = tempfile::tempdir().unwrap();
        block_on(run(steps, in_dir(dir.path())))?;
    }

    #[test]
    fn exactly_once_or_a_gap_without_one(steps in proptest::collection::vec(step(), 1..60)) {
        block_on(run(steps, HistoryFile::Off))?;
    }
}

/// A reader that waits while records come, from another thread of tasks.
#[tokio::test]
async fn a_waiting_reader_gets_what_comes_and_the_end() {
    let program = begin(&HistoryFile::Off, 1);
    let mut subscription = program.log.subscribe(None);
    let reader = tokio::spawn(async move {
        let mut seen = Vec::new();
        while let Some(items) = subscription.next().await {
            seen.extend(items);
        }
        seen
    });
    for number in 0..100 {
        program.teller.tell(Draft::new(Kind::Released, Level::Debug, number.to_string()));
        tokio::task::yield_now().await;
    }
    drop(program.teller);
    program.keeper.await.unwrap();
    let seen = reader.await.unwrap();
    let heard: u64 = seen
        .iter()
        .map(|item| match item {
            Item::Gap(gap) => gap.lost.unwrap(),
            Item::Record(_) => 1,
        })
        .sum();
    // The ring is small: what is no record is told as lost. The word of the end may come too late.
    assert!((100..=101).contains(&heard), "{heard}");
}

/// What finds no place is counted, and readers see that something is missing.
#[tokio::test]
async fn telling_never_waits_and_what_is_left_out_is_a_gap() {
    let (teller, log, keeper) =
        start_with(None, Clock::start(), Ring::default(), Timestamp::UNIX_EPOCH);
    let mut subscription = log.subscribe(None);
    // Nobody takes them: the keeper does not run.
    for number in 0..BATCHES_MAX + 36 {
        teller.tell(Draft::new(Kind::Released, Level::Debug, number.to_string()));
    }
    let keeper = tokio::spawn(keeper.run());
    let items = subscription.next().await.unwrap();
    let Some(Item::Gap(gap)) = items.first() else { panic!("{:?}", items.first()) };
    let records = items.iter().filter(|item| matches!(item, Item::Record(_))).count();
    assert_eq!(gap.lost, Some(36));
    assert!(records >= 1);
    drop(teller);
    keeper.await.unwrap();
}

#[tokio::test]
async fn the_past_is_searched() {
    let dir = tempfile::tempdir().unwrap();
    let program = begin(&in_dir(dir.path()), 5000);
    for number in 0..100u32 {
        let name = if number % 10 == 0 { "web" } else { "dns" };
        let kind = if number % 2 == 0 { Kind::Released } else { Kind::Suppressed };
        let draft = Draft::new(kind, Level::Debug, number.to_string()).service(name);
        let prefix = format!("100.64.0.{}/32", number % 3).parse().unwrap();
        let before = program.log.newest();
        program.teller.tell(draft.prefix(prefix));
        while program.log.newest() == before {
            tokio::task::yield_now().await;
        }
    }
    let log = &program.log;
    let texts = |query: Query| async move {
        let found = log.query(query).await.unwrap().into_iter();
        let text = |stored: Stored| serde_json::from_str::<Record>(&stored.line).unwrap().text;
        found.map(text).collect::<Vec<_>>()
    };
    let all = Query { limit: 1000, ..Query::default() };
    assert_eq!(texts(all.clone()).await.len(), 101);
    assert_eq!(texts(Query { limit: 2, ..all.clone() }).await, ["98", "99"]);
    let web = Query { service: Some("web".into()), ..all.clone() };
    assert_eq!(texts(Query { limit: 3, ..web.clone() }).await, ["70", "80", "90"]);
    let both = Query { prefix: Some("100.64.0.0/32".into()), ..web };
    assert_eq!(texts(both).await, ["0", "30", "60", "90"]);
    let kind = Query { kind: Some("suppressed".into()), limit: 1, ..all.clone() };
    assert_eq!(texts(kind).await, ["99"]);
    let after = Query { after: Some("5000-51".parse().unwrap()), limit: 2, ..all.clone() };
    assert_eq!(texts(after).await, ["50", "51"]);
    let since = Query { since: Some(Timestamp::MAX), ..all };
    assert_eq!(texts(since).await.len(), 0);
    drop(program.teller);
    program.keeper.await.unwrap();
}
