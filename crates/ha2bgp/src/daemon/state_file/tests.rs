use super::*;
use ha2bgp_core::net::NextHop;
use ha2bgp_core::route::Route;
use std::time::Instant as Wall;

fn routes(count: u32) -> RouteSet {
    let host = |i: u32| std::net::Ipv4Addr::from_bits(0x6440_0000 + i);
    let prefix = |i| ha2bgp_core::net::Prefix::host(host(i).into());
    (0..count).map(|i| (prefix(i), Route::new(NextHop::SelfAddress))).collect()
}

fn store(dir: &tempfile::TempDir) -> Option<Store> {
    Store::open(&StateFile::Path(dir.path().join("state").display().to_string()))
}

/// Waits until what the file holds is this.
async fn reaches(store: &Path, want: &RouteSet) {
    let begun = Wall::now();
    loop {
        let state = read(store).ok().and_then(|text| State::parse(&text).ok());
        if state.is_some_and(|state| state.routes == *want) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "never written");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn the_file_follows_the_desired_set_and_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    let desire = |count, complete, manner| Desired {
        routes: routes(count),
        complete,
        manner,
        ..Desired::default()
    };
    let (sender, desired) = watch::channel(desire(0, false, Manner::Running));
    // What the process before announced counts until the first look is complete.
    let task = tokio::spawn(store(&dir).unwrap().keep(desired, routes(3)));
    reaches(&path, &routes(3)).await;
    sender.send_replace(desire(5, false, Manner::Running));
    reaches(&path, &routes(5)).await;
    sender.send_replace(desire(2, true, Manner::Running));
    reaches(&path, &routes(2)).await;
    let written = || State::parse(&read(&path).unwrap()).unwrap().written;
    let (before, begun) = (written(), Wall::now());
    while written() == before {
        assert!(begun.elapsed() < Duration::from_secs(30), "never touched");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // A stop withdraws: the file still says what was there, in case that fails.
    sender.send_replace(desire(0, true, Manner::Stopping));
    let store = task.await.unwrap();
    assert_eq!(store.read().unwrap().routes, routes(2));
    store.clear();
    assert!(!path.exists());
}

#[tokio::test]
async fn a_restart_leaves_the_newest_set() {
    let dir = tempfile::tempdir().unwrap();
    let desire = |count, manner| Desired {
        routes: routes(count),
        complete: true,
        manner,
        ..Desired::default()
    };
    let (sender, desired) = watch::channel(desire(1, Manner::Running));
    let task = tokio::spawn(store(&dir).unwrap().keep(desired, RouteSet::new()));
    reaches(&dir.path().join("state"), &routes(1)).await;
    // Within the second that is waited between two writes.
    sender.send_replace(desire(9, Manner::Running));
    sender.send_replace(desire(9, Manner::Restarting));
    drop(sender);
    assert_eq!(task.await.unwrap().read().unwrap().routes, routes(9));
}

#[test]
fn one_process_writes_it() {
    let dir = tempfile::tempdir().unwrap();
    let first = store(&dir).unwrap();
    assert!(store(&dir).is_none());
    drop(first);
    assert!(store(&dir).is_some());
}

/// A place that is not there costs the state, not the start.
#[test]
fn without_its_directory_there_is_no_file() {
    let path = tempfile::tempdir().unwrap().path().join("gone/state");
    assert!(Store::open(&StateFile::Path(path.display().to_string())).is_none());
    assert!(Store::open(&StateFile::Off).is_none());
}

#[test]
fn what_is_no_state_file_is_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir).unwrap();
    assert_eq!(store.read(), None);
    fs::write(&store.path, b"\xff\xfe").unwrap();
    assert_eq!(store.read(), None);
    fs::write(&store.path, vec![b'a'; BYTES_MAX + 1]).unwrap();
    assert_eq!(store.read(), None);
    fs::remove_file(&store.path).unwrap();
    fs::create_dir(&store.path).unwrap();
    assert_eq!(store.read(), None);
}

/// A hundred thousand routes cost a fraction of a second in another thread; the time alone, nothing.
#[test]
fn the_cost_of_many_routes_is_small() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(&dir).unwrap();
    let many = routes(100_000);
    let begun = Wall::now();
    store.write(&many).unwrap();
    let (written, begun) = (begun.elapsed(), Wall::now());
    store.touch().unwrap();
    let (touched, begun) = (begun.elapsed(), Wall::now());
    assert_eq!(store.read().unwrap().routes, many);
    println!("written in {written:?}, touched in {touched:?}, read in {:?}", begun.elapsed());
    assert!(written < Duration::from_secs(5), "{written:?}");
}

/// What is written beside and renamed must not take the place of a device, or of anything but a file.
#[test]
fn only_files_are_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let (fresh, there) = (dir.path().join("fresh"), dir.path().join("there"));
    fs::write(&fresh, "new").unwrap();
    // A socket stands for a device here, which takes root to make.
    let _socket = std::os::unix::net::UnixListener::bind(&there).unwrap();
    let error = rename(&fresh, &there).unwrap_err();
    assert!(error.to_string().contains("there is no file: name another place"), "{error}");
    assert!(rename(&there, &dir.path().join("old")).is_err());
    assert!(there.exists() && fresh.exists());
    fs::remove_file(&there).unwrap();
    rename(&fresh, &there).unwrap();
    assert_eq!(fs::read_to_string(&there).unwrap(), "new");
}
