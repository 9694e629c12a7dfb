//! Readers of all kinds.

use std::io::Read as _;
use std::time::Instant;

use super::super::tests::stage;
use super::*;

const SOON: Duration = Duration::from_secs(30);

/// Runs blocking work while the engine answers.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

/// What one reader gets: it waits for the pipe, and reads to the end.
fn read(path: &Path) -> String {
    let begun = Instant::now();
    loop {
        match fs::read_to_string(path) {
            Ok(text) => return text,
            Err(error) => assert!(begun.elapsed() < SOON, "{error}"),
        }
    }
}

/// Opens the pipe, and waits until others open another one.
fn open(path: &Path) -> File {
    let pipe = File::open(path).unwrap();
    let (own, begun) = (pipe.metadata().unwrap().ino(), Instant::now());
    while number(path).unwrap() == Some(own) {
        assert!(begun.elapsed() < SOON, "it is never replaced");
        std::thread::yield_now();
    }
    pipe
}

#[tokio::test]
async fn each_reader_gets_one_whole_dump_and_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pipe");
    let stage = stage();
    // What a process before left is used.
    fs::rename(make(&path).unwrap(), &path).unwrap();
    let _pipe = spawn(path.clone(), stage.source.clone()).unwrap();
    for _ in 0..20 {
        let path = path.clone();
        let text = blocking(move || read(&path)).await;
        assert!(text.starts_with("# ha2bgp ") && text.ends_with("# end\n"), "{text}");
        assert_eq!(text.matches("# end").count(), 1, "two dumps for one reader: {text}");
    }
}

#[tokio::test]
async fn a_reader_that_never_reads_and_one_that_goes_cost_others_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pipe");
    let stage = stage();
    let _pipe = spawn(path.clone(), stage.source.clone()).unwrap();
    let first = path.clone();
    blocking(move || read(&first)).await;
    let opened = path.clone();
    let hanging = blocking(move || open(&opened)).await;
    for _ in 0..5 {
        let gone = path.clone();
        blocking(move || drop(open(&gone))).await;
        let path = path.clone();
        let text = blocking(move || read(&path)).await;
        assert!(text.ends_with("# end\n"));
    }
    // It still has its own, whenever it begins.
    let text = blocking(move || {
        let (mut hanging, mut text) = (hanging, String::new());
        hanging.read_to_string(&mut text).unwrap();
        text
    })
    .await;
    assert!(text.ends_with("# end\n"));
}

#[tokio::test]
async fn a_pipe_that_is_taken_away_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pipe");
    let stage = stage();
    let pipe = spawn(path.clone(), stage.source.clone()).unwrap();
    let begun = Instant::now();
    while pipe.waiting.borrow().is_none() {
        assert!(begun.elapsed() < SOON);
        tokio::task::yield_now().await;
    }
    fs::remove_file(&path).unwrap();
    while number(&path).unwrap().is_none() {
        assert!(begun.elapsed() < SOON);
        pipe.check();
        tokio::task::yield_now().await;
    }
    let reader = path.clone();
    assert!(blocking(move || read(&reader)).await.ends_with("# end\n"));
    pipe.remove();
    assert!(!path.exists());
}

#[tokio::test]
async fn it_goes_on_when_what_was_in_the_way_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pipe");
    let stage = stage();
    fs::write(&path, "mine").unwrap();
    let pipe = spawn(path.clone(), stage.source.clone()).unwrap();
    let begun = Instant::now();
    while !pipe.waiting.has_changed().unwrap() {
        assert!(begun.elapsed() < SOON, "it has not tried yet");
        tokio::task::yield_now().await;
    }
    fs::remove_file(&path).unwrap();
    let text = blocking(move || read(&path)).await;
    assert!(text.ends_with("# end\n"), "{text}");
}

#[test]
fn what_is_no_pipe_stays() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pipe");
    fs::write(&path, "mine").unwrap();
    let (told, waiting) = watch::channel(None);
    let error = next_reader(&path, &told).unwrap_err();
    assert!(error.to_string().contains("no pipe: take it away"));
    let pipe = Pipe { path: path.clone(), waiting };
    pipe.check();
    pipe.remove();
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    assert!(next_reader(&dir.path().join("gone/pipe"), &told).is_err());
}

/// More than a pipe holds goes to whoever reads; whoever does not is given up.
#[test]
fn a_long_dump() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pipe");
    fs::rename(make(&path).unwrap(), &path).unwrap();
    let long = vec![b'x'; 1024 * 1024];
    let open =
        |path: &Path| OpenOptions::new().read(true).custom_flags(NONBLOCK).open(path).unwrap();
    let reader = open(&path);
    let pipe = OpenOptions::new().write(true).open(&path).unwrap();
    let error = give(pipe, &long, Instant::now()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    drop(reader);
    let reading = path.clone();
    let reader = std::thread::spawn(move || fs::read(reading).unwrap());
    let pipe = OpenOptions::new().write(true).open(&path).unwrap();
    give(pipe, &long, Instant::now() + SOON).unwrap();
    assert_eq!(reader.join().unwrap().len(), long.len());
    let reader = open(&path);
    let pipe = OpenOptions::new().write(true).open(&path).unwrap();
    drop(reader);
    let error = give(pipe, &long, Instant::now() + SOON).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}
