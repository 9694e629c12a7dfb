//! Golden files: what the program printed, kept under version control.
//!
//! `UPDATE_EXPECT=1 cargo test -p ha2bgp-lab` writes them anew; the diff is then reviewed.

use std::path::Path;

/// Compares with `tests/transcripts/NAME.txt`; panics with both texts where they differ.
///
/// # Panics
/// On a difference, and where the file cannot be read or written.
pub fn check(name: &str, actual: &str) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let file = dir.join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        let written = std::fs::create_dir_all(&dir).and_then(|()| std::fs::write(&file, actual));
        assert!(written.is_ok(), "{}: {written:?}", file.display());
        return;
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        expected == actual,
        "{} differs (UPDATE_EXPECT=1 rewrites it)\n── expected\n{expected}── actual\n{actual}",
        file.display()
    );
}
