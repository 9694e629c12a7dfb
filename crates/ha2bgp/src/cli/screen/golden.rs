//! Screens that are kept as files: `UPDATE_EXPECT=1` writes them anew.

use std::path::Path;

use super::Screen;

/// Compares a screen with the file of that name in `tests/screens`.
pub(in super::super) fn assert_screen(name: &str, shown: &str) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screens");
    let path = directory.join(format!("{name}.txt"));
    let shown = format!("{}\n", shown.trim_end());
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::create_dir_all(directory).unwrap();
        std::fs::write(path, shown).unwrap();
        return;
    }
    let want = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(want == shown, "{name} is not as in {path:?} (UPDATE_EXPECT=1 rewrites it):\n{shown}");
}

/// The same at 80 and at 120 columns; no line may be wider.
pub(in super::super) fn assert_screens(name: &str, show: impl Fn(Screen) -> String) {
    for width in [80, 120] {
        let shown = show(Screen { width: Some(width), color: false });
        for line in shown.lines() {
            assert!(line.chars().count() <= width, "{name}: wider than {width}: {line}");
        }
        assert_screen(&format!("{name}-{width}"), &shown);
    }
}
